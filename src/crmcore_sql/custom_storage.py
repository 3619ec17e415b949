"""What administrators' objects and fields need in the database, made while it is used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs
import sqlalchemy as sa
import tenacity

from crmcore.errors import Conflict
from crmcore.records import EntityDef, Schema
from crmcore.storage import MissingIndex
from crmcore_sql.connections import Pool, refuse_nesting
from crmcore_sql.custom_indexes import Wanted, wanted_indexes
from crmcore_sql.tables import entity_table, table_name

__all__ = ["CustomStorage"]

#: Seconds that a builder of indexes waits for another one, and between two looks.
LONGEST_BUILD, BETWEEN_LOOKS = 900.0, 0.1
#: Seconds until it is looked again for indexes that other processes may have built.
FRESH_SECONDS = 5.0


@attrs.define(eq=False)
class CustomStorage:
    """Keeps the tables of custom objects and the indexes of custom fields."""

    pool: Pool
    #: Tables that are known to be there: nothing ever drops them.
    _known: set[str] = attrs.field(factory=set)
    _extending: threading.Lock = attrs.field(factory=threading.Lock)
    _looked: float | None = None

    def extend(self, schema: Schema) -> None:
        """Create the tables of custom objects that are missing."""
        if not self._unknown(schema):
            return
        # One thread of this process at a time: each needs a further connection.
        with self._extending:
            wanted = self._unknown(schema)
            missing = self._without_table(wanted)
            if missing:
                metadata = sa.MetaData()
                for entity in missing:
                    entity_table(entity, self.pool.dialect, metadata)
                with self.pool.alone() as connection:
                    metadata.create_all(connection, checkfirst=True)
            self._known.update(table_name(entity) for entity in wanted)

    def _unknown(self, schema: Schema) -> list[EntityDef]:
        return [
            entity
            for entity in schema.entities.values()
            if entity.custom_object and table_name(entity) not in self._known
        ]

    def _without_table(self, wanted: list[EntityDef]) -> list[EntityDef]:
        """Return the entities without a table, found without keeping anybody away."""
        with self.pool.turn(), self.pool.engine.connect() as connection:
            inspector = sa.inspect(connection)
            return [e for e in wanted if not inspector.has_table(table_name(e))]

    # -- indexes -----------------------------------------------------------------------

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        """Build the indexes of custom fields that are missing; return their names."""
        self.extend(schema)
        if not self._buildable(schema):
            return ()
        with self._building() as connection:
            self.pool.dialect.refresh(connection.connection.dbapi_connection)
            missing = self._buildable(schema, connection)
            built = [w.name for w in missing if self._build(connection, w)]
            self.pool.dialect.tune(connection)
        self.look_again()
        return tuple(built)

    def missing_indexes(self, schema: Schema) -> tuple[MissingIndex, ...]:
        """Return the indexes that custom fields ask for and do not have."""
        return tuple(
            MissingIndex(wanted.name, wanted.field, wanted.reason)
            for wanted in self._missing(schema)
        )

    def _buildable(
        self, schema: Schema, connection: sa.Connection | None = None
    ) -> list[Wanted]:
        missing = self._missing(schema, connection)
        return [wanted for wanted in missing if not wanted.reason]

    def _missing(
        self, schema: Schema, connection: sa.Connection | None = None
    ) -> list[Wanted]:
        wanted = [
            index
            for entity in schema.entities.values()
            for index in wanted_indexes(entity, self.pool.dialect)
        ]
        if not wanted:
            return []
        names = self.pool.dialect.index_names
        if connection is not None:
            present = names(connection)
        else:
            with self.pool.turn(), self.pool.engine.connect() as opened:
                present = names(opened)
        return [index for index in wanted if index.name not in present]

    @contextmanager
    def _building(self) -> Iterator[sa.Connection]:
        """Give a connection beside which nobody else builds; writers go on."""
        dialect = self.pool.dialect
        with self.pool.turn(), self.pool.engine.connect() as plain:
            refuse_nesting(plain)
            dialect.prepare_install(plain, owned=self.pool.owned)
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            _wait(lambda: dialect.take_builds(connection))
            try:
                yield connection
            finally:
                dialect.leave_builds(connection)

    def _build(self, connection: sa.Connection, wanted: Wanted) -> bool:
        """Build one index; tell whether the table has room for it."""
        dialect = self.pool.dialect
        try:
            for statement in wanted.statements:
                connection.exec_driver_sql(statement)
        except sa.exc.DBAPIError as error:
            if dialect.is_limit(error.orig):
                return False
            raise
        return True

    # -- what other processes built ----------------------------------------------------

    def look_again(self) -> None:
        """Find out which indexes queries may rely on."""
        with self.pool.turn(), self.pool.engine.connect() as connection:
            self.pool.dialect.refresh(connection.connection.dbapi_connection)
        self._looked = time.monotonic()

    def keep_fresh(self) -> None:
        """Look again where queries would like an index that was not there lately."""
        looked = self._looked
        if looked is None or (
            self.pool.dialect.awaited and time.monotonic() - looked > FRESH_SECONDS
        ):
            self.look_again()


def _wait(taken: Callable[[], bool]) -> None:
    """Ask until it is our turn; raises Conflict where that takes too long."""
    asking = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda mine: not mine),
        stop=tenacity.stop_after_delay(LONGEST_BUILD),
        wait=tenacity.wait_fixed(BETWEEN_LOOKS),
    )
    try:
        asking(taken)
    except tenacity.RetryError:
        raise Conflict from None
