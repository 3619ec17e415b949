"""One unit of work on MongoDB; obligations stand in ``crmcore.storage.Transaction``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from pymongo import UpdateOne
from pymongo.cursor import Cursor

from crmcore.criteria import AggregateQuery, Bound, Query
from crmcore.errors import StaleRecord
from crmcore.records import EntityDef, Record
from crmcore.storage import (
    Claim,
    Event,
    HistoryEntry,
    Insertion,
    MatchHit,
    Operation,
    QueryPlan,
    Update,
)
from crmcore_mongo import aggregation, journal, matching, operations
from crmcore_mongo import claims as unique_values
from crmcore_mongo.conditions import (
    collection_name,
    columns_in,
    conditions,
    joins,
    selection,
)
from crmcore_mongo.documents import documents_of
from crmcore_mongo.errors import translating
from crmcore_mongo.plans import explained
from crmcore_mongo.values import FOLDED, HOPS, ID, MATCH_KEYS, REFERENCES, TENANT
from crmcore_mongo.work import Work

__all__ = ["MongoTransaction"]

Document = dict[str, Any]
Found = Iterator[Mapping[str, Any]]

#: What records are not made of.
_UNREAD = ("_id", TENANT, FOLDED, MATCH_KEYS, REFERENCES)
_PROJECTION = dict.fromkeys(_UNREAD, 0)
_PROJECTION_OF_JOIN = [*_UNREAD, HOPS]


@attrs.frozen(eq=False)
class MongoTransaction:
    """One unit of work.

    MongoDB locks no rows for readers: ``lock`` does nothing, and a concurrent writer of
    the same record is met by the version check or a Conflict. There are no savepoints:
    an exception inside ``savepoint`` undoes nothing, so that the whole unit of work has
    to be given up.
    """

    _work: Work

    def begin_writing(self) -> None:
        with translating():
            self._work.begin()

    # -- reading ---------------------------------------------------------------------

    def load(
        self,
        entity: EntityDef,
        ids: Collection[UUID],
        *,
        lock: bool = False,
    ) -> dict[UUID, Record]:
        wanted = list(ids)
        if not wanted:
            return {}
        one = len(wanted) == 1
        condition = {
            TENANT: self._work.tenant,
            ID: wanted[0] if one else {"$in": wanted},
        }
        record, documents = documents_of(entity).record, {}
        with translating():
            found = self._find(entity, condition, limit=len(wanted))
            for document in found:
                documents[document[ID]] = record(entity, document)
        return documents

    def _find(
        self, entity: EntityDef, condition: Document, **options: Any
    ) -> Cursor[Document]:
        limit = options.get("limit")
        if limit and options.get("batch_size", limit) >= limit:
            # One more than the limit, so that the server closes the cursor at once.
            options["batch_size"] = limit + 1
        return self._work.collection(collection_name(entity)).find(
            condition, _PROJECTION, session=self._work.session, **options
        )

    def select(self, query: Query) -> list[Record]:
        if query.limit == 0:
            return []
        entity, record = query.entity, documents_of(query.entity).record
        with translating():
            found = self._selected(query, query.limit)
            return [record(entity, document) for document in found]

    def explain(self, query: Query) -> QueryPlan:
        with translating():
            return explained(self._work, query)

    def stream(self, query: Query, chunk: int = 1_000) -> Iterator[list[Record]]:
        if query.limit == 0:
            return
        entity, record = query.entity, documents_of(query.entity).record
        records: list[Record] = []
        with translating():
            for document in self._selected(query, chunk):
                records.append(record(entity, document))
                if len(records) == chunk:
                    yield records
                    records = []
        if records:
            yield records

    def _selected(self, query: Query, batch: int | None) -> Found:
        """Return the documents of a list, fetched ``batch`` at a time where given."""
        chosen = selection(self._work.tenant, query)
        if chosen.is_empty:
            return iter(())
        if not chosen.joins:
            return self._find(
                query.entity,
                chosen.filter,
                sort=chosen.sort,
                limit=query.limit or 0,
                allow_disk_use=True,
                batch_size=batch or 0,
            )
        stages = [*chosen.pipeline(query.limit), {"$unset": _PROJECTION_OF_JOIN}]
        return self._aggregated(query.entity, stages, batch)

    def _aggregated(
        self, entity: EntityDef, stages: list[Document], batch: int | None = None
    ) -> Found:
        return self._work.collection(collection_name(entity)).aggregate(
            stages, session=self._work.session, allowDiskUse=True, batchSize=batch
        )

    def count(self, entity: EntityDef, where: Bound, cap: int | None = None) -> int:
        if cap == 0:
            return 0
        tenant = self._work.tenant
        near, far = conditions(tenant, where)
        stages = [{"$match": near}, *joins(tenant, columns_in(where))]
        if far:
            stages.append({"$match": far})
        if cap is not None:
            stages.append({"$limit": cap})
        stages.append({"$count": "number"})
        with translating():
            found = list(self._aggregated(entity, stages))
        return int(found[0]["number"]) if found else 0

    def aggregate(self, query: AggregateQuery) -> list[tuple[Any, ...]]:
        stages = aggregation.pipeline(self._work.tenant, query)
        with translating():
            return aggregation.rows(query, self._aggregated(query.entity, stages))

    def match(
        self, entity: EntityDef, keys: Collection[str], limit: int
    ) -> list[MatchHit]:
        with translating():
            return matching.match(self._work, entity, keys, limit)

    def history(self, entity: EntityDef, record_id: UUID) -> list[HistoryEntry]:
        with translating():
            return journal.history(self._work, entity, record_id)

    def holders(self, wanted: Sequence[tuple[str, str]]) -> list[Claim]:
        with translating():
            return unique_values.holders(self._work, wanted)

    def current_number(self, sequence: str) -> int:
        with translating():
            return operations.current_numbers(self._work, (sequence,))[sequence]

    def current_numbers(self, sequences: Sequence[str]) -> dict[str, int]:
        with translating():
            return operations.current_numbers(self._work, sequences)

    # -- writing ---------------------------------------------------------------------

    def insert(self, entity: EntityDef, batch: Sequence[Insertion]) -> None:
        if not batch:
            return
        document, tenant = documents_of(entity).document, self._work.tenant
        with translating():
            documents = [document(entity, tenant, i.record, i.keys) for i in batch]
            self._work.collection(collection_name(entity)).insert_many(
                documents, session=self._work.begin()
            )

    def update(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        if not batch:
            return
        statements = [self._statement(entity, change) for change in batch]
        with translating():
            result = self._work.collection(collection_name(entity)).bulk_write(
                statements, session=self._work.begin()
            )
            if result.matched_count == len(batch):
                return
            stale = self._stale(entity, batch)
        raise StaleRecord(
            entity=entity.name, id=stale.old.id, expected=stale.old.version
        )

    def _statement(self, entity: EntityDef, change: Update) -> UpdateOne:
        old, new = change.old, change.new
        filled, emptied = documents_of(entity).changes(entity, old, new)
        if change.keys != change.old_keys:
            filled[MATCH_KEYS] = list(change.keys)
        modification = {"$set": filled, "$unset": emptied}
        return UpdateOne(
            {TENANT: self._work.tenant, ID: old.id, "version": old.version},
            {name: paths for name, paths in modification.items() if paths},
        )

    def _stale(self, entity: EntityDef, batch: Sequence[Update]) -> Update:
        """Return an update that found no record of its version.

        The others have been carried out by now, so that a stale one is known by its
        record being something else than its new version.
        """
        last = {change.new.id: change for change in batch}
        stored = self.load(entity, last)
        for change in last.values():
            if stored.get(change.new.id) != change.new:
                return change
        return batch[0]

    def purge(self, entity: EntityDef, ids: Collection[UUID]) -> None:
        condition = {TENANT: self._work.tenant, ID: {"$in": list(ids)}}
        with translating():
            self._work.collection(collection_name(entity)).delete_many(
                condition, session=self._work.begin()
            )
            unique_values.purge_claims(self._work, ids)

    def claim(self, claims: Sequence[Claim]) -> list[Claim]:
        with translating():
            return unique_values.claim(self._work, claims)

    def release(self, claims: Sequence[Claim]) -> None:
        with translating():
            unique_values.release(self._work, claims)

    def next_numbers(self, sequence: str, count: int) -> int:
        with translating():
            return operations.next_numbers(self._work, sequence, count)

    def append(self, history: Sequence[HistoryEntry], events: Sequence[Event]) -> None:
        with translating():
            journal.append(self._work, history, events)

    def take_events(
        self, limit: int, now: datetime, lease_until: datetime
    ) -> list[Event]:
        with translating():
            return journal.take_events(self._work, limit, now, lease_until)

    def finish_events(self, ids: Collection[UUID]) -> None:
        with translating():
            journal.finish_events(self._work, ids)

    def begin_operation(self, operation: Operation) -> Operation | None:
        def take() -> Operation | None:
            with translating():
                return operations.begin_operation(self._work, operation)

        return self._work.first(take)

    def finish_operation(self, operation: Operation) -> None:
        with translating():
            operations.finish_operation(self._work, operation)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        yield
