"""What a template sees of a record: fields of the schema, and no attribute else.

A field that the reader may not see looks exactly like an empty one, whichever way it is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmcore.criteria.evaluation import Follow
from crmcore.records import EntityDef, FieldDef, Money, Record, Schema
from crmcore.records.schema import picklist_of

__all__ = ["Chosen", "Composite", "MayRead", "RecordView", "Viewer"]

MayRead = Callable[[EntityDef, FieldDef], bool]

_PLAIN = (bool, int, float, Decimal, date, datetime)
#: Levels of lists and mappings in what a template is given.
DEEPEST = 8


class Chosen(str):
    """The key of an option that knows its label."""

    __slots__ = ("label",)
    label: str


class Composite:
    """A value of several parts, such as money: ``{{ deal.amount.currency }}``."""

    __slots__ = ("_parts", "_text")
    __iter__ = None

    def __init__(self, parts: Mapping[str, Any], text: str) -> None:
        self._parts = parts
        self._text = text

    def __getitem__(self, name: Any) -> Any:
        return self._parts[name]

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Composite) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._text)


class RecordView:
    """A record as a template sees it: by field name, and by relation to the next."""

    __slots__ = ("_entity", "_record", "_viewer")
    #: Nobody may go through all fields and count those that are hidden.
    __iter__ = None

    def __init__(self, viewer: Viewer, entity: EntityDef, record: Record) -> None:
        self._viewer = viewer
        self._entity = entity
        self._record = record

    def __getitem__(self, name: Any) -> Any:
        return self._viewer.value(self._entity, self._record, name)

    def __str__(self) -> str:
        return self._viewer.name(self._entity, self._record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordView) and self._record.id == other._record.id

    def __hash__(self) -> int:
        return hash(self._record.id)


@attrs.frozen
class Viewer:
    """Makes views of records and values for one reader.

    ``may_read`` tells which fields the reader may see, ``follow`` gives the record
    behind a reference, or none where the reader may not see it.
    """

    schema: Schema
    may_read: MayRead
    follow: Follow
    locale: str = "en"

    def view(self, value: Any, depth: int = 0) -> Any:
        """Return what a template may see of any value."""
        if isinstance(value, Record):
            return RecordView(self, self.schema.entity(value), value)
        if value is None or type(value) in _PLAIN:
            return value
        if isinstance(value, str):
            # A subclass could say of itself that it is safe HTML.
            return str.__str__(value)
        if depth < DEEPEST:
            if isinstance(value, (list, tuple)):
                return [self.view(item, depth + 1) for item in value]
            if isinstance(value, Mapping):
                return {
                    str(key): self.view(item, depth + 1) for key, item in value.items()
                }
            if attrs.has(type(value)):
                parts = attrs.asdict(value, recurse=False)
                seen = {
                    name: self.view(part, depth + 1) for name, part in parts.items()
                }
                return Composite(seen, _text_of(value, seen))
        return str(value) if isinstance(value, UUID) else ""

    def value(self, entity: EntityDef, record: Record, name: Any) -> Any:
        """Return a field, or the record that a reference leads to.

        Raises KeyError for what is neither.
        """
        field = entity.fields.get(name)
        if field is not None:
            return self._field(entity, record, field)
        relation = entity.relations[name]
        identity = self._readable(entity, record, relation)
        if identity is None:
            return None
        target: str = getattr(relation.type, "entity")  # noqa: B009 - a Reference
        return self.view(self.follow(target, identity))

    def _field(self, entity: EntityDef, record: Record, field: FieldDef) -> Any:
        value = self._readable(entity, record, field)
        lookup = self.schema.lookup(entity, field.name)
        picklist = picklist_of(lookup.original if lookup else field)
        if picklist is None or value is None:
            return self.view(value)
        keys = [value] if isinstance(value, str) else list(value)
        chosen = []
        for key in keys:
            one = Chosen(key)
            one.label = self.schema.option_label(picklist, key, self.locale)
            chosen.append(one)
        return chosen[0] if isinstance(value, str) else chosen

    def _readable(self, entity: EntityDef, record: Record, field: FieldDef) -> Any:
        if not self.may_read(entity, field):
            return None
        return entity.value_of(record, field.name)

    def name(self, entity: EntityDef, record: Record) -> str:
        """Return how people call a record; empty where a part of it is hidden."""
        fields = [entity.fields[name] for name in entity.display]
        if not all(self.may_read(entity, field) for field in fields):
            return ""
        return entity.display_name(record)


def _text_of(value: Any, seen: Mapping[str, Any]) -> str:
    if "value" in seen:
        return str(seen["value"])
    if isinstance(value, Money):
        return str(value)
    return ", ".join(str(part) for part in seen.values() if part is not None)
