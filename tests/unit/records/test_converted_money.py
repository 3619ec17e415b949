"""Converted money as a value and as a field type."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import Money
from crmcore.records import (
    Conventions,
    ConvertedMoney,
    ConvertedMoneyAmount,
    Rates,
    Refused,
)
from crmcore.records.converted_money import converted
from crmcore.records.registry import type_from_data, type_to_data

pytestmark = pytest.mark.capability("I18N-03")

KIND = ConvertedMoneyAmount()
HERE = Conventions()
amounts = st.decimals(-(10**9), 10**9, places=4)
rates = st.decimals("0.000000001", 9999, places=9)


@given(amounts, st.none() | rates, st.none() | amounts)
def test_parts_and_data_come_back(amount, rate, worth):
    """What is split or written as data is read as the same value."""
    base = None if worth is None else "USD"
    value = KIND.coerce(ConvertedMoney(amount, "EUR", rate, worth, base), HERE)

    assert value == KIND.join(KIND.split(value))
    assert value == KIND.from_json(KIND.to_json(value), HERE)


def test_the_setting_is_kept_in_definitions():
    """The field of the rate's day is part of the type's plain data."""
    kind = type_from_data("converted_money", {"rate_date": "signed"}, {})

    assert kind == ConvertedMoneyAmount(rate_date="signed")
    assert ("converted_money", {"rate_date": "signed"}) == type_to_data(kind)
    with pytest.raises(Refused):
        type_from_data("converted_money", {"rate_date": "$where"}, {})


@pytest.mark.parametrize(
    "value", [True, [], {"amount": 1}, "much", {"rate": "1"}, b"5"]
)
def test_what_is_no_money_is_refused(value):
    """Other types and missing parts are refused."""
    with pytest.raises(Refused):
        KIND.coerce(value, HERE)


def test_a_bare_number_is_in_the_default_currency():
    """It is converted without any rate."""
    value = converted(KIND.coerce(5, HERE), Rates.of([], "USD"), date(2026, 1, 1))

    assert ConvertedMoney(Decimal(5), "USD", None, Decimal(5), "USD") == value
    assert Money(Decimal(5), "USD") == value.worth
    assert ConvertedMoney(Decimal(5), "USD").worth is None
