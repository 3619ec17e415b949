"""T6: the answer to a commit is lost; an operation key makes the retry harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import attrs
import pytest

from crmcore import CRM, SYSTEM, Lead, Session
from crmcore.errors import StoreUnavailable
from tests.faults.places import Place
from tests.faults.proxy import MariaDBWire, MongoDBWire, PostgreSQLWire, Proxy

#: Operations a server. The driver of MongoDB asks again six times for each commit, and
#: waits half a second for the server each time: 300 would take minutes.
OPERATIONS = {"postgresql": 300, "mariadb": 300, "mongodb": 60}
WIRES = {
    "postgresql": PostgreSQLWire,
    "mariadb": MariaDBWire,
    "mongodb": MongoDBWire,
}

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]


@contextmanager
def losing_commits(place: Place) -> Iterator[tuple[Place, Proxy]]:
    """Give the place as it is seen through a proxy that loses every tenth commit."""
    parts = urlsplit(place.url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy((parts.hostname, parts.port), WIRES[place.kind])
    with proxy.serving():
        through = f"{parts.hostname}:{proxy.port}"
        url = place.url.replace(f"{parts.hostname}:{parts.port}", through)
        if place.kind == "mongodb":
            # Otherwise the replica set names its own address, past the proxy.
            url = url.partition("?")[0] + "?directConnection=true"
        yield attrs.evolve(place, url=url), proxy


def stored(place: Place) -> list[str]:
    with place.crm() as crm, crm.session(SYSTEM) as session:
        return sorted(str(lead.last_name) for lead in session.stream(Lead))


def named(number: int) -> Callable[[Session], Lead]:
    return lambda session: session.create(Lead(last_name=f"Lead {number:03}"))


def insist(crm: CRM, number: int) -> None:
    """Create a lead without an operation key, again and again until it is told so."""
    while True:
        try:
            crm.run(SYSTEM, named(number))
        except StoreUnavailable as error:
            if not error.outcome_unknown:
                raise
        else:
            return


@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_lost_commit_does_nothing_twice(kind: str, place_on: Places) -> None:
    """With operation keys, lost answers cost retries: each record is there once."""
    place, numbers = place_on(kind), range(OPERATIONS[kind])
    with losing_commits(place) as (seen, proxy), seen.crm() as crm:
        made = [
            crm.run(SYSTEM, named(number), operation_key=f"lead/{number}")
            for number in numbers
        ]
    assert stored(place) == [f"Lead {number:03}" for number in numbers]
    assert len({lead.id for lead in made}) == len(numbers)
    assert len(proxy.lost) >= len(numbers) // 10


@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_lost_commit_without_operation_key_is_reported_as_unknown(
    kind: str, place_on: Places
) -> None:
    """Without operation keys a caller who insists gets a second record each time."""
    place, numbers = place_on(kind), range(OPERATIONS[kind])
    with losing_commits(place) as (seen, proxy), seen.crm() as crm:
        for number in numbers:
            insist(crm, number)
    assert len(stored(place)) == len(numbers) + len(proxy.lost)
    assert len(proxy.lost) >= len(numbers) // 10
