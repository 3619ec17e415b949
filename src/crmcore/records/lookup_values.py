"""Lookup values: a field that shows what another record holds, never a copy (REC-10).

``account_industry`` of a contact shows ``industry`` of the account that ``account_id``
refers to. Nothing is stored: reads ask for the other records, criteria follow the
reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.records.composites import Reference
from crmcore.records.types import FieldType

if TYPE_CHECKING:
    from crmcore.records.definitions import EntityDef
    from crmcore.records.field_definitions import FieldDef
    from crmcore.records.schema import Schema

__all__ = [
    "Lookup",
    "LookupValue",
    "lookup_of",
    "lookup_problems",
    "lookups_of",
    "rule_problems",
]


@attrs.frozen(kw_only=True)
class LookupValue(FieldType):
    """The ``field`` of the record that the reference ``relation`` leads to, read only."""

    kind: ClassVar[str] = "lookup_value"
    ordered: ClassVar[bool] = False
    relation: str
    field: str

    @property
    def implied(self) -> Mapping[str, Any]:
        """Return that nobody fills the field, and that stores know nothing of it."""
        return {
            "computed": True,
            "required": False,
            "unique": False,
            "indexed": False,
            "searchable": False,
            "copied": False,
        }

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return that nothing is stored."""
        return {}

    def split(self, value: Any) -> tuple[Any, ...]:
        """Return that nothing is stored."""
        return ()

    def join(self, stored: tuple[Any, ...]) -> Any:
        """Return no value: it is not stored."""
        return None


@attrs.frozen
class Lookup:
    """A lookup value as a schema resolves it: where it leads, and what it shows."""

    field: FieldDef
    relation: FieldDef
    target: EntityDef
    original: FieldDef


def lookup_of(schema: Schema, entity: EntityDef, field: FieldDef) -> Lookup:
    """Return where a field of the type ``lookup_value`` leads.

    Raises ValidationError where the relation is no reference to one entity, and for a
    field that is not there or is itself shown from elsewhere.
    """
    kind = field.type
    assert isinstance(kind, LookupValue)
    relation = entity.fields.get(kind.relation)
    if relation is None or not isinstance(relation.type, Reference):
        details = {"value": str(kind.relation)[:60], "entity": entity.name}
        raise ValidationError([Problem(field.name, "unknown_relation", details)])
    target = schema.entity(relation.type.entity)
    original = target.field(kind.field)
    if isinstance(original.type, LookupValue):
        raise ValidationError.of(original.name, "shown_from_elsewhere")
    return Lookup(field, relation, target, original)


def lookups_of(schema: Schema, entity: EntityDef) -> Iterator[Lookup]:
    """Yield the lookups of an entity; those that lead nowhere are left out."""
    for field in entity.lookup_fields:
        with suppress(ValidationError):
            yield lookup_of(schema, entity, field)


def rule_problems(
    kind: FieldType, given: Mapping[str, Any], place: str
) -> Iterator[Problem]:
    """Yield the rules that a lookup value cannot have: they speak of stored values."""
    if isinstance(kind, LookupValue):
        fixed = {**dict.fromkeys(_OF_STORED_VALUES), **kind.implied}
        for name in sorted(fixed.keys() & given.keys()):
            if given[name] not in (None, fixed[name]):
                yield Problem(f"{place}.{name}", "not_for_lookups")


#: Rules, beside those that are implied, that speak of a value that is given and kept.
_OF_STORED_VALUES = (
    "default",
    "formula",
    "roll_up",
    "minimum_length",
    "controlling_field",
    "acyclic",
    "required_on_add",
    "required_on_modify",
)


def lookup_problems(schema: Schema, entity: EntityDef) -> Iterator[Problem]:
    """Yield what is wrong with the lookup values of an entity."""
    for field in entity.lookup_fields:
        try:
            lookup_of(schema, entity, field)
        except ValidationError as error:
            place = f"field.{entity.name}.{field.name}"
            for problem in error.problems:
                yield Problem(place, problem.reason, problem.details)
