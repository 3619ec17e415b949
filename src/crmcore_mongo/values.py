"""Where each stored part lives in a document, and how its values look there.

A missing value has no key: MongoDB treats absent and null alike in filters, sorting and
indexes. Dates are ISO text, times BSON dates, numbers 64-bit integers, ids UUIDs; the
``custom`` sub-document holds the JSON forms of the schema.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from crmcore.criteria import BoundColumn
from crmcore.records import Column, FieldDef, Storage
from crmcore.records.definitions import custom_part_from_json, custom_part_to_json

__all__ = [
    "CUSTOM",
    "FOLDED",
    "HOPS",
    "ID",
    "MATCH_KEYS",
    "REFERENCES",
    "TENANT",
    "column_path",
    "decoder",
    "encoder",
    "folded_path",
    "hop_path",
    "item_path",
    "join_path",
    "key_of",
    "plain",
]

#: The record's id. It is unique within its tenant, so that it cannot be ``_id``, which
#: is unique in the whole collection: tenants must not meet each other's ids.
ID = "id"
TENANT = "tenant"
CUSTOM = "custom"
FOLDED = "folded"
MATCH_KEYS = "match_keys"
#: Custom references as ids, beside their text in ``custom``: what joins compare.
REFERENCES = "references"
#: Where joins put the referenced records, by the name of the reference.
HOPS = "hops"

_TAKEN = frozenset({"_id", TENANT, CUSTOM, FOLDED, MATCH_KEYS, REFERENCES, HOPS})

_INT64_BOUND = 2**63
_BEYOND = Decimal128("1E+30")
_BELOW = Decimal128("-1E+30")


def key_of(column: Column) -> str:
    """Return the document key of a typed part."""
    return _key(column.name)


def _key(name: str) -> str:
    return f"{name}_" if name in _TAKEN else name


def column_path(column: Column) -> str:
    """Return the path of a part within its own document."""
    return f"{CUSTOM}.{column.name}" if column.is_custom else key_of(column)


def hop_path(target: BoundColumn) -> str:
    """Return the path under which the joined record stands, with a dot, or nothing."""
    return f"{HOPS}.{target.hop.name}." if target.hop else ""


def folded_path(field: FieldDef) -> str:
    """Return the path of a field's folded text."""
    return f"{FOLDED}.{field.name}"


def item_path(column: Column) -> str:
    """Return the path that ``any_of`` compares in a list."""
    path = column_path(column)
    # Contact points are sub-documents; they are found by their value.
    return f"{path}.value" if column.field.type.kind == "contact_points" else path


def join_path(reference: FieldDef) -> str:
    """Return the path of a reference as an id."""
    return (
        f"{REFERENCES}.{reference.name}" if reference.custom else _key(reference.name)
    )


def _same(value: Any) -> Any:
    return value


def _number(value: int) -> Any:
    # Only a forged cursor holds a number beyond 64 bits; it still compares right.
    if -_INT64_BOUND <= value < _INT64_BOUND:
        return Int64(value)
    return _BEYOND if value > 0 else _BELOW


_ENCODERS: dict[Storage, Callable[[Any], Any]] = {
    Storage.INTEGER: _number,
    Storage.DATE: date.isoformat,
}


def encoder(column: Column) -> Callable[[Any], Any]:
    """Return what turns a part's stored form into its value in a document."""
    if column.is_custom and column.storage is not Storage.INTEGER:
        return lambda value: custom_part_to_json(column, value)
    return _ENCODERS.get(column.storage, _same)


_DECODERS: dict[Storage, Callable[[Any], Any]] = {
    Storage.INTEGER: int,
    Storage.DATE: date.fromisoformat,
}


def decoder(column: Column) -> Callable[[Any], Any]:
    """Return what turns a part's value in a document into its stored form."""
    if column.is_custom and column.storage is not Storage.INTEGER:
        return lambda value: custom_part_from_json(column, value)
    return _DECODERS.get(column.storage, _same)


def plain(data: Any) -> Any:
    """Return JSON data as it was before BSON: numbers are int, not its subclass."""
    kind = type(data)
    if kind is dict:
        return {key: plain(value) for key, value in data.items()}
    if kind is list:
        return [plain(item) for item in data]
    return int(data) if kind is Int64 else data
