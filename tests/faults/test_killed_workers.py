"""T4d: processes that write to one SQLite file are killed in the middle."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from tests.faults.hot_record import Outcome, count_up, expected, prepare
from tests.faults.places import Place
from tests.faults.processes import working

WORKERS = 8
OPERATIONS = 200
KILLED = 3

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]


def notes_in(file: str) -> int:
    with sqlite3.connect(file) as connection:
        (number,) = connection.execute("SELECT count(*) FROM crm_notes").fetchone()
    connection.close()
    return int(number)


def test_killed_writers_leave_nothing_half_done(place_on: Places) -> None:
    """After kill -9 and a second start every operation is there once; the file is whole."""
    place = place_on("sqlite")
    hot = prepare(place)
    file = place.url.removeprefix("sqlite:///")
    total = WORKERS * OPERATIONS
    jobs = [(place, hot, n, OPERATIONS) for n in range(WORKERS)]
    with working(count_up, jobs) as workers:
        for turn, worker in enumerate(workers[:KILLED], start=1):
            while notes_in(file) < total * turn // (KILLED + 2):
                pass
            worker.kill()
            worker.start()
        for worker in workers:
            worker.result()

    assert Outcome.of(place, hot) == expected(WORKERS, OPERATIONS)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
