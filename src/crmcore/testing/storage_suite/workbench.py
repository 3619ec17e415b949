"""What all chapters share: a store with the suite's schema and a tenant of its own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache
from random import Random
from typing import Any, TypeVar, cast
from uuid import UUID
from weakref import WeakSet

import attrs
import pytest

from crmcore.criteria import (
    AggregateQuery,
    Binder,
    Bound,
    BoundGroup,
    BoundMeasure,
    BoundSort,
    Criteria,
    Everything,
    F,
    FieldExpression,
    Query,
    Sort,
    reader,
)
from crmcore.criteria.builder import path_of
from crmcore.records import Conventions, EntityDef, FieldDef, Record, Schema
from crmcore.storage import Capabilities, Insertion, Store, Transaction, Update
from crmcore.testing.clock import START
from crmcore.testing.ids import SeededIds
from crmcore.testing.specimens import Habitat, Specimen, specimen_schema

__all__ = ["Chapter", "Coverage", "Workbench", "coverage", "needs", "race"]

T = TypeVar("T")
R = TypeVar("R", bound=Record)

_installed: WeakSet[Any] = WeakSet()


@cache
def suite_schema() -> Schema:
    """Return the schema that the suite installs."""
    return specimen_schema()


class Workbench:
    """A store, the suite's schema and one tenant, with short ways to use them."""

    def __init__(self, store: Store, tenant: str) -> None:
        self.store = store
        self.schema = suite_schema()
        self.tenant = tenant
        self._ids = SeededIds(secrets.randbits(32))
        self._binder = Binder(self.schema, Conventions(), START)

    def transaction(
        self, tenant: str | None = None
    ) -> AbstractContextManager[Transaction]:
        """Open a unit of work of this tenant, or of another one."""
        return self.store.transaction(tenant or self.tenant, self.schema)

    def add_fields(self, kind: type[Record], *added: FieldDef) -> None:
        """Go on with a schema in which an entity has further custom fields."""
        self.schema = self.schema.extended(kind.entity_name(), added)
        self._binder = Binder(self.schema, Conventions(), START)
        self.store.install(self.schema)

    @property
    def binder(self) -> Binder:
        """Return what checks criteria, for the schema that the bench has now."""
        return attrs.evolve(self._binder, schema=self.schema)

    def entity(self, kind: type[Record]) -> EntityDef:
        """Return the definition of an entity."""
        return self.schema.entity(kind)

    def new_id(self) -> UUID:
        """Return an id greater than the last."""
        return self._ids.new()

    def new(self, kind: type[R], **values: Any) -> R:
        """Return a record as the core hands it to a store: with id, version, stamps."""
        system = {
            "id": self.new_id(),
            "version": 1,
            "created_at": START,
            "updated_at": START,
        }
        return kind(**{**system, **values})

    def specimen(self, **values: Any) -> Specimen:
        """Return a new specimen; it is not stored."""
        return self.new(Specimen, **values)

    def habitat(self, **values: Any) -> Habitat:
        """Return a new habitat; it is not stored."""
        return self.new(Habitat, **values)

    def add(self, *records: Record) -> None:
        """Store new records in one unit of work."""
        with self.transaction() as transaction:
            insert(transaction, self.schema, records)

    def specimens(self, name: str, values: Iterable[Any]) -> list[Specimen]:
        """Store one specimen for each value of one field and return them."""
        made = [self.specimen(**{name: value}) for value in values]
        self.add(*made)
        return made

    def change(self, record: R, **values: Any) -> R:
        """Store the next version of a record in a unit of work of its own."""
        new = following(record, **values)
        with self.transaction() as transaction:
            transaction.update(self.schema.entity(record), [Update(record, new)])
        return new

    def load(self, record: R) -> R | None:
        """Return the stored version of a record, None where there is none."""
        with self.transaction() as transaction:
            found = transaction.load(self.schema.entity(record), [record.id])
        stored = found.get(record.id)
        assert stored is None or isinstance(stored, type(record))
        return stored

    # -- asking ------------------------------------------------------------------------

    def bound(self, criteria: Criteria, kind: type[Record] = Specimen) -> Bound:
        """Return checked criteria."""
        return self.binder.criteria(self.entity(kind), criteria)

    def order(
        self, *sorts: Sort, kind: type[Record] = Specimen
    ) -> tuple[BoundSort, ...]:
        """Return a checked order, made total by the id."""
        return self.binder.order(self.entity(kind), sorts)

    def query(
        self,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *sorts: Sort,
        kind: type[Record] = Specimen,
        limit: int | None = None,
        after: tuple[Any, ...] | None = None,
    ) -> Query:
        """Return a list's query."""
        return Query(
            entity=self.entity(kind),
            where=self.bound(criteria, kind),
            order=self.order(*sorts, kind=kind),
            limit=limit,
            after=after,
        )

    def find(
        self,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *sorts: Sort,
        **options: Any,
    ) -> list[Any]:
        """Return the specimens that match, in order."""
        with self.transaction() as transaction:
            return transaction.select(self.query(criteria, *sorts, **options))

    def ids(self, criteria: Criteria) -> set[UUID]:
        """Return the ids of the specimens that match."""
        return {record.id for record in self.find(criteria)}

    def count(self, criteria: Criteria, cap: int | None = None) -> int:
        """Return how many specimens match."""
        with self.transaction() as transaction:
            return transaction.count(self.entity(Specimen), self.bound(criteria), cap)

    def boundary(self, record: Record, *sorts: Sort) -> tuple[Any, ...]:
        """Return the stored values of an order's keys, as a cursor keeps them."""
        with self.transaction() as transaction:

            def follow(entity: str, identity: UUID) -> Record | None:
                found = transaction.load(self.schema.entity(entity), [identity])
                return found.get(identity)

            order = self.order(*sorts)
            return tuple(reader(sort.target, follow)(record) for sort in order)

    def aggregate(
        self,
        *measures: tuple[str, FieldExpression | None],
        by: Iterable[tuple[FieldExpression, str | None]] = (),
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
    ) -> set[tuple[Any, ...]]:
        """Return the groups of specimens as the store gives them."""
        query = AggregateQuery(
            entity=self.entity(Specimen),
            where=self.bound(criteria),
            groups=tuple(
                BoundGroup(str(field), self._column(field), unit) for field, unit in by
            ),
            measures=tuple(
                BoundMeasure(function, None if field is None else self._column(field))
                for function, field in measures
            ),
        )
        with self.transaction() as transaction:
            rows = transaction.aggregate(query)
        assert len(rows) == len(set(rows))
        return set(rows)

    def _column(self, field: FieldExpression) -> Any:
        return self.binder.subject(self.entity(Specimen), path_of(field)).column()


def insert(transaction: Transaction, schema: Schema, records: Iterable[Record]) -> None:
    """Insert records of any entities."""
    grouped: dict[str, list[Insertion]] = {}
    for record in records:
        grouped.setdefault(record.entity_name(), []).append(Insertion(record))
    for name, batch in grouped.items():
        transaction.insert(schema.entity(name), batch)


def following(record: R, **values: Any) -> R:
    """Return the next version of a record."""
    changed: R = attrs.evolve(cast(Any, record), version=record.version + 1, **values)
    return changed


def named(*values: str) -> Criteria:
    """Return the condition that a specimen has one of these names."""
    return F.name.in_(values)


def race(*works: Callable[[], T], patience: float = 120.0) -> list[T | BaseException]:
    """Run all works at once, each in a thread; return what came out of each."""
    outcomes: list[T | BaseException] = [TimeoutError()] * len(works)
    start = threading.Barrier(len(works))

    def run(place: int, work: Callable[[], T]) -> None:
        try:
            start.wait(patience)
            outcomes[place] = work()
        except BaseException as error:  # noqa: BLE001 - outcomes are compared
            outcomes[place] = error

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
    return outcomes


def randomness() -> Random:
    """Return randomness for the waits of retries."""
    return Random(7)  # noqa: S311 - repeatable on purpose


# -- capabilities ----------------------------------------------------------------------


def needs(capability: str) -> Callable[[T], T]:
    """Mark a test that a store without this capability cannot pass."""

    def mark(test: T) -> T:
        test.needed_capability = capability  # type: ignore[attr-defined]
        return test

    return mark


@attrs.frozen
class Coverage:
    """How many tests of the suite a store runs; the closed ones with their reasons."""

    run: int
    closed: dict[str, str]

    def __str__(self) -> str:
        return f"{self.run} run / {len(self.closed)} closed"


def coverage(suite: type[Any], capabilities: Capabilities) -> Coverage:
    """Return which tests of a suite a store with these capabilities runs."""
    tests = {name: getattr(suite, name) for name in dir(suite)}
    needed = {
        name: getattr(test, "needed_capability", None)
        for name, test in tests.items()
        if name.startswith("test_")
    }
    closed = {
        name: reason_of(capability, capabilities)
        for name, capability in needed.items()
        if capability is not None and not getattr(capabilities, capability)
    }
    return Coverage(len(needed) - len(closed), closed)


def reason_of(capability: str, capabilities: Capabilities) -> str:
    """Return why a capability is closed; fails where nobody wrote it down."""
    reason = capabilities.reasons.get(capability, "").strip()
    assert reason, f"{capability} is closed without a reason"
    return reason


class Chapter:
    """What every chapter has: the fixtures of the suite."""

    @pytest.fixture(autouse=True)
    def _only_with_its_capability(
        self, request: pytest.FixtureRequest, store: Store
    ) -> None:
        capability = getattr(request.function, "needed_capability", None)
        if capability is not None and not getattr(store.capabilities, capability):
            reason = reason_of(capability, store.capabilities)
            pytest.skip(f"{capability} is closed on {store.name}: {reason}")

    @pytest.fixture
    def bench(self, store: Store) -> Workbench:
        """Give a workbench in a tenant that no other test uses."""
        if store not in _installed:
            store.install(suite_schema())
            _installed.add(store)
        return Workbench(store, f"suite-{secrets.token_hex(6)}")
