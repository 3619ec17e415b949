"""Which indexes the fields of administrators ask for, and which they cannot have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import sqlalchemy as sa

from crmcore.records import EntityDef, FieldDef, Storage
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import CustomIndex, fits_index
from crmcore_sql.tables import entity_table, index_name

__all__ = ["Wanted", "wanted_indexes"]

_TOO_LONG = "texts of this length do not fit an index"


@attrs.frozen(eq=False)
class Wanted:
    """One index that should be there, with the statements that build it.

    ``reason`` says why the server cannot have it; nothing is built then.
    """

    name: str
    table: str
    field: str
    statements: tuple[str, ...] = ()
    reason: str = ""


def wanted_indexes(entity: EntityDef, dialect: Dialect) -> Iterator[Wanted]:
    """Yield the indexes of custom fields, and all of a custom object."""
    asked = [f for f in entity.custom_fields if f.indexed or f.unique]
    if not asked and not entity.custom_object:
        return
    table = entity_table(entity, dialect, sa.MetaData())
    if entity.custom_object:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            statement = str(
                sa.schema.CreateIndex(index).compile(dialect=dialect.sqlalchemy)
            )
            yield Wanted(str(index.name), table.name, entity.name, (statement,))
    for field in asked:
        yield from _of_field(entity, field, table, dialect)


def _of_field(
    entity: EntityDef, field: FieldDef, table: sa.Table, dialect: Dialect
) -> Iterator[Wanted]:
    place = f"{entity.name}.{field.name}"
    column = entity.columns_by_field[field.name][0]
    name = index_name(table.name, "custom", field.name, dialect.stored_form(column))

    def wanted(index: CustomIndex) -> Wanted:
        return Wanted(index.name, table.name, place, tuple(dialect.custom_index(index)))

    if column.storage is Storage.JSON:
        if dialect.no_list_index:
            yield Wanted(name, table.name, place, reason=dialect.no_list_index)
        else:
            yield wanted(CustomIndex(name, table, column))
    elif not fits_index(column):
        yield Wanted(name, table.name, place, reason=_TOO_LONG)
    else:
        value: Any = dialect.custom_value(table.c.custom, column)
        yield wanted(CustomIndex(name, table, column, expression=value))
    if field.searchable and field.type.textual and column.storage is not Storage.JSON:
        name = index_name(table.name, "custom", field.name, "folded")
        key = dialect.folded_value(table.c.folded, field)
        yield wanted(CustomIndex(name, table, column, "folded", key))
