"""What a store has to do: small enough that a new adapter is a week's work.

``crmcore.testing.storage_suite`` proves an adapter. The obligations stand here, at each
method; adapters have no docstrings of their own but for what they do differently.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import attrs

from crmcore.criteria import AggregateQuery, Bound, Query
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

__all__ = [
    "Capabilities",
    "HealthReport",
    "MissingIndex",
    "QueryPlan",
    "Store",
    "Transaction",
]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a store can do; for whatever it cannot, ``reasons`` says why.

    ``durable``: data outlive the process. ``concurrent_writers``: several units of work
    may write at once. ``joins_host``: can write in the host's own transaction.
    ``savepoints``: part of a unit of work can be undone.
    """

    durable: bool = True
    concurrent_writers: bool = True
    joins_host: bool = True
    savepoints: bool = True
    reasons: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class HealthReport:
    """What ``crmcore doctor`` shows of a store: facts by name, and what is wrong."""

    facts: Mapping[str, str]
    problems: tuple[str, ...] = ()


@attrs.frozen
class MissingIndex:
    """An index that should be there: its name, and the field that asks for it.

    ``reason`` says why the server cannot have it; without one it can be built.
    """

    name: str
    field: str
    reason: str = ""


@attrs.frozen
class QueryPlan:
    """How a store answers a list now: with its present records and statistics.

    ``scans``: all records of the tenant are read, or as many until enough match.
    ``text`` is what the server says.
    """

    indexes: tuple[str, ...]
    scans: bool
    text: str

    @property
    def uses_index(self) -> bool:
        """Tell whether an index leads to the records."""
        return bool(self.indexes) and not self.scans


class Store(Protocol):
    """Keeps records of all tenants; opened once, shared by threads."""

    @property
    def name(self) -> str:
        """Return what kind of store this is: memory, sqlite, postgresql ..."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        ...

    def install(self, schema: Schema) -> None:
        """Create or upgrade tables, collections and indexes.

        - Does nothing where all is up to date; never loses data.
        - Safe when several processes call it at once.
        """
        ...

    def extend(self, schema: Schema) -> None:
        """Create the tables or collections of the schema's custom objects.

        - Cheap where they are there; safe when several processes call it at once.
        - Never part of a unit of work; called before it writes.
        """
        ...

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Build the missing indexes of custom fields and return their names.

        - Others go on writing meanwhile, where the server can do that.
        - Safe when several processes call it at once.
        """
        ...

    def missing_indexes(self, schema: Schema) -> tuple[MissingIndex, ...]:
        """Return the indexes that custom fields ask for and do not have.

        - One that the server cannot have is named with the reason.
        - Asks the server, so that an index that was dropped or broken counts.
        """
        ...

    def verify(self, schema: Schema) -> None:
        """Raise SchemaOutdated unless ``install`` has been run for ``schema``."""
        ...

    def transaction(
        self, tenant: str, schema: Schema, *, within: Any = None
    ) -> AbstractContextManager[Transaction]:
        """Return a context in which one unit of work reads and writes.

        - Reads see committed data until the first write, or ``begin_writing``; from
          then on everything is in one transaction that sees its own writes.
        - Leaving the context normally commits, leaving it by an exception rolls back.
        - ``within`` joins the host's transaction (SQLAlchemy ``Connection``, pymongo
          ``ClientSession``): the host commits; an exception undoes only what was done
          here, where the store has savepoints.
        - Driver errors come out as errors of ``crmcore.errors``: Conflict for
          serialisation failures, deadlocks and lock time-outs, StoreUnavailable for
          lost connections (with ``outcome_unknown=True`` when lost during the commit),
          StorageFull.
        """
        ...

    def retrying(self, work: Callable[[], T], randomness: Randomness) -> T:
        """Run ``work`` and run it again, a bounded number of times, on Conflict.

        - Waits a growing, random time in between, drawn from ``randomness``.
        - StoreUnavailable without ``outcome_unknown`` is retried as well.
        - The last error is raised as it is.
        """
        ...

    def health(self, schema: Schema) -> HealthReport:
        """Return versions, reachability, schema state and set-up, without raising."""
        ...

    def close(self) -> None:
        """Give all connections back; the store cannot be used afterwards."""
        ...


class Transaction(Protocol):
    """One unit of work on the records of one tenant."""

    def begin_writing(self) -> None:
        """Start the write transaction now, so that what is read next is locked in.

        Called by each writing verb before it loads; further calls do nothing.
        """
        ...

    def load(
        self, entity: EntityDef, ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, Record]:
        """Return the records with these ids, deleted ones too, missing ones left out.

        - One statement, whatever the number of ids.
        - ``lock`` keeps other writers away from the rows until the end, where the
          server has row locks.
        """
        ...

    def select(self, query: Query) -> list[Record]:
        """Return the matching records in order, at most ``query.limit``.

        - Filter, order, boundary and limit are all done by the server.
        """
        ...

    def explain(self, query: Query) -> QueryPlan:
        """Return how ``select`` would answer; nothing is read."""
        ...

    def stream(self, query: Query, chunk: int = 1_000) -> Iterator[list[Record]]:
        """Yield the matching records in lists of at most ``chunk``, in bounded memory."""
        ...

    def count(self, entity: EntityDef, where: Bound, cap: int | None = None) -> int:
        """Return how many records match; stop counting at ``cap``."""
        ...

    def aggregate(self, query: AggregateQuery) -> list[tuple[Any, ...]]:
        """Return one tuple per group: keys, then measures, in stored form.

        - Without groups there is exactly one tuple, also when nothing matches.
        - Sums are exact whatever their size; a sum, minimum or maximum over no value
          is None.
        """
        ...

    def insert(self, entity: EntityDef, batch: Sequence[Insertion]) -> None:
        """Store new records with their match keys."""
        ...

    def update(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        """Store new versions and their match keys.

        - Raises StaleRecord naming one record whose stored version is not the old one.
        """
        ...

    def purge(self, entity: EntityDef, ids: Collection[UUID]) -> None:
        """Remove records for good, with their match keys and claims."""
        ...

    def match(
        self, entity: EntityDef, keys: Collection[str], limit: int
    ) -> list[MatchHit]:
        """Return records that share one of the match keys, ``limit`` per key at most.

        - Found by index only. Keys that more records share are cut off at ``limit``.
        """
        ...

    def claim(self, claims: Sequence[Claim]) -> list[Claim]:
        """Take unique values; return those that other records hold, as they are held.

        - A claim that the same record holds already is fine.
        - When any is taken, the caller gives the unit of work up.
        - Of two concurrent units of work that claim one value, at most one commits.
        """
        ...

    def holders(self, wanted: Sequence[tuple[str, str]]) -> list[Claim]:
        """Return who holds these unique values (scope and key), free ones left out."""
        ...

    def release(self, claims: Sequence[Claim]) -> None:
        """Give unique values back; those that the record does not hold are left."""
        ...

    def next_numbers(self, sequence: str, count: int) -> int:
        """Take ``count`` numbers of a gapless sequence and return the first; from 1.

        - Numbers of a unit of work that rolls back are given again.
        """
        ...

    def current_number(self, sequence: str) -> int:
        """Return the last number given of a sequence, 0 where none was given yet."""
        ...

    def current_numbers(self, sequences: Sequence[str]) -> dict[str, int]:
        """Return the last number given of each sequence, in one statement."""
        ...

    def append(self, history: Sequence[HistoryEntry], events: Sequence[Event]) -> None:
        """Write history entries and outbox events."""
        ...

    def history(self, entity: EntityDef, record_id: UUID) -> list[HistoryEntry]:
        """Return what happened to a record, oldest first."""
        ...

    def take_events(
        self, limit: int, now: datetime, lease_until: datetime
    ) -> list[Event]:
        """Lease undelivered events, oldest first; others do not get them until then.

        - Claims by state, never by a cursor, so that a late commit is not skipped.
        """
        ...

    def finish_events(self, ids: Collection[UUID]) -> None:
        """Mark leased events as delivered."""
        ...

    def begin_operation(self, operation: Operation) -> Operation | None:
        """Take an operation key, or return the operation that was done under it.

        - Of two concurrent units of work with one key, the second waits for the first
          or is refused with Conflict; it never does the work as well.
        """
        ...

    def finish_operation(self, operation: Operation) -> None:
        """Store the journal of the operation that this unit of work began."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Return a context whose exception undoes only what was done inside it."""
        ...
