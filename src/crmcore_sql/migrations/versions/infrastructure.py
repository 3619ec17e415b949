"""The library's own tables: keys, claims, history, outbox, operations, numbers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from crmcore.records import Storage
from crmcore_sql.dialects import Dialect, dialect_for

revision = "0001"
down_revision = None
branch_labels = ("crmcore",)
depends_on = None

_TABLES = (
    "crm_match_key",
    "crm_claim",
    "crm_history",
    "crm_outbox",
    "crm_operation",
    "crm_sequence",
    "crm_installation",
)


def _dialect() -> Dialect:
    connection = op.get_bind()
    dialect = dialect_for(connection.dialect.name)()
    dialect.learn(connection.connection.dbapi_connection)
    return dialect


def upgrade() -> None:
    """Create the tables."""
    dialect = _dialect()

    def text(name: str, maximum: int = 100, *, key: bool = False) -> sa.Column[Any]:
        kind = dialect.column_type(Storage.TEXT, maximum)
        return sa.Column(name, kind, primary_key=key, nullable=False)

    def tenant(*, key: bool = True) -> sa.Column[Any]:
        return text("tenant", 64, key=key)

    def identity(name: str, *, key: bool = False, null: bool = False) -> sa.Column[Any]:
        kind = dialect.column_type(Storage.UUID, None)
        return sa.Column(name, kind, primary_key=key, nullable=null)

    def of(name: str, storage: Storage, *, null: bool = False) -> sa.Column[Any]:
        return sa.Column(name, dialect.column_type(storage, None), nullable=null)

    narrow = dialect.table_options(narrow=True)
    wide = dialect.table_options(narrow=False)
    op.create_table(
        "crm_match_key",
        tenant(),
        text("entity", key=True),
        text("key", 200, key=True),
        identity("record_id", key=True),
        **narrow,
    )
    op.create_index("ix_crm_match_key_record", "crm_match_key", ["tenant", "record_id"])
    op.create_table(
        "crm_claim",
        tenant(),
        text("scope", key=True),
        text("key", 200, key=True),
        identity("record_id"),
        **narrow,
    )
    op.create_index("ix_crm_claim_record", "crm_claim", ["tenant", "record_id"])
    op.create_table(
        "crm_history",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            primary_key=True,
            autoincrement=True,
        ),
        tenant(key=False),
        text("entity"),
        identity("record_id"),
        of("version", Storage.INTEGER),
        text("action"),
        of("at", Storage.DATETIME),
        identity("by", null=True),
        of("changes", Storage.JSON),
        **wide,
    )
    op.create_index(
        "ix_crm_history_record", "crm_history", ["tenant", "record_id", "seq"]
    )
    op.create_table(
        "crm_outbox",
        tenant(),
        identity("id", key=True),
        text("kind"),
        text("entity"),
        identity("record_id"),
        of("version", Storage.INTEGER),
        of("at", Storage.DATETIME),
        identity("by", null=True),
        of("payload", Storage.JSON),
        of("leased_until", Storage.DATETIME, null=True),
        **wide,
    )
    op.create_table(
        "crm_operation",
        tenant(),
        text("key", 200, key=True),
        of("at", Storage.DATETIME),
        identity("by", null=True),
        of("journal", Storage.JSON),
        **wide,
    )
    op.create_table(
        "crm_sequence",
        tenant(),
        text("name", 200, key=True),
        of("last", Storage.INTEGER),
        **narrow,
    )
    op.create_table("crm_installation", text("fingerprint", 200, key=True), **narrow)


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for name in reversed(_TABLES):
        op.drop_table(name)
