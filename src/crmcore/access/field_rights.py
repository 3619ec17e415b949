"""Which fields of an entity an actor may read and write (ACC-09)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from crmcore.access.profiles import Profiles
from crmcore.criteria import Compare, Criteria, from_json
from crmcore.criteria.expressions import And, Not, Or
from crmcore.criteria.formulas import dependencies, parse
from crmcore.records import EntityDef, FieldDef, Record, Schema
from crmcore.records.record_types import RECORD_TYPE

__all__ = ["FREE", "FieldRights", "rights_of"]

#: What records could not be told apart or read without.
_ALWAYS_READ = frozenset({"id", "version", RECORD_TYPE})


@attrs.frozen(eq=False)
class FieldRights:
    """The fields of one entity that are ``hidden``, and those that are ``fixed``.

    Both hold the names for records of a type, and under None for those of all others.
    What an actor may not read it may not write either.
    """

    hidden: Mapping[str | None, frozenset[str]]
    fixed: Mapping[str | None, frozenset[str]]

    @property
    def are_free(self) -> bool:
        """Tell whether everything may be read and written."""
        return self is FREE

    def hidden_in(self, record_type: Any) -> frozenset[str]:
        """Return the fields that are hidden in records of a type."""
        return self.hidden.get(record_type, self.hidden[None])

    def fixed_in(self, record_type: Any) -> frozenset[str]:
        """Return the fields that can be read and not written in records of a type."""
        return self.fixed.get(record_type, self.fixed[None])

    @property
    def always_hidden(self) -> frozenset[str]:
        """Return the fields that are hidden whatever the record's type."""
        return frozenset.intersection(*self.hidden.values())

    @property
    def sometimes_hidden(self) -> frozenset[str]:
        """Return the fields that are hidden in records of some type at least."""
        return frozenset().union(*self.hidden.values())

    def shown(self, entity: EntityDef, record: Record) -> Record:
        """Return a record as the actor may see it: hidden fields are empty."""
        if self is FREE:
            return record
        names = self.hidden_in(record[RECORD_TYPE])
        if not names:
            return record
        typed = {
            name: None
            for name in names
            if not entity.fields[name].custom and getattr(record, name) is not None
        }
        if typed or not names.isdisjoint(record.custom):
            kept = {n: v for n, v in record.custom.items() if n not in names}
            return record.evolved(**typed, custom=MappingProxyType(kept))
        return record


#: Everything may be read and written.
FREE: Final = FieldRights({None: frozenset()}, {None: frozenset()})


def rights_of(schema: Schema, profiles: Profiles, entity: EntityDef) -> FieldRights:
    """Return the rights that some profiles give together; kept with the schema."""
    if not profiles.speak_of_fields:
        return FREE
    kept: dict[Any, FieldRights] = schema.__dict__.setdefault("field_rights", {})
    place = (profiles.names, profiles.combination, entity.name)
    found = kept.get(place)
    if found is None:
        found = kept[place] = _rights(schema, profiles, entity)
    return found


def _rights(schema: Schema, profiles: Profiles, entity: EntityDef) -> FieldRights:
    types: tuple[str | None, ...] = (None, *sorted(profiles.types_of(entity.name)))
    hidden, fixed = {}, {}
    for record_type in types:
        levels = {
            field.name: _level(schema, profiles, entity, field, record_type)
            for field in entity.fields.values()
        }
        hidden[record_type] = frozenset(n for n, v in levels.items() if v == "hidden")
        fixed[record_type] = frozenset(n for n, v in levels.items() if v == "read")
    if not any(hidden.values()) and not any(fixed.values()):
        return FREE
    return FieldRights(hidden, fixed)


def _level(
    schema: Schema,
    profiles: Profiles,
    entity: EntityDef,
    field: FieldDef,
    record_type: str | None,
) -> str:
    if field.name in _ALWAYS_READ:
        level = profiles.level(entity.name, field.name, record_type)
        return "read" if level == "hidden" else level
    seen = frozenset({(entity.name, field.name)})
    if _is_hidden(schema, profiles, entity, field, record_type, seen):
        return "hidden"
    return profiles.level(entity.name, field.name, record_type)


def _is_hidden(
    schema: Schema,
    profiles: Profiles,
    entity: EntityDef,
    field: FieldDef,
    record_type: str | None,
    seen: frozenset[tuple[str, str]],
) -> bool:
    """Tell whether a field, or one whose values it shows, is hidden."""
    if profiles.level(entity.name, field.name, record_type) == "hidden":
        return field.name not in _ALWAYS_READ
    for other, name in _shown_by(schema, entity, field):
        source = other.fields.get(name)
        if source is None or (other.name, name) in seen:
            continue
        kind = record_type if other is entity else None
        further = seen | {(other.name, name)}
        if _is_hidden(schema, profiles, other, source, kind, further):
            return True
    return False


def _shown_by(
    schema: Schema, entity: EntityDef, field: FieldDef
) -> Iterator[tuple[EntityDef, str]]:
    """Yield the fields whose values another one shows: inputs, children, originals."""
    if field.formula is not None:
        yield from _along(schema, entity, dependencies(parse(field.formula)))
    if field.roll_up is not None:
        child = schema.entity(field.roll_up.child)
        paths: set[tuple[str, ...]] = {(field.roll_up.relation,)}
        if field.roll_up.field is not None:
            paths.add((field.roll_up.field,))
        if field.roll_up.where is not None:
            paths |= set(_paths(from_json(field.roll_up.where)))
        yield from _along(schema, child, paths)
    lookup = schema.lookup(entity, field.name)
    if lookup is not None:
        yield entity, lookup.relation.name
        yield lookup.target, lookup.original.name
    if field.shows is not None:
        name, _, original = field.shows.partition(".")
        yield schema.entity(name), original


def _along(
    schema: Schema, entity: EntityDef, paths: Iterable[tuple[str, ...]]
) -> Iterator[tuple[EntityDef, str]]:
    for path in paths:
        hop = entity.relations.get(path[0]) if len(path) > 1 else None
        if hop is None or path[0] in entity.fields:
            yield entity, path[0]
            continue
        yield entity, hop.name
        target = schema.entities.get(getattr(hop.type, "entity", ""))
        if target is not None:
            yield from _along(schema, target, [path[1:]])


def _paths(criteria: Criteria) -> Iterator[tuple[str, ...]]:
    if isinstance(criteria, Compare):
        yield criteria.path
    elif isinstance(criteria, Not):
        yield from _paths(criteria.part)
    elif isinstance(criteria, (And, Or)):
        for part in criteria.parts:
            yield from _paths(part)
