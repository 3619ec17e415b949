"""What is kept beside records: history, outbox events, operations and numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import sqlalchemy as sa

from crmcore.errors import Conflict
from crmcore.storage import Event, FieldChange, HistoryEntry, Operation
from crmcore_sql.connections import Link
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import dumps
from crmcore_sql.keys import insertion, stored_key
from crmcore_sql.statements import Slots, StatementCache
from crmcore_sql.tables import Infrastructure

__all__ = ["Journal"]


@attrs.frozen(eq=False)
class Journal:
    """History, events, operations and numbers of one tenant in one unit of work."""

    link: Link
    tables: Infrastructure
    statements: StatementCache
    tenant: str

    @property
    def _dialect(self) -> Dialect:
        return self.link.dialect

    def _by(self, actor: UUID | None) -> Any:
        return None if actor is None else self._dialect.uuid(actor)

    def _actor(self, value: Any) -> UUID | None:
        return None if value is None else self._dialect.uuid_from(value)

    # -- history ---------------------------------------------------------------------

    def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append history entries."""
        if entries:
            table = self.tables.history
            rows = [self._history_row(entry) for entry in entries]
            self.link.insert_many(insertion(self.statements, table), table, rows)

    def _history_row(self, entry: HistoryEntry) -> tuple[Any, ...]:
        return (
            self.tenant,
            entry.entity,
            self._dialect.uuid(entry.record_id),
            entry.version,
            entry.action,
            self._dialect.moment(entry.at),
            self._by(entry.by),
            dumps([[c.field, c.old, c.new] for c in entry.changes]),
        )

    def history(self, entity: str, record_id: UUID) -> list[HistoryEntry]:
        """Return what happened to a record, oldest first."""
        statement = self.statements.get("history", self._history)
        values = (self.tenant, self._dialect.uuid(record_id), entity)
        rows = self.link.fetch(statement, statement.arguments(values))
        return [
            HistoryEntry(
                entity=entity,
                record_id=record_id,
                version=version,
                action=action,
                at=self._dialect.moment_from(at),
                by=self._actor(by),
                changes=tuple(
                    FieldChange(*change) for change in self._dialect.json_from(changes)
                ),
            )
            for version, action, at, by, changes in rows
        ]

    def _history(self, slots: Slots) -> sa.Select[Any]:
        table = self.tables.history
        return (
            sa.select(
                table.c.version,
                table.c.action,
                table.c.at,
                table.c.by,
                table.c.changes,
            )
            .where(
                table.c.tenant == slots.take(),
                table.c.record_id == slots.take(),
                table.c.entity == slots.take(),
            )
            .order_by(table.c.seq)
        )

    # -- events ----------------------------------------------------------------------

    def add_events(self, events: Sequence[Event]) -> None:
        """Write outbox events."""
        if events:
            table = self.tables.outbox
            rows = [self._event_row(event) for event in events]
            self.link.insert_many(insertion(self.statements, table), table, rows)

    def _event_row(self, event: Event) -> tuple[Any, ...]:
        return (
            self.tenant,
            self._dialect.uuid(event.id),
            event.kind,
            event.entity,
            self._dialect.uuid(event.record_id),
            event.version,
            self._dialect.moment(event.at),
            self._by(event.by),
            dumps(dict(event.payload)),
            None,
        )

    def take_events(
        self, limit: int, now: datetime, lease_until: datetime
    ) -> list[Event]:
        """Lease undelivered events, oldest first."""
        statement = self.statements.get("events.free", self._free_events)
        values = (self.tenant, self._dialect.moment(now), limit)
        rows = self.link.fetch(statement, statement.arguments(values))
        lease = self.statements.get("events.lease", self._lease)
        until = self._dialect.moment(lease_until)
        leased = [lease.arguments((until, self.tenant, row[0])) for row in rows]
        if leased:
            self.link.run_many(lease, leased)
        return [self._event(row) for row in rows]

    def _free_events(self, slots: Slots) -> sa.Select[Any]:
        table = self.tables.outbox
        tenant, now = slots.take(), slots.take()
        columns = [c for c in table.c if c.name not in {"tenant", "leased_until"}]
        free = table.c.leased_until.is_(None) | (table.c.leased_until <= now)
        return (
            sa.select(*columns)
            .where(table.c.tenant == tenant, free)
            .order_by(table.c.id)
            .limit(slots.take(sa.Integer()))
            .with_for_update(skip_locked=True)
        )

    def _lease(self, slots: Slots) -> sa.Update:
        table = self.tables.outbox
        return (
            sa.update(table)
            .values(leased_until=slots.take())
            .where(table.c.tenant == slots.take(), table.c.id == slots.take())
        )

    def _event(self, row: Sequence[Any]) -> Event:
        identity, kind, entity, record_id, version, at, by, payload = row
        return Event(
            id=self._dialect.uuid_from(identity),
            kind=kind,
            entity=entity,
            record_id=self._dialect.uuid_from(record_id),
            version=version,
            at=self._dialect.moment_from(at),
            by=self._actor(by),
            payload=self._dialect.json_from(payload),
        )

    def finish_events(self, ids: Collection[UUID]) -> None:
        """Remove delivered events."""
        table = self.tables.outbox
        statement = self.statements.get(
            "events.finish",
            lambda slots: sa.delete(table).where(
                table.c.tenant == slots.take(), table.c.id == slots.take()
            ),
        )
        uuid = self._dialect.uuid
        rows = [statement.arguments((self.tenant, uuid(identity))) for identity in ids]
        if rows:
            self.link.run_many(statement, rows)

    # -- operations ------------------------------------------------------------------

    def begin_operation(self, operation: Operation) -> Operation | None:
        """Take an operation key, or return what was done under it."""
        table = self.tables.operation
        statement = self.statements.get(
            "operation.begin",
            lambda slots: self._dialect.insert_ignoring(
                table, {column.name: slots.take() for column in table.c}
            ),
        )
        values = self._operation_row(operation)
        if self.link.run(statement, statement.arguments(values)) == 1:
            return None
        return self._done(operation.key)

    def _operation_row(self, operation: Operation) -> tuple[Any, ...]:
        return (
            self.tenant,
            stored_key(operation.key),
            self._dialect.moment(operation.at),
            self._by(operation.by),
            dumps([dict(step) for step in operation.journal]),
        )

    def _done(self, key: str) -> Operation:
        table = self.tables.operation
        statement = self.statements.get(
            "operation.done",
            lambda slots: (
                sa.select(table.c.at, table.c.by, table.c.journal)
                .where(table.c.tenant == slots.take(), table.c.key == slots.take())
                .with_for_update(read=True)
            ),
        )
        rows = self.link.fetch(
            statement, statement.arguments((self.tenant, stored_key(key)))
        )
        if not rows:
            raise Conflict  # given up by its first user just now
        at, by, journal = rows[0]
        return Operation(
            key=key,
            at=self._dialect.moment_from(at),
            by=self._actor(by),
            journal=tuple(self._dialect.json_from(journal)),
        )

    def finish_operation(self, operation: Operation) -> None:
        """Store the journal of an operation."""
        table = self.tables.operation
        statement = self.statements.get(
            "operation.finish",
            lambda slots: (
                sa.update(table)
                .values(at=slots.take(), by=slots.take(), journal=slots.take())
                .where(table.c.tenant == slots.take(), table.c.key == slots.take())
            ),
        )
        tenant, key, at, by, journal = self._operation_row(operation)
        self.link.run(statement, statement.arguments((at, by, journal, tenant, key)))

    # -- numbers ---------------------------------------------------------------------

    def next_numbers(self, sequence: str, count: int) -> int:
        """Take numbers of a gapless sequence and return the first."""
        table = self.tables.sequence
        name = stored_key(sequence)
        take = self.statements.get(
            "numbers.take",
            lambda slots: self._dialect.insert_adding(
                table,
                {column.name: slots.take() for column in table.c},
                ("tenant", "name"),
                "last",
            ),
        )
        self.link.run(take, take.arguments((self.tenant, name, count)))
        return self.current_number(sequence) - count + 1

    def current_number(self, sequence: str) -> int:
        """Return the last number given of a sequence, 0 where none was."""
        return self.current_numbers((sequence,))[sequence]

    def current_numbers(self, sequences: Sequence[str]) -> dict[str, int]:
        """Return the last number given of each sequence."""
        table = self.tables.sequence
        names = [stored_key(sequence) for sequence in sequences]
        last = self.statements.get(
            ("numbers.last", len(names)),
            lambda slots: sa.select(table.c.name, table.c.last).where(
                table.c.tenant == slots.take(),
                table.c.name.in_(slots.take_many(len(names))),
            ),
        )
        rows = self.link.fetch(last, last.arguments((self.tenant, *names)))
        found = {name: int(number) for name, number in rows}
        return {
            sequence: found.get(name, 0)
            for sequence, name in zip(sequences, names, strict=True)
        }
