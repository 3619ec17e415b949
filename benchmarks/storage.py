"""The storage benchmark: five operations, by the library and by hand."""

from __future__ import annotations

import gc
from itertools import count
from random import Random
from time import perf_counter
from typing import Any

import attrs

from benchmarks import by_library
from benchmarks.agreement import check_agreement
from benchmarks.by_hand import rules
from benchmarks.by_library import ByLibrary, convertible_leads
from benchmarks.figures import Figure, Report, compared
from benchmarks.inputs import Organisation, lead_values, owner_position
from benchmarks.measuring import Times, in_turns
from benchmarks.population import identity
from benchmarks.stores import TENANT, Measured, opened
from crmcore import F, Lead

__all__ = ["TARGETS", "run"]

NAME = "storage"
#: The highest ratios wanted, by operation and store.
TARGETS = {
    "get": {"sqlite": 2.5, "postgresql": 2.0, "mongodb": 1.3},
    "page": {"sqlite": 2.5, "postgresql": 2.0, "mongodb": 1.5},
    "work": {"sqlite": 2.7, "postgresql": 1.6, "mongodb": 1.4},
    "create": {"sqlite": 2.0, "postgresql": 2.0, "mongodb": 1.8},
    "convert": {"sqlite": 3.0, "postgresql": 1.8, "mongodb": 1.5},
}
PAGE, FAR_PAGE, BATCH = 50, 2_000, 1_000
FAR_TARGET = 1.3


@attrs.frozen
class Extent:
    """How much is measured."""

    rows: int
    rounds: int
    leads: int

    @classmethod
    def of(cls, rows: int, *, quick: bool) -> Extent:
        return cls(rows, 10, 5_000) if quick else cls(rows, 40, 100_000)


class StorageBenchmark:
    """The five operations on one store, as its middle manager."""

    def __init__(
        self, measured: Measured, users: Organisation, extent: Extent, report: Report
    ) -> None:
        self._store = measured.name
        self._extent = extent
        self._report = report
        self._users = users
        self._ours = ByLibrary(measured.crm, users.manager)
        self._by_hand = measured.by_hand(TENANT, users.manager.id, users.scope)
        self._numbers = count(2_000_000)
        self._random = Random(20_261_123)
        mine = [
            n
            for n in range(extent.rows)
            if users.users[owner_position(n)].id in users.scope
        ]
        self._random.shuffle(mine)
        self._visible, self._unread = len(mine), iter(mine)
        self._known = [identity(n) for n in mine[-2_000:]]

    def run(self) -> None:
        """Measure everything."""
        # Whatever was loaded so far stays: collecting it is no part of an operation.
        gc.collect()
        gc.freeze()
        self.get()
        self.page()
        self.work()
        self.convert()
        self.create()
        self._by_hand.close()

    def _add(self, name: str, times: Times, unit: str, target: str) -> None:
        most = TARGETS[target][self._store]
        figure = compared(NAME, name, self._store, times, unit, most)
        self._report(figure)

    def _extra(
        self, name: str, value: float, unit: str, most: float | None = None
    ) -> None:
        figure = Figure(
            benchmark=NAME,
            name=name,
            store=self._store,
            value=value,
            unit=unit,
            target=None if most is None else f"value <= {most}",
            met=None if most is None else value <= most,
        )
        self._report(figure)

    # -- reading ---------------------------------------------------------------------

    def get(self) -> None:
        """Get one lead by its id, in an open session."""
        with self._ours.session() as session:
            times = in_turns(
                lambda i: session.get(Lead, i),
                self._by_hand.get,
                lambda: self._random.choice(self._known),
                rounds=self._extent.rounds,
                runs=25,
                warm_up=20,
            )
        self._add("get", times, "us", "get")

    def page(self) -> None:
        """Read the first page and a far one of what the manager may see."""
        with self._ours.session() as session:
            first = self._page(session, None, None)
            self._add("page_1", first, "ms", "page")
            pages = min(FAR_PAGE, self._visible // PAGE - 1)
            cursor, boundary = self._walk(session, (pages - 1) * PAGE)
            far = self._page(session, cursor, boundary)
            to_first = self._compare_pages(session, cursor, boundary)
        self._add(f"page_{pages}", far, "ms", "page")
        for name, ratio in to_first.items():
            most = None if "by_hand" in name else FAR_TARGET
            self._extra(f"page_{pages}_to_page_1{name}", ratio, "ratio", most)

    def _compare_pages(
        self, session: Any, cursor: Any, boundary: Any
    ) -> dict[str, float]:
        """Return how many times as long a far page takes as the first, in turns."""
        ways = {
            "": lambda place: by_library.page(session, place[0]),
            "_by_hand": lambda place: self._by_hand.page(place[1]),
        }
        return {
            name: in_turns(
                lambda _, read=read: read((cursor, boundary)),
                lambda _, read=read: read((None, None)),
                lambda: None,
                rounds=self._extent.rounds,
                runs=5,
            ).ratio
            for name, read in ways.items()
        }

    def _page(self, session: Any, cursor: Any, boundary: Any) -> Times:
        mine = by_library.page(session, cursor).items
        assert list(mine) == self._by_hand.page(boundary), "the pages differ"
        return in_turns(
            lambda _: by_library.page(session, cursor),
            lambda _: self._by_hand.page(boundary),
            lambda: None,
            rounds=self._extent.rounds,
            runs=5,
        )

    def _walk(self, session: Any, skipped: int) -> tuple[Any, Any]:
        """Return the boundary behind the first leads, for either way."""
        cursor, last = None, None
        while skipped:
            size = min(skipped, 2_000)
            found = session.find(
                Lead, order_by=[F.created_at.desc()], limit=size, after=cursor
            )
            cursor, last = found.next, found.items[-1]
            skipped -= size
        assert last is not None
        return cursor, (last.created_at, last.id)

    # -- writing ---------------------------------------------------------------------

    def _values(self) -> dict[str, Any]:
        return lead_values(next(self._numbers))

    def work(self) -> None:
        """Read 3, change 3 with version checks, insert 1, commit once."""
        times = in_turns(
            lambda given: self._ours.work(*given),
            lambda given: self._by_hand.work(*given),
            lambda: ([identity(next(self._unread)) for _ in range(3)], self._values()),
            rounds=self._extent.rounds,
            runs=5,
        )
        self._add("work", times, "ms", "work")

    def convert(self) -> None:
        """Plan and carry out the conversion of one lead with a task and a note."""
        runs = 3
        needed = 2 * (self._extent.rounds * runs + 5)
        batch = [self._values() for _ in range(needed)]
        leads = iter(convertible_leads(self._ours, batch))
        times = in_turns(
            self._ours.convert,
            self._by_hand.convert,
            lambda: next(leads),
            rounds=self._extent.rounds,
            runs=runs,
        )
        self._add("convert", times, "ms", "convert")

    def create(self) -> None:
        """Create leads in batches of 1,000."""
        times = in_turns(
            self._ours.create,
            self._by_hand.create,
            lambda: [self._values() for _ in range(BATCH)],
            rounds=self._extent.leads // BATCH,
            runs=1,
            warm_up=1,
        )
        self._add("create_1000", times, "ms", "create")
        self._extra("create_rate", BATCH / times.ours, "leads/s")
        libraries = self._seconds_of_libraries()
        self._extra("create_share_of_phone_and_email", libraries / times.ours, "share")
        rest = (times.ours - libraries) / (times.by_hand - libraries)
        self._extra("create_ratio_without_phone_and_email", rest, "ratio")

    def _seconds_of_libraries(self) -> float:
        """Return how long phonenumbers and email_validator take for one batch."""
        batch = [self._values() for _ in range(BATCH)]
        start = perf_counter()
        for values in batch:
            rules.phone(values["phone"])
            rules.email(values["email"])
        return perf_counter() - start


def run(stores: list[str], rows: int, *, quick: bool, report: Report) -> None:
    """Measure all operations on each of the stores."""
    for name in stores:
        with opened(name, rows) as (measured, users):
            check_agreement(measured.crm, measured.by_hand, measured.rows)
            extent = Extent.of(rows, quick=quick)
            StorageBenchmark(measured, users, extent, report).run()
        gc.unfreeze()
        gc.collect()
