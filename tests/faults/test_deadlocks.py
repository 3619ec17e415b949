"""T11: units of work that want the same records in opposite order."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import attrs
import pytest

from crmcore import SYSTEM, Account, Session
from crmcore.errors import Conflict
from tests.faults.hot_record import prepare
from tests.faults.places import Place
from tests.faults.processes import results_of

WORKERS = 8
#: Moves of each worker. PostgreSQL only looks for a deadlock after waiting for a while,
#: MongoDB waits for a majority at each commit: 200 of them would take minutes. MariaDB
#: always gives up the unit of work that has written least, which is the one that tries
#: again: among many more moves some come to the end of their attempts.
OPERATIONS = {"sqlite": 200, "postgresql": 100, "mariadb": 25, "mongodb": 50}

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]


def move(first: UUID, second: UUID) -> Callable[[Session], None]:
    """Return the work that takes one from the first record and gives it the second."""

    def work(session: Session) -> None:
        giving = session.get(Account, first)
        session.update(giving, counter=giving["counter"] - 1)
        taking = session.get(Account, second)
        session.update(taking, counter=taking["counter"] + 1)

    return work


def move_often(place: Place, first: UUID, second: UUID, times: int) -> int:
    """Do the moves; return how many conflicts came through to the caller."""
    conflicts = 0
    with place.crm() as crm:
        for _ in range(times):
            while True:
                try:
                    crm.run(SYSTEM, move(first, second))
                except Conflict:
                    conflicts += 1
                else:
                    break
    return conflicts


def impatient(place: Place) -> Place:
    """Have PostgreSQL look for deadlocks soon: by default it waits a second."""
    if place.kind != "postgresql":
        return place
    option = "options=-c%20deadlock_timeout%3D5ms"
    return attrs.evolve(place, url=f"{place.url}?{option}")


@pytest.mark.parametrize("kind", OPERATIONS)
def test_opposite_orders_end_by_retrying(kind: str, place_on: Places) -> None:
    """Deadlocks are retried inside: nothing is lost, hardly a conflict comes through."""
    place, times = impatient(place_on(kind)), OPERATIONS[kind]
    one, other = prepare(place, "One"), prepare(place, "Other")
    orders = [(one, other) if n % 2 else (other, one) for n in range(WORKERS)]
    conflicts = results_of(move_often, [(place, *order, times) for order in orders])

    with place.crm() as crm, crm.session(SYSTEM) as session:
        accounts = [session.get(Account, each) for each in (one, other)]
    assert [account["counter"] for account in accounts] == [0, 0]
    assert [a.version for a in accounts] == [1 + WORKERS * times] * 2
    assert sum(conflicts) <= 3
