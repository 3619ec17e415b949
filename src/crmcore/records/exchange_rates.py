"""Exchange rates with the day from which they are valid (I18N-03).

Pure: rates in, amounts out. A later rate changes no amount that was converted before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.i18n.numbers import currency_digits
from crmcore.records.composites import MoneyAmount
from crmcore.records.conventions import Conventions
from crmcore.records.types import Refused
from crmcore.records.values import Money

__all__ = ["ExchangeRate", "Rates", "document_currency"]

_WIDE = Context(prec=60, rounding=ROUND_HALF_UP)
#: Digits after the point of a rate that is kept with a record.
RATE_DIGITS = 9


@attrs.frozen(kw_only=True)
class ExchangeRate:
    """One unit of ``source`` is ``rate`` units of ``target`` from ``valid_from`` on."""

    source: str
    target: str
    rate: Decimal
    valid_from: date

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the rate."""
        found = []
        rate: Any = self.rate
        for name in ("source", "target"):
            try:
                MoneyAmount().coerce(Money(0, getattr(self, name)), Conventions())
            except Refused as refused:
                found.append(Problem(name, refused.reason, refused.details))
        if self.source == self.target:
            found.append(Problem("target", "same_currency"))
        if not isinstance(rate, Decimal) or not rate.is_finite():
            found.append(Problem("rate", "not_number"))
        elif rate <= 0:
            found.append(Problem("rate", "not_positive"))
        elif not -RATE_DIGITS <= rate.adjusted() < RATE_DIGITS:
            limit = Decimal(10) ** RATE_DIGITS
            details = {"minimum": str(1 / limit), "maximum": str(limit)}
            found.append(Problem("rate", "out_of_range", details))
        return found


@attrs.frozen
class Rates:
    """All rates of a tenant; ``default`` is the currency across which others meet."""

    default: str
    _dated: Mapping[tuple[str, str], tuple[tuple[date, Decimal], ...]]

    @classmethod
    def of(cls, rates: Iterable[ExchangeRate], default: str) -> Rates:
        """Make the table; raises ValidationError for a bad rate or two of one day."""
        dated: dict[tuple[str, str], dict[date, Decimal]] = defaultdict(dict)
        problems: list[Problem] = []
        for one in rates:
            problems += one.problems()
            days = dated[one.source, one.target]
            if one.valid_from in days:
                key = f"{one.source}/{one.target} {one.valid_from}"
                problems.append(Problem("rates", "listed_twice", {"key": key}))
            days[one.valid_from] = one.rate
        if problems:
            raise ValidationError(problems)
        return cls(
            default, {pair: tuple(sorted(days.items())) for pair, days in dated.items()}
        )

    def rate(self, source: str, target: str, day: date) -> Fraction:
        """Return the exact rate on a day: the latest that is not after it.

        A rate the other way round is inverted; without either the two are converted
        across the default currency. Raises ValidationError naming the missing rate.
        """
        found = self._direct(source, target, day)
        if found is None:
            first = self._direct(source, self.default, day)
            second = self._direct(self.default, target, day)
            if first is None or second is None:
                raise self._missing(source, target, day)
            found = first * second
        return found

    def _direct(self, source: str, target: str, day: date) -> Fraction | None:
        if source == target:
            return Fraction(1)
        there = self._latest(source, target, day)
        back = self._latest(target, source, day)
        if there is not None and (back is None or there[0] >= back[0]):
            return Fraction(there[1])
        return None if back is None else 1 / Fraction(back[1])

    def _latest(
        self, source: str, target: str, day: date
    ) -> tuple[date, Decimal] | None:
        dated = self._dated.get((source, target), ())
        position = bisect_right(dated, day, key=lambda pair: pair[0])
        return dated[position - 1] if position else None

    def _missing(self, source: str, target: str, day: date) -> ValidationError:
        details = {"source": source, "target": target, "day": day.isoformat()}
        return ValidationError.of("currency", "no_exchange_rate", **details)

    def convert(self, money: Money, target: str, day: date) -> Money:
        """Return the money in another currency on a day, rounded to its digits."""
        rate = self.rate(money.currency, target, day)
        return Money(rounded(Fraction(money.amount) * rate, target), target)


def rounded(exact: Fraction, currency: str) -> Decimal:
    """Return an exact amount in the digits of a currency, halves away from zero."""
    return decimal_of(exact, currency_digits(currency))


def decimal_of(exact: Fraction, digits: int) -> Decimal:
    """Return the number with some digits after the point, halves away from zero."""
    scaled = abs(exact) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    amount = Decimal(whole).scaleb(-digits, _WIDE)
    return -amount if exact < 0 and whole else amount


def document_currency(
    customer: str | None, default: str | None, chosen: str | None
) -> str | None:
    """Return the currency of a document: the customer's, the default, the chosen one."""
    return customer or default or chosen
