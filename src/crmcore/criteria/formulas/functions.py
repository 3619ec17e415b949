"""The functions of formulas, one line each: what they take, give and do.

A missing argument gives a missing result, except where a function says otherwise.
None of them knows what time it is: a stored value would grow stale.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

import attrs

from crmcore.criteria.formulas.arithmetic import joined
from crmcore.criteria.formulas.kinds import ARITHMETIC, LONGEST_TEXT, Kind
from crmcore.records import Money, fold

__all__ = ["CLOCK", "FUNCTIONS", "Function"]

_NUMERIC = frozenset({Kind.NUMBER, Kind.MONEY})
_DATED = frozenset({Kind.DATE, Kind.DATETIME})
_ORDERED = _NUMERIC | _DATED | {Kind.TEXT}
_ANY = _ORDERED | {Kind.BOOLEAN}
_TEXT = frozenset({Kind.TEXT})
_NUMBER = frozenset({Kind.NUMBER})


@attrs.frozen(kw_only=True)
class Function:
    """A function: the kinds of its arguments, its result, and how it is worked out.

    ``takes`` has one set of kinds per argument; the last is repeated where the function
    is ``variadic``; ``optional`` arguments at the end may be left out. ``gives`` is the
    kind of the result, none for the common kind of all arguments of the first set.
    ``whole`` functions are given missing arguments as well.
    """

    takes: tuple[frozenset[Kind], ...]
    gives: Kind | None
    run: Callable[..., Any]
    optional: int = 0
    variadic: bool = False
    whole: bool = False


# -- numbers ---------------------------------------------------------------------------


def _on_amount(change: Callable[..., Decimal]) -> Callable[..., Any]:
    """Return a function of numbers that works on the amount of money as well."""

    def run(value: Any, *others: Any) -> Any:
        if isinstance(value, Money):
            return Money(change(value.amount, *others), value.currency)
        return change(value, *others)

    return run


def _round(value: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    places = max(-30, min(30, int(digits)))
    unit = Decimal(1).scaleb(-places)
    return value.quantize(unit, ROUND_HALF_EVEN, ARITHMETIC)


def _towards(rounding: str) -> Callable[[Decimal], Decimal]:
    return lambda value: value.to_integral_value(rounding, ARITHMETIC)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        if not isinstance(values[0], Money):
            return choose(values)
        if len({value.currency for value in values}) > 1:
            return None
        return choose(values, key=lambda value: value.amount)

    return run


# -- texts -----------------------------------------------------------------------------


def _count(number: Decimal) -> int:
    return max(0, min(LONGEST_TEXT, int(number)))


def _right(text: str, number: Decimal) -> str | None:
    count = _count(number)
    return text[-count:] if count else None


def _contains(text: str | None, part: str | None) -> bool:
    return text is not None and part is not None and fold(part) in fold(text)


def _starts_with(text: str | None, part: str | None) -> bool:
    if text is None or part is None:
        return False
    return fold(text).startswith(fold(part))


# -- dates -----------------------------------------------------------------------------


def _day(value: date) -> date:
    return value.astimezone(UTC).date() if isinstance(value, datetime) else value


def _part(name: str) -> Callable[[date], Decimal]:
    return lambda value: Decimal(getattr(_day(value), name))


def _days_between(first: date, last: date) -> Decimal:
    return Decimal((_day(last) - _day(first)).days)


def _date_add(value: date, number: Decimal, unit: str = "days") -> date | None:
    if abs(number) > _FURTHEST or unit not in _UNITS:
        return None
    count = int(number)
    try:
        if unit == "days":
            return value + timedelta(days=count)
        return _months_later(value, count * _UNITS[unit])
    except (OverflowError, ValueError):
        return None


_UNITS = {"days": 0, "months": 1, "years": 12}
_FURTHEST = 4_000_000


def _months_later(value: date, months: int) -> date:
    """Return the same day of a later month, or its last where it is shorter."""
    year, month = divmod(value.year * 12 + value.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    day = min(value.day, calendar.monthrange(year, month + 1)[1])
    return value.replace(year=year, month=month + 1, day=day)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


_FIRST = Function(takes=(_ANY,), gives=None, run=_first, variadic=True, whole=True)

#: All functions but ``if`` and ``category``, which the compiler knows.
FUNCTIONS: dict[str, Function] = {
    "coalesce": _FIRST,
    "default": _FIRST,
    "min": Function(takes=(_ORDERED,), gives=None, run=_extreme(min), variadic=True),
    "max": Function(takes=(_ORDERED,), gives=None, run=_extreme(max), variadic=True),
    "round": Function(
        takes=(_NUMERIC, _NUMBER), gives=None, run=_on_amount(_round), optional=1
    ),
    "abs": Function(takes=(_NUMERIC,), gives=None, run=_on_amount(abs)),
    "floor": Function(
        takes=(_NUMERIC,), gives=None, run=_on_amount(_towards(ROUND_FLOOR))
    ),
    "ceiling": Function(
        takes=(_NUMERIC,), gives=None, run=_on_amount(_towards(ROUND_CEILING))
    ),
    "amount_of": Function(
        takes=(frozenset({Kind.MONEY}),),
        gives=Kind.NUMBER,
        run=lambda money: money.amount,
    ),
    "length": Function(
        takes=(_TEXT,), gives=Kind.NUMBER, run=lambda text: Decimal(len(text))
    ),
    "upper": Function(takes=(_TEXT,), gives=Kind.TEXT, run=str.upper),
    "lower": Function(takes=(_TEXT,), gives=Kind.TEXT, run=str.lower),
    "trim": Function(takes=(_TEXT,), gives=Kind.TEXT, run=str.strip),
    "left": Function(
        takes=(_TEXT, _NUMBER), gives=Kind.TEXT, run=lambda text, n: text[: _count(n)]
    ),
    "right": Function(takes=(_TEXT, _NUMBER), gives=Kind.TEXT, run=_right),
    "concat": Function(
        takes=(_ANY,), gives=Kind.TEXT, run=joined, variadic=True, whole=True
    ),
    "contains": Function(
        takes=(_TEXT, _TEXT), gives=Kind.BOOLEAN, run=_contains, whole=True
    ),
    "starts_with": Function(
        takes=(_TEXT, _TEXT), gives=Kind.BOOLEAN, run=_starts_with, whole=True
    ),
    "year": Function(takes=(_DATED,), gives=Kind.NUMBER, run=_part("year")),
    "month": Function(takes=(_DATED,), gives=Kind.NUMBER, run=_part("month")),
    "day": Function(takes=(_DATED,), gives=Kind.NUMBER, run=_part("day")),
    "days_between": Function(
        takes=(_DATED, _DATED), gives=Kind.NUMBER, run=_days_between
    ),
    "date_add": Function(
        takes=(_DATED, _NUMBER, _TEXT), gives=None, run=_date_add, optional=1
    ),
    "is_blank": Function(
        takes=(_ANY,), gives=Kind.BOOLEAN, run=lambda value: value is None, whole=True
    ),
}

#: Functions that people look for and that no stored value may use.
CLOCK = frozenset({"today", "now"})
