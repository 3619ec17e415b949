"""Numbers and amounts of money as people and programs write them.

Pure: text in, exact numbers out; what is not certain is refused.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from crmcore.records import Money, Refused

__all__ = ["read_decimal", "read_integer", "read_money"]

_GROUPED = re.compile(r"[-+]?\d{1,3}([,.])\d{3}(\1\d{3})*")
_SPACED = re.compile(r"[-+]?\d{1,3}([' ])\d{3}(\1\d{3})*([.,]\d+)?")
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?")
_CODE = re.compile(r"[A-Z]{3}")
_SIGNS = {
    "HK$": "HKD",
    "NT$": "TWD",
    "US$": "USD",
    "A$": "AUD",
    "C$": "CAD",
    "S$": "SGD",
    "€": "EUR",
    "£": "GBP",
    "₩": "KRW",
    "₹": "INR",
    "元": "CNY",
}
#: Signs of several currencies: the set-up's own where it is one of them.
_SHARED_SIGNS = {
    "$": ("USD", "AUD", "CAD", "HKD", "SGD", "NZD", "TWD", "MXN"),
    "¥": ("CNY", "JPY"),
}
_TIMES = {"万": Decimal(10_000), "萬": Decimal(10_000), "亿": Decimal(100_000_000)}


def read_decimal(text: str) -> Decimal:
    """Return the number of ``text``: ``1,234.50``, ``1.234,50``, ``12万``, ``(5)``.

    A single comma before three digits groups thousands, before others it is a decimal
    comma. Raises Refused for what is no number.
    """
    if text.isascii() and _PLAIN.fullmatch(text):
        return Decimal(text)
    plain = unicodedata.normalize("NFKC", text).replace("−", "-").strip()
    times = _TIMES.get(plain[-1:])
    if times is not None:
        return _ungrouped(plain[:-1].strip()) * times
    if plain.startswith("(") and plain.endswith(")"):
        return -_ungrouped(plain[1:-1].strip())
    return _ungrouped(plain)


def _ungrouped(text: str) -> Decimal:
    if _SPACED.fullmatch(text):
        text = re.sub("[' ]", "", text)
    if "," in text and "." in text:
        point = "," if text.rfind(",") > text.rfind(".") else "."
        whole, _, rest = text.rpartition(point)
        other = "." if point == "," else ","
        if other in rest or not (_GROUPED.fullmatch(whole) or whole.isdigit()):
            raise Refused("not_number")
        text = f"{_digits(whole)}.{rest}"
    elif (grouped := _GROUPED.fullmatch(text)) is not None:
        single_point = grouped[1] == "." and text.count(".") == 1
        text = text if single_point else _digits(text)
    elif text.count(",") == 1:
        text = text.replace(",", ".")
    if not _PLAIN.fullmatch(text):
        raise Refused("not_number")
    return Decimal(text)


def _digits(text: str) -> str:
    return re.sub("[,.]", "", text)


def read_integer(text: str) -> int:
    """Return the whole number of ``text``; raises Refused for a fraction."""
    try:
        number = read_decimal(text)
    except Refused:
        raise Refused("not_integer") from None
    if number != number.to_integral_value():
        raise Refused("not_integer")
    return int(number)


def read_money(text: str, currency: str) -> Money:
    """Return the amount of ``text`` with its own currency, or with ``currency``."""
    if text.isascii() and _PLAIN.fullmatch(text):
        return Money(Decimal(text), currency)
    plain = unicodedata.normalize("NFKC", text).strip()
    number, found = _split_currency(plain, currency)
    try:
        return Money(read_decimal(number), found)
    except Refused:
        raise Refused("not_money") from None


def _split_currency(text: str, currency: str) -> tuple[str, str]:
    """Return the number's text and the currency that stands beside it."""
    negative = text.startswith("-")
    body = text[1:].strip() if negative else text
    sign = "-" if negative else ""
    for mark, code in _SIGNS.items():
        if body.startswith(mark) or body.endswith(mark):
            return sign + body.replace(mark, "").strip(), code
    for mark, codes in _SHARED_SIGNS.items():
        if body.startswith(mark) or body.endswith(mark):
            code = currency if currency in codes else codes[0]
            return sign + body.replace(mark, "").strip(), code
    written = _CODE.match(body) or _CODE.search(body[-3:])
    if written is not None:
        return sign + body.replace(written[0], "").strip(), written[0]
    return text, currency
