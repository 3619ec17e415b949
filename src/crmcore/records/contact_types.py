"""E-mail, phone and web addresses, checked by the libraries that know their rules."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import attrs

from crmcore.errors import MissingExtra
from crmcore.records.conventions import Conventions
from crmcore.records.types import Refused, Text, clean_text

__all__ = ["Email", "Phone", "WebAddress", "phone_digits"]

_NEVER_IN_HOST = re.compile(r"[\s<>\"'`{}|\\^]")
_PLAUSIBLE_PHONE = re.compile(r"[0-9+()/.\-\s;=#*xXextEXT]{3,40}")


def _library(name: str, feature: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtra(feature=feature, extra="contact") from None


#: The plainest local parts need no closer look; the library judges all others.
_PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")


def _normal_email(address: str) -> str | None:
    local, _, domain = address.rpartition("@")
    if len(local) <= 64 and _PLAIN_LOCAL_PART.fullmatch(local):
        # Many addresses share few domains: each domain is checked once, in any case.
        domain = domain.lower() if domain.isascii() else domain
        checked = _checked_email(f"x@{domain}")
        return None if checked is None else f"{local}@{checked[2:]}"
    return _checked_email(address)


@lru_cache(maxsize=50_000)
def _checked_email(address: str) -> str | None:
    library = _library("email_validator", "Checking e-mail addresses")
    try:
        checked = library.validate_email(address, check_deliverability=False)
    except library.EmailNotValidError:
        return None
    return str(checked.normalized)


@lru_cache(maxsize=50_000)
def _normal_phone(number: str, region: str | None) -> str | None:
    library = _library("phonenumbers", "Reading phone numbers")
    try:
        parsed = library.parse(number, region)
    except library.NumberParseException:
        return None
    if not library.is_possible_number(parsed):
        return None
    text = library.format_number(parsed, library.PhoneNumberFormat.E164)
    return f"{text};ext={parsed.extension}" if parsed.extension else str(text)


@attrs.frozen(kw_only=True)
class Email(Text):
    """An e-mail address, stored with its domain in lower case (PTY-05)."""

    kind: ClassVar[str] = "email"
    maximum: int = 254

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the normal form of the address."""
        text = clean_text(value, self.maximum)
        if not text:
            return None
        normal = _normal_email(text)
        if normal is None:
            raise Refused("not_email")
        return normal


@attrs.frozen(kw_only=True)
class Phone(Text):
    """A phone number, stored in E.164 form where its country is known (PTY-05).

    A number without country code is read in the conventions' region; without a region
    it is kept as typed.
    """

    kind: ClassVar[str] = "phone"
    maximum: int = 40

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the normal form of the number."""
        text = clean_text(value, self.maximum)
        if not text:
            return None
        international = text.startswith(("+", "＋"))
        if not international and not _PLAUSIBLE_PHONE.fullmatch(text):
            raise Refused("not_phone")
        if not international and conventions.region is None:
            return text
        normal = _normal_phone(text, conventions.region)
        if normal is None:
            raise Refused("not_phone")
        return normal


def phone_digits(number: str) -> str:
    """Return the digits that identify a stored number, without its extension."""
    return "".join(c for c in number.partition(";")[0] if c.isdigit())


@attrs.frozen(kw_only=True)
class WebAddress(Text):
    """A web address; ``https`` is assumed where no scheme is given."""

    kind: ClassVar[str] = "url"
    maximum: int = 500

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the address with scheme and lower-case host."""
        text = clean_text(value, self.maximum)
        if not text:
            return None
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            host = parts.hostname
            port = parts.port
        except ValueError:
            raise Refused("not_url") from None
        if parts.scheme.lower() not in {"http", "https", "ftp"} or not _is_host(host):
            raise Refused("not_url")
        place = f"{host}:{port}" if port else str(host)
        if parts.username is not None:
            raise Refused("not_url")
        scheme = parts.scheme.lower()
        return urlunsplit((scheme, place, parts.path, parts.query, parts.fragment))


def _is_host(host: str | None) -> bool:
    if not host or _NEVER_IN_HOST.search(host):
        return False
    return host == "localhost" or "." in host.strip(".") or ":" in host
