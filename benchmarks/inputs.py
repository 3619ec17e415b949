"""What the benchmarks write: people, companies and an organisation, all invented."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from crmcore import CRM, SYSTEM, User
from crmcore.records import Address, Money

__all__ = ["Organisation", "lead_values", "organisation", "owner_position"]

#: Users of the organisation, and those below each of its middle managers.
USERS, SUBORDINATES, MIDDLE_MANAGERS = 10_000, 1_000, 9
#: The addresses of all people are in so many domains.
DOMAINS = 5_000

_WORDS = "Met at the trade fair, asked for a quote for the second quarter, call back."


def lead_values(number: int) -> dict[str, Any]:
    """Return what somebody typed about the lead ``number``, who is like nobody else."""
    return {
        "last_name": f" Lovelace{number}",
        "first_name": "Ada",
        "company_name": f"Analytical Engines {number} Ltd.",
        "title": "Head of purchasing",
        "phone": f"+86 755 {10_000_000 + number:08d}",
        "email": f"Ada.Lovelace{number}@Mail{number % DOMAINS}.example.com",
        "website": f"www.engines{number}.example.com/about",
        "lead_source": "trade_show",
        "industry": "machinery",
        "annual_revenue": Money(Decimal(1_000_000 + number), "CNY"),
        "number_of_employees": 20 + number % 500,
        "rating": "warm",
        "mailing_address": Address(city="深圳", country="China"),
        "description": _WORDS,
    }


class Organisation:
    """The users by position; the middle manager and everybody below."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.manager = users[1]
        below = [u.id for u in users if u.manager_id == self.manager.id]
        self.scope = frozenset([self.manager.id, *below])


def organisation(crm: CRM, users: int = USERS) -> Organisation:
    """Return the organisation; it is written where the store has none."""
    with crm.session(SYSTEM) as session:
        found = sorted(session.stream(User), key=lambda user: user.username or "")
    if found:
        return Organisation(found)
    with crm.session(SYSTEM) as session:
        boss = session.create(_user(0, None))
    with crm.session(SYSTEM) as session:
        middle = [session.create(_user(n + 1, boss)) for n in range(MIDDLE_MANAGERS)]
    for batch in _staff(boss, middle, users):
        with crm.session(SYSTEM) as session:
            session.create_many(batch)
    return organisation(crm)


def _user(number: int, manager: User | None) -> User:
    return User(
        username=f"user{number:05d}",
        name=f"User {number}",
        profile="manager" if number <= MIDDLE_MANAGERS else "sales",
        manager_id=manager.id if manager else None,
    )


def _staff(boss: User, middle: list[User], users: int) -> Iterator[list[User]]:
    first = MIDDLE_MANAGERS + 1
    made = []
    for number in range(first, users):
        place = (number - first) // SUBORDINATES
        made.append(_user(number, middle[place] if place < len(middle) else boss))
    for start in range(0, len(made), 1_000):
        yield made[start : start + 1_000]


def owner_position(number: int) -> int:
    """Return which user owns the lead ``number``: spread evenly, near ones apart."""
    return number * 7_919 % USERS
