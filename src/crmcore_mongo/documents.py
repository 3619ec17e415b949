"""Records as documents and back, by functions that are generated for each entity.

As attrs does, the source of each function is built once and compiled: no loop over
fields and no look-up of types remains for a record.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from bson.int64 import Int64

from crmcore.records import Column, EntityDef, FieldDef, Record, Storage, fold
from crmcore.records.composites import Reference
from crmcore.records.types import FieldType
from crmcore_mongo.values import (
    CUSTOM,
    FOLDED,
    MATCH_KEYS,
    REFERENCES,
    TENANT,
    key_of,
    plain,
)

__all__ = ["Documents", "documents_of"]

Document = dict[str, Any]
Encode = Callable[[str, Record, frozenset[str]], Document]
Decode = Callable[[Mapping[str, Any]], Any]
Changes = Callable[[Record, Record, Document, Document], None]

_NOTHING: Mapping[str, Any] = Record().custom


@attrs.frozen
class Documents:
    """What translates the records of one entity."""

    _encode: Callable[[Record], Document]
    _decode: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
    _changes: Changes
    _custom_search: tuple[str, ...]
    _custom_references: tuple[str, ...]

    def document(
        self, entity: EntityDef, tenant: str, record: Record, keys: frozenset[str]
    ) -> Document:
        """Return the document of a new record."""
        document = self._encode(record)
        document[TENANT] = tenant
        if keys:
            document[MATCH_KEYS] = list(keys)
        if record.custom:
            self._add_custom(entity, record, document)
        return document

    def _add_custom(
        self, entity: EntityDef, record: Record, document: Document
    ) -> None:
        document[CUSTOM] = _custom(entity, record)
        if references := self._references(record):
            document[REFERENCES] = references
        if folded := self._folded_custom(record):
            document.setdefault(FOLDED, {}).update(folded)

    def record(self, entity: EntityDef, document: Mapping[str, Any]) -> Any:
        """Return the record of a document."""
        stored = document.get(CUSTOM)
        custom = entity.custom_from_stored(plain(stored)) if stored else _NOTHING
        return self._decode(document, custom)

    def changes(
        self, entity: EntityDef, old: Record, new: Record
    ) -> tuple[Document, Document]:
        """Return the paths to set and those to remove, so that old becomes new."""
        filled: Document = {}
        emptied: Document = {}
        self._changes(old, new, filled, emptied)
        if new.custom is not old.custom and new.custom != old.custom:
            pairs = (
                (CUSTOM, _custom(entity, old), _custom(entity, new)),
                (REFERENCES, self._references(old), self._references(new)),
                (FOLDED, self._folded_custom(old), self._folded_custom(new)),
            )
            # Key by key: values of fields that the schema lost meanwhile stay.
            for place, before, after in pairs:
                _compare(place, before, after, filled, emptied)
        return filled, emptied

    def _references(self, record: Record) -> Document:
        names = self._custom_references
        custom = record.custom
        return {n: v for n in names if (v := custom.get(n)) is not None}

    def _folded_custom(self, record: Record) -> Document:
        custom = record.custom
        names = self._custom_search
        return {n: fold(v) for n in names if (v := custom.get(n)) is not None}


def _custom(entity: EntityDef, record: Record) -> Document:
    stored = entity.custom_to_stored(record.custom)
    return {k: Int64(v) if type(v) is int else v for k, v in stored.items()}


def _compare(
    place: str, before: Document, after: Document, filled: Document, emptied: Document
) -> None:
    for key, value in after.items():
        if key not in before or before[key] != value:
            filled[f"{place}.{key}"] = value
    for key in before.keys() - after.keys():
        emptied[f"{place}.{key}"] = ""


_MADE: WeakKeyDictionary[EntityDef, Documents] = WeakKeyDictionary()


def documents_of(entity: EntityDef) -> Documents:
    """Return what translates the records of ``entity``; made at the first call."""
    made = _MADE.get(entity)
    if made is None:
        made = _MADE[entity] = _make(entity)
    return made


def _make(entity: EntityDef) -> Documents:
    # Nothing in here may refer to the entity: it is the weak key of the cache.
    fields = [_Field(f, entity.columns_by_field[f.name]) for f in entity.typed_fields]
    custom = entity.custom_fields
    searched = tuple(f.name for f in entity.searchable_fields if f.custom)
    references = tuple(f.name for f in custom if isinstance(f.type, Reference))
    return Documents(
        _compiled(entity.name, "encode", _encode_source(fields), fields),
        _compiled(entity.name, "decode", _decode_source(fields), fields, entity),
        _compiled(entity.name, "changes", _changes_source(fields), fields),
        searched,
        references,
    )


@attrs.frozen
class _Field:
    """One typed field, with the names by which generated code calls its type."""

    definition: FieldDef
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_scalar(self) -> bool:
        return type(self.definition.type).split is FieldType.split

    @property
    def is_searched(self) -> bool:
        return self.definition.searchable and self.definition.type.textual

    def names(self) -> Iterator[tuple[str, Any]]:
        """Yield what generated code needs by name."""
        kind = self.definition.type
        yield f"split_{self.name}", kind.split
        yield f"join_{self.name}", kind.join
        yield f"to_{self.name}", kind.to_stored
        yield f"from_{self.name}", kind.from_stored

    def stored(self, value: str) -> str:
        """Return the expression of a filled scalar value in stored form."""
        if type(self.definition.type).to_stored is FieldType.to_stored:
            return value
        return f"to_{self.name}({value})"

    def restored(self, expression: str) -> str:
        """Return the expression of a scalar value of its stored form."""
        if type(self.definition.type).from_stored is FieldType.from_stored:
            return expression
        return f"from_{self.name}({expression})"


def _in_document(column: Column, expression: str) -> str:
    if column.storage is Storage.INTEGER:
        return f"Int64({expression})"
    return f"{expression}.isoformat()" if column.storage is Storage.DATE else expression


def _out_of_document(column: Column, expression: str) -> str:
    wrapped = {
        Storage.INTEGER: f"int({expression})",
        Storage.DATE: f"date_of({expression})",
        Storage.JSON: f"plain({expression})",
    }
    return wrapped.get(column.storage, expression)


def _encode_source(fields: list[_Field]) -> Iterator[str]:
    yield "def encode(record):"
    yield "    document = {}"
    yield "    folded = {}"
    for field in fields:
        yield f"    value = record.{field.name}"
        yield "    if value is not None:"
        yield from _indented(_encode_field(field))
    yield "    if folded:"
    yield f"        document[{FOLDED!r}] = folded"
    yield "    return document"


def _encode_field(field: _Field) -> Iterator[str]:
    if field.is_searched:
        yield f"folded[{field.name!r}] = fold(value)"
    if field.is_scalar:
        column = field.columns[0]
        stored = _in_document(column, field.stored("value"))
        yield f"document[{key_of(column)!r}] = {stored}"
        return
    yield f"parts = split_{field.name}(value)"
    for column in field.columns:
        part = f"parts[{column.position}]"
        yield f"if {part} is not None:"
        yield f"    document[{key_of(column)!r}] = {_in_document(column, part)}"


def _decode_source(fields: list[_Field]) -> Iterator[str]:
    yield "def decode(document, custom):"
    yield "    get = document.get"
    yield "    return record_class("
    for field in fields:
        yield f"        {field.name}={_decoded(field)},"
    yield "        custom=custom,"
    yield "    )"


def _decoded(field: _Field) -> str:
    parts = [_part(column) for column in field.columns]
    if not field.is_scalar:
        return f"join_{field.name}(({', '.join(parts)},))"
    column = field.columns[0]
    restored = field.restored(_out_of_document(column, "value"))
    if restored == "value":
        return parts[0]
    return f"None if (value := get({key_of(column)!r})) is None else {restored}"


def _part(column: Column) -> str:
    restored = _out_of_document(column, "part")
    key = key_of(column)
    if restored == "part":
        return f"get({key!r})"
    return f"(None if (part := get({key!r})) is None else {restored})"


def _changes_source(fields: list[_Field]) -> Iterator[str]:
    yield "def changes(old, new, filled, emptied):"
    for field in fields:
        yield f"    value = new.{field.name}"
        yield f"    before = old.{field.name}"
        yield "    if value is not before and value != before:"
        yield from _indented(_change_of_field(field))
    yield "    return None"


def _change_of_field(field: _Field) -> Iterator[str]:
    yield f"parts = split_{field.name}(value)"
    for column in field.columns:
        part = f"parts[{column.position}]"
        yield from _set_or_unset(key_of(column), part, _in_document(column, part))
    if field.is_searched:
        yield from _set_or_unset(f"{FOLDED}.{field.name}", "value", "fold(value)")


def _set_or_unset(path: str, tested: str, expression: str) -> Iterator[str]:
    yield f"if {tested} is None:"
    yield f"    emptied[{path!r}] = ''"
    yield "else:"
    yield f"    filled[{path!r}] = {expression}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"        {line}" for line in lines)


def _compiled(
    entity: str,
    function: str,
    lines: Iterator[str],
    fields: list[_Field],
    owner: EntityDef | None = None,
) -> Any:
    """Compile one generated function; tracebacks show its lines."""
    source = "\n".join(lines)
    place = f"<crmcore_mongo {function} {entity}>"
    linecache.cache[place] = (len(source), None, source.splitlines(True), place)
    names: dict[str, Any] = {
        "Int64": Int64,
        "date_of": date.fromisoformat,
        "fold": fold,
        "plain": plain,
        "record_class": owner.record_class if owner else None,
    }
    for field in fields:
        names.update(field.names())
    # The source is made of field names of the schema alone, which are identifiers.
    exec(compile(source, place, "exec"), names)  # noqa: S102
    return names[function]
