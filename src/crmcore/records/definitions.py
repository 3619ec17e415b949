"""What an entity is, as data; made from the declared classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import UUID

import attrs

from crmcore.errors import ValidationError
from crmcore.records.composites import AnyReference, ListOf, Reference
from crmcore.records.conventions import Conventions
from crmcore.records.field_definitions import Column, FieldDef, columns_of
from crmcore.records.numbering import AutoNumber
from crmcore.records.text import fold, full_name, identity_key
from crmcore.records.types import Choice, FieldType, Link, Storage

if TYPE_CHECKING:
    from crmcore.records.record import Record

__all__ = ["EntityDef"]

#: The categories of a state in which nothing is left to be done.
CLOSED = frozenset({"won", "lost", "converted", "disqualified", "done", "canceled"})


@attrs.frozen(kw_only=True, slots=False, eq=False)
class EntityDef:
    """An entity: its name, its record class and its fields by name.

    ``indexes`` lists the field names of each compound index; ``display`` the fields
    that make a record's display name. Records of a ``managed`` entity are written by
    the library only, as a part of other verbs. ``retired`` are custom fields that were
    removed and may come back: their stored values are kept, and asked for by nobody.
    ``extension`` are the typed fields that a host added (:func:`extends`).
    ``state`` names the picklist field by whose category a record is open or closed.

    A ``custom_object`` was made by an administrator, with a ``data_type`` that tells
    what it is for, and ``switches`` for what it takes part in (REC-17). It has at most
    ``field_space`` fields of its own, is ``open_to`` the users of some profiles (none
    named: all), and its changes are written into the records of its ``log_object``.
    """

    name: str
    plural: str
    label: str
    record_class: type[Record]
    fields: Mapping[str, FieldDef]
    display: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    managed: bool = False
    state: str | None = None
    retired: tuple[FieldDef, ...] = ()
    extension: frozenset[str] = frozenset()
    custom_object: bool = False
    data_type: str | None = None
    switches: frozenset[str] = frozenset()
    field_space: int | None = None
    open_to: frozenset[str] = frozenset()
    log_object: str | None = None

    @cached_property
    def typed_fields(self) -> tuple[FieldDef, ...]:
        """Return the stored fields that are attributes of the record class."""
        return tuple(f for f in self.fields.values() if f.type.parts and not f.custom)

    @cached_property
    def custom_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields whose values live in ``record.custom``."""
        return tuple(f for f in self.fields.values() if f.custom)

    @cached_property
    def lookup_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields that show what other records hold (REC-10)."""
        return tuple(f for f in self.fields.values() if not f.type.parts)

    @cached_property
    def input_fields(self) -> Mapping[str, FieldDef]:
        """Return the fields that callers may set, by name."""
        return {n: f for n, f in self.fields.items() if not (f.system or f.computed)}

    @cached_property
    def _typed_inputs(self) -> tuple[tuple[str, ...], Callable[[Record], Any]]:
        names = tuple(n for n, f in self.input_fields.items() if not f.custom)
        # One call for all fields; with two names or more it gives a tuple.
        return names, attrgetter(*names, "id", "version")

    def input_values(self, record: Record) -> dict[str, Any]:
        """Return what ``record`` holds in the fields that callers may set.

        Custom fields that it does not hold have their default.
        """
        names, values_of = self._typed_inputs
        record = self._adopted(record)
        values = dict(zip(names, values_of(record), strict=False))
        for field in self.custom_fields:
            if not (field.system or field.computed):
                values[field.name] = record.custom.get(field.name, field.default)
        return values

    def adds(self, field: FieldDef) -> bool:
        """Tell whether a field was added to what the library declares."""
        return field.custom or field.name in self.extension

    def _adopted(self, record: Record) -> Record:
        """Return a record of the class that this one extends as one of its own."""
        if isinstance(record, self.record_class):
            return record
        held = {
            a.name: getattr(record, a.name)
            for a in attrs.fields(cast(Any, type(record)))
        }
        return self.record_class(**held)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Return the stored parts of all typed fields, in order."""
        return tuple(c for f in self.typed_fields for c in columns_of(f))

    @cached_property
    def columns_by_field(self) -> Mapping[str, tuple[Column, ...]]:
        """Return the stored parts of each field, by the field's name."""
        named = {**{f.name: f for f in self.retired}, **self.fields}
        return {name: columns_of(field) for name, field in named.items()}

    @cached_property
    def _kept_fields(self) -> Mapping[str, FieldDef]:
        """Hold the fields whose values the custom document keeps, retired ones too."""
        return {f.name: f for f in (*self.retired, *self.custom_fields)}

    @cached_property
    def relations(self) -> Mapping[str, FieldDef]:
        """Return the reference fields by the name under which they are followed."""
        return {f.relation: f for f in self.fields.values() if f.relation}

    @cached_property
    def references(self) -> tuple[FieldDef, ...]:
        """Return the fields that refer to other records."""
        return tuple(f for f in self.fields.values() if _refers(f.type))

    @cached_property
    def acyclic_fields(self) -> tuple[FieldDef, ...]:
        """Return the references that must not lead back to their record."""
        return tuple(f for f in self.fields.values() if f.acyclic)

    @cached_property
    def searchable_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields whose folded text is stored for searching."""
        return tuple(f for f in self.fields.values() if f.searchable and f.type.textual)

    @cached_property
    def required_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields that must be filled, at some time at least."""
        return tuple(
            f
            for f in self.fields.values()
            if f.required or f.required_on_add or f.required_on_modify
        )

    @cached_property
    def dependent_fields(self) -> tuple[FieldDef, ...]:
        """Return the picklist fields whose choices depend on another field."""
        return tuple(f for f in self.fields.values() if f.controlling_field)

    @cached_property
    def converted_fields(self) -> tuple[FieldDef, ...]:
        """Return the amounts that are kept with their worth in the default currency."""
        return tuple(
            f for f in self.fields.values() if f.type.kind == "converted_money"
        )

    @cached_property
    def restricted_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields that may not be given just any value at any time."""
        return tuple(
            f
            for f in self.fields.values()
            if not (f.enabled and f.creatable and f.updatable)
            or f.minimum_length is not None
        )

    @cached_property
    def unique_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields whose values are claimed."""
        return tuple(f for f in self.fields.values() if f.unique)

    @cached_property
    def number_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields that number new records automatically."""
        return tuple(
            f
            for f in self.fields.values()
            if isinstance(f.type, AutoNumber) and f.type.format.automatic and f.enabled
        )

    def field(self, name: str) -> FieldDef:
        """Return the field ``name``; raises ValidationError for an unknown one."""
        try:
            return self.fields[name]
        except KeyError:
            raise ValidationError.of(
                name[:80], "unknown_field", entity=self.name
            ) from None

    @cached_property
    def kind_field(self) -> FieldDef | None:
        """Return the field that tells kinds of records apart, for ``applies_to``."""
        found = self.fields.get("kind") or self.fields.get("record_type")
        return found if found is not None and isinstance(found.type, Choice) else None

    @cached_property
    def partial_fields(self) -> tuple[FieldDef, ...]:
        """Return the fields that only some kinds of records have (REC-12)."""
        return tuple(f for f in self.fields.values() if f.applies_to)

    def is_closed(self, record: Record) -> bool:
        """Tell whether a record is closed; one of an entity without states always is."""
        kind = self.fields[self.state].type if self.state else None
        if self.state is None or not isinstance(kind, Choice):
            return True
        return self.closes(kind.picklist.category(self.value_of(record, self.state)))

    def closes(self, category: str | None) -> bool:
        """Tell whether nothing is left to be done in a state of this category."""
        return category in CLOSED

    def value_of(self, record: Record, name: str) -> Any:
        """Return a field's value of ``record``, typed or custom."""
        if self.fields[name].custom:
            return record.custom.get(name)
        return getattr(record, name)

    def folded(self, record: Record) -> dict[str, str]:
        """Return the folded text of each searchable field that is filled."""
        result = {}
        for field in self.searchable_fields:
            value = self.value_of(record, field.name)
            if value is not None:
                result[field.name] = fold(value)
        return result

    def unique_keys(self, record: Record) -> dict[str, str]:
        """Return the identity key of each unique field that is filled (DUP-01)."""
        result = {}
        for field in self.unique_fields:
            value = self.value_of(record, field.name)
            if value is not None:
                text = value if isinstance(value, str) else str(value)
                result[field.name] = identity_key(text)
        return result

    def custom_to_stored(self, custom: Mapping[str, Any]) -> dict[str, Any]:
        """Return custom values as JSON data, the parts of each field side by side.

        Numbers are scaled integers, dates, times and ids their sortable text, so that
        every store compares them alike.
        """
        stored: dict[str, Any] = {}
        for name, value in custom.items():
            parts = self._kept_fields[name].type.split(value)
            for column, part in zip(self.columns_by_field[name], parts, strict=True):
                if part is not None:
                    stored[column.name] = custom_part_to_json(column, part)
        return stored

    def custom_from_stored(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return custom values of their JSON data; unknown keys are left out."""
        readers, composed = self._custom_readers
        values = {
            key: data if (read := readers[key]) is None else read(data)
            for key, data in stored.items()
            if key in readers and data is not None
        }
        for field, columns in composed:
            parts = tuple(custom_part_from_json(c, stored.get(c.name)) for c in columns)
            value = field.type.join(parts)
            if value is not None:
                values[field.name] = value
        return MappingProxyType(values)

    @cached_property
    def _custom_readers(self) -> CustomReaders:
        """Hold what reads the one part of a field, by name, and fields of several."""
        readers: dict[str, Callable[[Any], Any] | None] = {}
        composed = []
        for field in self._kept_fields.values():
            columns = self.columns_by_field[field.name]
            if len(columns) == 1 and type(field.type).join is FieldType.join:
                readers[columns[0].name] = _part_reader(columns[0])
            else:
                composed.append((field, columns))
        return readers, composed

    def display_name(self, record: Record) -> str:
        """Return how people call ``record``."""
        if self.display == PERSON:
            return full_name(record["last_name"], record["first_name"])
        words = [self.value_of(record, name) for name in self.display]
        return " ".join(str(word) for word in words if word)


def _refers(kind: FieldType) -> bool:
    item = kind.item if isinstance(kind, ListOf) else kind
    return isinstance(item, (Reference, AnyReference, Link))


#: The fields of a person's name, shown in the order of its script.
PERSON = ("first_name", "last_name")

#: What reads scalar fields, by name, none where data are values; and composed fields.
CustomReaders: TypeAlias = tuple[
    dict[str, Callable[[Any], Any] | None], list[tuple[FieldDef, tuple[Column, ...]]]
]

_DATED = (Storage.DATE, Storage.DATETIME, Storage.UUID)


_READERS: Mapping[Storage, Callable[[str], Any]] = {
    Storage.DATE: date.fromisoformat,
    Storage.DATETIME: datetime.fromisoformat,
    Storage.UUID: UUID,
}


def _part_reader(column: Column) -> Callable[[Any], Any] | None:
    """Return what makes a value of the JSON form of a field's only part."""
    decode = _READERS.get(column.storage)
    kind = column.field.type
    if type(kind).from_stored is FieldType.from_stored:
        return decode
    if decode is None:
        return kind.from_stored
    return lambda data: kind.from_stored(decode(data))


def custom_part_to_json(column: Column, stored: Any) -> Any:
    """Return a stored part in the JSON form that custom documents keep."""
    return column.type.to_json(stored) if column.storage in _DATED else stored


def custom_part_from_json(column: Column, data: Any) -> Any:
    """Return a stored part of the JSON form that custom documents keep."""
    if data is None or column.storage not in _DATED:
        return data
    return column.type.coerce(data, Conventions())
