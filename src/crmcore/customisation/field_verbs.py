"""Verbs on fields: add, change, retire, restore, remove (REC-09, REC-12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crmcore.customisation.changing import Changing
from crmcore.customisation.items import ItemKey, Items
from crmcore.customisation.planning import (
    Change,
    CustomisationPlan,
    Put,
    Remove,
    Restore,
    Retire,
)
from crmcore.errors import ValidationError
from crmcore.records import Record
from crmcore.records.fields import tags_of
from crmcore.records.registry import type_to_data

__all__ = ["FieldVerbs", "name_of"]


def name_of(object: str | type[Record]) -> str:  # noqa: A002 - the manuals' word
    """Return the name of an object, given by it or by its record class."""
    return object if isinstance(object, str) else object.entity_name()


class FieldVerbs(Changing):
    """What administrators do with fields."""

    def add_field(
        self,
        object: str | type[Record],  # noqa: A002
        key: str,
        type: str,  # noqa: A002
        *,
        options: Mapping[str, Any] | None = None,
        **attributes: Any,
    ) -> CustomisationPlan:
        """Add a custom field to an object (REC-09).

        ``type`` is one of :data:`crmcore.records.registry.KINDS` and ``options`` its
        own settings, as plain data; ``attributes`` are those of :class:`FieldDef`, such
        as ``label``, ``required`` or ``indexed``, and ``labels`` by language.

        Raises ValidationError for a key that is taken or reserved, an unknown type or
        setting; AccessDenied for those who do not administer.
        """
        item = ItemKey("field", name_of(object), key)
        definition: dict[str, Any] = {"type": type, **attributes}
        if options:
            definition["options"] = dict(options)

        def decide(items: Items) -> Iterator[Change]:
            entity = self.unit.schema.entities.get(item.object)
            if (entity and key in entity.fields) or items.get(item) is not None:
                place = f"field.{item.place}"[:120]
                raise ValidationError.of(place, "key_taken", key=key[:60])
            yield Put(item, definition)

        return self.change("add_field", [str(item), definition], decide)

    def add_tags(self, object: str | type[Record]) -> CustomisationPlan:  # noqa: A002
        """Give the records of an object tags, as the library's own have (REC-23)."""
        kind, options = type_to_data(tags_of(name_of(object)))
        return self.add_field(
            object,
            "tag_ids",
            kind,
            options=options,
            label="Tags",
            indexed=True,
            on_delete="clear",
        )

    def change_field(
        self,
        object: str | type[Record],  # noqa: A002
        key: str,
        **settings: Any,
    ) -> CustomisationPlan:
        """Change settings of a field, a declared one too (REC-12); others stay.

        None takes a setting back. The type of a field that holds values stays.
        """
        item = ItemKey("field", name_of(object), key)

        def decide(items: Items) -> Iterator[Change]:
            present = items.get(item)
            entity = self.unit.schema.entities.get(item.object)
            if present is None and (entity is None or key not in entity.fields):
                shown = item.object[:60]
                raise ValidationError.of(key[:80], "unknown_field", entity=shown)
            changed = {**(present.definition if present else {}), **settings}
            yield Put(item, {k: v for k, v in changed.items() if v is not None})

        return self.change("change_field", [str(item), settings], decide)

    def retire_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Take a custom field out of use; its values can be brought back (REC-09).

        Refused while a layout, rule, formula or filter uses it.
        """
        item = ItemKey("field", name_of(object), key)
        return self.change("retire_field", str(item), lambda _: [Retire(item)])

    def restore_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Bring a retired field back with its values."""
        item = ItemKey("field", name_of(object), key)
        return self.change("restore_field", str(item), lambda _: [Restore(item)])

    def remove_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Remove a retired field for good, so that its key is free again.

        Refused while records still hold values of it: empty them first.
        """
        item = ItemKey("field", name_of(object), key)

        def decide(items: Items) -> Iterator[Change]:
            present = items.get(item)
            if present is not None and not present.retired:
                place = f"field.{item.place}"
                raise ValidationError.of(place, "not_retired", key=key)
            yield Remove(item)

        return self.change("remove_field", str(item), decide)
