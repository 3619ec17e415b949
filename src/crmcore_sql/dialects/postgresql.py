"""PostgreSQL, through psycopg 3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import psycopg as dialect_module
from sqlalchemy.engine import Dialect as SQLAlchemyDialect
from sqlalchemy.types import TypeEngine

from crmcore.errors import (
    Conflict,
    CRMError,
    MissingExtra,
    SchemaOutdated,
    StorageError,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
)
from crmcore.records import Column, Storage
from crmcore_sql.dialects.base import (
    INDEXED_BYTES,
    CustomIndex,
    Dialect,
    Expression,
    Values,
    dumps,
    fits_index,
    item_document,
    literal,
    uuid_of,
)
from crmcore_sql.statements import Statement

try:
    import psycopg
    from psycopg.adapt import Loader
    from psycopg.pq import Format, TransactionStatus
except ImportError:
    raise MissingExtra(feature="The PostgreSQL store", extra="postgres") from None

__all__ = ["PostgreSQL"]

#: Batches of at least so many rows go in through COPY.
COPY_FROM = 50
#: Identifies the advisory lock of installers.
INSTALL_LOCK = 0x63726D636F7265
#: Identifies that of builders of indexes, and the seconds they wait for old readers.
BUILD_LOCK, BUILD_PATIENCE = 0x63726D69647878, 300

_TYPES: dict[Storage, TypeEngine[Any]] = {
    Storage.TEXT: sa.Text(collation="C"),
    Storage.LONG_TEXT: sa.Text(collation="C"),
    Storage.INTEGER: sa.BigInteger(),
    Storage.BOOLEAN: sa.Boolean(),
    Storage.DATE: sa.Date(),
    Storage.DATETIME: sa.DateTime(timezone=True),
    Storage.UUID: sa.Uuid(),
    Storage.JSON: postgresql.JSONB(),
}
_CASTS: dict[Storage, TypeEngine[Any]] = {
    Storage.INTEGER: sa.BigInteger(),
    Storage.BOOLEAN: sa.Boolean(),
}
#: What jsonb_typeof calls the values of a storage.
_JSON_KINDS = {Storage.INTEGER: "number", Storage.BOOLEAN: "boolean"}
_ARRAYS: dict[Storage, TypeEngine[Any]] = {
    **_TYPES,
    Storage.TEXT: sa.Text(),
    Storage.LONG_TEXT: sa.Text(),
}


class _IdentityLoader(Loader):
    """Reads ids faster than the constructor of UUID."""

    format = Format.BINARY

    def load(self, data: Any) -> UUID:
        return uuid_of(bytes(data))


class PostgreSQL(Dialect):
    """Native types; text compares in the collation ``C``, by code point."""

    name = "postgresql"
    driver = "psycopg"
    driver_error = psycopg.Error
    encode: ClassVar[Mapping[Storage, str]] = {Storage.JSON: "dumps({})"}
    namespace: ClassVar[Mapping[str, Any]] = {"dumps": dumps}

    def make_sqlalchemy(self) -> SQLAlchemyDialect:
        make: Any = dialect_module.dialect
        made: SQLAlchemyDialect = make(paramstyle="format")
        return made

    def from_database(self, column: Column, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return super().from_database(column, value)

    def moment_from(self, value: Any) -> Any:
        return None if value is None else value.astimezone(UTC)

    # -- tables ----------------------------------------------------------------------

    def column_type(self, storage: Storage, maximum: int | None) -> TypeEngine[Any]:
        return _TYPES[storage]

    def index_column(self, column: Expression, *, nullable: bool) -> Expression:
        return column.asc().nulls_first() if nullable else column

    def order(
        self, expression: Expression, *, descending: bool, nullable: bool
    ) -> sa.UnaryExpression[Any]:
        key = super().order(expression, descending=descending, nullable=nullable)
        if not nullable:
            return key
        return key.nulls_last() if descending else key.nulls_first()

    # -- expressions -----------------------------------------------------------------

    def custom_value(self, document: Expression, column: Column) -> Expression:
        cast = _CASTS.get(column.storage)
        if cast is not None:
            return self._guarded(document.op("->")(literal(column.name)), column, cast)
        text = self._text(document, column.name)
        if not fits_index(column):
            return text.collate("C")
        # A longer text of another tenant would not fit the index.
        bytes_ = sa.func.octet_length(text) <= sa.literal_column(str(INDEXED_BYTES))
        return sa.case((bytes_, text)).collate("C")

    def _guarded(
        self, value: Expression, column: Column, cast: TypeEngine[Any]
    ) -> Expression:
        """Return a number or a boolean; null for what another tenant may keep here.

        Tenants share the table and its index: under the same key one may have a text,
        a fraction or a number beyond 64 bits.
        """
        value = sa.type_coerce(value.self_group(), postgresql.JSONB())
        fits = sa.func.jsonb_typeof(value) == literal(_JSON_KINDS[column.storage])
        if column.storage is Storage.INTEGER:
            number = sa.cast(value, sa.Numeric())
            least: Expression = sa.literal_column(str(-(2**63)))
            most: Expression = sa.literal_column(str(2**63 - 1))
            # One condition behind the other: numbers only may be cast.
            fits = sa.case((fits, sa.and_(number >= least, number <= most)))
        return sa.case((fits, sa.cast(value, cast)))

    def _text(self, document: Expression, key: str) -> Expression:
        text = document.op("->>")(literal(key))
        return sa.type_coerce(text, sa.Text()).self_group()

    def json_text(self, document: Expression, key: str) -> Expression:
        return self._text(document, key).collate("C")

    def identity_of(self, text: Expression) -> Expression:
        return sa.cast(text, sa.Uuid())

    def contains(self, text: Expression, part: Expression) -> Expression:
        return sa.func.strpos(text, part) > sa.literal_column("0")

    def search_key(self, text: Expression) -> Expression:
        return super().search_key(text).collate("C")

    def _starts(self, text: Expression, start: Expression) -> Expression:
        return sa.func.starts_with(text, start, type_=sa.Boolean())

    def in_values(
        self, column: Column, values: Sequence[Any], *, walking: bool
    ) -> tuple[Any, list[Any]]:
        if column.storage is Storage.UUID and not column.is_custom:
            # The text of the array, which the driver would make item by item.
            digits = ",".join([f"{value.int:032x}" for value in values])
            return "array", ["{" + digits + "}"]
        return "array", [[self.to_database(column, value) for value in values]]

    def in_list(
        self, expression: Expression, kind: Any, slots: list[Expression], column: Column
    ) -> Expression:
        item = _ARRAYS[column.storage]
        if column.is_custom:
            item = _CASTS.get(column.storage, sa.Text())
        array = sa.cast(slots[0], postgresql.ARRAY(item))
        return expression == sa.any_(array)

    def any_values(self, column: Column, keys: Sequence[Any]) -> list[Any]:
        return [[item_document(column, key) for key in keys]]

    def any_of(
        self, document: Expression, column: Column, slots: list[Expression]
    ) -> Expression:
        if column.is_custom:
            document = document.op("->")(literal(column.name)).self_group()
        wanted = sa.cast(slots[0], postgresql.ARRAY(postgresql.JSONB()))
        return document.op("@>", is_comparison=True)(sa.any_(wanted))

    def period(self, expression: Expression, unit: str, column: Column) -> Expression:
        if column.storage is Storage.DATETIME:
            moment = sa.cast(expression, sa.DateTime(timezone=True))
            day: Expression = sa.func.timezone(literal("UTC"), moment)
        else:
            day = sa.cast(sa.cast(expression, sa.Date()), sa.DateTime())
        return sa.cast(sa.func.date_trunc(literal(unit), day), sa.Date())

    def extreme(
        self, function: str, expression: Expression, column: Column
    ) -> Expression:
        if column.storage is Storage.BOOLEAN:
            of_booleans = sa.func.bool_and if function == "min" else sa.func.bool_or
            return of_booleans(expression)
        if column.storage is Storage.UUID and not column.is_custom:
            text = sa.cast(expression, sa.Text()).collate("C")
            return sa.cast(super().extreme(function, text, column), sa.Uuid())
        return super().extreme(function, expression, column)

    # -- statements ------------------------------------------------------------------

    def insert_ignoring(self, table: sa.Table, values: Values) -> sa.Insert:
        return postgresql.insert(table).values(values).on_conflict_do_nothing()

    def insert_adding(
        self, table: sa.Table, values: Values, key: Sequence[str], total: str
    ) -> sa.Insert:
        upsert = postgresql.insert(table).values(values)
        added = table.c[total] + upsert.excluded[total]
        return upsert.on_conflict_do_update(index_elements=key, set_={total: added})

    def execute(self, cursor: Any, statement: Statement, arguments: Any) -> None:
        # A list is planned for its values each time: a plan made for any list would
        # guess its length.
        prepare = False if statement.one_shot else None
        cursor.execute(statement.text, arguments, prepare=prepare)

    def insert_many(
        self, cursor: Any, statement: Statement, table: sa.Table, rows: list[Any]
    ) -> None:
        if len(rows) < COPY_FROM:
            cursor.executemany(statement.text, rows)
            return
        with cursor.copy(_copy_text(table)) as copy:
            write = copy.write_row
            for row in rows:
                write(row)

    def update_each(
        self, cursor: Any, statement: Statement, rows: Iterable[Any]
    ) -> list[int]:
        cursor.executemany(statement.text, rows, returning=True)
        met = [cursor.rowcount]
        while cursor.nextset():
            met.append(cursor.rowcount)
        return met

    # -- sessions --------------------------------------------------------------------

    def begin_statements(self, *, owned: bool) -> Sequence[str]:
        return ("BEGIN ISOLATION LEVEL READ COMMITTED",)

    def prepare(self, connection: Any, info: dict[Any, Any], *, owned: bool) -> None:
        if owned and "crmcore" not in info:
            info["crmcore"] = True
            connection.adapters.register_loader("uuid", _IdentityLoader)
            connection.execute("SET TIME ZONE 'UTC'")
            connection.commit()
        connection.autocommit = True

    def restore(self, connection: Any, *, owned: bool) -> None:
        connection.autocommit = False

    def ensure_host_transaction(self, connection: Any) -> str | None:
        idle = connection.info.transaction_status == TransactionStatus.IDLE
        if connection.autocommit and idle:
            return "the host's connection commits each statement by itself"
        return None

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(binary=True)

    def is_utc(self, connection: Any) -> bool:
        return bool(connection.pgconn.parameter_status(b"TimeZone") == b"UTC")

    def in_utc(self, row: Sequence[Any]) -> Sequence[Any]:
        return [v.astimezone(UTC) if isinstance(v, datetime) else v for v in row]

    # -- installing ------------------------------------------------------------------

    def lock_schema(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(INSTALL_LOCK)))

    no_list_index: ClassVar[str] = ""

    def index_items(self, name: str, column: sa.Column[Any]) -> None:
        kinds = {column.name: "jsonb_path_ops"}
        sa.Index(name, column, postgresql_using="gin", postgresql_ops=kinds)

    def custom_index(self, index: CustomIndex) -> list[str]:
        if index.expression is None:
            build = self._list_index(index)
        else:
            (build,) = super().custom_index(index)
            build = build.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
        quote = self.sqlalchemy.identifier_preparer.quote
        # Of an interrupted build an index is left that serves nothing.
        left = f"DROP INDEX CONCURRENTLY IF EXISTS {quote(index.name)}"
        # Without statistics of the expression it is guessed how many rows match.
        return [left, build, f"ANALYZE {quote(index.table.name)}"]

    def _list_index(self, index: CustomIndex) -> str:
        # An inverted index cannot begin with the tenant: its rows are checked for it.
        quote = self.sqlalchemy.identifier_preparer.quote
        return (
            f"CREATE INDEX CONCURRENTLY {quote(index.name)} ON"
            f" {quote(index.table.name)} USING gin"
            f" (({index.document} -> '{index.column.name}') jsonb_path_ops)"
        )

    def take_builds(self, connection: sa.Connection) -> bool:
        # Asked again and again: one that waits in the server would hold a snapshot, for
        # whose end the builder waits.
        connection.execute(sa.text(f"SET lock_timeout = '{BUILD_PATIENCE}s'"))
        taken = sa.select(sa.func.pg_try_advisory_lock(BUILD_LOCK))
        return bool(connection.execute(taken).scalar())

    def leave_builds(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(BUILD_LOCK)))
        connection.execute(sa.text("RESET lock_timeout"))

    def index_names(self, connection: sa.Connection) -> set[str]:
        # One that broke off while it was built is there, and serves nothing.
        names = sa.text(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE i.indisvalid AND n.nspname = ANY (current_schemas(false))"
        )
        return set(connection.execute(names).scalars())

    def facts(self, connection: sa.Connection) -> dict[str, str]:
        def setting(name: str) -> str:
            return str(connection.exec_driver_sql(f"SHOW {name}").scalar())

        return {
            "server": f"PostgreSQL {setting('server_version')}",
            "driver": f"psycopg {psycopg.__version__}",
            "encoding": setting("server_encoding"),
            "isolation": "read committed, with version checks",
            "fsync": setting("fsync"),
            "synchronous_commit": setting("synchronous_commit"),
            "read_only": setting("transaction_read_only"),
        }

    def problems(self, facts: Mapping[str, str]) -> list[str]:
        found = []
        if facts["encoding"] != "UTF8":
            found.append("the database is not encoded in UTF8")
        if facts["fsync"] == "off":
            found.append("fsync is off: a power cut can damage the database")
        if facts["synchronous_commit"] == "off":
            found.append("synchronous_commit is off: a crash loses the last commits")
        if facts["read_only"] == "on":
            found.append("the server is read-only")
        return found

    def error(self, error: Any) -> CRMError:
        state: str = error.sqlstate or ""
        if state in {"40001", "40P01", "55P03"} or state.startswith("23"):
            return Conflict()
        if state == "53100":
            return StorageFull()
        if state in {"42P01", "42703", "3F000"}:
            return SchemaOutdated(state="missing")
        if state.startswith("28") or state in {"25006", "3D000", "42501"}:
            return StoreRefused(problem=_named(error, state))
        if state[:2] in {"08", "53"} or state.startswith("57P"):
            return StoreUnavailable(problem=_named(error, state))
        if not state and isinstance(
            error, (psycopg.OperationalError, psycopg.InterfaceError)
        ):
            return StoreUnavailable(problem=type(error).__name__)
        return StorageError(problem=_named(error, state))


def _named(error: Exception, state: str) -> str:
    return f"{type(error).__name__} ({state})"


def _copy_text(table: sa.Table) -> str:
    kept: str | None = table.info.get("copy")
    if kept is None:
        quote = sa.engine.default.DefaultDialect().identifier_preparer.quote
        columns = ", ".join(quote(c.name) for c in table.c if c.identity is None)
        kept = f"COPY {quote(table.name)} ({columns}) FROM STDIN"
        table.info["copy"] = kept
    return kept
