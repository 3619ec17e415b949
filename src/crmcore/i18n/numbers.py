"""Numbers, shares and amounts of money, written and read as a locale does.

Reading is strict: what is not written the locale's way is refused, never guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from babel import numbers as cldr

from crmcore.errors import ValidationError
from crmcore.i18n.locales import locale_of
from crmcore.i18n.typed_text import plain

__all__ = [
    "currency_digits",
    "format_money",
    "format_number",
    "format_percent",
    "parse_money",
    "parse_number",
]

_EXAMPLE = Decimal("-1234.5")


def currency_digits(currency: str) -> int:
    """Return the digits after the point of a currency (ISO 4217): JPY has none."""
    return cldr.get_currency_precision(currency)


def format_number(
    value: Decimal | int, locale: str = "en", *, digits: int | None = None
) -> str:
    """Return a number as the locale writes it, with all digits, or with ``digits``."""
    if digits is None:
        return cldr.format_decimal(
            value, locale=locale_of(locale), decimal_quantization=False
        )
    pattern = "#,##0" + (f".{'0' * digits}" if digits else "")
    grouped = _grouping(locale)
    if grouped[1] != grouped[0]:
        pattern = "#,##,##0" + pattern[5:]
    return cldr.format_decimal(value, format=pattern, locale=locale_of(locale))


def format_percent(value: Decimal | int, locale: str = "en") -> str:
    """Return a share of a hundred: 12.5 as ``12.5%``, ``12,5 %``, ``%12,5``."""
    return cldr.format_percent(
        Decimal(value).scaleb(-2), locale=locale_of(locale), decimal_quantization=False
    )


def format_money(amount: Decimal | int, currency: str, locale: str = "en") -> str:
    """Return an amount with the currency's sign and its digits (I18N-03)."""
    return cldr.format_currency(amount, currency, locale=locale_of(locale))


def parse_number(text: str, locale: str = "en", *, field: str = "") -> Decimal:
    """Return the number that somebody wrote in a locale: ``1.234,56`` in German.

    Full-width and other decimal digits are read. Raises ValidationError that names
    ``field`` and shows how a number is written.
    """
    typed = plain(text)
    number = None if typed is None else _number(typed, locale)
    if number is None:
        example = format_number(_EXAMPLE, locale)
        raise ValidationError.of(field, "not_number_like", example=example)
    return number


def parse_money(
    text: str, currency: str, locale: str = "en", *, field: str = ""
) -> tuple[Decimal, str]:
    """Return amount and currency of what somebody wrote in a locale.

    Without a sign or code it is in ``currency``. A sign that several currencies share
    means ``currency`` where it is one of them, else the one that the locale writes so. Raises
    ValidationError that names ``field`` and shows how an amount is written.
    """
    found = _money(text, currency, locale)
    if found is None:
        example = format_money(_EXAMPLE, currency, locale)
        raise ValidationError.of(field, "not_money_like", example=example)
    return found


def _money(text: str, currency: str, locale: str) -> tuple[Decimal, str] | None:
    typed = plain(text)
    if typed is None or typed.count("-") > 1 or _MINUS_BEHIND.search(typed):
        return None
    sign = "-" if "-" in typed else ""
    parts = _BESIDE.fullmatch(typed.replace("-", ""))
    if parts is None:
        return None
    before, number, after = (part.strip() for part in parts.groups())
    if before and after:
        return None
    found = _currency(before or after, currency, locale)
    amount = _number(sign + number, locale)
    return None if found is None or amount is None else (amount, found)


_BESIDE = re.compile(r"(\D*?)\s*(\d(?:.*\d)?)\s*(\D*)", re.DOTALL)
_MINUS_BEHIND = re.compile(r"\d.*-")


def _currency(mark: str, default: str, locale: str) -> str | None:
    if not mark:
        return default
    if default in _meanings("en").get(mark, ()) or (mark, default) in _SHARED:
        return default
    for place in (str(locale_of(locale)), "en"):
        known = _meanings(place).get(mark, frozenset())
        if default in known:
            return default
        if len(known) == 1:
            return next(iter(known))
    return None


#: Signs that a currency has at home, whatever others write.
_SHARED = frozenset(
    [("$", code) for code in "AUD CAD HKD MXN NZD SGD TWD USD".split()]
    + [("\u00a5", code) for code in ("CNY", "JPY")]
)


@lru_cache(maxsize=64)
def _meanings(locale: str) -> Mapping[str, frozenset[str]]:
    """Return the currencies that a sign or code may mean in a locale."""
    signs: dict[str, set[str]] = defaultdict(set)
    for code in cldr.list_currencies():
        sign = cldr.get_currency_symbol(code, locale_of(locale))
        signs[plain(sign) or code].add(code)
        signs[code].add(code)
    return {sign: frozenset(codes) for sign, codes in signs.items()}


def _number(typed: str, locale: str) -> Decimal | None:
    group, point, shape = _shape(str(locale_of(locale)))
    if not shape.fullmatch(typed):
        return None
    return Decimal(typed.replace(group, "").replace(point, "."))


def _grouping(locale: str) -> tuple[int, int]:
    sizes = locale_of(locale).decimal_formats[None].grouping
    return int(sizes[0]), int(sizes[1])


@lru_cache(maxsize=512)
def _shape(locale: str) -> tuple[str, str, re.Pattern[str]]:
    """Return group sign, decimal sign and the shape of a number in a locale."""
    rules = locale_of(locale)
    group = _sign(cldr.get_group_symbol(rules))
    point = _sign(cldr.get_decimal_symbol(rules))
    last, others = _grouping(locale)
    mark = re.escape(group)
    grouped = rf"\d{{1,{others}}}(?:{mark}\d{{{others}}})*{mark}\d{{{last}}}"
    shape = re.compile(rf"[-+]?(?:{grouped}|\d+)(?:{re.escape(point)}\d+)?", re.ASCII)
    return group, point, shape


def _sign(symbol: str) -> str:
    """Return a sign as it stands in plain text; a blank sign stays a blank."""
    return (plain(f"0{symbol}0") or symbol)[1:-1]
