"""Records with sensible values, for tests that care about one or two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from crmcore.access import User
from crmcore.activities import Note, Task
from crmcore.leads import Lead
from crmcore.parties import Account, Contact
from crmcore.records import Money, Record
from crmcore.sales import Opportunity

__all__ = [
    "Factory",
    "make_account",
    "make_contact",
    "make_lead",
    "make_note",
    "make_opportunity",
    "make_task",
    "make_user",
]

R = TypeVar("R", bound=Record)
Defaults = Callable[[int], Mapping[str, Any]]


class Factory:
    """Makes unsaved records; each kind counts by itself, so that none is alike.

    Every method takes the values that matter to the test and fills in the rest::

        session.create(factory.lead(status="assigned"))
    """

    def __init__(self) -> None:
        self._numbers: dict[type[Record], count[int]] = {}

    def _make(self, kind: type[R], defaults: Defaults, values: dict[str, Any]) -> R:
        number = next(self._numbers.setdefault(kind, count(1)))
        return kind(**{**defaults(number), **values})

    def user(self, **values: Any) -> User:
        """Return a new salesperson."""
        return self._make(
            User,
            lambda n: {"username": f"user{n}", "name": f"User {n}", "profile": "sales"},
            values,
        )

    def lead(self, **values: Any) -> Lead:
        """Return a new lead with company, e-mail and phone of its own."""
        return self._make(
            Lead,
            lambda n: {
                "last_name": f"Lovelace{n}",
                "first_name": "Ada",
                "company_name": f"Analytical Engines {n}",
                "email": f"ada@engines{n}.example.com",
                "phone": f"+44 20 7946 {n % 10_000:04d}",
                "lead_source": "web",
            },
            values,
        )

    def account(self, **values: Any) -> Account:
        """Return a new organisation with a name and a website of its own."""
        return self._make(
            Account,
            lambda n: {
                "name": f"Northwind {n}",
                "website": f"https://northwind{n}.example.com",
                "industry": "manufacturing",
            },
            values,
        )

    def contact(self, **values: Any) -> Contact:
        """Return a new person; give ``account_id`` to tie it to an account."""
        return self._make(
            Contact,
            lambda n: {
                "last_name": f"Hopper{n}",
                "first_name": "Grace",
                "email": f"grace@navy{n}.example.com",
            },
            values,
        )

    def opportunity(self, **values: Any) -> Opportunity:
        """Return a new opportunity; without a stage it starts in the first one."""
        return self._make(
            Opportunity,
            lambda n: {
                "name": f"Order {n}",
                "amount": Money(Decimal(1_000) * n, "USD"),
                "close_date": date(2026, 6, 30),
            },
            values,
        )

    def task(self, **values: Any) -> Task:
        """Return a new task; give ``related_to`` to tie it to a record."""
        return self._make(Task, lambda n: {"subject": f"Call back {n}"}, values)

    def note(self, **values: Any) -> Note:
        """Return a new note; give ``related_to`` to tie it to a record."""
        return self._make(
            Note, lambda n: {"title": f"Note {n}", "body": f"What was said {n}"}, values
        )


_shared = Factory()
make_user = _shared.user
make_lead = _shared.lead
make_account = _shared.account
make_contact = _shared.contact
make_opportunity = _shared.opportunity
make_task = _shared.task
make_note = _shared.note
