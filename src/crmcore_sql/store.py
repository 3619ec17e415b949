"""The store: opens the engine, hands out units of work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import StaticPool

from crmcore.errors import CRMError, SchemaOutdated, StoreRefused
from crmcore.ports import Randomness, default_randomness
from crmcore.records import Schema
from crmcore.storage import Capabilities, HealthReport, MissingIndex
from crmcore_sql.connections import HostLink, Link, Pool, PooledLink
from crmcore_sql.custom_storage import CustomStorage
from crmcore_sql.dialects import Dialect, dialect_for
from crmcore_sql.errors import DriverErrors
from crmcore_sql.installation import Installation
from crmcore_sql.journal import Journal
from crmcore_sql.keys import Keys
from crmcore_sql.mapping import Mappings
from crmcore_sql.queries import Queries
from crmcore_sql.statements import StatementCache
from crmcore_sql.tables import Infrastructure, infrastructure
from crmcore_sql.transaction import SQLTransaction

__all__ = ["SQLStore"]

T = TypeVar("T")

#: How often a unit of work is tried, and the longest wait between two tries, seconds.
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 16, 0.02, 1.0

_SYNCHRONOUS = {"NORMAL", "FULL"}


class SQLStore:
    """Keeps records in an SQL database.

    ``database`` is a URL or an SQLAlchemy engine. ``sqlite:///crm.db`` is a file,
    ``sqlite://`` memory; ``postgresql://`` means psycopg 3, ``mariadb://`` and
    ``mysql://`` PyMySQL. The host's engine is used as it is set up and is not disposed
    of by ``close``.

    ``synchronous`` (SQLite): ``NORMAL`` survives a crash of the process, ``FULL`` also
    keeps the last commits through a power cut. ``busy_timeout`` (SQLite): seconds to
    wait for another writer. Further ``options`` go to ``sqlalchemy.create_engine``.

    Raises StoreRefused for a database or driver that is not supported, MissingExtra
    where its driver is not installed.
    """

    def __init__(
        self,
        database: str | URL | sa.Engine,
        *,
        synchronous: str = "NORMAL",
        busy_timeout: float = 10.0,
        **options: Any,
    ) -> None:
        if synchronous not in _SYNCHRONOUS:
            raise StoreRefused(problem="synchronous must be NORMAL or FULL")
        owned = not isinstance(database, sa.Engine)
        kind = _kind(database)
        settings = {"synchronous": synchronous, "busy_timeout": busy_timeout}
        make = dialect_for(kind)
        self._dialect: Dialect = make(**settings) if kind == "sqlite" else make()
        if isinstance(database, sa.Engine):
            self.engine = database
            if database.driver != self._dialect.driver:
                problem = f"the driver {database.driver} is not supported"
                raise StoreRefused(problem=f"{problem}: use {self._dialect.driver}")
        else:
            self.engine = _engine(make_url(database), self._dialect, options)
        shares = isinstance(self.engine.pool, StaticPool)
        lock = threading.RLock() if shares else None
        self._pool = Pool(self.engine, self._dialect, owned, lock)
        self._installation = Installation(self._pool)
        self._custom = CustomStorage(self._pool)

    @property
    def name(self) -> str:
        """Return sqlite, postgresql, mariadb or mysql."""
        if self._dialect.name == "mysql":
            self._ask_server()
        return self._dialect.name

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        if self._pool.shared_lock is not None:
            return Capabilities(
                durable=False,
                concurrent_writers=False,
                reasons={
                    "durable": "the database lives in memory",
                    "concurrent_writers": "all units of work share one connection",
                },
            )
        if self._dialect.name == "sqlite":
            reason = "SQLite has one writer at a time; others wait for it"
            return Capabilities(
                concurrent_writers=False, reasons={"concurrent_writers": reason}
            )
        return Capabilities()

    def _ask_server(self) -> None:
        try:
            self._pool.learn()
        except CRMError:
            return

    # -- what is made once the kind of server is known -------------------------------

    @cached_property
    def _mappings(self) -> Mappings:
        return Mappings(self._dialect)

    @cached_property
    def _tables(self) -> Infrastructure:
        return infrastructure(self._dialect)

    @cached_property
    def _statements(self) -> StatementCache:
        return StatementCache(self._dialect.sqlalchemy)

    # -- the contract ----------------------------------------------------------------

    def install(self, schema: Schema) -> None:
        """Create or extend the tables; safe to run concurrently, never drops anything.

        Raises SchemaOutdated where the database was made by a newer library.
        """
        # Every step may run twice; servers break off one of two that change tables.
        self.retrying(lambda: self._install(schema), default_randomness())

    def _install(self, schema: Schema) -> None:
        with DriverErrors(self._dialect):
            self._pool.learn()
            self._installation.install(schema)
            self._custom.build_indexes(schema)

    def extend(self, schema: Schema) -> None:
        """Create the tables of custom objects; see :class:`crmcore.storage.Store`."""
        with DriverErrors(self._dialect):
            self._pool.learn()
            self._custom.extend(schema)

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Build what custom fields lack; PostgreSQL lets others write meanwhile."""
        with DriverErrors(self._dialect):
            self._pool.learn()
            return self._custom.build_indexes(schema)

    def missing_indexes(self, schema: Schema) -> tuple[MissingIndex, ...]:
        """Return the indexes that custom fields lack."""
        with DriverErrors(self._dialect):
            self._pool.learn()
            return self._custom.missing_indexes(schema)

    def verify(self, schema: Schema) -> None:
        """Raise SchemaOutdated unless ``install`` has been run for ``schema``."""
        with DriverErrors(self._dialect):
            self._pool.learn()
            self._installation.verify(schema)

    @contextmanager
    def transaction(
        self, tenant: str, schema: Schema, *, within: sa.Connection | None = None
    ) -> Iterator[SQLTransaction]:
        """Give a unit of work; ``within`` joins the host's transaction."""
        link = self._link(within)
        try:
            yield self._transaction(link, tenant)
        except BaseException as error:
            link.roll_back(error)
            raise
        try:
            link.commit()
        except BaseException as error:
            link.roll_back(error)
            raise

    def _link(self, within: sa.Connection | None) -> Link:
        if within is None:
            self._pool.learn()
            with DriverErrors(self._dialect):
                self._custom.keep_fresh()
            return PooledLink(self._pool)
        if not isinstance(within, sa.Connection):
            raise StoreRefused(problem="within must be an SQLAlchemy Connection")
        if within.dialect.driver != self._dialect.driver:
            raise StoreRefused(problem="within is a connection to another database")
        return HostLink(self._dialect, within)

    def _transaction(self, link: Link, tenant: str) -> SQLTransaction:
        return SQLTransaction(
            link,
            tenant,
            self._mappings,
            Queries(self._dialect, self._mappings),
            Keys(link, self._tables, self._statements, tenant),
            Journal(link, self._tables, self._statements, tenant),
        )

    def retrying(self, work: Callable[[], T], randomness: Randomness) -> T:
        """Run ``work`` again on Conflict and lost connections, with growing waits."""

        def wait(state: tenacity.RetryCallState) -> float:
            longest = min(FIRST_WAIT * 2.0**state.attempt_number, LONGEST_WAIT)
            return randomness.random() * longest

        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=wait,
            retry=tenacity.retry_if_exception(_is_retryable),
            reraise=True,
        )
        return attempts(work)

    def health(self, schema: Schema) -> HealthReport:
        """Return server, set-up and schema state, and what is wrong with them."""
        facts = {"library": f"SQLAlchemy {sa.__version__}"}
        problems: list[str] = []
        try:
            with DriverErrors(self._dialect):
                self._pool.learn()
                with self.engine.connect() as connection:
                    facts |= self._dialect.facts(connection)
            problems += self._dialect.problems(facts)
            facts["schema"] = self._schema_state(schema)
        except CRMError as error:
            return HealthReport(facts, (*problems, error.message()))
        if facts["schema"] != "current":
            problems.append(SchemaOutdated(state=facts["schema"]).message())
        return HealthReport(facts, tuple(problems))

    def _schema_state(self, schema: Schema) -> str:
        try:
            self.verify(schema)
        except SchemaOutdated as outdated:
            return str(outdated.details["state"])
        return "current"

    def close(self) -> None:
        """Give the connections back; a host's engine stays open."""
        if self._pool.owned:
            self.engine.dispose()


def _kind(database: str | URL | sa.Engine) -> str:
    if isinstance(database, sa.Engine):
        return database.dialect.name
    try:
        return make_url(database).get_backend_name()
    except sa.exc.ArgumentError:
        raise StoreRefused(problem="the URL of the database is malformed") from None


def _engine(url: URL, dialect: Dialect, options: dict[str, Any]) -> sa.Engine:
    """Return the store's own engine."""
    explicit = "+" in url.drivername
    if explicit and url.get_driver_name() != dialect.driver:
        raise StoreRefused(
            problem=f"the driver {url.get_driver_name()} is not supported: "
            f"use {dialect.driver}"
        )
    url = url.set(drivername=f"{url.get_backend_name()}+{dialect.driver}")
    if dialect.driver == "pymysql":
        url = url.update_query_dict({"charset": "utf8mb4"})
        # Told to the engine, not to the connection: the engine sets a connection back
        # to its own level after the building of indexes.
        options = {**options, "isolation_level": "READ COMMITTED"}
    if dialect.driver == "pysqlite":
        options = _sqlite_options(url, options)
    return sa.create_engine(url, **options)


def _sqlite_options(url: URL, options: dict[str, Any]) -> dict[str, Any]:
    arguments = {
        "check_same_thread": False,
        "cached_statements": 512,
        **options.get("connect_args", {}),
    }
    if url.database in {None, "", ":memory:"}:
        # Giving a connection back must not undo what another unit of work is doing.
        memory = {"poolclass": StaticPool, "pool_reset_on_return": None}
        return {**memory, **options, "connect_args": arguments}
    return {**options, "connect_args": arguments}


def _is_retryable(error: BaseException) -> bool:
    return (
        isinstance(error, CRMError)
        and error.retryable
        and not error.details.get("outcome_unknown", False)
    )
