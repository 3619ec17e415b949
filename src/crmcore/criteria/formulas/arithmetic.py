"""Signs between values: numbers, money of one currency, texts; and comparing them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, DecimalException
from typing import Any

from crmcore.criteria.formulas.kinds import ARITHMETIC, LONGEST_TEXT, Kind
from crmcore.records import Money

__all__ = ["COMPARISONS", "OPERATIONS", "compare", "joined", "written"]

Operator = Callable[[Any, Any], Any]
_PLAIN: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": ARITHMETIC.add,
    "-": ARITHMETIC.subtract,
    "*": ARITHMETIC.multiply,
    "/": ARITHMETIC.divide,
}


def exact(symbol: str, left: Decimal, right: Decimal) -> Decimal | None:
    """Return a result; none for a division by zero and for numbers beyond measure."""
    try:
        return _PLAIN[symbol](left, right)
    except DecimalException:
        return None


def _numbers(symbol: str) -> Operator:
    return lambda left, right: exact(symbol, left, right)


def _amounts(symbol: str) -> Operator:
    """Return what adds or subtracts money; none for two currencies."""

    def run(left: Money, right: Money) -> Money | None:
        if left.currency != right.currency:
            return None
        return money(exact(symbol, left.amount, right.amount), left.currency)

    return run


def money(amount: Decimal | None, currency: str) -> Money | None:
    """Return money, none where the amount is missing."""
    return None if amount is None else Money(amount, currency)


def _scaled(symbol: str) -> Operator:
    return lambda left, right: money(exact(symbol, left.amount, right), left.currency)


def _ratio(left: Money, right: Money) -> Decimal | None:
    same = left.currency == right.currency
    return exact("/", left.amount, right.amount) if same else None


_N, _M = Kind.NUMBER, Kind.MONEY

#: What stands between which kinds: what comes out, and how.
OPERATIONS: dict[tuple[str, Kind, Kind], tuple[Kind, Operator]] = {
    **{(sign, _N, _N): (_N, _numbers(sign)) for sign in "+-*/"},
    **{(sign, _M, _M): (_M, _amounts(sign)) for sign in "+-"},
    **{(sign, _M, _N): (_M, _scaled(sign)) for sign in "*/"},
    ("*", _N, _M): (
        _M,
        lambda left, right: money(exact("*", left, right.amount), right.currency),
    ),
    ("/", _M, _M): (_N, _ratio),
}

COMPARISONS: dict[str, Operator] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(symbol: str, left: Any, right: Any) -> bool:
    """Compare two values like criteria do: on a missing one only ``!=`` holds."""
    if left is None or right is None:
        return symbol == "!="
    if isinstance(left, Money) and isinstance(right, Money):
        if left.currency != right.currency:
            return symbol == "!="
        left, right = left.amount, right.amount
    return bool(COMPARISONS[symbol](left, right))


def written(value: Any) -> str:
    """Return any value as text, a missing one as none at all."""
    if value is None:
        return ""
    if isinstance(value, Money):
        return f"{written(value.amount)} {value.currency}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(ARITHMETIC) + 0, "f")
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def joined(*values: Any) -> str | None:
    """Return values as one text; none where nothing is filled or it is too long."""
    text = "".join(map(written, values))
    return text if text and len(text) <= LONGEST_TEXT else None
