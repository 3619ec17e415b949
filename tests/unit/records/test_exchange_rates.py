"""Dated exchange rates: which one counts, inverse and cross rates, rounding."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import Money, ValidationError
from crmcore.records.exchange_rates import ExchangeRate, Rates, document_currency

pytestmark = pytest.mark.capability("I18N-03")

NEW_YEAR, MAY, JUNE = date(2026, 1, 1), date(2026, 5, 1), date(2026, 6, 1)


def rate(source: str, target: str, value: str, day: date = NEW_YEAR) -> ExchangeRate:
    return ExchangeRate(
        source=source, target=target, rate=Decimal(value), valid_from=day
    )


RATES = Rates.of(
    [
        rate("EUR", "USD", "1.10"),
        rate("EUR", "USD", "1.20", MAY),
        rate("USD", "JPY", "150"),
    ],
    "USD",
)


@pytest.mark.parametrize(
    ("day", "amount"),
    [
        (NEW_YEAR, "11.00"),
        (date(2026, 4, 30), "11.00"),
        (MAY, "12.00"),
        (JUNE, "12.00"),
    ],
)
def test_the_latest_rate_not_after_the_day_counts(day, amount):
    """A rate is valid from its day on until a later one."""
    assert Money(Decimal(amount), "USD") == RATES.convert(Money(10, "EUR"), "USD", day)


def test_rates_are_inverted_and_crossed():
    """The other way round and across the default currency need no rates of their own."""
    assert Fraction(10, 12) == RATES.rate("USD", "EUR", JUNE)
    assert Money(1800, "JPY") == RATES.convert(Money(10, "EUR"), "JPY", JUNE)
    assert Fraction(1) == RATES.rate("CHF", "CHF", JUNE)


@pytest.mark.parametrize(
    ("source", "target", "day"),
    [("CHF", "USD", JUNE), ("EUR", "CHF", JUNE), ("EUR", "USD", date(2025, 12, 31))],
)
def test_a_missing_rate_is_named(source, target, day):
    """The error tells which rate is missing on which day."""
    with pytest.raises(ValidationError) as caught:
        RATES.convert(Money(1, source), target, day)

    (problem,) = caught.value.problems
    assert "no_exchange_rate" == problem.reason
    assert {"source": source, "target": target, "day": str(day)} == problem.details


@pytest.mark.parametrize(
    ("amount", "target", "converted"),
    [("0.005", "USD", "0.01"), ("-0.005", "USD", "-0.01"), ("0.004", "USD", "0.00")],
)
def test_amounts_are_rounded_to_the_digits_of_the_currency(amount, target, converted):
    """Halves are rounded away from zero, once, from the exact product."""
    one = Rates.of([rate("EUR", target, "1")], target)

    assert Money(Decimal(converted), target) == one.convert(
        Money(Decimal(amount), "EUR"), target, JUNE
    )


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (rate("EUR", "EUR", "1"), "target", "same_currency"),
        (rate("EUR", "USD", "0"), "rate", "not_positive"),
        (rate("EUR", "USD", "-1"), "rate", "not_positive"),
        (rate("EUR", "USD", "NaN"), "rate", "not_number"),
        (rate("EUR", "USD", "1e12"), "rate", "out_of_range"),
        (rate("$where", "USD", "1"), "source", "unknown_currency"),
    ],
)
def test_a_bad_rate_is_refused(bad, field, reason):
    """The problem names the part of the rate."""
    with pytest.raises(ValidationError) as caught:
        Rates.of([bad], "USD")

    assert (field, reason) in [(p.field, p.reason) for p in caught.value.problems]


def test_one_pair_has_one_rate_a_day():
    """Two rates of one pair and day contradict each other."""
    with pytest.raises(ValidationError) as caught:
        Rates.of([rate("EUR", "USD", "1"), rate("EUR", "USD", "2")], "USD")

    assert "listed_twice" == caught.value.problems[0].reason


@given(st.decimals("0.0001", 9999, places=4), st.decimals(-(10**9), 10**9, places=2))
def test_there_and_back_is_exact_before_rounding(value, amount):
    """The inverse of a rate is exact, so that only rounding can differ."""
    rates = Rates.of([rate("EUR", "USD", str(value))], "USD")

    exact = rates.rate("EUR", "USD", JUNE) * rates.rate("USD", "EUR", JUNE)
    assert Fraction(amount) == Fraction(amount) * exact


@pytest.mark.parametrize(
    ("customer", "default", "chosen", "currency"),
    [
        ("EUR", "USD", "JPY", "EUR"),
        (None, "USD", "JPY", "USD"),
        (None, None, "JPY", "JPY"),
        (None, None, None, None),
    ],
)
def test_the_customers_currency_comes_first(customer, default, chosen, currency):
    """Customer's currency, else the default, else what the user chose."""
    assert currency == document_currency(customer, default, chosen)
