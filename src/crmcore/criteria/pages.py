"""Pages of a list: keyset cursors in both directions, and totals."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs

from crmcore.criteria.bound import BoundSort
from crmcore.errors import ValidationError
from crmcore.records import Refused
from crmcore.records.definitions import custom_part_from_json, custom_part_to_json
from crmcore.records.text import has_surrogate
from crmcore.records.types import INT64_MAX

__all__ = ["Cursor", "Page", "Total", "decode_cursor", "encode_cursor", "fingerprint"]

T = TypeVar("T")

#: An opaque place in a list; made by a page, understood only for the same list.
Cursor = str


@attrs.frozen
class Total:
    """How many records match; where ``exact`` is false, at least so many."""

    value: int
    exact: bool

    def __str__(self) -> str:
        return str(self.value) if self.exact else f"{self.value}+"


@attrs.frozen
class Page(Generic[T]):
    """Some records of a list, with the cursors of the neighbouring pages.

    ``next`` and ``previous`` are none where there is nothing more in that direction.
    """

    items: tuple[T, ...]
    next: Cursor | None = None
    previous: Cursor | None = None
    total: Total | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def fingerprint(*parts: Any) -> str:
    """Return a short mark of a list's filter and order."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()


def encode_cursor(
    mark: str, order: Sequence[BoundSort], values: Sequence[Any]
) -> Cursor:
    """Return the cursor of the record with these stored values of the order's keys."""
    data = [
        None if value is None else custom_part_to_json(sort.target.column, value)
        for sort, value in zip(order, values, strict=True)
    ]
    text = json.dumps([mark, data], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(
    mark: str, order: Sequence[BoundSort], cursor: Cursor
) -> tuple[Any, ...]:
    """Return the stored values of a cursor.

    Raises ValidationError for one that is malformed or was made for another list.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        made_for, data = json.loads(base64.urlsafe_b64decode(padded.encode()))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ValidationError.of("cursor", "malformed") from None
    if made_for != mark or not isinstance(data, list) or len(data) != len(order):
        raise ValidationError.of("cursor", "foreign_cursor")
    return tuple(_stored(sort, item) for sort, item in zip(order, data, strict=True))


_PLAIN: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "long_text": str,
    "integer": int,
    "boolean": bool,
    "date": str,
    "datetime": str,
    "uuid": str,
}


def _storable(item: Any) -> bool:
    if isinstance(item, str):
        return "\0" not in item and not has_surrogate(item)
    return not isinstance(item, int) or abs(item) <= INT64_MAX


def _stored(sort: BoundSort, item: Any) -> Any:
    column = sort.target.column
    if item is None:
        return None
    expected = _PLAIN.get(column.storage)
    if expected is None or type(item) is not expected or not _storable(item):
        raise ValidationError.of("cursor", "malformed")
    try:
        return custom_part_from_json(column, item)
    except Refused:
        raise ValidationError.of("cursor", "malformed") from None
