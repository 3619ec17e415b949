"""Money kept together with its worth in the default currency, at a dated rate (I18N-03).

::

    amount: ConvertedMoney | None = fields.converted_money(rate_date="close_date")

The rate of the day is stored with the record, so that sums and filters over several
currencies work in the database: ``F.amount.converted``. Later rates, and another default
currency, change no record; ``session.customisation.reconvert`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import attrs

from crmcore.records.composites import MoneyAmount
from crmcore.records.conventions import Conventions
from crmcore.records.exchange_rates import RATE_DIGITS, Rates, decimal_of, rounded
from crmcore.records.types import DecimalNumber, FieldType, Refused, Text
from crmcore.records.values import Money

__all__ = ["ConvertedMoney", "ConvertedMoneyAmount", "converted"]


@attrs.frozen(order=False)
class ConvertedMoney(Money):
    """An amount, and what it was worth in ``base`` at ``rate``.

    Without a rate it is in the base currency itself, or not converted yet.
    """

    rate: Decimal | None = None
    converted: Decimal | None = None
    base: str | None = None

    @property
    def worth(self) -> Money | None:
        """Return the amount in the base currency, None where it was not converted."""
        if self.converted is None or self.base is None:
            return None
        return Money(self.converted, self.base)


def converted(value: Money, rates: Rates, day: date) -> ConvertedMoney:
    """Return money with its worth in the default currency.

    A rate that the value brings with it counts, else that of the day. Raises
    ValidationError naming the rate that is missing.
    """
    base = rates.default
    amount = value.amount
    if value.currency == base:
        return ConvertedMoney(amount, base, None, amount, base)
    rate = getattr(value, "rate", None)
    if rate is None:
        rate = decimal_of(rates.rate(value.currency, base, day), RATE_DIGITS)
    worth = rounded(Fraction(amount) * Fraction(rate), base)
    return ConvertedMoney(amount, value.currency, rate, worth, base)


_AMOUNT = DecimalNumber(digits=4)
_RATE = DecimalNumber(digits=RATE_DIGITS)
_CURRENCY = Text(maximum=3)
_GIVEN = frozenset({"amount", "currency"})
_ALL = _GIVEN | {"rate", "converted", "base"}


@attrs.frozen(kw_only=True)
class ConvertedMoneyAmount(MoneyAmount):
    """Money with its worth in the default currency.

    ``rate_date`` names the field whose day the rate is of; without it, or while that
    field is empty, the day of creation counts.
    """

    kind: ClassVar[str] = "converted_money"
    rate_date: str | None = None

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return amount (the main part), currency, rate, worth and its currency."""
        return {
            "": _AMOUNT,
            "currency": _CURRENCY,
            "rate": _RATE,
            "converted": _AMOUNT,
            "base": _CURRENCY,
        }

    def split(self, value: Money | None) -> tuple[Any, ...]:
        """Return the five parts."""
        if value is None:
            return (None,) * 5
        rate = getattr(value, "rate", None)
        worth = getattr(value, "converted", None)
        return (
            *super().split(value),
            None if rate is None else _RATE.to_stored(rate),
            None if worth is None else _AMOUNT.to_stored(worth),
            getattr(value, "base", None),
        )

    def join(self, stored: tuple[Any, ...]) -> ConvertedMoney | None:
        """Return the money of its parts."""
        money = super().join(stored[:2])
        if money is None:
            return None
        _, _, rate, worth, base = stored
        return ConvertedMoney(
            money.amount,
            money.currency,
            None if rate is None else _RATE.from_stored(rate),
            None if worth is None else _AMOUNT.from_stored(worth),
            base,
        )

    def coerce(self, value: Any, conventions: Conventions) -> ConvertedMoney:
        """Return the money; a rate may be given with it, its worth is reckoned anew."""
        if isinstance(value, Mapping):
            if not _GIVEN <= value.keys() <= _ALL:
                raise Refused("not_money")
            given = {name: value[name] for name in _GIVEN}
            further = [value.get(name) for name in ("rate", "converted", "base")]
        else:
            given = value
            names = ("rate", "converted", "base")
            further = [getattr(value, name, None) for name in names]
        money = super().coerce(given, conventions)
        rate, worth, base = further
        return ConvertedMoney(
            money.amount,
            money.currency,
            None if rate is None else _checked_rate(rate, conventions),
            None if worth is None else _AMOUNT.coerce(worth, conventions),
            None if base is None else _CURRENCY.coerce(base, conventions),
        )

    def to_json(self, value: Money) -> dict[str, str]:
        """Return the parts that are there as text."""
        further = {
            "rate": getattr(value, "rate", None),
            "converted": getattr(value, "converted", None),
        }
        written = {k: format(v, "f") for k, v in further.items() if v is not None}
        base = getattr(value, "base", None)
        return super().to_json(value) | written | ({"base": base} if base else {})


def _checked_rate(rate: Any, conventions: Conventions) -> Decimal:
    exact = _RATE.coerce(rate, conventions)
    if exact <= 0:
        raise Refused("not_positive")
    return exact
