"""Formula fields: worked out whenever a field that they read changes (REC-16).

The value is stored with the record, so that every store filters, sorts and groups by it.
A formula reads the fields of its own record and of the records that this refers to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

import attrs

from crmcore.criteria.evaluation import Follow
from crmcore.criteria.formulas import (
    Formula,
    Program,
    compiled,
    dependencies,
    evaluate,
    fitted,
    order,
    parse,
    takes,
)
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, FieldDef, Schema
from crmcore.unit.drafts import Draft
from crmcore.unit.forms import candidate

__all__ = [
    "FormulaField",
    "follows",
    "formula_problems",
    "formulas_of",
    "hop_of",
    "recalculated",
    "work_out",
]


@attrs.frozen(eq=False)
class FormulaField:
    """A formula ready to run, and what it reads.

    ``inputs`` are the fields of the record itself, references that it follows among
    them; ``followed`` names, for each of these references, the fields behind it.
    """

    field: FieldDef
    program: Program
    inputs: frozenset[str]
    followed: Mapping[str, frozenset[str]]


def work_out(draft: Draft, follow: Follow) -> None:
    """Give the draft the values of all formulas that its values touch.

    ``follow`` returns a referenced record that was loaded for the batch. A new record
    has no children yet: what counts them begins with nought.
    """
    if draft.is_new:
        for field in counters_of(draft.entity):
            draft.values[field.name] = fitted(
                field.type, Decimal(0), draft.context.conventions
            )
    for one in formulas_of(draft.context.schema, draft.entity):
        if not draft.is_new and not draft.changes(*one.inputs):
            continue
        value = _value(one, draft, follow)
        if draft.is_new or value != draft[one.field.name]:
            draft.values[one.field.name] = value


def recalculated(draft: Draft, follow: Follow) -> bool:
    """Work all formulas of a stored record out anew; tell whether one gave another value."""
    for one in formulas_of(draft.context.schema, draft.entity):
        value = _value(one, draft, follow)
        if value != draft[one.field.name]:
            draft.values[one.field.name] = value
    return bool(draft.values)


def _value(one: FormulaField, draft: Draft, follow: Follow) -> object:
    record = candidate(draft)
    if draft.is_new:
        now = draft.context.now
        record = record.evolved(created_at=now, updated_at=now)
    found = evaluate(one.program, record, follow)
    return fitted(one.field.type, found, draft.context.conventions)


@lru_cache(maxsize=2_000)
def counters_of(entity: EntityDef) -> tuple[FieldDef, ...]:
    """Return the roll-ups of an entity that count children."""
    return tuple(
        field
        for field in entity.fields.values()
        if field.roll_up is not None and field.roll_up.function == "count"
    )


@lru_cache(maxsize=2_000)
def formulas_of(schema: Schema, entity: EntityDef) -> tuple[FormulaField, ...]:
    """Return the formulas of an entity, each behind those that it reads."""
    parsed = {
        field.name: parse(field.formula)
        for field in entity.fields.values()
        if field.formula is not None
    }
    if not parsed:
        return ()
    return tuple(
        _formula_field(schema, entity, name, parsed[name]) for name in order(parsed)
    )


def _formula_field(
    schema: Schema, entity: EntityDef, name: str, formula: Formula
) -> FormulaField:
    inputs, followed = set(), defaultdict(set)
    for path in dependencies(formula):
        hop = hop_of(entity, path)
        inputs.add(path[0] if hop is None else hop.name)
        if hop is not None:
            followed[hop.name].add(path[1])
    return FormulaField(
        entity.fields[name],
        compiled(formula, schema, entity),
        frozenset(inputs),
        {reference: frozenset(names) for reference, names in followed.items()},
    )


def hop_of(entity: EntityDef, path: tuple[str, ...]) -> FieldDef | None:
    """Return the reference that a path follows, None for a field of the record itself."""
    if len(path) < 2 or path[0] in entity.fields:
        return None
    return entity.relations.get(path[0])


def follows(schema: Schema, entity: EntityDef) -> bool:
    """Tell whether a formula of the entity reads records that it refers to."""
    return any(one.followed for one in formulas_of(schema, entity))


def formula_problems(schema: Schema, entity: EntityDef) -> Iterator[Problem]:
    """Yield what is wrong with the formulas of an entity: syntax, fields, kinds."""
    for field in entity.fields.values():
        if field.formula is None:
            continue
        place = f"field.{entity.name}.{field.name}.formula"
        try:
            formula = parse(field.formula)
            kind = compiled(formula, schema, entity).kind
        except ValidationError as error:
            for problem in error.problems:
                yield Problem(place, problem.reason, problem.details)
            continue
        if not takes(field.type, kind):
            yield Problem(place, "wrong_result", {"kind": str(kind)})
        for path in sorted(dependencies(formula)):
            yield from _unreadable(entity, path, place)


def _unreadable(
    entity: EntityDef, path: tuple[str, ...], place: str
) -> Iterator[Problem]:
    field = entity.fields.get(path[0])
    key = ".".join(path)[:80]
    if field is None:
        return  # a field behind a reference: the compiler has seen that it is there
    if field.computed and field.formula is None and field.roll_up is None:
        # Automatic numbers are taken when everything else is known.
        yield Problem(place, "not_in_formulas", {"key": key})
