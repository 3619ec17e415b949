"""What a unit of work writes beside the records: history, events, claims, operations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmcore.records import Record

__all__ = [
    "Claim",
    "Event",
    "FieldChange",
    "HistoryEntry",
    "Insertion",
    "MatchHit",
    "Operation",
    "Update",
]


@attrs.frozen
class Insertion:
    """A new record with its match keys."""

    record: Record
    keys: frozenset[str] = frozenset()


@attrs.frozen
class Update:
    """A record's new version; stored only where ``old.version`` is still the stored one.

    ``keys`` are all match keys of the new version, ``old_keys`` those of the old one;
    both are left out where a change cannot touch them.
    """

    old: Record
    new: Record
    keys: frozenset[str] = frozenset()
    old_keys: frozenset[str] = frozenset()


@attrs.frozen
class FieldChange:
    """One field's old and new value, as JSON data (REC-08)."""

    field: str
    old: Any
    new: Any


@attrs.frozen
class HistoryEntry:
    """What one write did to one record, and who did it when (REC-08)."""

    entity: str
    record_id: UUID
    version: int
    action: str
    at: datetime
    by: UUID | None
    changes: tuple[FieldChange, ...] = ()


@attrs.frozen
class Event:
    """Something that happened, to be told after the commit, at least once.

    ``kind`` is such as ``lead.created``; ``payload`` is JSON data.
    """

    id: UUID
    kind: str
    entity: str
    record_id: UUID
    version: int
    at: datetime
    by: UUID | None
    payload: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Claim:
    """A unique value: within ``scope`` only one record may hold ``key`` (DUP-01).

    ``scope`` is the entity and field, such as ``account.name``.
    """

    scope: str
    key: str
    record_id: UUID


@attrs.frozen
class MatchHit:
    """A record that shares a match key."""

    key: str
    record_id: UUID


@attrs.frozen
class Operation:
    """What was done under an operation key: the verbs, in order, as JSON data."""

    key: str
    at: datetime
    by: UUID | None
    journal: tuple[Mapping[str, Any], ...] = ()
