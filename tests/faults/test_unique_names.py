"""T2: one account name, many spellings, many writers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import UUID

import attrs
import pytest

from crmcore import SYSTEM, Account, UniqueViolation
from crmcore.testing import small_organisation
from tests.faults.places import Place
from tests.faults.processes import results_of

#: Names on each server; MongoDB waits for a majority at each commit.
NAMES = {"sqlite": 50, "postgresql": 50, "mariadb": 50, "mongodb": 20}
#: Two salespeople below one manager, one of another branch, and the administrator.
ACTORS = ["alice", "bob", "carol", "boss", "admin", "alice", "bob", "carol"]
#: Whose accounts an actor sees.
SEES = {
    "alice": {"alice"},
    "bob": {"bob"},
    "carol": {"carol"},
    "boss": {"alice", "bob", "boss"},
    "admin": {"alice", "bob", "carol", "boss", "admin"},
}

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]


def spellings(number: int) -> list[str]:
    """Return six ways to write one name that are the same name to us."""
    name = f"Müller & Söhne {number}"
    return [
        name,
        name.upper(),
        name.casefold(),
        f"  {name.replace(' ', '   ')}\t",
        "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name),
        name.replace("ü", "u\N{COMBINING DIAERESIS}"),
    ]


@attrs.frozen
class Attempt:
    """What came of one try to take a name: the account made, or the winner named."""

    number: int
    actor: str
    made: UUID | None = None
    named: UUID | None = None


def take_names(place: Place, worker: int) -> list[Attempt]:
    """Try to create an account under every spelling of every name."""
    actor = ACTORS[worker]
    with place.crm() as crm:

        def attempt(number: int, spelling: str) -> Attempt:
            try:
                account = crm.run(actor, lambda s: s.create(Account(name=spelling)))
            except UniqueViolation as error:
                named = error.details.get("existing_id")
                return Attempt(number, actor, named=named)
            return Attempt(number, actor, made=account.id)

        return [
            # Each worker begins with another spelling of the same name.
            attempt(number, spellings(number)[(worker + turn) % 6])
            for number in range(NAMES[place.kind])
            for turn in range(6)
        ]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.capability("DUP-01")
def test_a_name_is_taken_once(kind: str, place_on: Places) -> None:
    """Of all spellings one account is made; losers hear of it only if they may."""
    place = place_on(kind)
    with place.crm() as crm:
        small_organisation(crm)
    workers = results_of(take_names, [(place, n) for n in range(len(ACTORS))])
    attempts: list[Attempt] = [attempt for each in workers for attempt in each]
    winners = {a.number: a for a in attempts if a.made is not None}

    assert len(attempts) == NAMES[kind] * 6 * len(ACTORS)
    made = Counter(a.number for a in attempts if a.made is not None)
    assert made == dict.fromkeys(range(NAMES[kind]), 1)
    with place.crm() as crm, crm.session(SYSTEM) as session:
        stored = {account.id for account in session.stream(Account)}
    assert stored == {winner.made for winner in winners.values()}
    for loser in attempts:
        winner = winners[loser.number]
        if loser.made is None:
            visible = winner.actor in SEES[loser.actor]
            assert loser.named == (winner.made if visible else None), (loser, winner)
