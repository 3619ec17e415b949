"""Which existing record a row means: found by the fields that the plan matches on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmcore.criteria import F
from crmcore.exchange.reading import Entry
from crmcore.records import EntityDef, Record, Refused, identity_key
from crmcore.unit import UnitOfWork

__all__ = ["Identity", "find_existing", "identity_of"]

#: What the fields to match on hold, comparable across rows.
Identity = tuple[str, ...]


def identity_of(
    unit: UnitOfWork, entity: EntityDef, fields: Sequence[str], entry: Entry
) -> Identity | None:
    """Return what identifies a row; None where one of the fields is empty."""
    parts = []
    for name in fields:
        value = entry.values.get(name)
        if value is None:
            return None
        try:
            canonical = entity.fields[name].type.coerce(value, unit.context.conventions)
        except Refused:
            return None
        parts.append(identity_key(str(canonical)))
    return tuple(parts)


def find_existing(
    unit: UnitOfWork,
    entity: EntityDef,
    fields: Sequence[str],
    identities: dict[Identity, Entry],
) -> dict[Identity, list[Record]]:
    """Return the stored records that each identity means, locked, deleted ones left out.

    Records that the actor may not see are left out as well.
    """
    if not identities:
        return {}
    if len(fields) == 1 and entity.fields[fields[0]].unique:
        ids = _holders(unit, entity, fields[0], identities)
    else:
        ids = _selected(unit, entity, fields, identities)
    wanted = sorted({identity for found in ids.values() for identity in found})
    loaded = unit.transaction.load(entity, wanted, lock=True) if wanted else {}
    return {
        key: [
            record
            for identity in found
            if (record := loaded.get(identity)) and unit.visible(entity, record)
        ]
        for key, found in ids.items()
    }


def _holders(
    unit: UnitOfWork, entity: EntityDef, field: str, identities: dict[Identity, Entry]
) -> dict[Identity, list[UUID]]:
    scope = f"{entity.name}.{field}"
    wanted = sorted((scope, key[0]) for key in identities)
    return {(c.key,): [c.record_id] for c in unit.transaction.holders(wanted)}


def _selected(
    unit: UnitOfWork,
    entity: EntityDef,
    fields: Sequence[str],
    identities: dict[Identity, Entry],
) -> dict[Identity, list[UUID]]:
    values = _distinct(entry.values[fields[0]] for entry in identities.values())
    found: dict[Identity, list[UUID]] = {}
    for record in unit.stream(entity.record_class, F[fields[0]].in_(values)):
        key = tuple(identity_key(str(record[name])) for name in fields)
        if key in identities:
            found.setdefault(key, []).append(record.id)
    return found


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))
