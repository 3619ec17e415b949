"""Relations of many with many that administrators define (REC-20)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crmcore.customisation.keys import key_problems
from crmcore.errors import Problem
from crmcore.records import EntityDef, ManyToMany, Schema

__all__ = ["relation_problems", "with_relations"]


def relation_problems(
    value: ManyToMany, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with a relation: its key, its ends, its roles."""
    yield from key_problems(value.key, place)
    if value.key in schema.entities or value.key in schema.relations:
        yield Problem(place, "key_taken", {"key": value.key})
    for side, end in zip(("source", "target"), value.ends, strict=True):
        known = schema.entities.get(end)
        if known is None or known.managed:
            yield Problem(f"{place}.{side}", "unknown_entity", {"value": end[:60]})
    for role in value.roles:
        yield from key_problems(role, f"{place}.roles.{role[:60]}")


def with_relations(schema: Schema, values: Mapping[tuple[str, str], Any]) -> Schema:
    """Return a schema with the relations that a tenant stored."""
    return schema.with_relations(values.values())
