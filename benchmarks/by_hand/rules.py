"""Checks, normal forms and match keys, written by hand for leads alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import email_validator
import phonenumbers

__all__ = [
    "account_keys",
    "checked_lead",
    "company_key",
    "fold",
    "folded",
    "identity_key",
    "person_keys",
]

LEAD_SOURCES = {"web", "call", "email", "partner", "trade_show", "campaign", "other"}
INDUSTRIES = {"banking", "education", "machinery", "manufacturing", "software", "other"}
RATINGS = {"hot", "warm", "cold"}
_LENGTHS = {
    "last_name": 80,
    "first_name": 80,
    "company_name": 255,
    "title": 120,
    "description": 32_000,
}
_FOLDED = (*_LENGTHS, "phone", "email", "website")
_FREE_MAIL = {"gmail.com", "hotmail.com", "outlook.com", "qq.com", "163.com"}
_PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_NOT_WORD = re.compile(r"[^\w&]+")
_LEGAL_FORMS = {"inc", "corp", "co", "ltd", "llc", "gmbh", "ag", "sa", "bv"}


def text(value: Any, maximum: int) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    cleaned = value.strip()
    if not cleaned.isascii():
        cleaned = unicodedata.normalize("NFC", cleaned)
    if len(cleaned) > maximum:
        raise ValueError(value)
    return cleaned or None


@lru_cache(maxsize=50_000)
def _domain(domain: str) -> str:
    checked = email_validator.validate_email(f"x@{domain}", check_deliverability=False)
    return checked.domain


def email(value: str) -> str:
    local, _, domain = value.strip().rpartition("@")
    if not _PLAIN_LOCAL_PART.fullmatch(local):
        return email_validator.validate_email(
            value, check_deliverability=False
        ).normalized
    return f"{local}@{_domain(domain)}"


def phone(value: str) -> str:
    number = phonenumbers.parse(value.strip(), None)
    if not phonenumbers.is_possible_number(number):
        raise ValueError(value)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def website(value: str) -> str:
    parts = urlsplit(value if "://" in value else f"https://{value}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(value)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def checked_lead(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in normal form; raises ValueError for a bad one."""
    lead = dict(values)
    for name, maximum in _LENGTHS.items():
        lead[name] = text(values[name], maximum)
    if not lead["last_name"]:
        raise ValueError("last_name")
    lead["phone"] = phone(values["phone"])
    lead["email"] = email(values["email"])
    lead["website"] = website(values["website"])
    if (
        lead["lead_source"] not in LEAD_SOURCES
        or lead["industry"] not in INDUSTRIES
        or lead["rating"] not in RATINGS
        or lead["number_of_employees"] < 0
    ):
        raise ValueError(values)
    revenue = values["annual_revenue"]
    lead["annual_revenue"] = int(revenue.amount.scaleb(4))
    lead["annual_revenue_currency"] = revenue.currency
    address = lead.pop("mailing_address")
    lead["mailing_address_city"] = text(address.city, 80)
    lead["mailing_address_country"] = text(address.country, 80)
    return lead


def fold(value: str) -> str:
    if value.isascii():
        return value.lower()
    return unicodedata.normalize(
        "NFKC", unicodedata.normalize("NFKC", value).casefold()
    )


def folded(
    values: Mapping[str, Any], names: tuple[str, ...] = _FOLDED
) -> dict[str, str]:
    """Return the texts to search in, without regard to case."""
    return {n: fold(v) for n in names if (v := values.get(n)) is not None}


def _words(value: str) -> list[str]:
    return [word for word in _NOT_WORD.split(fold(value)) if word]


def company_key(name: str) -> str:
    words = _words(name)
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return " ".join(words)


def person_keys(person: Mapping[str, Any], company: str | None) -> list[str]:
    """Return the match keys of a lead, or of a contact with its account's name."""
    address = fold(person["email"])
    domain = address.rpartition("@")[2]
    words = sorted(_words(person["last_name"]) + _words(person["first_name"]))
    name = " ".join(words)
    keys = [f"email:{address}", f"phone:{person['phone'].removeprefix('+')}"]
    if company:
        keys.append(f"name_company:{name}|{company_key(company)}")
    if domain not in _FREE_MAIL:
        keys.append(f"name_domain:{name}|{domain}")
    return keys


def account_keys(account: Mapping[str, Any]) -> list[str]:
    """Return the match keys of an account."""
    host = urlsplit(account["website"]).hostname.removeprefix("www.")
    country = account["billing_address_country"].casefold()
    return [f"domain:{host}", f"company:{company_key(account['name'])}|{country}"]


def identity_key(value: str) -> str:
    """Return the form in which a unique value is claimed."""
    return " ".join(fold(value).split())
