"""Number formats that administrators store: which field is numbered, and how (REC-15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from crmcore.customisation.items import Item
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, NumberFormat, Schema
from crmcore.records.fields import numbered

__all__ = ["numbering", "numbering_problems", "with_numberings"]


def numbering(item: Item) -> NumberFormat:
    """Return the format that an item describes; its key is the name of the field.

    Raises ValidationError that names every bad part.
    """
    return structured(NumberFormat, item.definition, f"numbering.{item.key.place}")


def numbering_problems(
    value: NumberFormat, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with a format, and with the field that it is meant for.

    A format may change at any time: the sequence goes on behind its last number, and
    passes numbers over that were given before.
    """
    assert entity is not None
    wrong = list(value.problems())
    for problem in wrong:
        yield Problem(f"{place}.{problem.field}", problem.reason, problem.details)
    if wrong:
        return
    name = place.rpartition(".")[2]
    field = entity.fields.get(name)
    if field is None:
        yield Problem(place, "unknown_field_in", {"key": name[:60]})
        return
    try:
        numbered(field, value)
    except ValidationError as error:
        for problem in error.problems:
            yield Problem(place, problem.reason, problem.details)


def with_numberings(
    schema: Schema, values: Mapping[tuple[str, str], NumberFormat]
) -> Schema:
    """Return a schema in which the fields of some formats are numbered."""
    for (name, key), shown in values.items():
        entity = schema.entity(name)
        fields = {**entity.fields, key: numbered(entity.fields[key], shown)}
        schema = schema.with_entity(attrs.evolve(entity, fields=fields))
    return schema
