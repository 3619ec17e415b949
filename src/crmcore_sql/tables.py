"""Tables: one for each entity, derived from its fields, and those of the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects.mysql import VARCHAR

from crmcore.records import Column, EntityDef, Storage
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import fitting

__all__ = [
    "KEY_LENGTH",
    "NEVER_MISSING",
    "TENANT_LENGTH",
    "Infrastructure",
    "column_maximum",
    "entity_table",
    "index_name",
    "infrastructure",
    "table_name",
]

#: Characters of a tenant's name, of a stored key, of names of entities and sequences.
TENANT_LENGTH, KEY_LENGTH, NAME_LENGTH = 64, 200, 100
#: Columns that always hold a value.
NEVER_MISSING = frozenset({"id", "version"})
#: MariaDB keeps at most 65,535 bytes in a row; a text outside it takes some 12.
WIDEST_ROW = 50_000


def column_maximum(column: Column) -> int | None:
    """Return how many characters a text column has to hold; none: any number."""
    maximum: int | None = getattr(column.type, "maximum", None)
    if column.storage is Storage.TEXT and maximum is None:
        return 100  # keys of picklists
    return maximum if isinstance(maximum, int) else None


def table_name(entity: EntityDef) -> str:
    """Return the name of an entity's table, cut to what every server allows."""
    return fitting(f"crm_{entity.plural}")


def entity_table(
    entity: EntityDef, dialect: Dialect, metadata: sa.MetaData
) -> sa.Table:
    """Return the table of ``entity`` with its indexes."""
    maxima = _maxima(entity)
    table = sa.Table(
        table_name(entity),
        metadata,
        _text("tenant", dialect, TENANT_LENGTH, key=True),
        *(_column(column, dialect, maxima[column.name]) for column in entity.columns),
        sa.Column("custom", dialect.column_type(Storage.JSON, None)),
        sa.Column("folded", dialect.column_type(Storage.JSON, None)),
        **dialect.table_options(narrow=False),
    )
    for names in _index_columns(entity):
        _add_index(table, names, dialect)
    for field in entity.typed_fields:
        if field.indexed and field.type.storage is Storage.JSON:
            name = index_name(table.name, field.name, "items")
            dialect.index_items(name, table.c[field.name])
    return table


def _maxima(entity: EntityDef) -> dict[str, int | None]:
    """Return the length of each text column, without bound for the widest of a row."""
    maxima = {column.name: column_maximum(column) for column in entity.columns}
    texts = [c.name for c in entity.columns if c.storage is Storage.TEXT]
    indexed = {name for names in _index_columns(entity) for name in names}
    spare = sorted(set(texts) - indexed, key=lambda name: maxima[name] or 0)
    total = sum(4 * (maxima[name] or 0) for name in texts)
    while total > WIDEST_ROW and spare:
        widest = spare.pop()
        total -= 4 * (maxima[widest] or 0)
        maxima[widest] = None
    return maxima


def _column(column: Column, dialect: Dialect, maximum: int | None) -> sa.Column[Any]:
    return sa.Column(
        column.name,
        dialect.column_type(column.storage, maximum),
        primary_key=column.name == "id",
        nullable=column.name not in NEVER_MISSING,
    )


def _text(
    name: str, dialect: Dialect, maximum: int, *, key: bool = False
) -> sa.Column[Any]:
    kind = dialect.column_type(Storage.TEXT, maximum)
    return sa.Column(name, kind, primary_key=key, nullable=False)


def _index_columns(entity: EntityDef) -> Iterator[tuple[str, ...]]:
    """Yield the columns of each index, without the tenant that leads it."""
    seen = set()
    columns = {column.name for column in entity.columns}
    for names in _wanted_indexes(entity):
        if names not in seen and columns.issuperset(names):
            seen.add(names)
            yield names


def _wanted_indexes(entity: EntityDef) -> Iterator[tuple[str, ...]]:
    yield ("created_at", "id")
    yield ("owner_id", "created_at", "id")
    for field in entity.typed_fields:
        if field.indexed and field.type.storage is not Storage.JSON:
            main = entity.columns_by_field[field.name][0].name
            if main not in {"created_at", "owner_id"}:
                yield (main, "id")
    for names in entity.indexes:
        mains = [entity.columns_by_field[name][0].name for name in names]
        yield (*mains, "id")


def _add_index(table: sa.Table, names: tuple[str, ...], dialect: Dialect) -> None:
    parts = [
        dialect.index_column(table.c[name], nullable=name not in NEVER_MISSING)
        for name in names
    ]
    lengths = {
        name: getattr(table.c[name].type, "length", None)
        for name in names
        if isinstance(table.c[name].type, (sa.Text, sa.String, VARCHAR))
        and not isinstance(table.c[name].type, sa.Uuid)
    }
    options = dialect.index_options(lengths)
    words = [name for name in names if name != "id"] or ["id"]
    sa.Index(index_name(table.name, *words), table.c.tenant, *parts, **options)


def index_name(*words: str) -> str:
    """Return the name of an index, cut to what every server allows."""
    return fitting("_".join(("ix", *words)))


@attrs.frozen(eq=False)
class Infrastructure:
    """The tables that are the same whatever the entities."""

    metadata: sa.MetaData
    match_key: sa.Table
    claim: sa.Table
    history: sa.Table
    outbox: sa.Table
    operation: sa.Table
    sequence: sa.Table
    installation: sa.Table


def infrastructure(dialect: Dialect) -> Infrastructure:
    """Return the library's own tables; the migrations create the same."""
    metadata = sa.MetaData()

    def text(name: str, maximum: int = NAME_LENGTH, *, key: bool = False) -> Any:
        return _text(name, dialect, maximum, key=key)

    def of(
        name: str, storage: Storage, *, key: bool = False, null: bool = False
    ) -> Any:
        kind = dialect.column_type(storage, None)
        return sa.Column(name, kind, primary_key=key, nullable=null)

    def table(name: str, *columns: Any, narrow: bool = False) -> sa.Table:
        options = dialect.table_options(narrow=narrow)
        return sa.Table(name, metadata, *columns, **options)

    return Infrastructure(
        metadata=metadata,
        match_key=table(
            "crm_match_key",
            text("tenant", TENANT_LENGTH, key=True),
            text("entity", key=True),
            text("key", KEY_LENGTH, key=True),
            of("record_id", Storage.UUID, key=True),
            sa.Index("ix_crm_match_key_record", "tenant", "record_id"),
            narrow=True,
        ),
        claim=table(
            "crm_claim",
            text("tenant", TENANT_LENGTH, key=True),
            text("scope", key=True),
            text("key", KEY_LENGTH, key=True),
            of("record_id", Storage.UUID),
            sa.Index("ix_crm_claim_record", "tenant", "record_id"),
            narrow=True,
        ),
        history=table(
            "crm_history",
            sa.Column(
                "seq",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                sa.Identity(),
                primary_key=True,
                autoincrement=True,
            ),
            text("tenant", TENANT_LENGTH),
            text("entity"),
            of("record_id", Storage.UUID),
            of("version", Storage.INTEGER),
            text("action"),
            of("at", Storage.DATETIME),
            of("by", Storage.UUID, null=True),
            of("changes", Storage.JSON),
            sa.Index("ix_crm_history_record", "tenant", "record_id", "seq"),
        ),
        outbox=table(
            "crm_outbox",
            text("tenant", TENANT_LENGTH, key=True),
            of("id", Storage.UUID, key=True),
            text("kind"),
            text("entity"),
            of("record_id", Storage.UUID),
            of("version", Storage.INTEGER),
            of("at", Storage.DATETIME),
            of("by", Storage.UUID, null=True),
            of("payload", Storage.JSON),
            of("leased_until", Storage.DATETIME, null=True),
        ),
        operation=table(
            "crm_operation",
            text("tenant", TENANT_LENGTH, key=True),
            text("key", KEY_LENGTH, key=True),
            of("at", Storage.DATETIME),
            of("by", Storage.UUID, null=True),
            of("journal", Storage.JSON),
        ),
        sequence=table(
            "crm_sequence",
            text("tenant", TENANT_LENGTH, key=True),
            text("name", KEY_LENGTH, key=True),
            of("last", Storage.INTEGER),
            narrow=True,
        ),
        installation=table(
            "crm_installation", text("fingerprint", KEY_LENGTH, key=True), narrow=True
        ),
    )
