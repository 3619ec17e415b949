"""Roll-ups: numbers over the records that refer to one (REC-16).

The parent is locked before its children are asked, so that two writers of its children
follow each other. It keeps its version: people who edit it are not disturbed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from crmcore.criteria import (
    Binder,
    Bound,
    BoundAnd,
    BoundColumn,
    F,
    Measure,
    Operator,
    Test,
    from_json,
)
from crmcore.criteria.aggregates import FUNCTIONS
from crmcore.criteria.formulas import fitted, kind_of
from crmcore.errors import Problem, ValidationError
from crmcore.records import (
    AnyReference,
    Conventions,
    EntityDef,
    FieldDef,
    Record,
    Reference,
    Schema,
)
from crmcore.records.roll_ups import RollUp
from crmcore.storage import Update
from crmcore.unit.aggregation import AggregatePlan
from crmcore.unit.base import UnitBase, live
from crmcore.unit.forms import paths_in

__all__ = ["parents_in", "recount", "roll_up_problems", "roll_ups_of", "with_value"]


@lru_cache(maxsize=200)
def roll_ups_of(schema: Schema) -> tuple[tuple[EntityDef, FieldDef, RollUp], ...]:
    """Return all roll-ups of a schema with the entity and the field that hold them."""
    return tuple(
        (entity, field, field.roll_up)
        for entity in schema.entities.values()
        for field in entity.fields.values()
        if field.roll_up is not None
    )


def recount(
    unit: UnitBase, entity: EntityDef, field: FieldDef, parents: Collection[UUID]
) -> list[Update]:
    """Work a roll-up of some records out anew and return those that had another value."""
    ids = sorted(parents)
    unit.lock_targets.update((entity.name, identity) for identity in ids)
    stored = unit.transaction.load(entity, ids, lock=True)
    _follow_others(unit, entity, field, ids)
    values = _values(unit, entity, field, ids)
    updates = []
    for identity, record in sorted(stored.items()):
        value = values.get(identity)
        if value != entity.value_of(record, field.name):
            updates.append(Update(record, with_value(record, field, value)))
    if updates:
        unit.transaction.update(entity, updates)
    return updates


def _follow_others(
    unit: UnitBase, entity: EntityDef, field: FieldDef, ids: list[UUID]
) -> None:
    """Make writers of the same parents meet, on stores without row locks as well.

    Counts and sums meet in the parent itself: where one writer leaves it as it is, the
    other's result is right all the same.
    """
    assert field.roll_up is not None
    if field.roll_up.function not in ("count", "sum"):
        for identity in ids:
            unit.transaction.next_numbers(f"roll_up.{entity.name}.{identity}", 1)


def with_value(record: Record, field: FieldDef, value: Any) -> Record:
    """Return a record with another worked-out value; its version stays."""
    if not field.custom:
        return record.evolved(**{field.name: value})
    kept = {name: one for name, one in record.custom.items() if name != field.name}
    filled = {} if value is None else {field.name: value}
    return record.evolved(custom=MappingProxyType({**kept, **filled}))


def _values(
    unit: UnitBase, entity: EntityDef, field: FieldDef, ids: list[UUID]
) -> dict[UUID, Any]:
    """Return the value of each parent; none for no children and for two currencies."""
    roll_up = field.roll_up
    assert roll_up is not None
    child = unit.schema.entity(roll_up.child)
    path = () if roll_up.field is None else (roll_up.field,)
    measure = Measure(roll_up.function, path)
    group = F[roll_up.relation]
    plan = AggregatePlan.of(unit.trusted, child, {"value": measure}, (group,))
    rows = unit.transaction.aggregate(
        plan.query(_where(unit, entity, child, roll_up, ids))
    )
    values: dict[UUID, Any] = {}
    if roll_up.function == "count":
        values = dict.fromkeys(ids, _kept(unit, field, 0))
    for row in rows:
        try:
            (found,) = plan.groups([row])
        except ValidationError:
            continue  # the children hold several currencies
        value = _kept(unit, field, found.values["value"])
        values[found.keys[roll_up.relation]] = value
    return values


def _kept(unit: UnitBase, field: FieldDef, value: Any) -> Any:
    exact = Decimal(value) if type(value) is int else value
    return fitted(field.type, exact, unit.context.conventions)


def _where(
    unit: UnitBase,
    parent: EntityDef,
    child: EntityDef,
    roll_up: RollUp,
    ids: list[UUID],
) -> Bound:
    main, *others = child.columns_by_field[roll_up.relation]
    parts: list[Bound] = [
        Test(BoundColumn(main, child), Operator.IN, tuple(ids)),
        *(Test(BoundColumn(c, child), Operator.EQUAL, parent.name) for c in others),
        live(child),
    ]
    if roll_up.where is not None:
        parts.append(unit.trusted.criteria(child, from_json(roll_up.where)))
    return BoundAnd(tuple(parts))


def parents_in(
    child: EntityDef, records: Iterable[Record], parent: EntityDef, roll_up: RollUp
) -> set[UUID]:
    """Return the records of ``parent`` to which children belong, by their reference."""
    found = set()
    for record in records:
        reference = child.value_of(record, roll_up.relation)
        if isinstance(reference, UUID):
            found.add(reference)
        elif reference is not None and reference.entity == parent.name:
            found.add(reference.id)
    return found


# -- what can be declared --------------------------------------------------------------


def roll_up_problems(schema: Schema, entity: EntityDef) -> Iterator[Problem]:
    """Yield what is wrong with the roll-ups of an entity."""
    for field in entity.fields.values():
        if field.roll_up is not None:
            place = f"field.{entity.name}.{field.name}.roll_up"
            try:
                _check(schema, entity, field, field.roll_up)
            except ValidationError as error:
                for problem in error.problems:
                    yield Problem(place, problem.reason, problem.details)


def _check(schema: Schema, entity: EntityDef, field: FieldDef, roll_up: RollUp) -> None:
    if field.unique:
        # Nothing claims a value that changes with the children.
        raise ValidationError.of("roll_up", "not_unique_here")
    child = schema.entity(roll_up.child)
    relation = child.fields.get(roll_up.relation)
    kind = relation.type if relation is not None else None
    leads_here = isinstance(kind, Reference) and kind.entity == entity.name
    if entity.name == "user" or not (leads_here or isinstance(kind, AnyReference)):
        key = roll_up.relation[:60]
        raise ValidationError.of("roll_up", "unknown_field_in", key=key)
    if roll_up.function not in FUNCTIONS:
        raise ValidationError.of("roll_up", "malformed")
    _check_values(child, field, roll_up)
    if roll_up.where is not None:
        _check_condition(schema, child, roll_up.where)


def _check_condition(
    schema: Schema, child: EntityDef, where: Mapping[str, Any]
) -> None:
    """Refuse a condition that other records, or the passing of time, could change."""
    Binder(schema, Conventions(), _ANY_MOMENT, trusted=True).criteria(
        child, from_json(where)
    )
    for path in sorted(paths_in(where)):
        field = child.fields.get(path[0])
        if field is None or field.type.kind == "lookup_value":
            key = ".".join(path)[:80]
            raise ValidationError.of("roll_up", "only_own_fields", key=key)
    if '"op": "during"' in json.dumps(where):
        raise ValidationError.of("roll_up", "grows_stale", name="during")


#: Criteria fit a schema at any time or never.
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def _check_values(child: EntityDef, field: FieldDef, roll_up: RollUp) -> None:
    expected: str | None = "number"
    if roll_up.function != "count":
        asked = child.field(roll_up.field or "")
        summed = roll_up.function in ("sum", "average")
        if not (asked.type.additive if summed else asked.type.ordered):
            raise ValidationError.of(
                "roll_up", "not_aggregable", function=roll_up.function
            )
        expected = kind_of(asked.type)
    if expected is None or kind_of(field.type) != expected:
        raise ValidationError.of("roll_up", "wrong_result", kind=str(expected))
