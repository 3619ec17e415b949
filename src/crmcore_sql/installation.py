"""Creating and extending the schema, and telling whether that was done.

The library's own tables come from Alembic revisions. Entity tables follow the schema:
what Alembic's comparison finds missing is added; nothing is ever altered or dropped.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import attrs
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.operations import Operations
from alembic.operations.ops import (
    AddColumnOp,
    CreateIndexOp,
    CreateTableOp,
    MigrateOperation,
    OpContainer,
)
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from crmcore.errors import SchemaOutdated
from crmcore.records import Schema
from crmcore_sql.connections import Pool
from crmcore_sql.migrations import VERSION_TABLE
from crmcore_sql.tables import entity_table

__all__ = ["Installation"]


@attrs.frozen(eq=False)
class Installation:
    """Keeps the schema of one database."""

    pool: Pool

    # -- creating --------------------------------------------------------------------

    def install(self, schema: Schema) -> None:
        """Create or extend all tables."""
        with self.pool.alone() as connection:
            self._refuse_newer(connection)
            command.upgrade(_configuration(connection), "head")
            self._extend_entities(connection, schema)
            self._note(connection, schema)
        with self.pool.engine.connect() as connection:
            self.pool.dialect.tune(connection)

    def _refuse_newer(self, connection: sa.Connection) -> None:
        if self._state_of_library(connection) == "newer":
            raise SchemaOutdated(state="newer")

    def _extend_entities(self, connection: sa.Connection, schema: Schema) -> None:
        metadata = sa.MetaData()
        for entity in schema.entities.values():
            entity_table(entity, self.pool.dialect, metadata)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": False,
                "include_name": lambda name, kind, _: (
                    kind != "table" or name in metadata.tables
                ),
            },
        )
        with warnings.catch_warnings():
            # Indexes on expressions cannot be reflected; they are kept apart.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            wanted = produce_migrations(context, metadata).upgrade_ops
        present = _index_names(connection, metadata)
        operations = Operations(context)
        for operation in _additions(wanted):
            if isinstance(operation, CreateIndexOp) and operation.index_name in present:
                continue
            operations.invoke(operation)

    def _note(self, connection: sa.Connection, schema: Schema) -> None:
        table = _installations()
        mark = self._fingerprint(schema)
        known = sa.select(table.c.fingerprint).where(table.c.fingerprint == mark)
        if connection.execute(known).first() is None:
            connection.execute(sa.insert(table).values(fingerprint=mark))

    # -- checking --------------------------------------------------------------------

    def verify(self, schema: Schema) -> None:
        """Raise SchemaOutdated unless everything is there."""
        with self.pool.engine.connect() as connection:
            state = self._state_of_library(connection)
            if state == "current" and not self._is_noted(connection, schema):
                state = "older"
        if state != "current":
            raise SchemaOutdated(state=state)

    def _state_of_library(self, connection: sa.Connection) -> str:
        """Return current, older, newer or missing for the library's own tables."""
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return "missing"
        version = sa.table(VERSION_TABLE, sa.column("version_num"))
        present = connection.execute(sa.select(version.c.version_num)).scalars().all()
        if not present:
            return "missing"
        scripts = ScriptDirectory.from_config(_configuration())
        known = {script.revision for script in scripts.walk_revisions()}
        if not known.issuperset(present):
            return "newer"
        return "current" if set(present) == set(scripts.get_heads()) else "older"

    def _is_noted(self, connection: sa.Connection, schema: Schema) -> bool:
        table = _installations()
        mark = self._fingerprint(schema)
        known = sa.select(table.c.fingerprint).where(table.c.fingerprint == mark)
        return connection.execute(known).first() is not None

    def _fingerprint(self, schema: Schema) -> str:
        """Return a mark of the typed columns and indexes of all entities."""
        metadata = sa.MetaData()
        lines = []
        for entity in schema.entities.values():
            table = entity_table(entity, self.pool.dialect, metadata)
            lines += [f"{table.name}.{column.name}" for column in table.c]
            lines += [f"{table.name}:{index.name}" for index in table.indexes]
        text = "\n".join(sorted(lines))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _installations() -> sa.TableClause:
    return sa.table("crm_installation", sa.column("fingerprint"))


def _configuration(connection: sa.Connection | None = None) -> Config:
    configuration = Config()
    place = Path(__file__).parent / "migrations"
    configuration.set_main_option("script_location", str(place).replace("%", "%%"))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["connection"] = connection
    return configuration


def _index_names(connection: sa.Connection, metadata: sa.MetaData) -> set[str]:
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        return {
            str(index["name"])
            for name in metadata.tables
            if name in present
            for index in inspector.get_indexes(name)
        }


def _additions(wanted: object) -> Iterator[MigrateOperation]:
    """Yield what adds something; all else is left to the administrator."""
    if isinstance(wanted, OpContainer):
        for part in wanted.ops:
            yield from _additions(part)
    elif isinstance(wanted, (CreateTableOp, AddColumnOp, CreateIndexOp)):
        yield wanted
