"""Formula fields: worked out whenever a field that they read changes (REC-16).

The value is stored with the record, so that every store filters, sorts and groups by it.
A formula reads the fields of its own record.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from uuid import UUID

import attrs

from crmcore.criteria.formulas import (
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
from crmcore.records import EntityDef, FieldDef, Record, Schema
from crmcore.unit.drafts import Draft
from crmcore.unit.forms import candidate

__all__ = ["formula_problems", "recalculated", "work_out"]


@attrs.frozen(eq=False)
class _FormulaField:
    """A formula ready to run, and the fields of the record that it reads."""

    field: FieldDef
    program: Program
    inputs: frozenset[str]


def work_out(draft: Draft) -> None:
    """Give the draft the values of all formulas that its values touch."""
    fields = _formula_fields(draft.context.schema, draft.entity)
    if not fields:
        return
    for one in fields:
        if not draft.is_new and not draft.changes(*one.inputs):
            continue
        value = _value(one, draft)
        if draft.is_new or value != draft[one.field.name]:
            draft.values[one.field.name] = value


def recalculated(draft: Draft) -> bool:
    """Work all formulas of a stored record out anew; tell whether one gave another value."""
    for one in _formula_fields(draft.context.schema, draft.entity):
        value = _value(one, draft)
        if value != draft[one.field.name]:
            draft.values[one.field.name] = value
    return bool(draft.values)


def _value(one: _FormulaField, draft: Draft) -> object:
    record = candidate(draft)
    if draft.is_new:
        now = draft.context.now
        record = record.evolved(created_at=now, updated_at=now)
    found = evaluate(one.program, record, _nobody)
    return fitted(one.field.type, found, draft.context.conventions)


def _nobody(entity: str, identity: UUID) -> Record | None:
    return None


@lru_cache(maxsize=2_000)
def _formula_fields(schema: Schema, entity: EntityDef) -> tuple[_FormulaField, ...]:
    """Return the formulas of an entity, each behind those that it reads."""
    parsed = {
        field.name: parse(field.formula)
        for field in entity.fields.values()
        if field.formula is not None
    }
    if not parsed:
        return ()
    return tuple(
        _FormulaField(
            entity.fields[name],
            compiled(parsed[name], schema, entity),
            frozenset(path[0] for path in dependencies(parsed[name])),
        )
        for name in order(parsed)
    )


def formula_problems(schema: Schema, entity: EntityDef) -> Iterator[Problem]:
    """Yield what is wrong with the formulas of an entity: syntax, kinds, circles."""
    parsed = {}
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
        parsed[field.name] = formula
    try:
        order(parsed)
    except ValidationError as error:
        for problem in error.problems:
            place = f"field.{entity.name}.{problem.field}.formula"
            yield Problem(place, problem.reason, problem.details)


def _unreadable(
    entity: EntityDef, path: tuple[str, ...], place: str
) -> Iterator[Problem]:
    field = entity.fields.get(path[0])
    key = ".".join(path)[:80]
    if field is None:
        yield Problem(place, "only_own_fields", {"key": key})
    elif field.computed and field.formula is None:
        # Automatic numbers are taken when everything else is known.
        yield Problem(place, "not_in_formulas", {"key": key})
