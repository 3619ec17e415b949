"""Operation logs: changes of an object's records, written as records of another (REC-08)."""

from __future__ import annotations

from types import MappingProxyType

from crmcore.records import Ref, Schema
from crmcore.storage import HistoryEntry, Insertion
from crmcore.unit.context import Context

__all__ = ["logged"]


def logged(
    schema: Schema, entries: list[HistoryEntry], context: Context
) -> dict[str, list[Insertion]]:
    """Return the log records that history entries ask for, by the log's entity.

    They are owned by who acted, hold what changed, and are not logged themselves.
    """
    made: dict[str, list[Insertion]] = {}
    for entry in entries:
        source = schema.entities.get(entry.entity)
        if source is None or source.log_object is None:
            continue
        log = schema.entities.get(source.log_object)
        if log is None:
            continue
        changes = [
            {"field": change.field, "old": change.old, "new": change.new}
            for change in entry.changes
        ]
        values = {
            log.display[0]: entry.action,
            "subject": Ref(entry.entity, entry.record_id),
            "subject_version": entry.version,
            **({"changes": changes} if changes else {}),
        }
        record = log.record_class(
            id=context.ids.new(),
            version=1,
            owner_id=context.actor.id,
            created_at=context.now,
            created_by=context.actor.id,
            updated_at=context.now,
            updated_by=context.actor.id,
            custom=MappingProxyType(values),
        )
        made.setdefault(log.name, []).append(Insertion(record))
    return made
