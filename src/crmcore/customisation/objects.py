"""Objects that administrators define: each is an entity of its own (REC-17)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import attrs

from crmcore.customisation.keys import key_problems
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem, ValidationError
from crmcore.records import (
    AnyReference,
    Document,
    EntityDef,
    Integer,
    Record,
    Text,
    fields,
)
from crmcore.records.record import envelope_fields

__all__ = [
    "DATA_TYPES",
    "SWITCHES",
    "ObjectDefinition",
    "RecordClasses",
    "object_entity",
]

#: What an object is for; a plain one is basic data.
DATA_TYPES = ("work_order", "basic", "customer", "quality_check", "operation_log")
OPERATION_LOG = "operation_log"
#: What the records of an operation log hold beside their name, which is the action.
LOG_FIELDS = {
    field.name: field
    for field in (
        fields.custom("subject", AnyReference(), label="Record", indexed=True),
        fields.custom("subject_version", Integer(), label="Version"),
        fields.custom("changes", Document(), label="Changes", searchable=False),
    )
}
#: What the records of an object may take part in.
SWITCHES = ("activities", "approval", "search", "history")


@attrs.frozen(kw_only=True)
class ObjectDefinition:
    """An object type: label, purpose and switches.

    ``name_field`` is the key of the text field that names its records; it is made with
    the object, with ``name_label``. ``default`` marks the one default object of its
    data type; ``log_object`` names the object, of the data type ``operation_log``, into
    whose records changes are written (REC-08). ``field_space`` is how many fields it may
    have, ``open_to`` the profiles whose users may work with it (none named: all).
    """

    label: str
    plural_label: str = ""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    data_type: str = "basic"
    name_field: str = "name"
    name_label: str = "Name"
    default: bool = False
    switches: tuple[str, ...] = ("activities", "search", "history")
    log_object: str | None = None
    field_space: int | None = None
    open_to: tuple[str, ...] = ()


class RecordClasses:
    """Gives each custom object of each tenant one record class, made at first use."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, str], type[Record]] = {}

    def of(self, tenant: str, entity: EntityDef) -> type[Record]:
        """Return the class of an object's records."""
        place = (tenant, entity.name, entity.display[0])
        made = self._made.get(place)
        if made is None:
            words = "".join(word.capitalize() for word in entity.name.split("_"))
            made = cast(
                type[Record],
                attrs.make_class(words, [], bases=(Record,), frozen=True, kw_only=True),
            )
            made.__entity__ = attrs.evolve(entity, record_class=made)
            self._made[place] = made
        return made


def storage_name(tenant: str, key: str) -> str:
    """Return the name of an object's table or collection; tenants never share one."""
    mark = hashlib.blake2b(tenant.encode(), digest_size=5).hexdigest()
    return f"x_{mark}_{key}"


def object_entity(
    tenant: str, key: str, data: Mapping[str, Any], classes: RecordClasses
) -> EntityDef:
    """Return the entity that an object's definition describes.

    Raises ValidationError that names every bad part.
    """
    place = f"object.{key[:60]}"
    definition = structured(ObjectDefinition, data, place)
    problems = [*key_problems(key, place), *_problems(definition, place)]
    if problems:
        raise ValidationError(problems)
    name = fields.custom(
        definition.name_field,
        Text(),
        label=definition.name_label,
        required=True,
        indexed=True,
        always_on=True,
    )
    entity = EntityDef(
        name=key,
        plural=storage_name(tenant, key),
        label=definition.label,
        record_class=Record,
        fields={
            **envelope_fields(),
            name.name: name,
            **(LOG_FIELDS if definition.data_type == OPERATION_LOG else {}),
        },
        display=(definition.name_field,),
        custom_object=True,
        data_type=definition.data_type,
        switches=frozenset(definition.switches),
        field_space=definition.field_space,
        open_to=frozenset(definition.open_to),
        log_object=definition.log_object,
    )
    return attrs.evolve(entity, record_class=classes.of(tenant, entity))


def _problems(definition: ObjectDefinition, place: str) -> list[Problem]:
    problems = list(key_problems(definition.name_field, f"{place}.name_field"))
    if not definition.label.strip():
        problems.append(Problem(f"{place}.label", "required"))
    if len(definition.label) > 100:
        problems.append(Problem(f"{place}.label", "too_long", {"maximum": 100}))
    if definition.data_type not in DATA_TYPES:
        problems.append(_no_option(f"{place}.data_type", definition.data_type))
    problems += [
        _no_option(f"{place}.switches", switch)
        for switch in definition.switches
        if switch not in SWITCHES
    ]
    if hasattr(Record, definition.name_field):
        details = {"key": definition.name_field}
        problems.append(Problem(f"{place}.name_field", "reserved_key", details))
    return problems


def _no_option(place: str, value: str) -> Problem:
    return Problem(place, "not_an_option", {"value": value[:60]})
