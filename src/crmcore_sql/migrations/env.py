"""Runs the revisions on the connection that the installer hands in."""

from __future__ import annotations

from alembic import context

from crmcore_sql.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    target_metadata=None,
)
with context.begin_transaction():
    context.run_migrations()
