"""What verbs return, as the actor may see it: the values of other records in, hidden out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import attrs

from crmcore.records import EntityDef, Record
from crmcore.records.lookup_values import Lookup

if TYPE_CHECKING:
    from crmcore.unit.base import UnitBase

__all__ = ["looked_up", "mapped"]

#: The records that lookups lead to, as the actor may see them.
Found = dict[tuple[str, UUID], Record]


def mapped(value: Any, change: Callable[[Record], Record]) -> Any:
    """Return a value with every record in it changed."""
    if isinstance(value, Record):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, change) for item in value)
    if attrs.has(kind := type(value)) and _may_hold_records(cast(Any, kind)):
        parts = attrs.asdict(value, recurse=False)
        changed = {
            name: new
            for name, part in parts.items()
            if (new := mapped(part, change)) is not part
        }
        return attrs.evolve(value, **changed) if changed else value
    return value


@lru_cache(maxsize=1_000)
def _may_hold_records(kind: type[Any]) -> bool:
    """Tell whether instances can be taken apart and put together again."""
    return all(a.init and not a.name.startswith("_") for a in attrs.fields(kind))


# -- lookup values (REC-10) --------------------------------------------------------------


def looked_up(unit: UnitBase, value: Any) -> Any:
    """Return a value whose records show what others hold: one read for each entity."""
    wanted: dict[str, set[UUID]] = {}

    def note(record: Record) -> Record:
        for entity, lookup in _lookups(unit, record):
            identity = entity.value_of(record, lookup.relation.name)
            if identity is not None:
                wanted.setdefault(lookup.target.name, set()).add(identity)
        return record

    mapped(value, note)
    found: Found = {
        (name, identity): shown
        for name, ids in sorted(wanted.items())
        for identity, shown in _readable(unit, name, ids)
    }
    return mapped(value, lambda record: _filled(unit, record, found))


def _lookups(unit: UnitBase, record: Record) -> Iterator[tuple[EntityDef, Lookup]]:
    entity = unit.schema.entity(record)
    for lookup in unit.schema.lookups.get(entity.name, ()):
        yield entity, lookup


def _readable(
    unit: UnitBase, name: str, ids: set[UUID]
) -> Iterator[tuple[UUID, Record]]:
    """Yield the records that the actor may see; deleted ones too, as criteria do."""
    entity = unit.schema.entity(name)
    rights = unit.rights(entity)
    for identity, record in unit.transaction.load(entity, sorted(ids)).items():
        if unit.visible(entity, record, deleted=True):
            yield identity, rights.shown(entity, record)


def _filled(unit: UnitBase, record: Record, found: Found) -> Record:
    typed: dict[str, Any] = {}
    custom = dict(record.custom)
    for entity, lookup in _lookups(unit, record):
        identity = entity.value_of(record, lookup.relation.name)
        target = found.get((lookup.target.name, identity))
        shown = (
            None
            if target is None
            else lookup.target.value_of(target, lookup.original.name)
        )
        if not lookup.field.custom:
            typed[lookup.field.name] = shown
        elif shown is not None:
            custom[lookup.field.name] = shown
        else:
            custom.pop(lookup.field.name, None)
    if custom != record.custom:
        return record.evolved(**typed, custom=MappingProxyType(custom))
    return record.evolved(**typed) if typed else record
