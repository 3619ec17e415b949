"""What administrators' objects and fields need in the database, made while it is used."""

from __future__ import annotations

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
        if not self._missing(schema):
            return ()
        dialect = self.pool.dialect
        with self.pool.engine.connect() as connection:
            dialect.prepare_install(connection, owned=self.pool.owned)
            if dialect.builds_beside_writers:
                connection.execution_options(isolation_level="AUTOCOMMIT")
            with dialect.building(connection):
                # Somebody else may have built them while this waited.
                missing = self._missing(schema)
                for index in missing:
                    self._build(connection, index)
        with self.pool.engine.connect() as connection:
            dialect.tune(connection)
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
        with self.pool.engine.connect() as connection:
            present = self.pool.dialect.index_names(connection)
        return [index for index in wanted if index.name not in present]

    def _build(self, connection: sa.Connection, index: sa.Index) -> None:
        """Build one index, beside writers where the server can."""
        dialect = self.pool.dialect
        if dialect.builds_beside_writers:
            dialect.drop_broken(connection, index)
            connection.execute(dialect.create_index(index))
            return
        with connection.begin():
            connection.execute(dialect.create_index(index))


def _has_indexed(entity: EntityDef) -> bool:
    return any(field.indexed for field in entity.custom_fields)
