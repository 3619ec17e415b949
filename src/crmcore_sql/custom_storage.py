"""What administrators' objects and fields need in the database, made while it is used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import sqlalchemy as sa

from crmcore.records import EntityDef, Schema
from crmcore_sql.connections import Pool
from crmcore_sql.tables import custom_indexes, entity_table

__all__ = ["CustomStorage"]


@attrs.frozen(eq=False)
class CustomStorage:
    """Keeps the tables of custom objects and the indexes of custom fields."""

    pool: Pool
    #: Tables that are known to be there: nothing ever drops them.
    _known: set[str] = attrs.field(factory=set)

    def extend(self, schema: Schema) -> None:
        """Create the tables of custom objects that are missing."""
        wanted = [
            entity
            for entity in schema.entities.values()
            if entity.custom_object and entity.plural not in self._known
        ]
        if not wanted:
            return
        metadata = sa.MetaData()
        for entity in wanted:
            entity_table(entity, self.pool.dialect, metadata)
        with self._locked() as connection:
            metadata.create_all(connection, checkfirst=True)
        self._known.update(entity.plural for entity in wanted)

    @contextmanager
    def _locked(self) -> Iterator[sa.Connection]:
        dialect = self.pool.dialect
        with self.pool.engine.connect() as connection:
            dialect.prepare_install(connection, owned=self.pool.owned)
            with connection.begin():
                dialect.lock_schema(connection)
                try:
                    yield connection
                finally:
                    dialect.unlock_schema(connection)

    # -- indexes -----------------------------------------------------------------------

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Build the indexes of custom fields that are missing; return their names."""
        self.extend(schema)
        missing = self._missing(schema)
        for index in missing:
            self._build(index)
        return tuple(str(index.name) for index in missing)

    def missing_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the indexes of custom fields that are missing."""
        return tuple(str(index.name) for index in self._missing(schema))

    def _missing(self, schema: Schema) -> list[sa.Index]:
        wanted = [
            index
            for entity in schema.entities.values()
            if _has_indexed(entity)
            for index in custom_indexes(entity, self.pool.dialect)
        ]
        if not wanted:
            return []
        tables = {index.table.name for index in wanted if index.table is not None}
        with self.pool.engine.connect() as connection:
            present = self._present(connection, tables)
        return [index for index in wanted if index.name not in present]

    def _present(self, connection: sa.Connection, tables: set[str]) -> set[str]:
        inspector = sa.inspect(connection)
        with warnings.catch_warnings():
            # Indexes on expressions are reflected by their name only.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            return {
                str(index["name"])
                for table in sorted(tables)
                for index in inspector.get_indexes(table)
            }

    def _build(self, index: sa.Index) -> None:
        """Build one index, beside writers where the server can."""
        dialect = self.pool.dialect
        statement = dialect.create_index(index)
        with self.pool.engine.connect() as connection:
            dialect.prepare_install(connection, owned=self.pool.owned)
            if dialect.builds_beside_writers:
                autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
                autocommit.execute(statement)
            else:
                with connection.begin():
                    connection.execute(statement)


def _has_indexed(entity: EntityDef) -> bool:
    return any(field.indexed for field in entity.custom_fields)
