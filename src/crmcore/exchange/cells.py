"""From the text of a cell to the value of a field.

Each column gets one reader, made once; it turns text into what the field's type takes
or raises Refused. References are not read here: they need a look-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from crmcore.errors import ValidationError
from crmcore.exchange.columns import ColumnMapping, Target
from crmcore.exchange.dates import read_date, read_datetime
from crmcore.exchange.numbers import read_decimal, read_integer, read_money
from crmcore.i18n import LOCALES, translate
from crmcore.i18n.dates import parse_date
from crmcore.i18n.numbers import parse_money, parse_number
from crmcore.records import (
    AddressBlock,
    AnyReference,
    Boolean,
    Choice,
    Conventions,
    DateOnly,
    DateTime,
    DecimalNumber,
    FieldType,
    Geolocation,
    Identifier,
    Integer,
    ListOf,
    Money,
    MoneyAmount,
    OpenChoice,
    Percent,
    Picklist,
    Reference,
    Refused,
    fold,
)

__all__ = ["CellReader", "Read", "is_reference", "labels_of", "reader_of"]

#: Text of a cell -> what the field's type takes.
Read = Callable[[str], Any]

_YES = frozenset({"1", "yes", "y", "true", "t", "on", "x", "是", "对", "有", "真"})
_NO = frozenset({"0", "no", "n", "false", "f", "off", "-", "否", "无", "没有", "假"})
_BETWEEN_ITEMS = re.compile(r"[;；|\n]+")
_BLANKS = re.compile(r"[\s_\-&、.]+|\band\b")


@attrs.frozen
class CellReader:
    """Reads the cells of one column: translated values first, then the field's type."""

    target: Target
    read: Read
    values: Mapping[str, Any]
    default: Any = None

    @property
    def is_plain(self) -> bool:
        """Tell whether the text of a cell is its value."""
        return self.read is _as_it_is and not self.values

    def value(self, text: str) -> Any:
        """Return the value of a cell that is not empty; raises Refused."""
        if self.values:
            found = self.values.get(text, self)
            if found is self:
                found = self.values.get(fold(text), self)
            if found is not self:
                return self.read(found) if isinstance(found, str) and found else found
        return self.read(text)


def reader_of(
    target: Target,
    mapping: ColumnMapping,
    conventions: Conventions,
    choices: Mapping[str, str] | None = None,
) -> CellReader:
    """Return the reader of a column.

    ``choices`` are the options of a text field that works like a picklist (stages):
    plain label -> key.
    """
    kind = target.field.type
    if target.part:
        kind = kind.parts.get(target.part, kind)
    if choices is not None:
        read: Read = _Choices(choices)
    else:
        read = _reader_for(kind, mapping, conventions)
    values = {v: mapping.values[v] for v in mapping.values}
    values.update({fold(v.strip()): new for v, new in mapping.values.items()})
    return CellReader(target, read, values, mapping.default)


def is_reference(kind: FieldType) -> bool:
    """Tell whether cells of this type name records, which have to be looked up."""
    item = kind.item if isinstance(kind, ListOf) else kind
    return isinstance(item, Reference)


def _reader_for(
    kind: FieldType, mapping: ColumnMapping, conventions: Conventions
) -> Read:
    if isinstance(kind, ListOf):
        item = _reader_for(kind.item, mapping, conventions)
        return lambda text: tuple(
            item(part.strip()) for part in _BETWEEN_ITEMS.split(text) if part.strip()
        )
    if isinstance(kind, OpenChoice):
        listed = labels_of(kind.picklist)
        return lambda text: listed.get(_plain(text), text)
    if isinstance(kind, Choice):
        return _Choices(labels_of(kind.picklist))
    if mapping.locale is not None:
        strict = _reader_in(kind, mapping.locale, mapping, conventions)
        if strict is not None:
            return strict
    if isinstance(kind, MoneyAmount):
        currency = mapping.currency or conventions.currency
        return lambda text: read_money(text, currency)
    if isinstance(kind, DateTime):
        order, zone = mapping.date_order, conventions.timezone
        return lambda text: read_datetime(text, order, zone)
    if isinstance(kind, DateOnly):
        order = mapping.date_order
        return lambda text: read_date(text, order)
    return _simple_reader(kind)


def _reader_in(
    kind: FieldType, locale: str, mapping: ColumnMapping, conventions: Conventions
) -> Read | None:
    """Return the strict reader of numbers, amounts and days as a locale writes them."""
    if isinstance(kind, MoneyAmount):
        currency = mapping.currency or conventions.currency
        return _refusing(lambda text: Money(*parse_money(text, currency, locale)))
    if isinstance(kind, DateOnly):
        return _refusing(lambda text: parse_date(text, locale))
    if isinstance(kind, Percent):
        return _refusing(lambda text: parse_number(text.strip("%％ "), locale))
    if isinstance(kind, DecimalNumber):
        return _refusing(lambda text: parse_number(text, locale))
    if isinstance(kind, Integer):
        return _refusing(lambda text: _whole(parse_number(text, locale)))
    return None


def _whole(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise Refused("not_integer")
    return int(number)


def _refusing(read: Read) -> Read:
    """Return a reader that refuses a cell where ``read`` refuses a field."""

    def reading(text: str) -> Any:
        try:
            return read(text)
        except ValidationError as error:
            (problem,) = error.problems
            raise Refused(problem.reason, **problem.details) from None

    return reading


def _simple_reader(kind: FieldType) -> Read:
    if isinstance(kind, Percent):
        return lambda text: read_decimal(text.strip("%％ "))
    if isinstance(kind, DecimalNumber):
        return read_decimal
    if isinstance(kind, Integer):
        return read_integer
    if isinstance(kind, Boolean):
        return _read_boolean
    if isinstance(kind, (AddressBlock, AnyReference, Geolocation)):
        return _refuse_whole
    if isinstance(kind, Identifier):
        return lambda text: text
    return _as_it_is


def _as_it_is(text: str) -> str:
    return text


def _refuse_whole(text: str) -> Any:
    raise Refused("malformed")


def _read_boolean(text: str) -> bool:
    word = fold(text)
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Refused("not_boolean")


def _plain(text: str) -> str:
    return _BLANKS.sub("", fold(text))


def labels_of(picklist: Picklist) -> dict[str, str]:
    """Return plain key or label in any shipped language -> key of the option."""
    labels: dict[str, str] = {}
    for locale in reversed(LOCALES):
        for option in picklist.options:
            labels[_plain(translate(option.label, locale))] = option.key
    labels.update({_plain(option.key): option.key for option in picklist.options})
    return labels


class _Choices:
    """Reads options by key or by label in any shipped language."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = {_plain(label): key for label, key in labels.items()}
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        known = self._known.get(text)
        if known is None:
            found = self._labels.get(_plain(text))
            if found is None:
                raise Refused("not_an_option", value=text[:60])
            known = self._known[text] = found
        return known
