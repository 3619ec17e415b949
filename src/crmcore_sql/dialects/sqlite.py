"""SQLite, through the driver of the standard library."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
import tenacity
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine import Dialect as SQLAlchemyDialect
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import TypeEngine

from crmcore.errors import (
    Conflict,
    CRMError,
    SchemaOutdated,
    StorageError,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
)
from crmcore.records import Column, ContactPoints, Storage
from crmcore_sql.dialects.base import (
    Dialect,
    Expression,
    Values,
    dumps,
    literal,
    uuid_of,
)
from crmcore_sql.dialects.periods import period_text

__all__ = ["SQLite"]

#: Longer lists go in as one value, which SQLite reads faster than many parameters.
MAXIMUM_PARAMETERS = 100

_TYPES: dict[Storage, type[TypeEngine[Any]]] = {
    Storage.TEXT: sa.Text,
    Storage.LONG_TEXT: sa.Text,
    Storage.INTEGER: sa.Integer,
    Storage.BOOLEAN: sa.Integer,
    Storage.DATE: sa.Text,
    Storage.DATETIME: sa.Text,
    Storage.UUID: sa.LargeBinary,
    Storage.JSON: sa.Text,
}


def _stamp(moment: datetime) -> str:
    return moment.isoformat("T", "milliseconds")


def _identity(text: str | None) -> bytes | None:
    return None if text is None else UUID(text).bytes


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(sqlite3.OperationalError),
    stop=tenacity.stop_after_delay(10),
    wait=tenacity.wait_fixed(0.02),
    reraise=True,
)
def _write_ahead(driver: Any) -> None:
    """Let readers and the writer work side by side; the file keeps the setting.

    SQLite does not wait by itself for others that are just doing the same.
    """
    driver.execute("PRAGMA journal_mode = WAL")


@lru_cache(maxsize=100)
def _places(number: int) -> str:
    """Return where each of so many packed ids begins."""
    return dumps(list(range(1, 16 * number, 16)))


class SQLite(Dialect):
    """Times and days are ISO text, ids 16 bytes, JSON text."""

    name = "sqlite"
    driver = "pysqlite"
    driver_error = sqlite3.Error
    encode: ClassVar[Mapping[Storage, str]] = {
        Storage.UUID: "{}.bytes",
        Storage.DATETIME: "stamp({})",
        Storage.DATE: "{}.isoformat()",
        Storage.JSON: "dumps({})",
    }
    decode: ClassVar[Mapping[Storage, str]] = {
        Storage.UUID: "uuid_of({})",
        Storage.DATETIME: "moment({})",
        Storage.DATE: "day({})",
        Storage.BOOLEAN: "{} == 1",
    }
    namespace: ClassVar[Mapping[str, Any]] = {
        "stamp": _stamp,
        "dumps": dumps,
        "uuid_of": uuid_of,
        "moment": datetime.fromisoformat,
        "day": date.fromisoformat,
    }
    no_list_index = "SQLite has no index of the items of a list"

    def __init__(self, synchronous: str = "NORMAL", busy_timeout: float = 10.0) -> None:
        super().__init__()
        self._pragmas = (
            f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}",
            f"PRAGMA synchronous = {synchronous}",
        )

    def make_sqlalchemy(self) -> SQLAlchemyDialect:
        return pysqlite.dialect()

    # -- tables ----------------------------------------------------------------------

    def column_type(self, storage: Storage, maximum: int | None) -> TypeEngine[Any]:
        return _TYPES[storage]()

    def table_options(self, *, narrow: bool) -> dict[str, Any]:
        return {"sqlite_with_rowid": False} if narrow else {}

    # -- expressions -----------------------------------------------------------------

    def _extract(self, document: Expression, key: str) -> Expression:
        return sa.func.json_extract(document, literal(f"$.{dumps(key)}"))

    def custom_value(self, document: Expression, column: Column) -> Expression:
        return self._extract(document, column.name)

    def json_text(self, document: Expression, key: str) -> Expression:
        return self._extract(document, key)

    def identity_of(self, text: Expression) -> Expression:
        return sa.func.crmcore_identity(text)

    def search_key(self, text: Expression) -> Expression:
        return text

    def contains(self, text: Expression, part: Expression) -> Expression:
        return sa.func.instr(text, part) > sa.literal_column("0")

    def in_values(
        self, column: Column, values: Sequence[Any], *, walking: bool
    ) -> tuple[Any, list[Any]]:
        identities = column.storage is Storage.UUID and not column.is_custom
        if identities and len(values) > MAXIMUM_PARAMETERS:
            # Scopes of superiors: thousands of ids at each list, so no call for each.
            packed = b"".join([value.int.to_bytes(16, "big") for value in values])
            return ("ids", walking), [packed, _places(len(values))]
        encoded = [self.to_database(column, value) for value in values]
        if len(encoded) <= MAXIMUM_PARAMETERS:
            # Few lengths of lists, so that few statements are compiled and cached.
            length = 1 << (len(encoded) - 1).bit_length()
            return length, encoded + encoded[-1:] * (length - len(encoded))
        return ("json", walking), [dumps(encoded)]

    def in_list(
        self, expression: Expression, kind: Any, slots: list[Expression], column: Column
    ) -> Expression:
        if isinstance(kind, int):
            return expression.in_(slots)
        form, walking = kind
        if walking:
            # A unary plus keeps the index of this column out of the plan: looking up
            # each of many values and sorting all rows costs more than the walk.
            expression = sa.UnaryExpression(
                expression, operator=custom_op("+"), type_=expression.type
            )
        value: Any = sa.column("value")
        if form == "ids":
            value = sa.func.substr(slots[0], value, sa.literal_column("16"))
        items = sa.func.json_each(slots[-1]).table_valued("value")
        return expression.in_(sa.select(value).select_from(items))

    def any_values(self, column: Column, keys: Sequence[Any]) -> list[Any]:
        return [dumps(list(keys))]

    def any_of(
        self, document: Expression, column: Column, slots: list[Expression]
    ) -> Expression:
        if column.is_custom:
            path = literal(f"$.{dumps(column.name)}")
            items = sa.func.json_each(document, path).table_valued("value", name="item")
        else:
            items = sa.func.json_each(document).table_valued("value", name="item")
        wanted = sa.func.json_each(slots[0]).table_valued("value", name="wanted")
        item: Expression = items.c.value
        if isinstance(column.field.type, ContactPoints):
            item = sa.func.json_extract(item, literal("$.value"))
        return (
            sa.select(sa.literal_column("1"))
            .select_from(items)
            .where(item.in_(sa.select(wanted.c.value)))
            .exists()
        )

    def period(self, expression: Expression, unit: str, column: Column) -> Expression:
        day = sa.func.substr(
            expression, sa.literal_column("1"), sa.literal_column("10")
        )
        if unit == "week":
            return sa.func.date(day, literal("-6 days"), literal("weekday 1"))
        return period_text(day, unit)

    def sums(self, expression: Expression) -> list[Expression]:
        # The sum of 64-bit numbers may not fit 64 bits, where SQLite gives up.
        low = expression.op("&")(sa.literal_column("4294967295"))
        high = expression.op(">>")(sa.literal_column("32"))
        return [sa.func.sum(high), sa.func.sum(low)]

    def sum_from(self, values: Sequence[Any]) -> int | None:
        if values[0] is None:
            return None
        return (int(values[0]) << 32) + int(values[1])

    # -- statements ------------------------------------------------------------------

    def insert_ignoring(self, table: sa.Table, values: Values) -> sa.Insert:
        return sqlite.insert(table).values(values).on_conflict_do_nothing()

    def insert_adding(
        self, table: sa.Table, values: Values, key: Sequence[str], total: str
    ) -> sa.Insert:
        upsert = sqlite.insert(table).values(values)
        added = table.c[total] + upsert.excluded[total]
        return upsert.on_conflict_do_update(index_elements=key, set_={total: added})

    # -- sessions --------------------------------------------------------------------

    def begin_statements(self, *, owned: bool) -> Sequence[str]:
        return ("BEGIN IMMEDIATE",)

    def prepare(self, connection: Any, info: dict[Any, Any], *, owned: bool) -> None:
        if "crmcore" in info:
            return
        info["crmcore"] = True
        connection.create_function("crmcore_identity", 1, _identity, deterministic=True)
        for pragma in self._pragmas:
            connection.execute(pragma)

    def ensure_host_transaction(self, connection: Any) -> str | None:
        connection.create_function("crmcore_identity", 1, _identity, deterministic=True)
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        return None

    # -- installing ------------------------------------------------------------------

    def prepare_install(self, connection: sa.Connection, *, owned: bool) -> None:
        driver: Any = connection.connection.dbapi_connection
        self.prepare(driver, connection.info, owned=owned)
        if owned:
            _write_ahead(driver)

    def lock_schema(self, connection: sa.Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.execute("BEGIN IMMEDIATE")

    def index_names(self, connection: sa.Connection) -> set[str]:
        names = sa.text("SELECT name FROM sqlite_master WHERE type = 'index'")
        return set(connection.execute(names).scalars())

    def take_builds(self, connection: sa.Connection) -> bool:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return True

    def leave_builds(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("COMMIT")

    def tune(self, connection: sa.Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        # Without statistics SQLite guesses which index leads to few rows. They are a
        # help, no duty: another writer may be busy.
        with suppress(sqlite3.OperationalError):
            driver.execute("PRAGMA analysis_limit = 1000")
            driver.execute("ANALYZE")

    def facts(self, connection: sa.Connection) -> dict[str, str]:
        def pragma(name: str) -> str:
            return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())

        levels = {"0": "off", "1": "normal", "2": "full", "3": "extra"}
        return {
            "server": f"SQLite {sqlite3.sqlite_version}",
            "journal_mode": pragma("journal_mode"),
            "synchronous": levels.get(pragma("synchronous"), "unknown"),
            "isolation": "serializable (one writer at a time)",
        }

    def problems(self, facts: Mapping[str, str]) -> list[str]:
        found = []
        if facts["journal_mode"] not in {"wal", "memory"}:
            found.append(
                "journal_mode is not WAL: readers and the writer block each other"
            )
        if facts["synchronous"] == "off":
            found.append("synchronous is off: a power cut can damage the database")
        return found

    def error(self, error: Any) -> CRMError:
        code = getattr(error, "sqlite_errorcode", None)
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        primary = None if code is None else code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return Conflict()
        if primary == sqlite3.SQLITE_CONSTRAINT:
            return Conflict()
        if primary == sqlite3.SQLITE_FULL:
            return StorageFull()
        if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}:
            return StoreUnavailable(problem=name)
        if primary in {
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_AUTH,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_CORRUPT,
        }:
            return StoreRefused(problem=name)
        if "no such table" in str(error) or "no such column" in str(error):
            return SchemaOutdated(state="missing")
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            return StoreUnavailable(problem="the connection is closed")
        return StorageError(problem=name)
