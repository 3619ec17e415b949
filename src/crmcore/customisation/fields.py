"""Fields that administrators define, and what they change of declared ones (REC-09)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import attrs

from crmcore.customisation.structuring import structured_value, type_hints
from crmcore.errors import Problem, ValidationError
from crmcore.records import (
    Conventions,
    FieldDef,
    MasterDetail,
    Picklist,
    Reference,
    Refused,
    Text,
    fields,
)
from crmcore.records.lookup_values import rule_problems
from crmcore.records.registry import type_from_data, type_to_data
from crmcore.records.schema import picklist_of

__all__ = ["changed_field", "custom_field", "field_to_data"]

#: What a definition says beside the attributes of a field.
_OWN_WORDS = frozenset({"type", "options", "labels"})
#: Attributes that the library gives, whatever a definition says.
_GIVEN = frozenset({"name", "type", "custom", "system", "computed", "default"})
#: What administrators may change of a field that is declared in Python (REC-12).
_CHANGEABLE = frozenset(
    {
        "label",
        "required",
        "required_on_add",
        "required_on_modify",
        "unique",
        "enabled",
        "help",
        "minimum_length",
        "applies_to",
        "sort_number",
        "compact",
        "subordinates_may_edit",
        "group",
        "creatable",
        "updatable",
        "default",
    }
)


@cache
def _attribute_types() -> Mapping[str, Any]:
    hints = type_hints(FieldDef)
    return {name: hints[name] for name in hints if name not in _GIVEN}


def custom_field(
    key: str,
    definition: Mapping[str, Any],
    picklists: Mapping[str, Picklist],
    place: str,
) -> FieldDef:
    """Return the custom field that a definition describes.

    Raises ValidationError that names every bad part.
    """
    kind = definition.get("type")
    if not isinstance(kind, str):
        raise ValidationError.of(f"{place}.type", "required")
    given = {k: v for k, v in definition.items() if k not in _OWN_WORDS}
    attributes = _attributes(given, _attribute_types(), place)
    options = definition.get("options", {})
    if not isinstance(options, Mapping):
        raise ValidationError.of(f"{place}.options", "malformed")
    try:
        made = type_from_data(kind, options, picklists)
    except Refused as refused:
        problem = Problem(f"{place}.type", refused.reason, refused.details)
        raise ValidationError([problem]) from None
    except ValidationError as error:
        raise ValidationError(_below(error, place)) from None
    problems = list(rule_problems(made, given, place))
    if problems:
        raise ValidationError(problems)
    if attributes.get("label") == "":
        attributes.pop("label")
    if isinstance(made, MasterDetail):
        attributes |= {"required": True, "on_delete": "cascade"}
    if isinstance(made, Reference):
        attributes.setdefault("indexed", True)
    too_long = isinstance(made, Text) and made.maximum > LONGEST_INDEXED
    if attributes.get("indexed") and too_long:
        where = f"{place}.indexed"
        raise ValidationError.of(where, "too_long_to_index", maximum=LONGEST_INDEXED)
    if attributes.get("on_delete", "keep") not in ON_DELETE:
        shown = str(attributes["on_delete"])[:60]
        raise ValidationError.of(f"{place}.on_delete", "not_an_option", value=shown)
    field = fields.custom(key, made, **attributes)
    return _with_default(field, definition, place)


def changed_field(
    field: FieldDef, definition: Mapping[str, Any], place: str
) -> FieldDef:
    """Return a declared field with what an administrator changed of it (REC-12).

    Raises ValidationError for anything that only its declaration can say.
    """
    given = {k: v for k, v in definition.items() if k != "labels"}
    fixed = sorted(given.keys() - _CHANGEABLE)
    if fixed:
        raise ValidationError(
            [Problem(f"{place}.{name[:60]}", "declared_in_python") for name in fixed]
        )
    types = {n: t for n, t in _attribute_types().items() if n in _CHANGEABLE}
    attributes = _attributes(given, types, place)
    problems = list(rule_problems(field.type, given, place))
    if problems:
        raise ValidationError(problems)
    changed = attrs.evolve(field, **{**attributes, **field.type.implied})
    _refuse_weaker(field, changed, place)
    return _with_default(changed, definition, place)


def _refuse_weaker(field: FieldDef, changed: FieldDef, place: str) -> None:
    """Refuse to take away what the host's own code relies on."""
    problems = []
    if field.system:
        problems.append(Problem(place, "read_only"))
    if field.required and not changed.required:
        problems.append(Problem(f"{place}.required", "declared_in_python"))
    if field.unique and not changed.unique:
        problems.append(Problem(f"{place}.unique", "declared_in_python"))
    if not changed.enabled and (field.always_on or field.required):
        problems.append(Problem(f"{place}.enabled", "always_on"))
    if problems:
        raise ValidationError(problems)


def _attributes(
    given: Mapping[str, Any], types: Mapping[str, Any], place: str
) -> dict[str, Any]:
    problems: list[Problem] = []
    attributes = {}
    for name, value in given.items():
        if name == "default":
            continue
        where = f"{place}.{str(name)[:60]}"
        if name not in types:
            problems.append(Problem(where, "unknown_setting"))
            continue
        try:
            attributes[name] = structured_value(types[name], value, where)
        except ValidationError as error:
            problems.extend(error.problems)
    label = attributes.get("label")
    if isinstance(label, str) and len(label) > LONGEST_LABEL:
        problems.append(
            Problem(f"{place}.label", "too_long", {"maximum": LONGEST_LABEL})
        )
    if problems:
        raise ValidationError(problems)
    return attributes


#: Characters of a label.
LONGEST_LABEL = 100


def _with_default(
    field: FieldDef, definition: Mapping[str, Any], place: str
) -> FieldDef:
    if definition.get("default") is None:
        picklist = picklist_of(field)
        if field.default is None and picklist is not None and picklist.default:
            marked = picklist.default
            value = (marked,) if field.type.plural else marked
            return attrs.evolve(field, default=value)
        return field
    try:
        value = field.type.from_json(definition["default"], Conventions())
    except Refused as refused:
        problem = Problem(f"{place}.default", refused.reason, refused.details)
        raise ValidationError([problem]) from None
    return attrs.evolve(field, default=value)


#: Characters of a text that every server can index.
LONGEST_INDEXED = 500
#: What may become of a reference when the record behind it is deleted (REC-20).
ON_DELETE = ("keep", "block", "clear", "cascade")


def _below(error: ValidationError, place: str) -> list[Problem]:
    return [Problem(f"{place}.{p.field}", p.reason, p.details) for p in error.problems]


def field_to_data(field: FieldDef) -> dict[str, Any]:
    """Return the definition of a custom field, defaults left out."""
    kind, options = type_to_data(field.type)
    data: dict[str, Any] = {"type": kind}
    if options:
        data["options"] = options
    declared = {a.name: a.default for a in attrs.fields(FieldDef)}
    for name in _attribute_types():
        value = getattr(field, name)
        if name == "label" or value != declared[name]:
            data[name] = sorted(value) if isinstance(value, frozenset) else value
    if field.default is not None:
        data["default"] = field.type.to_json(field.default)
    return data
