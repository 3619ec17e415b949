"""What a form, an import wizard or an API generator needs to know of an entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from crmcore.access import ACTIONS, FREE, Decisions
from crmcore.i18n import translate
from crmcore.i18n.captions import worded
from crmcore.records import (
    EntityDef,
    FieldDef,
    Layout,
    ListOf,
    OpenChoice,
    OrNotApplicable,
    Picklist,
    RecordType,
    Reference,
    Schema,
    Storage,
)
from crmcore.records.encryption import Encrypted
from crmcore.records.layouts import layout_for
from crmcore.records.registry import type_to_data
from crmcore.records.schema import picklist_of

__all__ = ["describe", "json_schema"]

#: The form in which JSON carries each storage.
_JSON_TYPES: Mapping[Storage, Mapping[str, Any]] = {
    Storage.TEXT: {"type": "string"},
    Storage.LONG_TEXT: {"type": "string"},
    Storage.INTEGER: {"type": "integer"},
    Storage.BOOLEAN: {"type": "boolean"},
    Storage.DATE: {"type": "string", "format": "date"},
    Storage.DATETIME: {"type": "string", "format": "date-time"},
    Storage.UUID: {"type": "string", "format": "uuid"},
    Storage.JSON: {},
}


def describe(
    schema: Schema,
    entity: EntityDef,
    *,
    declared: EntityDef | None,
    decisions: Decisions | None = None,
    locale: str = "en",
    record_type: str | None = None,
    compact: bool = False,
) -> dict[str, Any]:
    """Return an entity as plain data: fields, options, layout, what the actor may do.

    ``declared`` is the entity as the host declared it, for the original names (REC-12);
    without ``decisions`` no permissions are told.
    """
    user = decisions.actor.user if decisions else None
    profile = user.profile if user else None
    layouts = schema.layouts.get(entity.name, ())
    layout = layout_for(layouts, record_type=record_type, profile=profile)
    search = layout_for(
        layouts, record_type=record_type, profile=profile, purpose="search"
    )
    rights = decisions.field_rights(schema, entity) if decisions else FREE
    hidden, fixed = rights.hidden_in(record_type), rights.fixed_in(record_type)
    shown = [field for field in _in_order(entity) if field.name not in hidden]
    if compact:
        shown = [field for field in shown if _is_asked_on_small_screens(field)]
    described = {
        "name": entity.name,
        "label": label_of(schema, entity.name, entity.label, locale),
        "custom": entity.custom_object,
        "data_type": entity.data_type,
        "fields": [
            _field(schema, entity, field, declared, locale, field.name in fixed)
            for field in shown
        ],
        "record_types": [
            _record_type(one, locale)
            for one in schema.record_types.get(entity.name, ())
        ],
        "layout": _layout(layout, locale) if layout else None,
        "search": [place.field for place in search.fields()] if search else None,
        "relations": _relations(schema, entity),
    }
    if decisions is not None:
        described["permissions"] = {
            action: decisions.allows(entity, action) for action in sorted(ACTIONS)
        }
    return described


def _in_order(entity: EntityDef) -> list[FieldDef]:
    """Return the fields that are in use: a smaller sort number stands further in front."""
    return sorted(
        (f for f in entity.fields.values() if f.enabled or f.system),
        key=lambda field: field.sort_number,
    )


def _is_asked_on_small_screens(field: FieldDef) -> bool:
    """Tell whether a field belongs to the compact form: required, or marked (REC-12)."""
    demanded = field.required or field.required_on_add
    return not field.system and (demanded or field.compact)


def label_of(schema: Schema, key: str, text: str, locale: str) -> str:
    """Return a label in a language: the tenant's own, the library's, or as written."""
    return schema.captions.text(key, text, locale)


def _field(
    schema: Schema,
    entity: EntityDef,
    field: FieldDef,
    declared: EntityDef | None,
    locale: str,
    fixed: bool = False,
) -> dict[str, Any]:
    kept = fixed or field.system or field.computed
    plain = field.type.item if isinstance(field.type, Encrypted) else field.type
    kind, options = type_to_data(plain)
    original = declared.fields.get(field.name) if declared else None
    data: dict[str, Any] = {
        "name": field.name,
        "type": kind,
        "options": {k: v for k, v in options.items() if k != "picklist"},
        "label": label_of(schema, f"{entity.name}.{field.name}", field.label, locale),
        "original_label": translate((original or field).label, locale),
        "help": field.help,
        "custom": field.custom,
        "read_only": kept,
        "creatable": field.creatable and not kept,
        "updatable": field.updatable and not kept,
        "required_on_add": field.required or field.required_on_add,
        "required_on_modify": field.required or field.required_on_modify,
        "unique": field.unique,
        "indexed": field.indexed,
        "searchable": field.searchable,
        "sortable": field.sortable and field.type.ordered,
        "sensitive": field.sensitive,
        "encrypted": field.encrypted,
        "group": field.group,
        "sort_number": field.sort_number,
        "compact": field.compact,
        "applies_to": sorted(field.applies_to),
        "subordinates_may_edit": field.subordinates_may_edit,
        "default": None if field.default is None else field.type.to_json(field.default),
    }
    lookup = schema.lookup(entity, field.name)
    if lookup is not None:
        shown, settings = type_to_data(lookup.original.type)
        data["sortable"] = lookup.original.sortable and lookup.original.type.ordered
        data["shows"] = {
            "entity": lookup.target.name,
            "type": shown,
            "options": {k: v for k, v in settings.items() if k != "picklist"},
        }
    picklist = picklist_of(lookup.original if lookup else field)
    if picklist is not None:
        data["picklist"] = picklist.name
        data["controlling_field"] = field.controlling_field
        data["choices"] = _choices(schema, picklist, locale)
    return data


def _choices(schema: Schema, picklist: Picklist, locale: str) -> list[dict[str, Any]]:
    return [
        {
            "key": option.key,
            "label": schema.option_label(picklist, option.key, locale),
            "category": option.category,
            "active": option.active,
            "colour": option.colour,
            "default": option.default,
            "parent": option.parent,
        }
        for option in picklist.options
    ]


def _record_type(one: RecordType, locale: str) -> dict[str, Any]:
    return {
        "key": one.key,
        "label": worded(one.label, one.labels, locale),
        "default": one.default,
        "active": one.active,
        "required": list(one.required),
        "options": {name: list(keys) for name, keys in one.options.items()},
        "profiles": list(one.profiles),
        "drafts": one.drafts,
    }


def _layout(layout: Layout, locale: str) -> dict[str, Any]:
    return {
        "key": layout.key,
        "sections": [
            {
                "key": section.key,
                "label": worded(section.label, section.labels, locale),
                "additional": section.additional,
                "fields": [attrs.asdict(place) for place in section.fields],
            }
            for section in layout.sections
        ],
        "related": list(layout.related),
    }


def _relations(schema: Schema, entity: EntityDef) -> list[dict[str, str]]:
    """Return the related lists: which fields of which entities refer to this one."""
    return [
        {"entity": other.name, "field": field.name}
        for other in schema.entities.values()
        if not other.managed
        for field in other.references
        if _refers_to(field, entity.name)
    ]


def _refers_to(field: FieldDef, name: str) -> bool:
    kind = field.type.item if isinstance(field.type, ListOf) else field.type
    if isinstance(kind, Reference):
        return kind.entity == name
    entities: Iterable[str] = getattr(kind, "entities", ())
    return name in entities


# -- JSON Schema -----------------------------------------------------------------------


def json_schema(
    schema: Schema, entity: EntityDef, *, modify: bool = False, locale: str = "en"
) -> dict[str, Any]:
    """Return the entity's input as a JSON Schema (draft 2020-12).

    ``modify`` describes a change instead of a new record.
    """
    inputs = [f for f in entity.input_fields.values() if f.enabled and not f.computed]
    writable = [f for f in inputs if (f.updatable if modify else f.creatable)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": label_of(schema, entity.name, entity.label, locale),
        "type": "object",
        "additionalProperties": False,
        "properties": {
            field.name: {
                "title": label_of(
                    schema, f"{entity.name}.{field.name}", field.label, locale
                ),
                **_json_type(field),
            }
            for field in writable
        },
        "required": [
            field.name
            for field in writable
            if not modify
            and (field.required or field.required_on_add)
            and field.default is None
        ],
    }


def _json_type(field: FieldDef) -> dict[str, Any]:
    kind = field.type
    picklist = picklist_of(field)
    if picklist is not None and not isinstance(kind, OpenChoice):
        choice = {"enum": [o.key for o in picklist.options if o.active]}
        return {"type": "array", "items": choice} if kind.plural else choice
    if kind.json_type is not None:
        return dict(kind.json_type)
    if kind.kind in _SPECIAL:
        return dict(_SPECIAL[kind.kind])
    if isinstance(kind, ListOf):
        return {"type": "array", "maxItems": kind.maximum}
    if isinstance(kind, OrNotApplicable):
        return {"anyOf": [_json_type(attrs.evolve(field, type=kind.item)), _SAID]}
    data = dict(_JSON_TYPES[kind.storage])
    maximum = getattr(kind, "maximum", None)
    if data.get("type") == "string" and isinstance(maximum, int):
        data["maxLength"] = maximum
    if data.get("type") == "integer":
        bounds = {"minimum": getattr(kind, "minimum", None), "maximum": maximum}
        data |= {name: value for name, value in bounds.items() if value is not None}
    return data


_DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
_FILE = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("key", "name", "media_type")},
        "size": {"type": "integer", "minimum": 0},
    },
    "required": ["key", "name", "media_type", "size"],
}
#: How JSON says that there can be no value.
_SAID = {
    "type": "object",
    "properties": {"not_applicable": {"const": True}},
    "required": ["not_applicable"],
}
#: Types whose JSON form is not that of their storage.
_SPECIAL: Mapping[str, Mapping[str, Any]] = {
    "decimal": _DECIMAL,
    "percent": _DECIMAL,
    "money": {
        "type": "object",
        "properties": {"amount": _DECIMAL, "currency": {"type": "string"}},
        "required": ["amount", "currency"],
    },
    "converted_money": {
        "type": "object",
        "properties": {
            "amount": _DECIMAL,
            "currency": {"type": "string"},
            "rate": _DECIMAL,
        },
        "required": ["amount", "currency"],
    },
    "geolocation": {
        "type": "object",
        "properties": {"latitude": _DECIMAL, "longitude": _DECIMAL},
        "required": ["latitude", "longitude"],
    },
    "file": _FILE,
    "image": _FILE,
    "audio": _FILE,
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "uri"},
    "address": {"type": "object"},
    "any_reference": {
        "type": "object",
        "properties": {"entity": {"type": "string"}, "id": {"type": "string"}},
        "required": ["entity", "id"],
    },
}
