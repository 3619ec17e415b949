"""The indexes that each collection has; the tenant leads all of them.

An index is known by its name, which spells its keys: another definition is another
index. Where a collection is sharded, the key is the tenant and the id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
from pymongo import IndexModel

from crmcore.records import (
    AnyReference,
    Boolean,
    Choice,
    Column,
    EntityDef,
    FieldDef,
    Reference,
    Schema,
    Storage,
)
from crmcore_mongo.conditions import collection_name
from crmcore_mongo.values import (
    ID,
    MATCH_KEYS,
    TENANT,
    column_path,
    folded_path,
    item_path,
)

__all__ = ["CLAIMS", "HISTORY", "OPERATIONS", "OUTBOX", "SEQUENCES", "SERVICE", "Index"]

CLAIMS = "crm_claims"
HISTORY = "crm_history"
OPERATIONS = "crm_operations"
OUTBOX = "crm_outbox"
SEQUENCES = "crm_sequences"


@attrs.frozen
class Index:
    """One index: its keys behind the tenant, ascending."""

    keys: tuple[str, ...]
    unique: bool = False

    @property
    def name(self) -> str:
        """Return the name, which spells the keys."""
        return "__".join((TENANT, *self.keys))

    def model(self) -> IndexModel:
        """Return what the driver creates."""
        keys = [(key, 1) for key in (TENANT, *self.keys)]
        return IndexModel(keys, name=self.name, unique=self.unique)


#: The indexes of the collections that serve all entities.
SERVICE: Mapping[str, tuple[Index, ...]] = {
    CLAIMS: (Index(("scope", "key"), unique=True), Index(("record_id",))),
    HISTORY: (Index(("record_id", "version", "_id")),),
    OPERATIONS: (Index(("key",), unique=True),),
    OUTBOX: (Index((ID,), unique=True),),
    SEQUENCES: (Index(("sequence",), unique=True),),
}

#: Types with few different values, or many records for each: newest first within one.
_GROUPING = (AnyReference, Boolean, Choice, Reference)


def of_schema(schema: Schema) -> dict[str, tuple[Index, ...]]:
    """Return the indexes of every entity's collection, by its name."""
    return {
        collection_name(entity): tuple(dict.fromkeys(_of_entity(entity)))
        for entity in schema.entities.values()
    }


def _of_entity(entity: EntityDef) -> Iterator[Index]:
    yield Index((ID,), unique=True)
    yield Index(("created_at", ID))
    yield Index(("owner_id", "created_at", ID))
    yield Index((MATCH_KEYS, ID))
    for field in entity.fields.values():
        if field.indexed and field.name not in ("created_at", "owner_id"):
            yield from _of_field(field, entity.columns_by_field[field.name])
    for names in entity.indexes:
        columns = (c for n in names for c in entity.columns_by_field[n])
        yield Index((*(column_path(column) for column in columns), ID))


def _of_field(field: FieldDef, columns: tuple[Column, ...]) -> Iterator[Index]:
    column = columns[0]
    if column.storage is Storage.JSON:
        yield Index((item_path(column), ID))
    elif isinstance(field.type, _GROUPING):
        yield Index((column_path(column), "created_at", ID))
    else:
        yield Index((column_path(column), ID))
    if field.searchable and field.type.textual:
        yield Index((folded_path(field), ID))
