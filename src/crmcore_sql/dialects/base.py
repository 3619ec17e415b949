"""What the store asks of a dialect: types, values, expressions, sessions, errors."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias
from uuid import UUID, SafeUUID

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Dialect as SQLAlchemyDialect
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from crmcore.errors import CRMError
from crmcore.records import Column, ContactPoints, FieldDef, Storage
from crmcore.records.definitions import custom_part_from_json, custom_part_to_json
from crmcore_sql.statements import Statement

__all__ = [
    "CustomIndex",
    "Dialect",
    "Expression",
    "Values",
    "behind_prefix",
    "dumps",
    "fits_index",
    "fitting",
    "item_document",
    "literal",
    "uuid_of",
]

Expression: TypeAlias = sa.ColumnElement[Any]
#: Parameters by the name of their column.
Values: TypeAlias = Mapping[str, Expression]

_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(data: Any) -> str:
    """Return JSON data as text, with characters as they are."""
    return _encode_json(data)


#: Bytes of a name: PostgreSQL allows 63, MariaDB 64.
LONGEST_NAME = 60
#: The greatest character.
LAST_CHARACTER = chr(0x10FFFF)
#: Bytes of a text that fit the index of every server; a character has four at most.
INDEXED_BYTES = 2_000


#: Characters of a folded text by which its beginnings are found.
SEARCHED_LENGTH = 190


def fitting(name: str) -> str:
    """Return a name, or its beginning and its digest where no server takes it whole."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    mark = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
    cut = name.encode()[: LONGEST_NAME - 12].decode(errors="ignore")
    return f"{cut}_{mark}"


@attrs.frozen(eq=False)
class CustomIndex:
    """An index of a part that lives in a JSON column.

    ``document`` is that column, ``custom`` for values and ``folded`` for what is
    searched; ``expression`` is what queries compare, none for the items of a list.
    """

    name: str
    table: sa.Table
    column: Column
    document: str = "custom"
    expression: Expression | None = None

    def key(self, dialect: Dialect) -> Expression:
        """Return the expression as a part of the index."""
        expression: Any = self.expression
        grouped: Any = Grouping(expression)
        return dialect.index_column(grouped, nullable=True)


def fits_index(column: Column) -> bool:
    """Tell whether every value of a custom part fits an index."""
    if column.storage is not Storage.TEXT:
        return column.storage not in {Storage.LONG_TEXT, Storage.JSON}
    maximum = getattr(column.type, "maximum", None)
    return maximum is None or 4 * int(maximum) <= INDEXED_BYTES


def behind_prefix(start: str) -> str | None:
    """Return the smallest text behind all that begin with ``start``; none: there is none.

    Texts compare by code point; surrogates are no characters.
    """
    head = start.rstrip(LAST_CHARACTER)
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if following == 0xD800 else following)


def literal(value: str) -> Expression:
    """Return a text that becomes part of the statement, so that indexes match it."""
    return sa.bindparam(None, value, sa.String(), literal_execute=True)


_new, _set = UUID.__new__, object.__setattr__


def uuid_of(stored: bytes) -> UUID:
    """Return the id of its 16 bytes; faster than the constructor, which checks."""
    identity = _new(UUID)
    _set(identity, "int", int.from_bytes(stored, "big"))
    _set(identity, "is_safe", SafeUUID.unknown)
    return identity


class Dialect(ABC):
    """All differences of one kind of server.

    ``encode`` and ``decode`` are Python expressions by storage, with ``{}`` for the
    value, from which the row converters are generated; ``namespace`` holds what they
    call. A storage that is not listed is passed through.
    """

    name: str = ""
    driver: ClassVar[str] = ""
    driver_error: ClassVar[type[Exception]] = Exception
    encode: ClassVar[Mapping[Storage, str]] = {}
    decode: ClassVar[Mapping[Storage, str]] = {}
    namespace: ClassVar[Mapping[str, Any]] = {}
    #: Row-value comparisons are answered by an index.
    row_values: ClassVar[bool] = True
    #: Longest index key in bytes; none where only pages bound it.
    longest_index: ClassVar[int | None] = None
    #: Grows whenever what custom values are compared by changes.
    generation: int = 0

    def __init__(self) -> None:
        #: What queries would like to compare by an index that is not there.
        self.awaited: set[tuple[str, str]] = set()
        self.sqlalchemy = self.make_sqlalchemy()
        self._encoders = self._functions(self.encode)
        self._decoders = self._functions(self.decode)

    @abstractmethod
    def make_sqlalchemy(self) -> SQLAlchemyDialect:
        """Return the SQLAlchemy dialect that compiles statements for the driver."""

    def _functions(
        self, templates: Mapping[Storage, str]
    ) -> dict[Storage, Callable[[Any], Any]]:
        return {
            storage: eval(  # noqa: S307 -- templates are constants of the dialects
                f"lambda value: {template.format('value')}", dict(self.namespace)
            )
            for storage, template in templates.items()
        }

    # -- values ----------------------------------------------------------------------

    def to_database(self, column: Column, value: Any) -> Any:
        """Return a stored value as the driver takes it, for comparing with a column."""
        if column.is_custom:
            return custom_part_to_json(column, value)
        encode = self._encoders.get(column.storage)
        return value if encode is None else encode(value)

    def from_database(self, column: Column, value: Any) -> Any:
        """Return the stored value of what the driver gives for a column."""
        if value is None:
            return None
        if column.is_custom:
            if column.storage is Storage.BOOLEAN:
                return bool(value)
            return custom_part_from_json(column, value)
        decode = self._decoders.get(column.storage)
        return value if decode is None else decode(value)

    def uuid(self, value: UUID) -> Any:
        """Return an id as the driver takes it."""
        encode = self._encoders.get(Storage.UUID)
        return value if encode is None else encode(value)

    def moment(self, value: Any) -> Any:
        """Return a time, or none, as the driver takes it."""
        encode = self._encoders.get(Storage.DATETIME)
        return value if encode is None or value is None else encode(value)

    def uuid_from(self, value: Any) -> UUID:
        """Return the id of what the driver gives."""
        decode = self._decoders.get(Storage.UUID)
        identity: UUID = value if decode is None else decode(value)
        return identity

    def moment_from(self, value: Any) -> Any:
        """Return the UTC time of what the driver gives."""
        decode = self._decoders.get(Storage.DATETIME)
        return value if decode is None else decode(value)

    def json_from(self, value: Any) -> Any:
        """Return the data of what the driver gives for a JSON column."""
        return json.loads(value) if isinstance(value, str) else value

    # -- tables ----------------------------------------------------------------------

    @abstractmethod
    def column_type(self, storage: Storage, maximum: int | None) -> TypeEngine[Any]:
        """Return the type of a column; ``maximum`` bounds the characters of a text."""

    def table_options(self, *, narrow: bool) -> dict[str, Any]:
        """Return options of a table; ``narrow`` ones are little more than their key."""
        return {}

    def index_column(self, column: Expression, *, nullable: bool) -> Expression:
        """Return a column as part of an index that serves the order of records."""
        return column

    def index_options(self, lengths: Mapping[str, int | None]) -> dict[str, Any]:
        """Return options of an index; ``lengths`` are the characters of its texts."""
        return {}

    # -- expressions -----------------------------------------------------------------

    @abstractmethod
    def custom_value(self, document: Expression, column: Column) -> Expression:
        """Return a custom value of the document, comparable like a typed column."""

    def folded_value(self, document: Expression, field: FieldDef) -> Expression:
        """Return by what the folded text of a field is found from its beginning."""
        return self.search_key(self.json_text(document, field.name))

    @abstractmethod
    def json_text(self, document: Expression, key: str) -> Expression:
        """Return a text of a JSON document, comparable by code point."""

    @abstractmethod
    def identity_of(self, text: Expression) -> Expression:
        """Return the id, as id columns hold it, of a custom reference's text."""

    @abstractmethod
    def contains(self, text: Expression, part: Expression) -> Expression:
        """Return whether a text holds a part, compared by code point."""

    def search_key(self, text: Expression) -> Expression:
        """Return the beginning of a folded text, by which an index finds it."""
        return sa.func.left(text, sa.literal_column(str(SEARCHED_LENGTH)))

    def prefix_values(self, start: str) -> tuple[Any, list[Any]]:
        """Return the kind of a test for a beginning and its parameters."""
        low = start[:SEARCHED_LENGTH]
        high = behind_prefix(low)
        bounds = [low] if high is None else [low, high]
        is_cut = len(start) > SEARCHED_LENGTH
        return (len(bounds), is_cut), [*bounds, start] if is_cut else bounds

    def prefix(
        self, text: Expression, key: Expression, kind: Any, slots: list[Expression]
    ) -> Expression:
        """Return whether a text starts so, compared by code point.

        ``key`` is the text's beginning: one interval of its index.
        """
        bounds, is_cut = kind
        interval = key >= slots[0]
        if bounds > 1:
            interval = sa.and_(interval, key < slots[1])
        if not is_cut:
            return interval
        return sa.and_(interval, self._starts(text, slots[-1]))

    def _starts(self, text: Expression, start: Expression) -> Expression:
        return (
            sa.func.substr(text, sa.literal_column("1"), sa.func.length(start)) == start
        )

    @abstractmethod
    def in_values(
        self, column: Column, values: Sequence[Any], *, walking: bool
    ) -> tuple[Any, list[Any]]:
        """Return the kind of a list test and its parameters.

        ``walking``: the statement walks an index in order until it has enough rows.
        """

    @abstractmethod
    def in_list(
        self, expression: Expression, kind: Any, slots: list[Expression], column: Column
    ) -> Expression:
        """Return whether a value is in the list."""

    @abstractmethod
    def any_values(self, column: Column, keys: Sequence[Any]) -> list[Any]:
        """Return the parameters of a test for items of a JSON list."""

    @abstractmethod
    def any_of(
        self, document: Expression, column: Column, slots: list[Expression]
    ) -> Expression:
        """Return whether a JSON list holds one of the items.

        ``document`` is the list's column, or the document of custom values.
        """

    def order(
        self, expression: Expression, *, descending: bool, nullable: bool
    ) -> sa.UnaryExpression[Any]:
        """Return a sort key under which missing values are smallest."""
        return expression.desc() if descending else expression.asc()

    @abstractmethod
    def period(self, expression: Expression, unit: str, column: Column) -> Expression:
        """Return the first day of a value's period, as a day or its ISO text."""

    def sums(self, expression: Expression) -> list[Expression]:
        """Return what has to be selected for an exact sum."""
        return [sa.func.sum(expression)]

    def sum_from(self, values: Sequence[Any]) -> int | None:
        """Return the sum of what was selected for it."""
        return None if values[0] is None else int(values[0])

    def extreme(
        self, function: str, expression: Expression, column: Column
    ) -> Expression:
        """Return the smallest or greatest value (``min``, ``max``)."""
        result: Expression = getattr(sa.func, function)(expression)
        return result

    # -- statements ------------------------------------------------------------------

    @abstractmethod
    def insert_ignoring(self, table: sa.Table, values: Values) -> sa.Insert:
        """Return an insert that leaves out rows whose key is taken."""

    @abstractmethod
    def insert_adding(
        self, table: sa.Table, values: Values, key: Sequence[str], total: str
    ) -> sa.Insert:
        """Return an insert that adds to ``total`` where the key is there."""

    def insert_many(
        self, cursor: Any, statement: Statement, table: sa.Table, rows: list[Any]
    ) -> None:
        """Insert rows, each the values of the statement in their order."""
        cursor.executemany(statement.text, rows)

    def execute(self, cursor: Any, statement: Statement, arguments: Any) -> None:
        """Run one statement."""
        cursor.execute(statement.text, arguments)

    def update_each(
        self, cursor: Any, statement: Statement, rows: Iterable[Any]
    ) -> list[int]:
        """Run an update for each row and return how many rows each one met."""
        met = []
        for row in rows:
            cursor.execute(statement.text, row)
            met.append(cursor.rowcount)
        return met

    # -- sessions --------------------------------------------------------------------

    def learn(self, connection: Any) -> None:  # noqa: B027 -- a hook
        """Find out, from the first driver connection, what kind of server it is."""

    def prepare(self, connection: Any, info: dict[Any, Any], *, owned: bool) -> None:  # noqa: B027 -- a hook
        """Make a pooled connection ready; ``owned``: the pool is the store's own."""

    def begin_statements(self, *, owned: bool) -> Sequence[str]:
        """Return what begins a transaction whose statements see each other's commits."""
        return ("BEGIN",)

    def restore(self, connection: Any, *, owned: bool) -> None:  # noqa: B027 -- a hook
        """Put a pooled connection back into the state that its pool expects."""

    def ensure_host_transaction(self, connection: Any) -> str | None:
        """Begin the host's transaction where none is open; say why it cannot be."""
        return None

    def cursor(self, connection: Any) -> Any:
        """Return a cursor whose rows the converters understand."""
        return connection.cursor()

    def is_alive(self, connection: Any) -> bool:
        """Tell whether the server still answers on an idle connection."""
        cursor = connection.cursor()
        try:
            cursor.execute("SELECT 1")
            cursor.fetchall()
            # Asking began a transaction, in which nobody could prepare the connection.
            connection.rollback()
        except self.driver_error:
            return False
        finally:
            cursor.close()
        return True

    def is_utc(self, connection: Any) -> bool:
        """Tell whether times come back in UTC."""
        return True

    def in_utc(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return a row with its times in UTC, where the connection has another zone."""
        return row

    # -- installing ------------------------------------------------------------------

    def prepare_install(self, connection: sa.Connection, *, owned: bool) -> None:  # noqa: B027 -- a hook
        """Set the database up before its schema is created."""

    @abstractmethod
    def lock_schema(self, connection: sa.Connection) -> None:
        """Keep other installers away until the end of the transaction."""

    def unlock_schema(self, connection: sa.Connection) -> None:  # noqa: B027 -- a hook
        """Let other installers in, where the end of the transaction does not."""

    # -- indexes of custom fields and of lists -------------------------------------------

    #: Why the items of a list have no index; nothing where they can have one.
    no_list_index: ClassVar[str] = "the server has no index of the items of a list"

    def index_items(self, name: str, column: sa.Column[Any]) -> None:  # noqa: B027 -- a hook
        """Index the items of a column's lists, where the server can."""

    def stored_form(self, column: Column) -> str:
        """Return the form of a custom value, by which its index is named."""
        return column.storage.value

    def refresh(self, connection: Any) -> None:  # noqa: B027 -- a hook
        """Find out which custom values can be compared by their index."""

    def custom_index(self, index: CustomIndex) -> list[str]:
        """Return the statements that build an index of a custom value."""
        made = sa.Index(
            index.name, index.table.c.tenant, index.key(self), index.table.c.id
        )
        return [str(sa.schema.CreateIndex(made).compile(dialect=self.sqlalchemy))]

    def take_builds(self, connection: sa.Connection) -> bool:
        """Keep other builders of indexes away; false: somebody builds just now."""
        return True

    def leave_builds(self, connection: sa.Connection) -> None:  # noqa: B027 -- a hook
        """Let other builders in."""

    @abstractmethod
    def index_names(self, connection: sa.Connection) -> set[str]:
        """Return the names of the indexes that are there and serve queries."""

    def is_limit(self, error: Any) -> bool:
        """Tell whether the server refused one more index of a table."""
        return False

    def tune(self, connection: sa.Connection) -> None:  # noqa: B027 -- a hook
        """Set the database up and let the server learn how data are spread."""

    @abstractmethod
    def facts(self, connection: sa.Connection) -> dict[str, str]:
        """Return what ``health`` shows of the server."""

    def problems(self, facts: Mapping[str, str]) -> list[str]:
        """Return what is wrong with the server's set-up."""
        return []

    @abstractmethod
    def error(self, error: Any) -> CRMError:
        """Return the error of crmcore for an error of the driver."""


def item_document(column: Column, key: Any) -> str:
    """Return the JSON list that holds just the item with ``key``."""
    if isinstance(column.field.type, ContactPoints):
        return dumps([{"value": key}])
    return dumps([key])
