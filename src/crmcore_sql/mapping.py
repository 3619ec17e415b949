"""How one entity is stored: its table, its converters and its compiled statements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from crmcore.records import EntityDef, Record
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import dumps
from crmcore_sql.rows import Converters, converters
from crmcore_sql.statements import StatementCache
from crmcore_sql.tables import entity_table

__all__ = ["EntityMapping", "Mappings"]

_decode_json = json.JSONDecoder().decode
#: Schemas come and go where tenants have their own; more are not kept.
MAXIMUM_ENTITIES = 5_000


@attrs.frozen(eq=False)
class EntityMapping:
    """What is made once for all entities of the same structure."""

    table: sa.Table
    converters: Converters
    statements: StatementCache

    @property
    def read_columns(self) -> list[sa.Column[Any]]:
        """Return the columns that a record is made of, in order."""
        return [c for c in self.table.c if c.name not in {"tenant", "folded"}]

    @property
    def column_names(self) -> list[str]:
        """Return the columns of an insert, in order."""
        return [column.name for column in self.table.c]


class Mappings:
    """Finds the mapping of an entity.

    Entities that differ only in custom fields share one: those are data, not columns.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._by_entity: dict[EntityDef, EntityMapping] = {}
        self._by_structure: dict[Any, EntityMapping] = {}

    def of(self, entity: EntityDef) -> EntityMapping:
        """Return the mapping of ``entity``."""
        found = self._by_entity.get(entity)
        if found is None:
            if len(self._by_entity) >= MAXIMUM_ENTITIES:
                self._by_entity.clear()
            found = self._by_entity[entity] = self._shared(entity)
        return found

    def _shared(self, entity: EntityDef) -> EntityMapping:
        structure = _structure(entity)
        found = self._by_structure.get(structure)
        if found is None:
            found = self._by_structure[structure] = self._make(entity)
        return found

    def _make(self, entity: EntityDef) -> EntityMapping:
        return EntityMapping(
            table=entity_table(entity, self._dialect, sa.MetaData()),
            converters=converters(entity, self._dialect),
            statements=StatementCache(self._dialect.sqlalchemy),
        )


def _structure(entity: EntityDef) -> Any:
    fields = tuple((f.name, f.type, f.indexed) for f in entity.typed_fields)
    try:
        hash(fields)
    except TypeError:
        return entity
    return (entity.record_class, entity.plural, entity.indexes, fields)


def custom_text(entity: EntityDef, custom: Mapping[str, Any]) -> str | None:
    """Return the document of custom values, none where there are no values."""
    if not custom:
        return None
    stored = entity.custom_to_stored(custom)
    return dumps(stored) if stored else None


def folded_text(entity: EntityDef, record: Record) -> str | None:
    """Return the document of folded texts, none where there is no text."""
    folded = entity.folded(record)
    return dumps(folded) if folded else None


def read_custom(entity: EntityDef, document: Any) -> Mapping[str, Any]:
    """Return the custom values of a document."""
    data = _decode_json(document) if isinstance(document, str) else document
    return entity.custom_from_stored(data)
