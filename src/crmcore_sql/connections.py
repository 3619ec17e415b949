"""The driver connection of one unit of work: taken when needed, given back clean.

Reads run for themselves until the first write begins a transaction; from then on
everything runs in it.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

from crmcore.errors import Conflict, CRMError, StoreRefused, StoreUnavailable
from crmcore_sql.dialects import Dialect
from crmcore_sql.errors import DriverErrors
from crmcore_sql.statements import Statement

__all__ = ["HostLink", "Link", "Pool", "PooledLink", "refuse_nesting"]

#: Connections that lay idle for longer are asked whether the server is still there.
IDLE_SECONDS = 30.0


@attrs.define(eq=False)
class Pool:
    """Where connections come from.

    ``owned``: the engine was made by the store. ``shared_lock`` is set where all units
    of work share one connection: an SQLite database in memory.
    """

    engine: sa.Engine
    dialect: Dialect
    owned: bool
    shared_lock: threading.RLock | None = None
    _known: bool = False

    def learn(self) -> None:
        """Find out, once, what kind of server this is."""
        if not self._known:
            with DriverErrors(self.dialect):
                taken = self.engine.raw_connection()
                self.dialect.learn(taken.dbapi_connection)
                taken.close()
            self._known = True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep units of work away where all share one connection."""
        with self.shared_lock or nullcontext():
            yield

    @contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that no other installer can enter."""
        with self.turn(), self.engine.connect() as connection:
            refuse_nesting(connection)
            self.dialect.prepare_install(connection, owned=self.owned)
            with connection.begin():
                self.dialect.lock_schema(connection)
                try:
                    yield connection
                finally:
                    self.dialect.unlock_schema(connection)

    def take(self) -> PoolProxiedConnection:
        """Return a ready connection; a dead one is replaced."""
        taken = self.engine.raw_connection()
        if not self._is_alive(taken):
            taken.invalidate()
            taken.close()
            taken = self.engine.raw_connection()
        self.dialect.prepare(taken.dbapi_connection, taken.info, owned=self.owned)
        return taken

    def _is_alive(self, taken: PoolProxiedConnection) -> bool:
        used = taken.info.get("crmcore_used")
        if used is None or time.monotonic() - used < IDLE_SECONDS:
            return True
        return self.dialect.is_alive(taken.dbapi_connection)

    def give_back(self, taken: PoolProxiedConnection) -> None:
        """Return a connection that is outside any transaction."""
        taken.info["crmcore_used"] = time.monotonic()
        try:
            self.dialect.restore(taken.dbapi_connection, owned=self.owned)
        except self.dialect.driver_error:
            taken.invalidate()  # broke since the last statement
        taken.close()

    def drop(self, taken: PoolProxiedConnection, *, server_lost: bool) -> None:
        """Throw a connection away; where the server was lost, all idle ones as well."""
        if self.shared_lock is not None:
            taken.close()  # the data live in this connection
            return
        taken.invalidate()
        taken.close()
        if server_lost:
            self.engine.dispose()


def refuse_nesting(connection: sa.Connection) -> None:
    """Raise Conflict where a unit of work is writing on the connection that all share."""
    if getattr(connection.connection.dbapi_connection, "in_transaction", False):
        raise Conflict


class Link(ABC):
    """Runs statements on one driver connection."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.writing = False
        self.utc = True
        self._cursor: Any = None
        self._errors = DriverErrors(dialect)
        self._savepoints = 0
        self._turn: Any = nullcontext()

    @abstractmethod
    def begin_writing(self) -> None:
        """Begin the transaction, where that was not done."""

    @abstractmethod
    def commit(self) -> None:
        """End the unit of work and keep what was done."""

    @abstractmethod
    def roll_back(self, error: BaseException) -> None:
        """End the unit of work, because of ``error``, and undo what was done."""

    @abstractmethod
    def _open(self) -> Any:
        """Take the connection and return its cursor."""

    # -- statements ------------------------------------------------------------------

    def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[Any]:
        """Run a statement and return its rows."""
        with self._turn, self._errors:
            cursor = self._cursor or self._open()
            self.dialect.execute(cursor, statement, arguments)
            rows: list[Any] = cursor.fetchall()
            return rows

    def run(self, statement: Statement, arguments: Sequence[Any]) -> int:
        """Run a statement that writes and return how many rows it met."""
        with self._turn, self._errors:
            cursor = self._cursor or self._open()
            self.dialect.execute(cursor, statement, arguments)
            return int(cursor.rowcount)

    def run_many(self, statement: Statement, rows: list[Any]) -> int:
        """Run a statement for each row and return how many rows it met in all."""
        if len(rows) == 1:
            return self.run(statement, rows[0])
        with self._turn, self._errors:
            cursor = self._cursor or self._open()
            cursor.executemany(statement.text, rows)
            return int(cursor.rowcount)

    def insert_many(
        self, statement: Statement, table: sa.Table, rows: list[Any]
    ) -> None:
        """Insert rows in the fastest way that the driver has."""
        if len(rows) == 1:
            self.run(statement, rows[0])
            return
        with self._turn, self._errors:
            cursor = self._cursor or self._open()
            self.dialect.insert_many(cursor, statement, table, rows)

    def update_each(self, statement: Statement, rows: Iterable[Any]) -> list[int]:
        """Run an update for each row and return how many rows each one met."""
        with self._turn, self._errors:
            cursor = self._cursor or self._open()
            return self.dialect.update_each(cursor, statement, rows)

    # -- savepoints ------------------------------------------------------------------

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside where an exception leaves the block."""
        self.begin_writing()
        self._savepoints += 1
        name = f"crmcore_{id(self):x}_{self._savepoints}"
        self._execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self._undo_to(name)
            raise
        self._execute(f"RELEASE SAVEPOINT {name}")

    def _execute(self, text: str) -> None:
        with self._turn, self._errors:
            (self._cursor or self._open()).execute(text)

    def _undo_to(self, name: str) -> None:
        try:
            self._execute(f"ROLLBACK TO SAVEPOINT {name}")
            self._execute(f"RELEASE SAVEPOINT {name}")
        except CRMError:
            # The server undid the whole transaction already (deadlock, lost
            # connection); the first error says so.
            return


class PooledLink(Link):
    """A link with a connection of the pool and a transaction of its own."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool.dialect)
        self._pool = pool
        self._taken: PoolProxiedConnection | None = None
        if pool.shared_lock is not None:
            self._turn = pool.shared_lock

    def _open(self) -> Any:
        self._taken = self._pool.take()
        connection = self._taken.dbapi_connection
        self.utc = self.dialect.is_utc(connection)
        self._cursor = self.dialect.cursor(connection)
        return self._cursor

    def begin_writing(self) -> None:
        if self.writing:
            return
        if self._pool.shared_lock is not None:
            self._take_turn()
        with self._errors:
            cursor = self._cursor or self._open()
            for text in self.dialect.begin_statements(owned=self._pool.owned):
                cursor.execute(text)
        self.writing = True

    def _take_turn(self) -> None:
        lock = self._pool.shared_lock
        assert lock is not None
        lock.acquire()
        with self._errors:
            self._cursor or self._open()
        assert self._taken is not None
        if getattr(self._taken.dbapi_connection, "in_transaction", False):
            # This thread is writing in another unit of work already.
            lock.release()
            raise Conflict

    def commit(self) -> None:
        """Make everything durable and give the connection back."""
        if self.writing:
            with DriverErrors(self.dialect, committing=True):
                self._driver().commit()
        self._end()

    def roll_back(self, error: BaseException) -> None:
        """Undo everything; a broken connection is thrown away."""
        if isinstance(error, StoreUnavailable):
            self._drop(server_lost=True)
            return
        if self.writing:
            try:
                self._driver().rollback()
            except self.dialect.driver_error:
                self._drop(server_lost=False)
                return
        self._end()

    def _driver(self) -> Any:
        assert self._taken is not None
        return self._taken.dbapi_connection

    def _end(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            self._cursor.close()
            self._cursor = None
            self._pool.give_back(taken)
        self._leave_turn()

    def _drop(self, *, server_lost: bool) -> None:
        taken, self._taken, self._cursor = self._taken, None, None
        if taken is not None:
            self._pool.drop(taken, server_lost=server_lost)
        self._leave_turn()

    def _leave_turn(self) -> None:
        if self.writing and self._pool.shared_lock is not None:
            self._pool.shared_lock.release()
        self.writing = False


class HostLink(Link):
    """A link in the host's transaction: the host commits."""

    def __init__(self, dialect: Dialect, connection: sa.Connection) -> None:
        super().__init__(dialect)
        self._host = connection
        # Units of work may be nested on one connection, each with its own mark.
        self._name = f"crmcore_unit_{id(self):x}"

    def _open(self) -> Any:
        if not self._host.in_transaction():
            # Otherwise the host's commit would find nothing to commit.
            self._host.begin()
        connection = self._host.connection.dbapi_connection
        self.dialect.learn(connection)
        problem = self.dialect.ensure_host_transaction(connection)
        if problem is not None:
            raise StoreRefused(problem=problem)
        self.utc = self.dialect.is_utc(connection)
        cursor = self.dialect.cursor(connection)
        cursor.execute(f"SAVEPOINT {self._name}")
        self._cursor = cursor
        return cursor

    def begin_writing(self) -> None:
        if not self.writing:
            with self._errors:
                self._cursor or self._open()
            self.writing = True

    def commit(self) -> None:
        """Keep what was done for the host's commit."""
        if self._cursor is not None:
            self._execute(f"RELEASE SAVEPOINT {self._name}")
            self._close()

    def roll_back(self, error: BaseException) -> None:
        """Undo what was done here and leave the host's own work."""
        if self._cursor is not None:
            self._undo_to(self._name)
            self._close()

    def _close(self) -> None:
        try:
            self._cursor.close()
        except self.dialect.driver_error:
            return
        finally:
            self._cursor = None
