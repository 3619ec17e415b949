"""Two entities that hold every kind of field, typed and custom, to try stores on.

A :class:`Specimen` lives in a :class:`Habitat`; both have custom fields of all kinds.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from crmcore.crm import CRM
from crmcore.records import (
    Address,
    AnyReference,
    Boolean,
    Choice,
    Choices,
    ContactPoint,
    DateOnly,
    DateTime,
    DecimalNumber,
    Email,
    FieldDef,
    FieldType,
    Integer,
    ListOf,
    LongText,
    Money,
    MoneyAmount,
    Option,
    Percent,
    Phone,
    Picklist,
    Record,
    Ref,
    Reference,
    Schema,
    Text,
    WebAddress,
    entity,
    fields,
)
from crmcore.storage import MemoryStore
from crmcore.unit import Area

__all__ = [
    "COLOUR",
    "CUSTOM_FIELDS",
    "SPECIMENS",
    "Habitat",
    "Specimen",
    "specimen_schema",
]

#: Keys that sort otherwise than their labels, and one that looks like an operator.
COLOUR = Picklist(
    "colour",
    (
        Option("red", "Zinnober"),
        Option("Red", "Rubin"),
        Option("green", "Aquamarin"),
        Option("$blue", "Blau"),
        Option("zwölf", "Zwölf"),
        Option("gone", "Gone", active=False),
    ),
)


@entity("habitat", plural="habitats", indexes=(("name",),))
class Habitat(Record):
    """A place where specimens live."""

    name: str | None = fields.text(255)
    colour: str | None = fields.picklist(COLOUR)
    size: int | None = fields.integer()
    price: Money | None = fields.money()
    since: dt.date | None = fields.date()
    open: bool | None = fields.boolean()


@entity("specimen", plural="specimens", indexes=(("colour", "created_at"),))
class Specimen(Record):
    """A thing with a field of every kind; nothing is required."""

    name: str | None = fields.text(255, indexed=True)
    story: str | None = fields.long_text()
    plain: str | None = fields.text(255, searchable=False)
    code: str | None = fields.text(80, unique=True)
    size: int | None = fields.integer()
    weight: Decimal | None = fields.decimal(4)
    share: Decimal | None = fields.percent()
    price: Money | None = fields.money()
    alive: bool | None = fields.boolean()
    born: dt.date | None = fields.date()
    seen_at: dt.datetime | None = fields.datetime()
    colour: str | None = fields.picklist(COLOUR)
    colours: tuple[str, ...] | None = fields.multi_picklist(COLOUR)
    tags: tuple[str, ...] | None = fields.list_of(Text(maximum=60))
    email: str | None = fields.email()
    phone: str | None = fields.phone()
    phones: tuple[ContactPoint, ...] | None = fields.contact_points(Phone())
    website: str | None = fields.url()
    address: Address | None = fields.address()
    habitat_id: UUID | None = fields.reference("habitat")
    about: Ref | None = fields.any_reference()


def _of_every_kind() -> tuple[tuple[str, FieldType], ...]:
    return (
        ("c_text", Text()),
        ("c_story", LongText()),
        ("c_integer", Integer()),
        ("c_decimal", DecimalNumber(digits=3)),
        ("c_percent", Percent()),
        ("c_money", MoneyAmount()),
        ("c_boolean", Boolean()),
        ("c_date", DateOnly()),
        ("c_datetime", DateTime()),
        ("c_colour", Choice(picklist=COLOUR)),
        ("c_colours", Choices.of(COLOUR)),
        ("c_tags", ListOf(item=Text(maximum=60))),
        ("c_email", Email()),
        ("c_phone", Phone()),
        ("c_website", WebAddress()),
        ("c_habitat_id", Reference(entity="habitat")),
        ("c_about", AnyReference()),
    )


_INDEXED = frozenset({"c_text", "c_integer", "c_date"})


def _custom_fields() -> tuple[FieldDef, ...]:
    return tuple(
        fields.custom(name, kind, indexed=name in _INDEXED)
        for name, kind in _of_every_kind()
    )


#: What ``CRM(fields=...)`` is given: custom fields of every kind for both entities.
CUSTOM_FIELDS: dict[type[Record] | str, tuple[FieldDef, ...]] = {
    Specimen: (*_custom_fields(), fields.custom("c_code", Text(), unique=True)),
    Habitat: (
        fields.custom("c_text", Text()),
        fields.custom("c_integer", Integer()),
        fields.custom("c_date", DateOnly()),
    ),
}

#: The area that ``CRM(areas=...)`` is given.
SPECIMENS = Area(name="specimens", entities=(Habitat, Specimen))


def specimen_schema() -> Schema:
    """Return the standard schema with both entities and their custom fields."""
    return CRM(MemoryStore(), areas=[SPECIMENS], fields=CUSTOM_FIELDS).declared_schema
