"""Sharing rules that administrators store, and what is wrong with one (ACC-12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from crmcore.access import LEVELS, SharingRule, principal_of
from crmcore.customisation.bound_criteria import criteria_problems
from crmcore.errors import Problem
from crmcore.records import EntityDef, Schema
from crmcore.unit.forms import paths_in

__all__ = ["sharing_problems", "with_sharing"]


def sharing_problems(
    value: SharingRule, entity: EntityDef | None, schema: Schema, place: str
) -> Iterator[Problem]:
    """Yield what is wrong with a sharing rule of an entity."""
    assert entity is not None
    if value.level not in LEVELS:
        yield Problem(f"{place}.level", "not_an_option", {"value": value.level[:60]})
    if not value.owners and value.when is None:
        yield Problem(place, "empty_rule")
    if not value.to:
        yield Problem(f"{place}.to", "required")
    for part in ("to", "owners"):
        for text in getattr(value, part):
            if principal_of(text) is None:
                details = {"value": text[:60]}
                yield Problem(f"{place}.{part}", "not_a_principal", details)
    if value.when is None:
        return
    wrong = tuple(criteria_problems(value.when, entity, schema, f"{place}.when"))
    yield from wrong
    for path in () if wrong else sorted(paths_in(value.when)):
        field = entity.fields.get(path[0])
        if field is None or field.type.kind == "lookup_value":
            # Whether a record is shared is told without reading another one.
            key = ".".join(path)[:80]
            yield Problem(f"{place}.when", "only_own_fields", {"key": key})


def with_sharing(
    schema: Schema, values: Mapping[tuple[str, str], SharingRule]
) -> Schema:
    """Return a schema with some sharing rules."""
    return attrs.evolve(schema, additions={**schema.additions, "sharing_rule": values})
