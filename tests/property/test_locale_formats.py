"""What a locale writes, the same locale reads back."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import ValidationError
from crmcore.i18n import formats

LOCALES = (
    "en en_GB en_IN en_US de de_AT de_CH fr fr_CA es es_MX pt pt_BR it nl pl cs sv da nb "
    "fi hu ru uk tr el ja ko zh_CN zh_TW zh_HK th vi id ar he hi"
).split()
CURRENCIES = ("USD", "EUR", "JPY", "CNY", "TWD", "GBP", "INR", "KWD")

locales = st.sampled_from(LOCALES)
numbers = st.decimals(-(10**12), 10**12, places=4)


@pytest.mark.capability("I18N-04")
@given(numbers, locales)
def test_numbers_come_back(number: Decimal, locale: str) -> None:
    """A formatted number is read as the same number."""
    assert number == formats.parse_number(formats.format_number(number, locale), locale)


@pytest.mark.capability("I18N-03")
@given(numbers, st.sampled_from(CURRENCIES), locales)
def test_money_comes_back(number: Decimal, currency: str, locale: str) -> None:
    """A formatted amount is read as the same amount in the same currency."""
    digits = formats.currency_digits(currency)
    amount = number.quantize(Decimal(1).scaleb(-digits))
    text = formats.format_money(amount, currency, locale)

    assert (amount, currency) == formats.parse_money(text, currency, locale)


@pytest.mark.capability("I18N-04")
@given(st.dates(date(1000, 1, 1)), locales)
def test_days_come_back(day: date, locale: str) -> None:
    """A day written in numbers is read as the same day."""
    text = formats.format_date(day, locale, style="numeric")

    assert day == formats.parse_date(text, locale)


@pytest.mark.capability("I18N-04")
@given(st.text(max_size=30), locales)
def test_any_text_is_a_value_or_refused(text: str, locale: str) -> None:
    """No text makes a reader fail in another way."""
    for read in (formats.parse_number, formats.parse_date):
        with contextlib.suppress(ValidationError):
            assert read(text, locale) is not None
