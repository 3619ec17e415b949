"""History and outbox: what happened to records, and what has yet to be told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from crmcore.records import EntityDef
from crmcore.storage import Event, FieldChange, HistoryEntry
from crmcore_mongo.indexes import HISTORY, OUTBOX
from crmcore_mongo.values import ID, TENANT, plain
from crmcore_mongo.work import Work

__all__ = ["append", "finish_events", "history", "take_events"]

Document = dict[str, Any]


def append(
    work: Work, entries: Sequence[HistoryEntry], events: Sequence[Event]
) -> None:
    """Write history entries and events."""
    tenant, session = work.tenant, work.begin()
    if entries:
        rows = [_entry_document(tenant, entry) for entry in entries]
        work.collection(HISTORY).insert_many(rows, session=session)
    if events:
        rows = [_event_document(tenant, event) for event in events]
        work.collection(OUTBOX).insert_many(rows, session=session)


def _entry_document(tenant: str, entry: HistoryEntry) -> Document:
    return {
        TENANT: tenant,
        "entity": entry.entity,
        "record_id": entry.record_id,
        "version": entry.version,
        "action": entry.action,
        "at": entry.at,
        "by": entry.by,
        "changes": [
            {"field": c.field, "old": c.old, "new": c.new} for c in entry.changes
        ],
    }


def history(work: Work, entity: EntityDef, record_id: UUID) -> list[HistoryEntry]:
    """Return what happened to a record, oldest first.

    Versions tell the order, never clocks; those of one version stand as they were
    written.
    """
    condition = {TENANT: work.tenant, "record_id": record_id, "entity": entity.name}
    order = {"version": 1, "_id": 1}
    found = work.collection(HISTORY).find(condition, sort=order, session=work.session)
    return [_entry(document) for document in found]


def _entry(document: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        entity=document["entity"],
        record_id=document["record_id"],
        version=int(document["version"]),
        action=document["action"],
        at=document["at"],
        by=document["by"],
        changes=tuple(
            FieldChange(change["field"], plain(change["old"]), plain(change["new"]))
            for change in document["changes"]
        ),
    )


def _event_document(tenant: str, event: Event) -> Document:
    return {
        TENANT: tenant,
        ID: event.id,
        "kind": event.kind,
        "entity": event.entity,
        "record_id": event.record_id,
        "version": event.version,
        "at": event.at,
        "by": event.by,
        "payload": dict(event.payload),
        "leased_until": None,
    }


def _event(document: Mapping[str, Any]) -> Event:
    return Event(
        id=document[ID],
        kind=document["kind"],
        entity=document["entity"],
        record_id=document["record_id"],
        version=int(document["version"]),
        at=document["at"],
        by=document["by"],
        payload=plain(document["payload"]),
    )


def take_events(
    work: Work, limit: int, now: datetime, lease_until: datetime
) -> list[Event]:
    """Lease events that nobody holds; two that want the same ones conflict."""
    if limit < 1:
        return []
    session, outbox = work.begin(), work.collection(OUTBOX)
    free = [{"leased_until": None}, {"leased_until": {"$lte": now}}]
    condition = {TENANT: work.tenant, "$or": free}
    found = outbox.find(
        condition, sort={ID: 1}, limit=limit, batch_size=limit + 1, session=session
    )
    events = [_event(document) for document in found]
    if events:
        chosen = {TENANT: work.tenant, ID: {"$in": [event.id for event in events]}}
        lease = {"$set": {"leased_until": lease_until}}
        outbox.update_many(chosen, lease, session=session)
    return events


def finish_events(work: Work, ids: Collection[UUID]) -> None:
    """Remove events that were told."""
    condition = {TENANT: work.tenant, ID: {"$in": list(ids)}}
    work.collection(OUTBOX).delete_many(condition, session=work.begin())
