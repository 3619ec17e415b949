"""Match keys and unique values: shared keys are found, unique ones are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import attrs
import sqlalchemy as sa

from crmcore.errors import Conflict
from crmcore.records import FieldDef, Text
from crmcore.records.field_definitions import columns_of
from crmcore.storage import Claim, MatchHit
from crmcore_sql.connections import Link
from crmcore_sql.dialects import Dialect
from crmcore_sql.statements import Slots, Statement, StatementCache
from crmcore_sql.tables import KEY_LENGTH, Infrastructure

__all__ = ["Keys", "stored_key"]

#: Keys looked up by one statement, where the server is asked for several at once.
KEYS_AT_ONCE = 200
#: So many records share a key, on average, before each key is looked up by itself.
FEW_HOLDERS = 5
#: Stands for the column ``key``, in lists of values.
KEY_COLUMN = columns_of(FieldDef(name="key", type=Text(), label="Key"))[0]


def stored_key(key: str) -> str:
    """Return the form of a key that fits an index: long ones end in their digest."""
    if len(key) <= KEY_LENGTH:
        return key
    return f"{key[:100]}:{hashlib.sha256(key.encode()).hexdigest()}"


@attrs.frozen(eq=False)
class Keys:
    """The match keys and claims of one tenant in one unit of work."""

    link: Link
    tables: Infrastructure
    statements: StatementCache
    tenant: str

    @property
    def _dialect(self) -> Dialect:
        return self.link.dialect

    # -- match keys ------------------------------------------------------------------

    def add(self, entity: str, pairs: Iterable[tuple[UUID, str]], *, new: bool) -> None:
        """Store match keys; ``new``: the records are, so that no key is there yet."""
        uuid = self._dialect.uuid
        rows = [
            (self.tenant, entity, stored_key(key), uuid(identity))
            for identity, key in pairs
        ]
        if not rows:
            return
        table = self.tables.match_key
        if new:
            self.link.insert_many(insertion(self.statements, table), table, rows)
            return
        names = [column.name for column in table.c]
        statement = self.statements.get(
            "key.add",
            lambda slots: self._dialect.insert_ignoring(
                table, {name: slots.take() for name in names}
            ),
        )
        self.link.run_many(statement, [statement.arguments(row) for row in rows])

    def remove(self, entity: str, pairs: Iterable[tuple[UUID, str]]) -> None:
        """Remove match keys of records."""
        uuid = self._dialect.uuid
        rows = [
            (self.tenant, entity, stored_key(key), uuid(identity))
            for identity, key in pairs
        ]
        if not rows:
            return
        statement = self.statements.get("key.remove", self._removal)
        self.link.run_many(statement, [statement.arguments(row) for row in rows])

    def _removal(self, slots: Slots) -> sa.Delete:
        table = self.tables.match_key
        return sa.delete(table).where(*[column == slots.take() for column in table.c])

    def match(self, entity: str, keys: Collection[str], limit: int) -> list[MatchHit]:
        """Return records that share a key, ``limit`` per key at most."""
        originals = {stored_key(key): key for key in keys}
        most = FEW_HOLDERS * len(originals) + 1_000
        rows = self._sharing(entity, list(originals), most)
        if len(rows) >= most:
            # Some keys are shared by crowds: ask for the first few of each.
            rows = self._first_of_each(entity, list(originals), limit)
        holders: dict[str, list[UUID]] = {}
        for stored, identity in rows:
            holders.setdefault(stored, []).append(self._dialect.uuid_from(identity))
        return [
            MatchHit(key, identity)
            for stored, key in originals.items()
            for identity in sorted(holders.get(stored, ()))[:limit]
        ]

    def _sharing(self, entity: str, keys: list[str], most: int) -> list[Any]:
        if not keys:
            return []
        table = self.tables.match_key
        kind, values = self._dialect.in_values(KEY_COLUMN, keys, walking=False)

        def build(slots: Slots) -> sa.Select[Any]:
            tenant, of_entity = slots.take(), slots.take()
            listed: list[Any] = slots.take_many(len(values))
            return (
                sa.select(table.c.key, table.c.record_id)
                .where(
                    table.c.tenant == tenant,
                    table.c.entity == of_entity,
                    self._dialect.in_list(table.c.key, kind, listed, KEY_COLUMN),
                )
                .limit(slots.take(sa.Integer()))
            )

        statement = self.statements.get(("key.sharing", kind), build, one_shot=True)
        arguments = statement.arguments([self.tenant, entity, *values, most])
        return self.link.fetch(statement, arguments)

    def _first_of_each(self, entity: str, keys: list[str], limit: int) -> list[Any]:
        rows: list[Any] = []
        for several in self._portions(keys):
            size = len(several)
            statement = self.statements.get(
                ("key.first", size), partial(self._first, size=size)
            )
            values: list[Any] = []
            for stored in several:
                values += (stored, self.tenant, entity, stored, limit)
            rows += self.link.fetch(statement, statement.arguments(values))
        return rows

    def _portions(self, keys: list[str]) -> Iterator[list[str]]:
        # Without round trips to a server, one key at a time is the fastest.
        size = 1 if self._dialect.name == "sqlite" else KEYS_AT_ONCE
        for start in range(0, len(keys), size):
            yield keys[start : start + size]

    def _first(self, slots: Slots, size: int) -> Any:
        each = [self._first_one(slots) for _ in range(size)]
        return each[0] if size == 1 else sa.union_all(*each)

    def _first_one(self, slots: Slots) -> sa.Select[Any]:
        table = self.tables.match_key.alias()
        key = slots.take(sa.String())
        return (
            sa.select(key.label("asked"), table.c.record_id)
            .where(
                table.c.tenant == slots.take(),
                table.c.entity == slots.take(),
                table.c.key == slots.take(),
            )
            .order_by(table.c.record_id)
            .limit(slots.take(sa.Integer()))
        )

    # -- claims ----------------------------------------------------------------------

    def claim(self, claims: Sequence[Claim]) -> list[Claim]:
        """Take unique values; return those that other records hold."""
        # In one order, so that two units of work wait for each other in one direction.
        wanted = sorted(claims, key=lambda c: (c.scope, c.key))
        rows = [
            (self.tenant, c.scope, stored_key(c.key), self._dialect.uuid(c.record_id))
            for c in wanted
        ]
        table = self.tables.claim
        statement = self.statements.get(
            "claim",
            lambda slots: self._dialect.insert_ignoring(
                table, {column.name: slots.take() for column in table.c}
            ),
        )
        if not rows:
            return []
        arguments = [statement.arguments(row) for row in rows]
        if self.link.run_many(statement, arguments) == len(rows):
            return []
        return self._taken(wanted)

    def holders(self, wanted: Sequence[tuple[str, str]]) -> list[Claim]:
        """Return who holds unique values."""
        found = []
        for scope, several in groupby(sorted(wanted), key=itemgetter(0)):
            stored = {stored_key(key): key for _, key in several}
            held = self._holders(scope, list(stored), lock=False)
            found += [Claim(scope, stored[k], holder) for k, holder in held.items()]
        return found

    def _taken(self, wanted: list[Claim]) -> list[Claim]:
        taken = []
        for scope, several in groupby(wanted, key=lambda claim: claim.scope):
            listed = list(several)
            keys = [stored_key(c.key) for c in listed]
            # Rows that were committed since this transaction began count too.
            holders = self._holders(scope, keys, lock=True)
            for claim in listed:
                holder = holders.get(stored_key(claim.key))
                if holder is None:
                    # Its holder gave it back just now; another try will get it.
                    raise Conflict
                if holder != claim.record_id:
                    taken.append(attrs.evolve(claim, record_id=holder))
        return taken

    def _holders(self, scope: str, keys: list[str], *, lock: bool) -> dict[str, UUID]:
        statement, arguments = self._listed(scope, keys, lock=lock)
        rows = self.link.fetch(statement, arguments)
        return {key: self._dialect.uuid_from(holder) for key, holder in rows}

    def _listed(
        self, scope: str, keys: list[str], *, lock: bool
    ) -> tuple[Statement, tuple[Any, ...]]:
        kind, values = self._dialect.in_values(KEY_COLUMN, keys, walking=False)
        shape: Hashable = ("claim.holders", kind, lock)

        def build(slots: Slots) -> sa.Select[Any]:
            table = self.tables.claim
            tenant, of_scope = slots.take(), slots.take()
            listed: list[Any] = slots.take_many(len(values))
            found = sa.select(table.c.key, table.c.record_id).where(
                table.c.tenant == tenant,
                table.c.scope == of_scope,
                self._dialect.in_list(table.c.key, kind, listed, KEY_COLUMN),
            )
            return found.with_for_update(read=True) if lock else found

        statement = self.statements.get(shape, build, one_shot=True)
        return statement, statement.arguments([self.tenant, scope, *values])

    def release(self, claims: Sequence[Claim]) -> None:
        """Give unique values back."""
        statement = self.statements.get("claim.release", self._releasing)
        rows = [
            statement.arguments(
                (
                    self.tenant,
                    c.scope,
                    stored_key(c.key),
                    self._dialect.uuid(c.record_id),
                )
            )
            for c in sorted(claims, key=lambda c: (c.scope, c.key))
        ]
        if rows:
            self.link.run_many(statement, rows)

    def _releasing(self, slots: Slots) -> sa.Delete:
        table = self.tables.claim
        return sa.delete(table).where(*[column == slots.take() for column in table.c])

    def purge(self, entity: str, ids: Collection[UUID]) -> None:
        """Remove every match key and claim of records."""
        keys, claim = self.tables.match_key, self.tables.claim
        uuid = self._dialect.uuid
        statement = self.statements.get(
            "key.purge",
            lambda slots: sa.delete(keys).where(
                keys.c.tenant == slots.take(),
                keys.c.record_id == slots.take(),
                keys.c.entity == slots.take(),
            ),
        )
        self.link.run_many(
            statement,
            [statement.arguments((self.tenant, uuid(i), entity)) for i in ids],
        )
        statement = self.statements.get(
            "claim.purge",
            lambda slots: sa.delete(claim).where(
                claim.c.tenant == slots.take(), claim.c.record_id == slots.take()
            ),
        )
        self.link.run_many(
            statement, [statement.arguments((self.tenant, uuid(i))) for i in ids]
        )


def insertion(statements: StatementCache, table: sa.Table) -> Statement:
    """Return the insert of whole rows into one of the library's tables."""
    names = [column.name for column in table.c if column.identity is None]
    return statements.get(
        ("insert", table.name),
        lambda slots: sa.insert(table).values({name: slots.take() for name in names}),
    )
