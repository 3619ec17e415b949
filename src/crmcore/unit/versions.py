"""Earlier versions of a record, told from its history (REC-08)."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from crmcore.records import Conventions, EntityDef, Record, Refused
from crmcore.storage import HistoryEntry

__all__ = ["at_version"]


def at_version(
    entity: EntityDef,
    record: Record,
    version: int,
    history: Iterable[HistoryEntry],
    conventions: Conventions,
) -> Record:
    """Return ``record`` as it was at ``version``.

    ``history`` holds all entries of the record; a record without one for each later
    version is returned as it is. Values whose field or option is gone by now stay.
    """
    entries = sorted(history, key=lambda entry: entry.version)
    later = [entry for entry in entries if entry.version > version]
    if {e.version for e in later} < set(range(version + 1, record.version + 1)):
        return record
    typed: dict[str, Any] = {}
    custom = dict(record.custom)
    for entry in reversed(later):
        for change in entry.changes:
            field = entity.fields.get(change.field)
            if field is None:
                continue
            try:
                old = _value(field.type, change.old, conventions)
            except Refused:
                continue
            (custom if field.custom else typed)[field.name] = old
    return record.evolved(
        **typed,
        **_stamps([e for e in entries if e.version <= version]),
        version=version,
        custom=MappingProxyType({n: v for n, v in custom.items() if v is not None}),
    )


def _value(kind: Any, data: Any, conventions: Conventions) -> Any:
    return None if data is None else kind.from_json(data, conventions)


def _stamps(entries: list[HistoryEntry]) -> dict[str, Any]:
    """Return who changed, deleted, invalidated, archived the record, up to some entry."""
    if not entries:
        return {}
    latest = entries[-1]
    stamps: dict[str, Any] = {"updated_at": latest.at, "updated_by": latest.by}
    for state, (into, back) in _TURNS.items():
        turned = [e for e in entries if e.action in (into, back)]
        last = turned[-1] if turned and turned[-1].action == into else None
        stamps[f"{state}_at"] = last.at if last else None
        stamps[f"{state}_by"] = last.by if last else None
    return stamps


#: By which actions a record gets into a state and out of it again.
_TURNS = {
    "deleted": ("deleted", "restored"),
    "invalid": ("invalidated", "revalidated"),
    "archived": ("archived", "unarchived"),
}
