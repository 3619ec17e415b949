"""Triggers that administrators store, and what is wrong with one (REC-22)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import attrs

from crmcore.criteria.formulas import compiled, dependencies, parse, takes
from crmcore.customisation.bound_criteria import criteria_problems
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, Schema, Trigger
from crmcore.records.triggers import TRIGGER_EVENTS
from crmcore.unit.forms import paths_in

__all__ = ["trigger_problems", "with_triggers"]


def trigger_problems(
    value: Trigger, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with a trigger of an entity."""
    assert entity is not None
    if value.event not in TRIGGER_EVENTS:
        yield Problem(f"{place}.event", "not_an_option", {"value": value.event[:60]})
    if not (value.formulas or value.stop.strip() or value.log or value.call):
        yield Problem(place, "does_nothing")
    if value.stop and not value.is_before:
        yield Problem(f"{place}.stop", "only_before_write")
    if value.formulas and value.event not in ("before_create", "before_update"):
        yield Problem(f"{place}.sets", "only_before_write")
    for name in value.fields:
        if name not in entity.fields:
            yield Problem(f"{place}.fields", "unknown_field_in", {"key": name[:60]})
    if value.call is not None and value.call not in schema.actions:
        yield Problem(f"{place}.call", "unknown_action", {"value": value.call[:60]})
    declared = {one.key for one in schema.triggers.get(entity.name, ())}
    if value.key in declared:
        yield Problem(place, "key_taken", {"key": value.key})
    yield from _condition_problems(value, entity, schema, place)
    for name, formula in value.formulas.items():
        yield from _formula_problems(name, formula, entity, schema, place)


def _condition_problems(
    value: Trigger, entity: EntityDef, schema: Schema, place: str
) -> Iterator[Problem]:
    types = {one.key for one in schema.record_types.get(entity.name, ())}
    if value.record_type is not None and value.record_type not in types:
        details = {"value": value.record_type[:60]}
        yield Problem(f"{place}.record_type", "not_an_option", details)
    if value.when is None:
        return
    wrong = tuple(criteria_problems(value.when, entity, schema, f"{place}.when"))
    yield from wrong
    for path in () if wrong else sorted(paths_in(value.when)):
        if len(path) > 1 or schema.lookup(entity, path[0]) is not None:
            key = ".".join(path)[:80]
            yield Problem(f"{place}.when", "only_own_fields", {"key": key})


def _formula_problems(
    name: str, text: str, entity: EntityDef, schema: Schema, place: str
) -> Iterator[Problem]:
    where = f"{place}.sets.{name[:60]}"
    field = entity.fields.get(name)
    if field is None:
        yield Problem(where, "unknown_field_in", {"key": name[:60]})
        return
    if field.system or field.computed:
        yield Problem(where, "read_only")
        return
    try:
        formula = parse(text)
        kind = compiled(formula, schema, entity).kind
    except ValidationError as error:
        for problem in error.problems:
            yield Problem(where, problem.reason, problem.details)
        return
    if not takes(field.type, kind):
        yield Problem(where, "wrong_result", {"kind": str(kind)})
    for path in sorted(dependencies(formula)):
        if len(path) > 1 and path[0] not in entity.fields:
            key = ".".join(path)[:80]
            yield Problem(where, "only_own_fields", {"key": key})


def with_triggers(schema: Schema, values: Mapping[tuple[str, str], Trigger]) -> Schema:
    """Return a schema in which some triggers act beside those that are there."""
    grouped = defaultdict(list)
    for (entity, _), trigger in values.items():
        grouped[entity].append(trigger)
    added = {
        name: (*schema.triggers.get(name, ()), *some) for name, some in grouped.items()
    }
    return attrs.evolve(schema, triggers={**schema.triggers, **added})
