"""One unit of work on the records of one tenant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import attrs
import sqlalchemy as sa

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
from crmcore_sql import keyset
from crmcore_sql.connections import Link
from crmcore_sql.journal import Journal
from crmcore_sql.keys import Keys
from crmcore_sql.mapping import (
    EntityMapping,
    Mappings,
    custom_text,
    folded_text,
    read_custom,
)
from crmcore_sql.plans import EXPLAIN, read_plan
from crmcore_sql.queries import Queries
from crmcore_sql.statements import Slots, Statement

__all__ = ["SQLTransaction"]


class SQLTransaction:
    """Implements :class:`crmcore.storage.Transaction` on a link."""

    def __init__(
        self,
        link: Link,
        tenant: str,
        mappings: Mappings,
        queries: Queries,
        keys: Keys,
        journal: Journal,
    ) -> None:
        self._link = link
        self._dialect = link.dialect
        self._tenant = tenant
        self._mappings = mappings
        self._queries = queries
        self._keys = keys
        self._journal = journal

    def begin_writing(self) -> None:
        self._link.begin_writing()

    # -- reading ---------------------------------------------------------------------

    def _records(self, entity: EntityDef, rows: Sequence[Any]) -> list[Record]:
        made = self._mappings.of(entity).converters.records
        custom: Callable[[Any], Any] = partial(read_custom, entity)
        if self._link.utc:
            return made(rows, custom)
        return made([self._dialect.in_utc(row) for row in rows], custom)

    def load(
        self, entity: EntityDef, ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, Record]:
        if not ids:
            return {}
        if lock:
            self._link.begin_writing()
        statement, arguments = self._loading(entity, ids, lock)
        rows = self._link.fetch(statement, arguments)
        return {record.id: record for record in self._records(entity, rows)}

    def _loading(
        self, entity: EntityDef, ids: Collection[UUID], lock: bool
    ) -> tuple[Statement, tuple[Any, ...]]:
        mapping = self._mappings.of(entity)
        if len(ids) == 1:
            (identity,) = ids
            statement = mapping.statements.get(
                ("load", lock), lambda slots: _load_one(mapping, lock, slots)
            )
            values = [self._tenant, self._dialect.uuid(identity)]
            return statement, statement.arguments(values)
        column = entity.columns_by_field["id"][0]
        kind, listed = self._dialect.in_values(column, list(ids), walking=False)

        def build(slots: Slots) -> sa.Select[Any]:
            tenant = mapping.table.c.tenant == slots.take()
            several: list[Any] = slots.take_many(len(listed))
            among = self._dialect.in_list(mapping.table.c.id, kind, several, column)
            return _loading(mapping, lock).where(tenant, among)

        statement = mapping.statements.get(("load", lock, kind), build, one_shot=True)
        return statement, statement.arguments([self._tenant, *listed])

    def select(self, query: Query) -> list[Record]:
        if query.lock:
            self._link.begin_writing()
        found: list[Record] = []
        for segment in keyset.segments(query):
            left = None if query.limit is None else query.limit - len(found)
            if left is not None and left <= 0:
                break
            rows = self._link.fetch(
                *self._queries.select(self._tenant, query, segment, left)
            )
            found += self._records(query.entity, rows)
        return found

    def explain(self, query: Query) -> QueryPlan:
        segment = keyset.segments(query)[0]
        statement, arguments = self._queries.select(
            self._tenant, query, segment, query.limit
        )
        server = self._dialect.name
        asked = attrs.evolve(
            statement, text=EXPLAIN[server] + statement.text, one_shot=True
        )
        return read_plan(server, query, self._link.fetch(asked, arguments))

    def stream(self, query: Query, chunk: int = 1_000) -> Iterator[list[Record]]:
        # By boundaries, not by a server-side cursor: between two chunks the caller may
        # write, and the connection holds nothing open.
        left = query.limit
        while left is None or left > 0:
            size = chunk if left is None else min(chunk, left)
            records, boundary = self._chunk(query, size)
            if records:
                yield records
            if boundary is None:
                return
            left = None if left is None else left - len(records)
            query = attrs.evolve(query, after=boundary)

    def _chunk(
        self, query: Query, size: int
    ) -> tuple[list[Record], tuple[Any, ...] | None]:
        """Return the next records and the boundary behind them, none at the end."""
        rows: list[Any] = []
        for segment in keyset.segments(query):
            if len(rows) < size:
                rows += self._link.fetch(
                    *self._queries.select(
                        self._tenant, query, segment, size - len(rows), with_keys=True
                    )
                )
        width = len(query.order)
        records = self._records(query.entity, [row[:-width] for row in rows])
        if len(rows) < size:
            return records, None
        boundary = tuple(
            self._dialect.from_database(sort.target.column, value)
            for sort, value in zip(query.order, rows[-1][-width:], strict=True)
        )
        return records, boundary

    def count(self, entity: EntityDef, where: Bound, cap: int | None = None) -> int:
        rows = self._link.fetch(*self._queries.count(self._tenant, entity, where, cap))
        return int(rows[0][0])

    def aggregate(self, query: AggregateQuery) -> list[tuple[Any, ...]]:
        rows = self._link.fetch(*self._queries.aggregate(self._tenant, query))
        return self._queries.groups_from(query, rows)

    def match(
        self, entity: EntityDef, keys: Collection[str], limit: int
    ) -> list[MatchHit]:
        return self._keys.match(entity.name, keys, limit)

    def history(self, entity: EntityDef, record_id: UUID) -> list[HistoryEntry]:
        return self._journal.history(entity.name, record_id)

    # -- writing records -------------------------------------------------------------

    def insert(self, entity: EntityDef, batch: Sequence[Insertion]) -> None:
        if not batch:
            return
        self._link.begin_writing()
        mapping = self._mappings.of(entity)
        make, tenant = mapping.converters.row, self._tenant
        rows = [
            make(
                tenant,
                each.record,
                custom_text(entity, each.record.custom),
                folded_text(entity, each.record),
            )
            for each in batch
        ]
        statement = mapping.statements.get(
            "insert", lambda slots: _insertion(mapping, slots)
        )
        self._link.insert_many(statement, mapping.table, rows)
        pairs = [(each.record.id, key) for each in batch for key in each.keys]
        self._keys.add(entity.name, pairs, new=True)

    def update(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        if not batch:
            return
        self._link.begin_writing()
        mapping = self._mappings.of(entity)
        by_shape: dict[tuple[str, ...], list[Update]] = {}
        for each in batch:
            by_shape.setdefault(_changed(mapping, each), []).append(each)
        for names, several in by_shape.items():
            self._update_alike(entity, mapping, names, several)
        self._update_keys(entity, batch)

    def _update_alike(
        self,
        entity: EntityDef,
        mapping: EntityMapping,
        names: tuple[str, ...],
        batch: list[Update],
    ) -> None:
        columns = _columns_of(entity, names)
        refolds = _refolds(entity, names)
        if refolds:
            columns.append("folded")
        statement = mapping.statements.get(
            ("update", names, refolds), lambda slots: _updating(mapping, columns, slots)
        )
        rows = []
        for each in batch:
            values = self._update_values(entity, mapping, names, each)
            if refolds:
                values.append(folded_text(entity, each.new))
            old = each.old
            values += (self._tenant, self._dialect.uuid(old.id), old.version)
            rows.append(statement.arguments(values))
        met = self._link.update_each(statement, rows)
        for each, hits in zip(batch, met, strict=True):
            if hits != 1:
                raise StaleRecord(
                    entity=entity.name, id=each.old.id, expected=each.old.version
                )

    def _update_values(
        self,
        entity: EntityDef,
        mapping: EntityMapping,
        names: tuple[str, ...],
        each: Update,
    ) -> list[Any]:
        parts = mapping.converters.parts
        values: list[Any] = []
        for name in names:
            if name == "custom":
                values.append(custom_text(entity, each.new.custom))
            else:
                values += parts[name](each.new)
        return values

    def _update_keys(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        gone = [(u.new.id, key) for u in batch for key in u.old_keys - u.keys]
        added = [(u.new.id, key) for u in batch for key in u.keys - u.old_keys]
        self._keys.remove(entity.name, gone)
        self._keys.add(entity.name, added, new=False)

    def purge(self, entity: EntityDef, ids: Collection[UUID]) -> None:
        if not ids:
            return
        self._link.begin_writing()
        mapping = self._mappings.of(entity)
        table = mapping.table
        statement = mapping.statements.get(
            "purge",
            lambda slots: sa.delete(table).where(
                table.c.tenant == slots.take(), table.c.id == slots.take()
            ),
        )
        uuid = self._dialect.uuid
        rows = [statement.arguments((self._tenant, uuid(i))) for i in ids]
        self._link.run_many(statement, rows)
        self._keys.purge(entity.name, ids)

    # -- writing beside records ------------------------------------------------------

    def claim(self, claims: Sequence[Claim]) -> list[Claim]:
        self._link.begin_writing()
        return self._keys.claim(claims)

    def holders(self, wanted: Sequence[tuple[str, str]]) -> list[Claim]:
        return self._keys.holders(wanted)

    def release(self, claims: Sequence[Claim]) -> None:
        self._link.begin_writing()
        self._keys.release(claims)

    def next_numbers(self, sequence: str, count: int) -> int:
        self._link.begin_writing()
        return self._journal.next_numbers(sequence, count)

    def current_number(self, sequence: str) -> int:
        return self._journal.current_number(sequence)

    def current_numbers(self, sequences: Sequence[str]) -> dict[str, int]:
        return self._journal.current_numbers(sequences)

    def append(self, history: Sequence[HistoryEntry], events: Sequence[Event]) -> None:
        self._link.begin_writing()
        self._journal.add_history(history)
        self._journal.add_events(events)

    def take_events(
        self, limit: int, now: datetime, lease_until: datetime
    ) -> list[Event]:
        self._link.begin_writing()
        return self._journal.take_events(limit, now, lease_until)

    def finish_events(self, ids: Collection[UUID]) -> None:
        self._link.begin_writing()
        self._journal.finish_events(ids)

    def begin_operation(self, operation: Operation) -> Operation | None:
        self._link.begin_writing()
        return self._journal.begin_operation(operation)

    def finish_operation(self, operation: Operation) -> None:
        self._link.begin_writing()
        self._journal.finish_operation(operation)

    def savepoint(self) -> AbstractContextManager[None]:
        return self._link.savepoint()


def _loading(mapping: EntityMapping, lock: bool) -> sa.Select[Any]:
    statement = sa.select(*mapping.read_columns)
    return statement.with_for_update() if lock else statement


def _load_one(mapping: EntityMapping, lock: bool, slots: Slots) -> sa.Select[Any]:
    columns = mapping.table.c
    return _loading(mapping, lock).where(
        columns.tenant == slots.take(), columns.id == slots.take()
    )


def _insertion(mapping: EntityMapping, slots: Slots) -> sa.Insert:
    values = {name: slots.take() for name in mapping.column_names}
    return sa.insert(mapping.table).values(values)


def _changed(mapping: EntityMapping, update: Update) -> tuple[str, ...]:
    """Return the fields to write: others keep their index entries untouched."""
    names = mapping.converters.changed(update.old, update.new)
    if "version" not in names:
        names = (*names, "version")
    if dict(update.old.custom) != dict(update.new.custom):
        names = (*names, "custom")
    return names


def _columns_of(entity: EntityDef, names: tuple[str, ...]) -> list[str]:
    columns = []
    for name in names:
        if name == "custom":
            columns.append(name)
        else:
            columns += [column.name for column in entity.columns_by_field[name]]
    return columns


def _refolds(entity: EntityDef, names: tuple[str, ...]) -> bool:
    """Return whether a change of the fields may change what is searched in."""
    return "custom" in names or any(f.name in names for f in entity.searchable_fields)


def _updating(mapping: EntityMapping, columns: list[str], slots: Slots) -> sa.Update:
    table = mapping.table
    values = {name: slots.take() for name in columns}
    return (
        sa.update(table)
        .values(values)
        .where(
            table.c.tenant == slots.take(),
            table.c.id == slots.take(),
            table.c.version == slots.take(),
        )
    )
