"""MariaDB and MySQL, through PyMySQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql import pymysql as dialect_module
from sqlalchemy.engine import Dialect as SQLAlchemyDialect
from sqlalchemy.sql import operators
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
from crmcore.records import Column, FieldDef, Storage
from crmcore_sql.dialects.base import (
    SEARCHED_LENGTH,
    CustomIndex,
    Dialect,
    Expression,
    Values,
    dumps,
    fitting,
    item_document,
    literal,
    uuid_of,
)
from crmcore_sql.dialects.periods import period_text

try:
    import pymysql
except ImportError:
    raise MissingExtra(feature="The MariaDB and MySQL store", extra="mysql") from None

__all__ = ["MySQL"]

#: Name of the lock of installers, and how many seconds one waits for it.
INSTALL_LOCK, INSTALL_WAIT = "crmcore.install", 120
#: Longer texts are kept outside the row.
LONGEST_VARCHAR = 500

#: The same for builders of indexes, and the seconds they wait for readers of the table.
BUILD_LOCK, BUILD_PATIENCE = "crmcore.indexes", 300

#: Too many indexes, columns or bytes of a row.
_LIMITS = {1069, 1117, 1118}
_CONFLICTS = {1020, 1062, 1205, 1213}
_FULL = {3, 1021, 1114}
_AWAY = {0, 1040, 1053, 1203, 1927, 2002, 2003, 2005, 2006, 2013, 2014, 2055, 4031}
_REFUSED = {1044, 1045, 1049, 1142, 1290, 1698, 1836}
_OUTDATED = {1054, 1146}


def _naive(moment: datetime) -> str:
    return moment.isoformat(" ", "milliseconds")[:-6]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def text_length(column: Column) -> int:
    """Return how many characters the column beside the document holds."""
    maximum = getattr(column.type, "maximum", None)
    return 255 if maximum is None or int(maximum) <= 255 else LONGEST_VARCHAR


def value_column(column: Column) -> str:
    """Return the name of the column that holds a custom value beside its document.

    It carries the form: tenants may keep different forms under one key.
    """
    return fitting(f"xc_{column.name}_{form_of(column)}")


def form_of(column: Column) -> str:
    """Return in which form a custom value is kept beside its document."""
    named = {Storage.INTEGER: "integer", Storage.BOOLEAN: "boolean"}
    return named.get(column.storage, f"text{text_length(column)}")


def search_column(field: FieldDef) -> str:
    """Return the name of the column that holds the beginning of a folded text."""
    return fitting(f"xc_{field.name}_folded")


class MySQL(Dialect):
    """Text is utf8mb4 in a binary collation that keeps trailing blanks."""

    name = "mysql"
    driver = "pymysql"
    driver_error = pymysql.Error
    encode: ClassVar[Mapping[Storage, str]] = {
        Storage.UUID: "{}.bytes",
        Storage.DATETIME: "naive({})",
        Storage.JSON: "dumps({})",
    }
    decode: ClassVar[Mapping[Storage, str]] = {
        Storage.UUID: "uuid_of({})",
        Storage.DATETIME: "utc({})",
        Storage.BOOLEAN: "{} == 1",
    }
    namespace: ClassVar[Mapping[str, Any]] = {
        "naive": _naive,
        "dumps": dumps,
        "uuid_of": uuid_of,
        "utc": _utc,
    }
    row_values = False
    longest_index = 3072
    collation = "utf8mb4_nopad_bin"

    def make_sqlalchemy(self) -> SQLAlchemyDialect:
        return dialect_module.dialect()

    def __init__(self) -> None:
        super().__init__()
        self.generated: frozenset[tuple[str, str]] = frozenset()

    def learn(self, connection: Any) -> None:
        is_mariadb = "MariaDB" in connection.get_server_info()
        self.name = "mariadb" if is_mariadb else "mysql"
        self.collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"

    # -- tables ----------------------------------------------------------------------

    def column_type(self, storage: Storage, maximum: int | None) -> TypeEngine[Any]:
        if (
            storage is Storage.TEXT
            and (maximum or LONGEST_VARCHAR + 1) <= LONGEST_VARCHAR
        ):
            return mysql.VARCHAR(maximum, charset="utf8mb4", collation=self.collation)
        if storage in {Storage.TEXT, Storage.LONG_TEXT}:
            return mysql.LONGTEXT(charset="utf8mb4", collation=self.collation)
        return _TYPES[storage]

    def table_options(self, *, narrow: bool) -> dict[str, Any]:
        return {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": self.collation,
            "mysql_row_format": "DYNAMIC",
        }

    def index_options(self, lengths: Mapping[str, int | None]) -> dict[str, Any]:
        total = sum(4 * (length or 10_000) for length in lengths.values())
        if total + 100 <= self.longest_index:
            return {}
        # 190 characters of each text: enough to find, the rest is compared in the row.
        share = min(190, (self.longest_index - 100) // (4 * len(lengths)))
        cut = {n: share for n, length in lengths.items() if (length or 10_000) > share}
        return {"mysql_length": cut}

    # -- expressions -----------------------------------------------------------------

    def _unquoted(self, document: Expression, key: str) -> Expression:
        path = literal(f"$.{dumps(key)}")
        text = sa.func.json_unquote(sa.func.json_extract(document, path))
        return sa.collate(sa.type_coerce(text, sa.Text()), self.collation)

    def index_names(self, connection: sa.Connection) -> set[str]:
        names = sa.text(
            "SELECT index_name FROM information_schema.statistics"
            " WHERE table_schema = DATABASE()"
        )
        return set(connection.execute(names).scalars())

    def custom_value(self, document: Expression, column: Column) -> Expression:
        ready = self._generated_column(document, value_column(column), column.field)
        if ready is not None:
            return ready
        text = self._unquoted(document, column.name)
        if column.storage is Storage.INTEGER:
            return sa.cast(text, sa.BigInteger())
        if column.storage is Storage.BOOLEAN:
            return text == literal("true")
        return text

    def folded_value(self, document: Expression, field: FieldDef) -> Expression:
        ready = self._generated_column(document, search_column(field), field)
        return super().folded_value(document, field) if ready is None else ready

    def _generated_column(
        self, document: Expression, name: str, field: FieldDef
    ) -> Expression | None:
        """Return the column that is kept beside the document, where there is one."""
        source: Any = document.table
        place = (getattr(source, "element", source).name, name)
        if place in self.generated:
            found: Any = sa.column(name)
            found.table = source
            return cast(Expression, found)
        if field.custom and (field.indexed or field.unique):
            self.awaited.add(place)
        return None

    def json_text(self, document: Expression, key: str) -> Expression:
        return self._unquoted(document, key)

    def identity_of(self, text: Expression) -> Expression:
        return sa.func.unhex(sa.func.replace(text, literal("-"), literal("")))

    def contains(self, text: Expression, part: Expression) -> Expression:
        return sa.func.locate(part, text) > sa.literal_column("0")

    def _starts(self, text: Expression, start: Expression) -> Expression:
        return sa.func.left(text, sa.func.char_length(start)) == start

    def in_values(
        self, column: Column, values: Sequence[Any], *, walking: bool
    ) -> tuple[Any, list[Any]]:
        # The driver writes a tuple as a list in parentheses.
        return "tuple", [tuple([self.to_database(column, value) for value in values])]

    def in_list(
        self, expression: Expression, kind: Any, slots: list[Expression], column: Column
    ) -> Expression:
        # A comparison (a custom boolean) needs parentheses before IN.
        operand = expression.self_group(against=operators.in_op)
        return operand.op("IN", is_comparison=True)(slots[0])

    def any_values(self, column: Column, keys: Sequence[Any]) -> list[Any]:
        return [item_document(column, key) for key in keys]

    def any_of(
        self, document: Expression, column: Column, slots: list[Expression]
    ) -> Expression:
        if column.is_custom:
            path = literal(f"$.{dumps(column.name)}")
            document = sa.func.json_extract(document, path)
        return sa.or_(*(sa.func.json_contains(document, slot) == 1 for slot in slots))

    def period(self, expression: Expression, unit: str, column: Column) -> Expression:
        day = sa.func.substr(
            sa.cast(expression, sa.CHAR()),
            sa.literal_column("1"),
            sa.literal_column("10"),
        )
        if unit != "week":
            return period_text(day, unit)
        back = sa.func.weekday(day)
        return sa.cast(sa.func.subdate(sa.cast(day, sa.Date()), back), sa.CHAR())

    # -- statements ------------------------------------------------------------------

    def insert_ignoring(self, table: sa.Table, values: Values) -> sa.Insert:
        return sa.insert(table).values(values).prefix_with("IGNORE")

    def insert_adding(
        self, table: sa.Table, values: Values, key: Sequence[str], total: str
    ) -> sa.Insert:
        upsert = mysql.insert(table).values(values)
        added = table.c[total] + upsert.inserted[total]
        return upsert.on_duplicate_key_update({total: added})

    # -- sessions --------------------------------------------------------------------

    def begin_statements(self, *, owned: bool) -> Sequence[str]:
        begin = "START TRANSACTION"
        if owned:
            return (begin,)
        return ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", begin)

    def prepare(self, connection: Any, info: dict[Any, Any], *, owned: bool) -> None:
        if not owned:
            connection.autocommit(True)

    def restore(self, connection: Any, *, owned: bool) -> None:
        if not owned:
            connection.autocommit(False)

    def ensure_host_transaction(self, connection: Any) -> str | None:
        if connection.get_autocommit():
            return "the host's connection commits each statement by itself"
        return None

    # -- indexes of custom fields ------------------------------------------------------

    def stored_form(self, column: Column) -> str:
        return form_of(column)

    def refresh(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = DATABASE() AND table_name LIKE 'crm\\_%'"
                " AND column_name LIKE 'xc\\_%'"
            )
            found = frozenset((str(t), str(c)) for t, c in cursor.fetchall())
        self.awaited -= found
        if found != self.generated:
            self.generated = found
            self.generation += 1

    def custom_index(self, index: CustomIndex) -> list[str]:
        """Return the statements: a virtual column beside the document, and its index.

        Of a value that another tenant keeps under the same key in another form, the
        column is null: nothing that fits the table is ever refused.
        """
        quote = self.sqlalchemy.identifier_preparer.quote
        table = quote(index.table.name)
        name, kind, value = self._virtual(index)
        add = (
            f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind} AS ({value}) VIRTUAL"
        )
        keys = f"tenant, {quote(name)}, id"
        build = f"CREATE INDEX {quote(index.name)} ON {table} ({keys})"
        there = (index.table.name, name) in self.generated
        return [build] if there else [add, build]

    def _virtual(self, index: CustomIndex) -> tuple[str, str, str]:
        """Return name, type and expression of the column that an index needs."""
        path = f"'$.\"{index.column.name}\"'"
        text = f"JSON_UNQUOTE(JSON_EXTRACT({index.document}, {path}))"
        kind = f"JSON_TYPE(JSON_EXTRACT({index.document}, {path}))"
        collated = f"CHARACTER SET utf8mb4 COLLATE {self.collation}"
        if index.document == "folded":
            head = f"LEFT({text}, {SEARCHED_LENGTH})"
            column = f"VARCHAR({SEARCHED_LENGTH}) {collated}"
            return search_column(index.column.field), column, head
        name = value_column(index.column)
        if index.column.storage is Storage.INTEGER:
            # Worked out for each row that a list looks at: as few steps as can be.
            scalar = f"JSON_VALUE({index.document}, {path})"
            fits = f"{scalar} REGEXP '^-?[0-9]{{1,19}}$'"
            value = f"CASE WHEN {fits} THEN CAST({scalar} AS DECIMAL(19, 0)) END"
            return name, "DECIMAL(19, 0)", value
        if index.column.storage is Storage.BOOLEAN:
            value = f"CASE WHEN {kind} = 'BOOLEAN' THEN {text} = 'true' END"
            return name, "TINYINT(1)", value
        length = text_length(index.column)
        value = f"CASE WHEN CHAR_LENGTH({text}) <= {length} THEN {text} END"
        return name, f"VARCHAR({length}) {collated}", value

    def take_builds(self, connection: sa.Connection) -> bool:
        waits = sa.text(f"SET SESSION lock_wait_timeout = {BUILD_PATIENCE}")
        connection.execute(waits)
        taken = sa.select(sa.func.get_lock(BUILD_LOCK, 1))
        return bool(connection.execute(taken).scalar() == 1)

    def leave_builds(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.release_lock(BUILD_LOCK)))
        connection.execute(sa.text("SET SESSION lock_wait_timeout = DEFAULT"))

    def is_limit(self, error: Any) -> bool:
        return bool(error.args) and error.args[0] in _LIMITS

    # -- installing ------------------------------------------------------------------

    def lock_schema(self, connection: sa.Connection) -> None:
        locked = connection.execute(
            sa.select(sa.func.get_lock(INSTALL_LOCK, INSTALL_WAIT))
        ).scalar()
        if locked != 1:
            raise Conflict

    def unlock_schema(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.release_lock(INSTALL_LOCK)))

    def facts(self, connection: sa.Connection) -> dict[str, str]:
        def variable(name: str) -> str:
            return str(connection.exec_driver_sql(f"SELECT @@{name}").scalar())

        return {
            "server": f"{self.name} {variable('version')}",
            "driver": f"PyMySQL {pymysql.__version__}",
            "isolation": "read committed, with version checks",
            "collation": self.collation,
            "flush_at_commit": variable("innodb_flush_log_at_trx_commit"),
            "read_only": variable("read_only"),
            "sql_mode": variable("sql_mode"),
        }

    def problems(self, facts: Mapping[str, str]) -> list[str]:
        found = []
        if facts["flush_at_commit"] != "1":
            found.append(
                "innodb_flush_log_at_trx_commit is not 1: a crash loses the last commits"
            )
        if facts["read_only"] in {"1", "ON"}:
            found.append("the server is read-only")
        if "STRICT" not in facts["sql_mode"]:
            found.append("sql_mode is not strict: texts that are too long are cut")
        return found

    def error(self, error: Any) -> CRMError:
        code = error.args[0] if error.args else None
        problem = f"{type(error).__name__} ({code})"
        if code in _CONFLICTS:
            return Conflict()
        if code in _FULL:
            return StorageFull()
        if code in _AWAY or isinstance(error, pymysql.InterfaceError):
            return StoreUnavailable(problem=problem)
        if code in _REFUSED:
            return StoreRefused(problem=problem)
        if code in _OUTDATED:
            return SchemaOutdated(state="missing")
        return StorageError(problem=problem)


_TYPES: dict[Storage, TypeEngine[Any]] = {
    Storage.INTEGER: sa.BigInteger(),
    Storage.BOOLEAN: mysql.TINYINT(1),
    Storage.DATE: sa.Date(),
    Storage.DATETIME: mysql.DATETIME(fsp=3),
    Storage.UUID: mysql.BINARY(16),
    Storage.JSON: mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"),
}
