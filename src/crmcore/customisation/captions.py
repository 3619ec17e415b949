"""Translations that administrators give: of entities, fields and options (I18N-01)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from crmcore.customisation.items import Item
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem
from crmcore.i18n.captions import Caption, Captions
from crmcore.i18n.locales import is_locale
from crmcore.records import EntityDef, Schema

__all__ = ["caption", "caption_problems", "with_captions"]

LONGEST = 200


def caption(item: Item) -> Caption:
    """Return the caption of an item; raises ValidationError."""
    place = f"label.{item.key.key}"
    return structured(Caption, {**item.definition, "key": item.key.key}, place)


def caption_problems(
    value: Caption, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with a caption: a key of nothing, a language of nobody."""
    if not _is_known(value.key, schema):
        yield Problem(place, "no_item", {"key": value.key[:60]})
    for language, text in value.translations.items():
        where = f"{place}.{language[:20]}"
        if not is_locale(language):
            yield Problem(where, "unknown_language", {"value": language[:20]})
        if not text.strip():
            yield Problem(where, "required")
        elif len(text) > LONGEST:
            yield Problem(where, "too_long", {"maximum": LONGEST})


def _is_known(key: str, schema: Schema) -> bool:
    name, colon, option = key.partition(":")
    if colon:
        picklist = schema.picklists.get(name)
        return picklist is not None and option in picklist.by_key
    name, dot, field = key.partition(".")
    entity = schema.entities.get(name)
    return entity is not None and (not dot or field in entity.fields)


def with_captions(schema: Schema, values: Mapping[tuple[str, str], Any]) -> Schema:
    """Return a schema with captions; they come before those given with a definition."""
    return attrs.evolve(
        schema,
        captions=Captions.of(
            [*schema.captions.by_key.values(), *values.values()],
        ),
    )
