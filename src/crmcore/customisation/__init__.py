"""Customisation: what administrators shape at run time, as data with a schema.

Takes fields, objects, picklists, layouts, rules ... as definitions; returns the tenant's
schema, and plans of changes to it that are checked as a whole before any is stored.
Never runs code from the database, never alters what the host declared in Python.
Neighbours: ``records`` holds the values, ``unit`` asks for the schema of each tenant.
"""

from crmcore.customisation.change_sets import ChangeSet
from crmcore.customisation.entities import CustomisationItem
from crmcore.customisation.entity_schema import EntitySchema
from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.customisation.objects import DATA_TYPES, ObjectDefinition
from crmcore.customisation.planning import (
    CustomisationPlan,
    Difference,
    Put,
    Remove,
    Restore,
    Retire,
)
from crmcore.customisation.service import CustomisationService
from crmcore.customisation.stored import TenantSchemas
from crmcore.unit import Area

__all__ = [
    "AREA",
    "DATA_TYPES",
    "ChangeSet",
    "CustomisationItem",
    "CustomisationPlan",
    "CustomisationService",
    "Difference",
    "EntitySchema",
    "Item",
    "ItemKey",
    "Items",
    "ObjectDefinition",
    "Put",
    "Remove",
    "Restore",
    "Retire",
    "TenantSchemas",
]

AREA = Area(
    name="customisation",
    entities=(CustomisationItem,),
    service=CustomisationService,
)
