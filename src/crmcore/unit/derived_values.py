"""Values that follow from other records: kept up to date with each write (REC-16).

A write of a child changes the roll-ups of its parents, a write of a parent the formulas
of its children, and each of these may change others. Nothing here gives a record a new
version: people who edit it are not disturbed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from uuid import UUID

import attrs

from crmcore.criteria import F
from crmcore.criteria.formulas import dependencies, evaluate, fitted, ordered, parse
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, FieldDef, Record, Reference, Schema
from crmcore.storage import Transaction, Update
from crmcore.unit.base import UnitBase
from crmcore.unit.changes import Changes
from crmcore.unit.dependents import MOST_DEPENDENTS
from crmcore.unit.forms import paths_in
from crmcore.unit.formula_fields import FormulaField, formulas_of, hop_of
from crmcore.unit.roll_ups import parents_in, recount, roll_ups_of, with_value

__all__ = ["circle_problems", "maintain", "meet"]

Node = tuple[str, str]


def meet(transaction: Transaction, entity: str, identity: UUID) -> None:
    """Let writers of a record and of formulas that read it follow each other."""
    transaction.next_numbers(f"formula.{entity}.{identity}", 1)


@attrs.frozen
class _Write:
    """One record that was written; ``old`` is none for a new one."""

    old: Record | None
    new: Record

    def versions(self) -> Iterator[Record]:
        if self.old is not None:
            yield self.old
        yield self.new


_Writes = dict[str, list[_Write]]


def maintain(unit: UnitBase, changes: Changes) -> None:
    """Work out anew what follows from the written records, in other records.

    One question per roll-up and per reference that formulas follow, and as many rounds
    as values follow from each other. Raises ValidationError where too many records
    would have to be written.
    """
    schema = unit.schema
    if not roll_ups_of(schema) and not _followers(schema):
        return
    writes = _written(changes)
    while writes:
        writes = _merged(_after_roll_ups(unit, writes), _after_formulas(unit, writes))


def _written(changes: Changes) -> _Writes:
    writes: _Writes = defaultdict(list)
    for name, insertions in changes.insertions.items():
        writes[name] += [_Write(None, one.record) for one in insertions]
    for name, updates in changes.updates.items():
        writes[name] += [_Write(one.old, one.new) for one in updates]
    return writes


def _merged(*several: _Writes) -> _Writes:
    merged: _Writes = defaultdict(list)
    for writes in several:
        for name, some in writes.items():
            merged[name] += some
    return {name: some for name, some in merged.items() if some}


# -- upwards: roll-ups -----------------------------------------------------------------


def _after_roll_ups(unit: UnitBase, writes: _Writes) -> _Writes:
    """Recount the parents of written children; return what changed with it."""
    changed: _Writes = defaultdict(list)
    for parent, field, roll_up in roll_ups_of(unit.schema):
        child = unit.schema.entity(roll_up.child)
        versions = [v for one in writes.get(child.name, ()) for v in one.versions()]
        touched = parents_in(child, versions, parent, roll_up)
        if touched:
            updates = recount(unit, parent, field, touched)
            changed[parent.name] += _with_own_formulas(unit, parent, field, updates)
    return changed


def _with_own_formulas(
    unit: UnitBase, entity: EntityDef, field: FieldDef, updates: Iterable[Update]
) -> list[_Write]:
    """Work out the formulas that read a roll-up of their own record."""
    due = [one for one in formulas_of(unit.schema, entity) if _reads(one, field.name)]
    if not due:
        return [_Write(one.old, one.new) for one in updates]
    records = {one.new.id: one.new for one in updates}
    again = {w.new.id: w.new for w in _work_out(unit, entity, records.values())}
    return [_Write(one.old, again.get(one.new.id, one.new)) for one in updates]


def _reads(one: FormulaField, name: str) -> bool:
    return name in one.inputs


# -- downwards: formulas ---------------------------------------------------------------


@attrs.frozen
class _Follower:
    """A reference behind which formulas of its entity read some fields."""

    entity: EntityDef
    reference: FieldDef
    read: frozenset[str]


@lru_cache(maxsize=200)
def _followers(schema: Schema) -> dict[str, tuple[_Follower, ...]]:
    """Return, for each entity, the references that formulas follow to its records."""
    found: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(dict)
    for entity in schema.entities.values():
        for one in formulas_of(schema, entity):
            for name, fields in one.followed.items():
                kind = entity.fields[name].type
                assert isinstance(kind, Reference)
                place = (entity.name, name)
                found[kind.entity].setdefault(place, set()).update(fields)
    return {
        target: tuple(
            _Follower(
                schema.entity(name), schema.entity(name).fields[field], frozenset(read)
            )
            for (name, field), read in places.items()
        )
        for target, places in found.items()
    }


def _after_formulas(unit: UnitBase, writes: _Writes) -> _Writes:
    """Work out the formulas of records that refer to written ones."""
    changed: _Writes = defaultdict(list)
    for target, followers in _followers(unit.schema).items():
        entity = unit.schema.entity(target)
        for follower in followers:
            ids = {
                one.new.id
                for one in writes.get(target, ())
                if one.old is not None and _differs(entity, one, follower.read)
            }
            if ids:
                for identity in sorted(ids):
                    meet(unit.transaction, target, identity)
                referring = _referring(unit, follower, ids)
                changed[follower.entity.name] += _work_out(
                    unit, follower.entity, referring
                )
    return changed


def _differs(entity: EntityDef, one: _Write, names: Iterable[str]) -> bool:
    assert one.old is not None
    old, new = one.old, one.new
    return any(entity.value_of(old, n) != entity.value_of(new, n) for n in names)


def _referring(
    unit: UnitBase, follower: _Follower, ids: Collection[UUID]
) -> list[Record]:
    criteria = F[follower.reference.name].in_(ids)
    found = unit.select_all(follower.entity, criteria, MOST_DEPENDENTS + 1)
    if len(found) > MOST_DEPENDENTS:
        raise ValidationError.of(
            follower.reference.name, "too_many_dependents", maximum=MOST_DEPENDENTS
        )
    return found


def _work_out(
    unit: UnitBase, entity: EntityDef, records: Iterable[Record]
) -> list[_Write]:
    """Work all formulas of stored records out and store those that are different."""
    given = list(records)
    known = _behind(unit, entity, given)
    writes = []
    for record in given:
        new = record
        for one in formulas_of(unit.schema, entity):
            found = evaluate(one.program, new, lambda e, i: known.get((e, i)))
            value = fitted(one.field.type, found, unit.context.conventions)
            if value != entity.value_of(new, one.field.name):
                new = with_value(new, one.field, value)
        if new is not record:
            writes.append(_Write(record, new))
    if writes:
        updates = [Update(w.old or w.new, w.new) for w in writes]
        unit.transaction.update(entity, updates)
    return writes


def _behind(
    unit: UnitBase, entity: EntityDef, records: Iterable[Record]
) -> dict[tuple[str, UUID], Record]:
    """Return the records to which formulas of some records lead, one load per entity."""
    wanted: dict[str, set[UUID]] = defaultdict(set)
    names = {n for one in formulas_of(unit.schema, entity) for n in one.followed}
    for record in records:
        for name in names:
            identity = entity.value_of(record, name)
            kind = entity.fields[name].type
            assert isinstance(kind, Reference)
            if identity is not None:
                wanted[kind.entity].add(identity)
    return {
        (name, identity): record
        for name, ids in sorted(wanted.items())
        for identity, record in unit.transaction.load(
            unit.schema.entity(name), sorted(ids)
        ).items()
    }


# -- circles ---------------------------------------------------------------------------


def circle_problems(schema: Schema) -> Iterator[Problem]:
    """Yield the circle in which values of records follow from each other, if any."""
    inputs: dict[Node, set[Node]] = {}
    for entity in schema.entities.values():
        for field in entity.fields.values():
            if field.formula is not None or field.roll_up is not None:
                node = (entity.name, field.name)
                inputs[node] = set(_inputs(schema, entity, field))
    worked_out = {
        f"{e}.{f}": {f"{a}.{b}" for a, b in read if (a, b) in inputs}
        for (e, f), read in inputs.items()
    }
    try:
        ordered(worked_out)
    except ValidationError as error:
        for problem in error.problems:
            kind = "formula" if _is_formula(schema, problem.field) else "roll_up"
            path = _short(problem.details["path"])
            place = f"field.{problem.field}.{kind}"
            yield Problem(place, "cycle", {"path": path})


def _is_formula(schema: Schema, place: str) -> bool:
    entity, _, name = place.partition(".")
    return schema.entity(entity).fields[name].formula is not None


def _short(path: str) -> str:
    """Leave the entity out where the whole circle is within one."""
    steps = path.split(" → ")
    heads = {step.partition(".")[0] for step in steps}
    if len(heads) == 1:
        return " → ".join(step.partition(".")[2] for step in steps)
    return path


def _inputs(schema: Schema, entity: EntityDef, field: FieldDef) -> Iterator[Node]:
    if field.formula is not None:
        try:
            paths = dependencies(parse(field.formula))
        except ValidationError:
            return  # told elsewhere
        for path in paths:
            hop = hop_of(entity, path)
            if hop is None:
                yield entity.name, path[0]
            elif isinstance(hop.type, Reference):
                yield entity.name, hop.name
                yield hop.type.entity, path[1]
    elif field.roll_up is not None:
        yield field.roll_up.child, field.roll_up.relation
        if field.roll_up.field is not None:
            yield field.roll_up.child, field.roll_up.field
        for path in paths_in(field.roll_up.where):
            yield field.roll_up.child, path[0]
