"""T1: one hot record, many writers; and the same without the version check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.hot_record import Outcome, count_up, expected, prepare
from tests.faults.places import Place
from tests.faults.processes import results_of
from tests.faults.unchecked import UncheckedStore

WORKERS = 8
OPERATIONS = 100

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb", "mongodb"])
def test_no_update_is_lost(kind: str, place_on: Places) -> None:
    """Concurrent updates, numbers, history and events are exact and without gaps."""
    place = place_on(kind)
    hot = prepare(place)
    results_of(count_up, [(place, hot, n, OPERATIONS) for n in range(WORKERS)])
    assert Outcome.of(place, hot) == expected(WORKERS, OPERATIONS)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_updates_are_lost_without_the_version_check(
    kind: str, place_on: Places
) -> None:
    """The same work loses updates when nobody compares versions: the test sees it."""
    place = place_on(kind)
    hot = prepare(place)
    results_of(
        count_up, [(place, hot, n, OPERATIONS, UncheckedStore) for n in range(WORKERS)]
    )
    found = Outcome.of(place, hot)
    assert found.titles == expected(WORKERS, OPERATIONS).titles
    assert found.counter < WORKERS * OPERATIONS
