"""The kinds of items beside fields, objects and picklists; each is one registration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from crmcore.access import SharingRule
from crmcore.customisation.bound_criteria import criteria_problems
from crmcore.customisation.captions import caption, caption_problems, with_captions
from crmcore.customisation.items import Item
from crmcore.customisation.numberings import (
    numbering,
    numbering_problems,
    with_numberings,
)
from crmcore.customisation.profiles import (
    profile,
    profile_problems,
    with_profiles,
)
from crmcore.customisation.rates import exchange_rate, rate_problems
from crmcore.customisation.relations import relation_problems, with_relations
from crmcore.customisation.sharing import sharing_problems, with_sharing
from crmcore.customisation.structuring import structured
from crmcore.customisation.triggers import trigger_problems, with_triggers
from crmcore.errors import MissingExtra, Problem, ValidationError
from crmcore.records import (
    EntityDef,
    Layout,
    ManyToMany,
    RecordType,
    Schema,
    Trigger,
    ValidationRule,
)
from crmcore.records.schema import picklist_of
from crmcore.records.validation_rules import SEVERITIES
from crmcore.templates import Template, check

__all__ = ["KINDS", "Kind"]

Values = Mapping[tuple[str, str], Any]


@attrs.frozen(kw_only=True, eq=False)
class Kind:
    """What the library knows of a kind of items.

    ``value`` makes the value of an item or raises ValidationError; ``problems`` yields
    what is wrong with it in a schema; ``place`` puts all values of the kind into a
    schema. ``of_object`` kinds belong to an entity.
    """

    name: str
    value: Callable[[Item], Any]
    problems: Callable[[Any, EntityDef | None, Schema, str], Iterable[Problem]]
    place: Callable[[Schema, Values], Schema]
    of_object: bool = True

    def check(
        self, value: Any, entity: EntityDef | None, schema: Schema, place: str
    ) -> None:
        """Raise ValidationError with everything that is wrong with a value."""
        found = list(self.problems(value, entity, schema, place))
        if found:
            raise ValidationError(found)


def _structure(kind: type[Any]) -> Callable[[Item], Any]:
    def value(item: Item) -> Any:
        place = f"{item.key.kind}.{item.key.place}"
        return structured(kind, {**item.definition, "key": item.key.key}, place)

    return value


def _grouped(values: Values) -> dict[str, tuple[Any, ...]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for (entity, _), value in values.items():
        grouped[entity].append(value)
    return {name: tuple(members) for name, members in grouped.items()}


# -- record types ----------------------------------------------------------------------


def _record_type_problems(
    value: RecordType, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    assert entity is not None
    yield from _unknown_fields(entity, value.required, f"{place}.required")
    for name, keys in value.options.items():
        field = entity.fields.get(name)
        picklist = picklist_of(field) if field else None
        if picklist is None:
            yield Problem(f"{place}.options", "not_a_picklist", {"key": name[:60]})
            continue
        for key in keys:
            if key not in picklist.by_key:
                details = {"value": key[:60]}
                yield Problem(f"{place}.options.{name}", "not_an_option", details)


def _unknown_fields(
    entity: EntityDef, names: Iterable[str], place: str
) -> Iterable[Problem]:
    for name in names:
        if name not in entity.fields:
            yield Problem(place, "unknown_field_in", {"key": name[:60]})


# -- layouts ---------------------------------------------------------------------------


def _layout_problems(
    value: Layout, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    assert entity is not None
    names = [one.field for one in value.fields()]
    yield from _unknown_fields(entity, names, f"{place}.sections")
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Problem(f"{place}.sections", "listed_twice", {"key": name})
    if value.purpose not in ("form", "search"):
        yield Problem(
            f"{place}.purpose", "not_an_option", {"value": value.purpose[:60]}
        )
    types = {one.key for one in schema.record_types.get(entity.name, ())}
    if value.record_type is not None and value.record_type not in types:
        details = {"value": value.record_type[:60]}
        yield Problem(f"{place}.record_type", "not_an_option", details)


# -- validation rules ------------------------------------------------------------------


def _rule_problems(
    value: ValidationRule, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    assert entity is not None
    if value.severity not in SEVERITIES:
        details = {"value": value.severity[:60]}
        yield Problem(f"{place}.severity", "not_an_option", details)
    if value.must is None and not value.required:
        yield Problem(place, "empty_rule")
    if not value.message.strip() and value.must is not None:
        yield Problem(f"{place}.message", "required")
    yield from _unknown_fields(entity, value.required, f"{place}.required")
    if value.field is not None:
        yield from _unknown_fields(entity, (value.field,), f"{place}.field")
    for name in ("when", "must"):
        data = getattr(value, name)
        if data is not None:
            yield from criteria_problems(data, entity, schema, f"{place}.{name}")


# -- templates -------------------------------------------------------------------------


def _template_problems(
    value: Template, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    try:
        yield from check(value, schema, place)
    except MissingExtra as missing:
        # Other processes of this tenant go on without its templates.
        yield Problem(place, "needs_extra", {"extra": missing.details["extra"]})
    served = schema.entities.get(value.object) if value.object else None
    if value.condition is not None and served is not None:
        where = f"{place}.condition"
        yield from criteria_problems(value.condition, served, schema, where)
    elif value.condition is not None:
        yield Problem(f"{place}.object", "required")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="record_type",
            value=_structure(RecordType),
            problems=_record_type_problems,
            place=lambda schema, values: schema,
        ),
        Kind(
            name="layout",
            value=_structure(Layout),
            problems=_layout_problems,
            place=lambda schema, values: attrs.evolve(
                schema, layouts={**schema.layouts, **_grouped(values)}
            ),
        ),
        Kind(
            name="validation_rule",
            value=_structure(ValidationRule),
            problems=_rule_problems,
            place=lambda schema, values: attrs.evolve(
                schema,
                validation_rules={**schema.validation_rules, **_grouped(values)},
            ),
        ),
        Kind(
            name="trigger",
            value=_structure(Trigger),
            problems=trigger_problems,
            place=with_triggers,
        ),
        Kind(
            name="numbering",
            value=numbering,
            problems=numbering_problems,
            place=with_numberings,
        ),
        Kind(
            name="template",
            value=_structure(Template),
            problems=_template_problems,
            place=lambda schema, values: attrs.evolve(
                schema, additions={**schema.additions, "template": values}
            ),
            of_object=False,
        ),
        Kind(
            name="relation",
            value=_structure(ManyToMany),
            problems=relation_problems,
            place=with_relations,
            of_object=False,
        ),
        Kind(
            name="profile",
            value=profile,
            problems=profile_problems,
            place=with_profiles,
            of_object=False,
        ),
        Kind(
            name="sharing_rule",
            value=_structure(SharingRule),
            problems=sharing_problems,
            place=with_sharing,
        ),
        Kind(
            name="label",
            value=caption,
            problems=caption_problems,
            place=with_captions,
            of_object=False,
        ),
        Kind(
            name="exchange_rate",
            value=exchange_rate,
            problems=rate_problems,
            place=lambda schema, values: attrs.evolve(
                schema, additions={**schema.additions, "exchange_rate": values}
            ),
            of_object=False,
        ),
    )
}
