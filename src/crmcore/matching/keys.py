"""Match keys: what a record is found by, derived by rules and stored with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmcore.matching.normalise import (
    company_name,
    email_domain,
    mail_key,
    person_name,
    phone_key,
    web_domain,
)
from crmcore.records import ContactPoint, Record

__all__ = ["CompanyKeys", "KeyDeriver", "MatchKey", "PersonKeys", "match_keys"]

#: Longer keys are stored as their digest.
LONGEST_KEY = 180

Follow = Callable[[str, UUID], Record | None]


@attrs.frozen
class MatchKey:
    """One key: its kind, its normal value and the fields that it came from."""

    kind: str
    value: str
    fields: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the key as it is stored."""
        text = f"{self.kind}:{self.value}"
        if len(text) <= LONGEST_KEY:
            return text
        digest = hashlib.blake2b(self.value.encode(), digest_size=24).hexdigest()
        return f"{self.kind}#{digest}"


class KeyDeriver:
    """Derives the match keys of one entity's records."""

    def derive(self, record: Record, follow: Follow) -> Iterator[MatchKey]:
        """Yield the keys of ``record``; ``follow`` gives referenced records."""
        raise TypeError(type(self).__name__)

    def depends_on(self, changed: Collection[str]) -> bool:
        """Tell whether other values of the fields ``changed`` may make other keys.

        A deriver that reads further fields of the record has to name them here.
        """
        return True


def _texts(record: Record, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield field name and text of each filled field, list items one by one."""
    for name in names:
        value: Any = getattr(record, name)
        items = value if isinstance(value, tuple) else (value,)
        for item in items:
            text = item.value if isinstance(item, ContactPoint) else item
            if text:
                yield name, text


@attrs.frozen(kw_only=True)
class PersonKeys(KeyDeriver):
    """Keys of a person: any e-mail, any phone, full name with company or domain.

    ``company`` is the field with the company's name, ``company_record`` the reference
    to it; a name alone is never a key.
    """

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    last_name: str = "last_name"
    first_name: str = "first_name"
    company: str | None = None
    company_record: tuple[str, str, str] | None = None

    def depends_on(self, changed: Collection[str]) -> bool:
        """Tell whether names, addresses, numbers or the company are among them."""
        reference = self.company_record[0] if self.company_record else None
        names = (self.last_name, self.first_name, self.company, reference)
        sources = (*names, *self.emails, *self.phones)
        return any(name in sources for name in changed)

    def derive(self, record: Record, follow: Follow) -> Iterator[MatchKey]:
        """Yield the keys of a person."""
        domains: dict[str | None, str] = {}
        for field, address in _texts(record, self.emails):
            yield MatchKey("email", mail_key(address), (field,))
            domains.setdefault(email_domain(address), field)
        for field, number in _texts(record, self.phones):
            digits = phone_key(number)
            if digits:
                yield MatchKey("phone", digits, (field,))
        yield from self._named(record, follow, domains)

    def _named(
        self, record: Record, follow: Follow, domains: Mapping[str | None, str]
    ) -> Iterator[MatchKey]:
        last, first = self.last_name, self.first_name
        name = person_name(getattr(record, last), getattr(record, first))
        if name is None:
            return
        company = company_name(self._company(record, follow))
        if company:
            source = self.company or (self.company_record or ("",))[0]
            yield MatchKey("name_company", f"{name}|{company}", (last, first, source))
        for domain, field in domains.items():
            if domain:
                yield MatchKey("name_domain", f"{name}|{domain}", (last, first, field))

    def _company(self, record: Record, follow: Follow) -> str | None:
        if self.company is not None:
            text: str | None = getattr(record, self.company)
            return text
        if self.company_record is not None:
            reference, entity, field = self.company_record
            identity = getattr(record, reference)
            company = follow(entity, identity) if identity else None
            return getattr(company, field) if company else None
        return None


@attrs.frozen(kw_only=True)
class CompanyKeys(KeyDeriver):
    """Keys of a company: its own domain, its legal name within a country."""

    name: str = "name"
    former_names: str | None = None
    emails: tuple[str, ...] = ()
    website: str | None = None
    address: str | None = None

    def depends_on(self, changed: Collection[str]) -> bool:
        """Tell whether names, addresses or web sites are among them."""
        names = (self.name, self.former_names, self.website, self.address)
        return any(name in names or name in self.emails for name in changed)

    def derive(self, record: Record, follow: Follow) -> Iterator[MatchKey]:
        """Yield the keys of a company."""
        for field, address in _texts(record, self.emails):
            domain = email_domain(address)
            if domain:
                yield MatchKey("domain", domain, (field,))
        if self.website:
            host = web_domain(getattr(record, self.website))
            if host:
                yield MatchKey("domain", host, (self.website,))
        names = (self.name, *((self.former_names,) if self.former_names else ()))
        place = getattr(record, self.address) if self.address else None
        country = (place.country or "").casefold() if place else ""
        for field, text in _texts(record, names):
            company = company_name(text)
            if company:
                yield MatchKey("company", f"{company}|{country}", (field,))


def match_keys(
    deriver: KeyDeriver | None, record: Record, follow: Follow
) -> dict[str, MatchKey]:
    """Return the match keys of ``record`` by their stored text."""
    if deriver is None:
        return {}
    return {key.text: key for key in deriver.derive(record, follow)}
