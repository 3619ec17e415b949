"""The schema benchmark: what it costs that administrators may add fields."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, cast

from benchmarks import by_hand_filter
from benchmarks.figures import Figure, Report, compared
from benchmarks.measuring import in_turns, seconds_of
from crmcore import CRM, SYSTEM, F
from crmcore.records import (
    Boolean,
    DateOnly,
    DecimalNumber,
    FieldType,
    Integer,
    Record,
    Text,
    entity,
    fields,
)
from crmcore.testing import servers
from crmcore.unit import Area
from crmcore_mongo import MongoStore
from crmcore_sql import SQLStore

__all__ = ["run"]

NAME = "schema"
STORES = ["sqlite", "postgresql", "mariadb", "mongodb"]
#: The highest ratio to typed columns, and to a query written by hand; seconds.
MOST, DESCRIBED = 1.3, 0.001
BATCH, PAGE = 200, 100
_KINDS: tuple[FieldType, ...] = (
    Text(),
    Integer(),
    DecimalNumber(),
    DateOnly(),
    Boolean(),
)
#: Fifty fields: ten of each kind.
FIELDS = {f"field_{n:02d}": _KINDS[n % len(_KINDS)] for n in range(50)}

_DECLARE = (
    lambda: fields.text(255),
    fields.integer,
    lambda: fields.decimal(4),
    fields.date,
    fields.boolean,
)
Typed = cast(
    type[Record],
    entity("typed", plural="typed")(
        type(
            "Typed",
            (Record,),
            {
                **{name: _DECLARE[n % 5]() for n, name in enumerate(FIELDS)},
                "__annotations__": dict.fromkeys(FIELDS, Any),
                "__module__": __name__,
            },
        )
    ),
)


@entity("shaped", plural="shaped")
class Shaped(Record):
    """The same, with everything in custom fields."""


@entity("ranked", plural="ranked")
class Ranked(Record):
    """A million of them are filtered by one custom field."""


_CUSTOM = {
    Shaped: [fields.custom(name, kind) for name, kind in FIELDS.items()],
    Ranked: [fields.custom("rank", Integer(), indexed=True)],
}


def values(number: int) -> dict[str, Any]:
    """Return a value for each of the fifty fields."""
    made: tuple[Any, ...] = (
        f"Text number {number}",
        number,
        Decimal(number) / 100,
        date(2020, 1, 1) + timedelta(days=number % 2_000),
        number % 2 == 0,
    )
    return {name: made[n % len(made)] for n, name in enumerate(FIELDS)}


class SchemaBenchmark:
    """The measurements on one store."""

    def __init__(self, crm: CRM, report: Report, rounds: int) -> None:
        self._crm, self._report, self._rounds = crm, report, rounds
        self._numbers = count()

    def create(self) -> None:
        """Create records with fifty values, custom and typed."""

        def create(kind: type[Record], given: list[dict[str, Any]]) -> None:
            with self._crm.session(SYSTEM) as session:
                session.create_many([_record(kind, one) for one in given])

        times = in_turns(
            lambda given: create(Shaped, given),
            lambda given: create(Typed, given),
            lambda: [values(next(self._numbers)) for _ in range(BATCH)],
            rounds=self._rounds,
            runs=1,
        )
        self._add(f"create_{BATCH}_with_50_fields", times)

    def page(self) -> None:
        """List records with fifty values, custom and typed."""
        with self._crm.session(SYSTEM) as session:
            times = in_turns(
                lambda _: session.find(Shaped, limit=PAGE).items,
                lambda _: session.find(Typed, limit=PAGE).items,
                lambda: None,
                rounds=self._rounds,
                runs=5,
            )
        self._add(f"list_{PAGE}_with_50_fields", times)

    def filter(self, rows: int, by_hand: Any) -> None:
        """Filter by an indexed custom field, as a query written by hand does."""
        random = Random(20_261_127)
        with self._crm.session(SYSTEM) as session:

            def ours(rank: int) -> Any:
                return session.find(Ranked, F.rank == rank, limit=50).items

            assert list(ours(7)) == by_hand(7), "the records differ"
            assert ours(7), "nothing was compared"
            times = in_turns(
                ours,
                by_hand,
                lambda: random.randrange(rows // by_hand_filter.SHARED),
                rounds=self._rounds * 2,
                runs=20,
                warm_up=40,
            )
        self._add(f"filter_custom_field_of_{rows}", times)

    def describe(self) -> None:
        """Describe an entity: one that is at hand, and one asked for anew.

        Asking the CRM looks in the store whether an administrator changed anything.
        """
        known = self._crm.schema("shaped")
        self._described("describe_from_cache", known.describe, most=DESCRIBED)
        self._described(
            "describe_anew", lambda: self._crm.schema("shaped").describe(), most=None
        )

    def _described(
        self, name: str, describe: Callable[[], Any], *, most: float | None
    ) -> None:
        taken = median(seconds_of(lambda _: describe(), range(200)))
        self._report(
            Figure(
                benchmark=NAME,
                name=name,
                store=self._crm.store.name,
                value=taken * 1e3,
                unit="ms",
                target=None if most is None else "value < 1",
                met=None if most is None else taken < most,
            )
        )

    def _add(self, name: str, times: Any) -> None:
        store = self._crm.store.name
        self._report(compared(NAME, name, store, times, "ms", MOST))


def _record(kind: type[Record], given: dict[str, Any]) -> Record:
    return kind(custom=given) if kind is Shaped else kind(**given)


@contextmanager
def _opened(name: str) -> Iterator[tuple[CRM, Any]]:
    """Give a CRM and how to fill and ask the store by hand."""
    area = Area(name="benchmark", entities=(Typed, Shaped, Ranked))

    def made(store: Any) -> CRM:
        crm = CRM(store, areas=[area], fields=_CUSTOM)
        crm.install()
        return crm

    if name == "sqlite":
        with TemporaryDirectory(prefix="crmcore-benchmarks-") as folder:
            place = Path(folder) / "crm.db"
            crm = made(SQLStore(f"sqlite:///{place}"))
            yield crm, by_hand_filter.SQLiteFilter(str(place), Ranked)
            crm.close()
    elif name == "postgresql":
        with servers.postgresql(durable=True) as server:
            url = servers.create_database(server.url, "benchmark_schema")
            crm = made(SQLStore(url))
            yield crm, by_hand_filter.PostgreSQLFilter(url, Ranked)
            crm.close()
    elif name == "mariadb":
        with servers.mariadb(durable=True) as server:
            url = servers.create_database(server.url, "benchmark_schema")
            crm = made(SQLStore(url))
            yield crm, by_hand_filter.MariaDBFilter(url, Ranked)
            crm.close()
    else:
        with servers.mongodb(cache_gigabytes=2) as server:
            crm = made(MongoStore(server.url, database="benchmark_schema"))
            yield crm, by_hand_filter.MongoDBFilter(server.url, Ranked)
            crm.close()


def run(stores: list[str], rows: int, *, quick: bool, report: Report) -> None:
    """Measure everything on each of the stores."""
    for name in stores:
        with _opened(name) as (crm, by_hand):
            benchmark = SchemaBenchmark(crm, report, 5 if quick else 20)
            benchmark.create()
            benchmark.page()
            benchmark.describe()
            by_hand.fill(rows)
            if name != "mongodb":
                crm.close()  # later connections know how the rows are spread
            gc.collect()
            gc.freeze()
            benchmark.filter(rows, by_hand.ask)
            by_hand.close()
        gc.unfreeze()
