"""Items as they are stored: read from a transaction, and the schema they make."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from crmcore.criteria import BoundSort, Operator, Query, Test
from crmcore.criteria.binding import Subject
from crmcore.customisation.entities import CustomisationItem
from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.customisation.merging import merged
from crmcore.customisation.objects import RecordClasses
from crmcore.records import EntityDef, Schema
from crmcore.storage import Transaction

__all__ = ["TenantSchemas", "items_of", "read_items"]

log = logging.getLogger("crmcore")


def read_items(
    transaction: Transaction, entity: EntityDef
) -> dict[ItemKey, CustomisationItem]:
    """Return the records of all items of a tenant, by key."""

    def column(name: str) -> Subject:
        return Subject(entity.fields[name], entity, None, None)

    query = Query(
        entity=entity,
        where=Test(column("deleted_at").column(), Operator.NULL),
        order=(BoundSort(column("id").column(), descending=False),),
    )
    records: dict[ItemKey, CustomisationItem] = {}
    for chunk in transaction.stream(query):
        for record in chunk:
            assert isinstance(record, CustomisationItem)
            records[key_of(record)] = record
    return records


def key_of(record: CustomisationItem) -> ItemKey:
    """Return what names the item of a record."""
    return ItemKey(record.kind or "", record.object or "", record.key or "")


def items_of(records: Mapping[ItemKey, CustomisationItem]) -> Items:
    """Return the items of stored records."""
    return Items(_item(key, record) for key, record in records.items())


def _item(key: ItemKey, record: CustomisationItem) -> Item:
    return Item(key, record.definition or {}, retired=bool(record.retired))


class TenantSchemas:
    """Makes the schema of each tenant from the host's declarations and stored items."""

    def __init__(self, base: Schema) -> None:
        self.base = base
        self.classes = RecordClasses()

    def read(self, tenant: str, transaction: Transaction, version: int) -> Schema:
        """Return the schema of a tenant; items that fit it no more are logged."""
        entity = self.base.entity(CustomisationItem)
        items = items_of(read_items(transaction, entity))
        result = merged(self.base, items, tenant, self.classes, version)
        _log(tenant, result.problems)
        return result.schema


def _log(tenant: str, problems: Iterable[object]) -> None:
    for problem in problems:
        log.warning("customisation of %s: %s", tenant, problem)
