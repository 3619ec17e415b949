"""Kinds of values in formulas: which field types give them, which take them back."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException
from enum import StrEnum
from typing import Any

from crmcore.errors import ValidationError
from crmcore.records import (
    Boolean,
    Choice,
    Conventions,
    DateOnly,
    DateTime,
    DecimalNumber,
    FieldType,
    Integer,
    Money,
    MoneyAmount,
    OpenChoice,
    Refused,
    Storage,
    Text,
)

__all__ = ["ARITHMETIC", "Kind", "common", "fitted", "kind_of", "result_type", "takes"]

#: Numbers are exact to so many digits, and rounded half to even beyond.
ARITHMETIC = Context(prec=60, rounding=ROUND_HALF_EVEN)
#: Longer texts are missing.
LONGEST_TEXT = 32_000


class Kind(StrEnum):
    """What a part of a formula gives; ``NOTHING`` is ``null``, which fits every kind."""

    NUMBER = "number"
    MONEY = "money"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    NOTHING = "null"


def kind_of(field: FieldType) -> Kind | None:
    """Return the kind of the values of a field type; none where formulas know none."""
    if isinstance(field, MoneyAmount):
        return Kind.MONEY
    if isinstance(field, (Integer, DecimalNumber)):
        return Kind.NUMBER
    if isinstance(field, Boolean):
        return Kind.BOOLEAN
    if isinstance(field, DateOnly):
        return Kind.DATE
    if isinstance(field, DateTime):
        return Kind.DATETIME
    texts = (Storage.TEXT, Storage.LONG_TEXT)
    if isinstance(field, Choice) or (field.textual and field.storage in texts):
        return Kind.TEXT
    return None


_RESULTS: dict[Kind, FieldType] = {
    Kind.NUMBER: DecimalNumber(digits=4),
    Kind.MONEY: MoneyAmount(),
    Kind.TEXT: Text(maximum=500),
    Kind.BOOLEAN: Boolean(),
    Kind.DATE: DateOnly(),
    Kind.DATETIME: DateTime(),
}


def result_type(kind: Kind) -> FieldType:
    """Return the field type that keeps results of a kind where none is named."""
    return _RESULTS.get(kind, _RESULTS[Kind.TEXT])


def takes(field: FieldType, kind: Kind) -> bool:
    """Tell whether a field type can keep results of a kind."""
    plain_text = not isinstance(field, Choice) or isinstance(field, OpenChoice)
    return kind is Kind.NOTHING or (kind_of(field) is kind and plain_text)


def common(kinds: Iterable[Kind], *, where: str) -> Kind:
    """Return the one kind of several values; raises ValidationError for a mixture."""
    found = list(dict.fromkeys(kind for kind in kinds if kind is not Kind.NOTHING))
    if len(found) > 1:
        raise ValidationError.of(
            "formula", "kinds_differ", place=where, left=found[0], right=found[1]
        )
    return found[0] if found else Kind.NOTHING


def fitted(field: FieldType, value: Any, conventions: Conventions) -> Any:
    """Return a result as its field keeps it: rounded; missing where it does not fit."""
    if value is None:
        return None
    try:
        return field.coerce(_rounded(field, value), conventions)
    except (Refused, DecimalException, ValueError, OverflowError):
        return None


def _rounded(field: FieldType, value: Any) -> Any:
    if isinstance(value, Money):
        return Money(_places(value.amount, 4), value.currency)
    if isinstance(field, DecimalNumber):
        return _places(value, field.digits)
    return int(_places(value, 0)) if isinstance(field, Integer) else value


def _places(number: Decimal, digits: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-digits), context=ARITHMETIC)
