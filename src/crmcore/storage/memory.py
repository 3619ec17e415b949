"""The in-memory store: the same answers as a database, for tests and small tools."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmcore.criteria import (
    AggregateQuery,
    Bound,
    Query,
    predicate,
    sort_key,
    values_after,
)
from crmcore.errors import Conflict, CRMError, StaleRecord, StoreRefused
from crmcore.ports import Randomness
from crmcore.records import EntityDef, Record, Schema
from crmcore.storage.changes import (
    Claim,
    Event,
    HistoryEntry,
    Insertion,
    MatchHit,
    Operation,
    Update,
)
from crmcore.storage.grouping import aggregate
from crmcore.storage.protocols import (
    Capabilities,
    HealthReport,
    MissingIndex,
    QueryPlan,
)

__all__ = ["MemoryStore"]

T = TypeVar("T")
Key = tuple[str, str]  # tenant and entity

#: How often a unit of work is run; from the second time on it has its turn at once.
ATTEMPTS = 16


@attrs.define
class _Data:
    """Everything that is stored. Records are frozen, so that copies may share them."""

    records: dict[Key, dict[UUID, Record]] = attrs.field(factory=dict)
    keys: dict[tuple[str, str, str], frozenset[UUID]] = attrs.field(factory=dict)
    claims: dict[tuple[str, str, str], UUID] = attrs.field(factory=dict)
    numbers: dict[tuple[str, str], int] = attrs.field(factory=dict)
    history: dict[tuple[str, UUID], tuple[HistoryEntry, ...]] = attrs.field(
        factory=dict
    )
    events: dict[tuple[str, UUID], tuple[Event, datetime | None]] = attrs.field(
        factory=dict
    )
    operations: dict[tuple[str, str], Operation] = attrs.field(factory=dict)


class _Undo:
    """Remembers what dictionaries held before a write, so that it can be put back."""

    def __init__(self) -> None:
        self._steps: list[tuple[dict[Any, Any], Any, Any]] = []

    def set(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        self._steps.append((target, key, target.get(key, _MISSING)))
        target[key] = value

    def remove(self, target: dict[Any, Any], key: Any) -> None:
        if key in target:
            self._steps.append((target, key, target[key]))
            del target[key]

    def mark(self) -> int:
        return len(self._steps)

    def back_to(self, mark: int) -> None:
        while len(self._steps) > mark:
            target, key, old = self._steps.pop()
            if old is _MISSING:
                target.pop(key, None)
            else:
                target[key] = old


_MISSING: Any = object()


class MemoryStore:
    """Keeps records in this process; writers take turns, readers wait for a writer."""

    name = "memory"
    capabilities = Capabilities(
        durable=False,
        concurrent_writers=False,
        joins_host=False,
        reasons={
            "durable": "the data live as long as the process",
            "concurrent_writers": "one writer at a time holds the store's lock",
            "joins_host": "there is no database transaction to join",
        },
    )

    def __init__(self) -> None:
        self._data = _Data()
        self._lock = threading.RLock()

    def install(self, schema: Schema) -> None:
        """Do nothing: there is nothing to create."""

    def extend(self, schema: Schema) -> None:
        """Do nothing: records of new entities find their place."""

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Build nothing: there are no indexes."""
        return ()

    def missing_indexes(self, schema: Schema) -> tuple[MissingIndex, ...]:
        """Return nothing: no index is wanted."""
        return ()

    def verify(self, schema: Schema) -> None:
        """Do nothing: the schema is always current."""

    @contextmanager
    def transaction(
        self, tenant: str, schema: Schema, *, within: Any = None
    ) -> Iterator[MemoryTransaction]:
        """Give a unit of work; see :class:`crmcore.storage.Store`."""
        if within is not None:
            raise StoreRefused(problem=self.capabilities.reasons["joins_host"])
        transaction = MemoryTransaction(self._data, self._lock, tenant)
        try:
            yield transaction
        except BaseException:
            transaction.roll_back()
            raise
        finally:
            transaction.end()

    def retrying(self, work: Callable[[], T], randomness: Randomness) -> T:
        """Run ``work``, again where what it read was changed before it wrote."""
        for _ in range(ATTEMPTS - 1):
            try:
                return work()
            except CRMError as error:
                if not error.retryable:
                    raise
        return work()

    def health(self, schema: Schema) -> HealthReport:
        """Return how many records are held."""
        records = sum(len(table) for table in self._data.records.values())
        return HealthReport({"records": str(records)})

    def close(self) -> None:
        """Forget everything."""
        self._data = _Data()


class MemoryTransaction:
    """One unit of work; holds the store's lock from its first write to its end."""

    def __init__(self, data: _Data, lock: threading.RLock, tenant: str) -> None:
        self._data = data
        self._lock = lock
        self._tenant = tenant
        self._undo = _Undo()
        self._writing = False

    def begin_writing(self) -> None:
        if not self._writing:
            self._lock.acquire()
            self._writing = True

    def roll_back(self) -> None:
        self._undo.back_to(0)

    def end(self) -> None:
        if self._writing:
            self._writing = False
            self._lock.release()

    def _table(self, entity: str) -> dict[UUID, Record]:
        return self._data.records.setdefault((self._tenant, entity), {})

    def _follow(self, entity: str, identity: UUID) -> Record | None:
        return self._table(entity).get(identity)

    # -- reading ---------------------------------------------------------------------

    def load(
        self, entity: EntityDef, ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, Record]:
        with self._lock:
            table = self._table(entity.name)
            return {i: table[i] for i in ids if i in table}

    def _matching(self, entity: EntityDef, where: Bound) -> Iterator[Record]:
        with self._lock:
            records = list(self._table(entity.name).values())
        return filter(predicate(where, self._follow), records)

    def select(self, query: Query) -> list[Record]:
        found: Iterator[Record] = self._matching(query.entity, query.where)
        if query.after is not None:
            found = filter(values_after(query.order, query.after, self._follow), found)
        return sorted(found, key=sort_key(query.order, self._follow))[: query.limit]

    def explain(self, query: Query) -> QueryPlan:
        return QueryPlan((), scans=True, text="every record is looked at")

    def stream(self, query: Query, chunk: int = 1_000) -> Iterator[list[Record]]:
        found = self.select(query)
        for start in range(0, len(found), chunk):
            yield found[start : start + chunk]

    def count(self, entity: EntityDef, where: Bound, cap: int | None = None) -> int:
        return sum(1 for _ in islice(self._matching(entity, where), cap))

    def aggregate(self, query: AggregateQuery) -> list[tuple[Any, ...]]:
        found = self._matching(query.entity, query.where)
        return aggregate(query, found, self._follow)

    def match(
        self, entity: EntityDef, keys: Collection[str], limit: int
    ) -> list[MatchHit]:
        with self._lock:
            return [
                MatchHit(key, identity)
                for key in keys
                for identity in sorted(self._holders(entity.name, key))[:limit]
            ]

    def _holders(self, entity: str, key: str) -> frozenset[UUID]:
        return self._data.keys.get((self._tenant, entity, key), frozenset())

    def history(self, entity: EntityDef, record_id: UUID) -> list[HistoryEntry]:
        with self._lock:
            entries = self._data.history.get((self._tenant, record_id), ())
        return [entry for entry in entries if entry.entity == entity.name]

    # -- writing ---------------------------------------------------------------------

    def insert(self, entity: EntityDef, batch: Sequence[Insertion]) -> None:
        self.begin_writing()
        table = self._table(entity.name)
        for insertion in batch:
            if insertion.record.id in table:
                raise Conflict(entity=entity.name, id=insertion.record.id)
            self._undo.set(table, insertion.record.id, insertion.record)
            self._set_keys(
                entity.name, insertion.record.id, frozenset(), insertion.keys
            )

    def update(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        self.begin_writing()
        table = self._table(entity.name)
        for change in batch:
            stored = table.get(change.old.id)
            if stored is None or stored.version != change.old.version:
                raise StaleRecord(
                    entity=entity.name, id=change.old.id, expected=change.old.version
                )
            self._undo.set(table, change.new.id, change.new)
            self._set_keys(entity.name, change.new.id, change.old_keys, change.keys)

    def _set_keys(
        self, entity: str, identity: UUID, old: frozenset[str], new: frozenset[str]
    ) -> None:
        for key in old - new:
            remaining = self._holders(entity, key) - {identity}
            self._undo.set(self._data.keys, (self._tenant, entity, key), remaining)
        for key in new - old:
            holders = self._holders(entity, key) | {identity}
            self._undo.set(self._data.keys, (self._tenant, entity, key), holders)

    def purge(self, entity: EntityDef, ids: Collection[UUID]) -> None:
        self.begin_writing()
        gone = set(ids)
        for identity in gone:
            self._undo.remove(self._table(entity.name), identity)
        for place, holders in list(self._data.keys.items()):
            if place[:2] == (self._tenant, entity.name) and holders & gone:
                self._undo.set(self._data.keys, place, holders - gone)
        for claimed, holder in list(self._data.claims.items()):
            if claimed[0] == self._tenant and holder in gone:
                self._undo.remove(self._data.claims, claimed)

    def claim(self, claims: Sequence[Claim]) -> list[Claim]:
        self.begin_writing()
        taken = []
        for claim in claims:
            place = (self._tenant, claim.scope, claim.key)
            holder = self._data.claims.get(place)
            if holder is None:
                self._undo.set(self._data.claims, place, claim.record_id)
            elif holder != claim.record_id:
                taken.append(attrs.evolve(claim, record_id=holder))
        return taken

    def holders(self, wanted: Sequence[tuple[str, str]]) -> list[Claim]:
        with self._lock:
            return [
                Claim(scope, key, self._data.claims[self._tenant, scope, key])
                for scope, key in wanted
                if (self._tenant, scope, key) in self._data.claims
            ]

    def release(self, claims: Sequence[Claim]) -> None:
        self.begin_writing()
        for claim in claims:
            place = (self._tenant, claim.scope, claim.key)
            if self._data.claims.get(place) == claim.record_id:
                self._undo.remove(self._data.claims, place)

    def next_numbers(self, sequence: str, count: int) -> int:
        self.begin_writing()
        place = (self._tenant, sequence)
        last = self._data.numbers.get(place, 0)
        self._undo.set(self._data.numbers, place, last + count)
        return last + 1

    def current_number(self, sequence: str) -> int:
        with self._lock:
            return self._data.numbers.get((self._tenant, sequence), 0)

    def current_numbers(self, sequences: Sequence[str]) -> dict[str, int]:
        return {sequence: self.current_number(sequence) for sequence in sequences}

    def append(self, history: Sequence[HistoryEntry], events: Sequence[Event]) -> None:
        self.begin_writing()
        grouped: dict[tuple[str, UUID], list[HistoryEntry]] = defaultdict(list)
        for entry in history:
            grouped[self._tenant, entry.record_id].append(entry)
        for place, entries in grouped.items():
            present = self._data.history.get(place, ())
            self._undo.set(self._data.history, place, (*present, *entries))
        for event in events:
            self._undo.set(self._data.events, (self._tenant, event.id), (event, None))

    def take_events(
        self, limit: int, now: datetime, lease_until: datetime
    ) -> list[Event]:
        self.begin_writing()
        free = sorted(
            place
            for place, (_, leased) in self._data.events.items()
            if place[0] == self._tenant and (leased is None or leased <= now)
        )[:limit]
        events = [self._data.events[place][0] for place in free]
        for place, event in zip(free, events, strict=True):
            self._undo.set(self._data.events, place, (event, lease_until))
        return events

    def finish_events(self, ids: Collection[UUID]) -> None:
        self.begin_writing()
        for identity in ids:
            self._undo.remove(self._data.events, (self._tenant, identity))

    def begin_operation(self, operation: Operation) -> Operation | None:
        self.begin_writing()
        place = (self._tenant, operation.key)
        done = self._data.operations.get(place)
        if done is None:
            self._undo.set(self._data.operations, place, operation)
        return copy(done)

    def finish_operation(self, operation: Operation) -> None:
        place = (self._tenant, operation.key)
        self._undo.set(self._data.operations, place, operation)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        mark = self._undo.mark()
        try:
            yield
        except BaseException:
            self._undo.back_to(mark)
            raise
