"""How a field is declared, once: its type and its rules in one line.

::

    @entity("lead", plural="leads", display=("first_name", "last_name"))
    class Lead(Record):
        last_name: str | None = fields.text(80, required=True)
        amount: Money | None = fields.money()

From this one line come the attribute, the SQL column, the document key, the import
mapping, the label and the privacy map.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import attrs

from crmcore.errors import ValidationError
from crmcore.records.composites import (
    CONTACT_POINT_KINDS,
    AddressBlock,
    AnyReference,
    Choices,
    ContactPoints,
    ListOf,
    MoneyAmount,
    Reference,
)
from crmcore.records.contact_types import Email, Phone, WebAddress
from crmcore.records.converted_money import ConvertedMoneyAmount
from crmcore.records.field_definitions import FieldDef
from crmcore.records.lookup_values import LookupValue
from crmcore.records.numbering import AutoNumber, NumberFormat
from crmcore.records.picklists import Picklist
from crmcore.records.types import (
    Boolean,
    Choice,
    DateOnly,
    DateTime,
    DecimalNumber,
    FieldType,
    Identifier,
    Integer,
    LongText,
    Percent,
    Text,
)

__all__ = [
    "SPECIFICATION",
    "address",
    "any_reference",
    "auto_number",
    "boolean",
    "contact_points",
    "converted_money",
    "custom",
    "date",
    "datetime",
    "decimal",
    "email",
    "identifier",
    "integer",
    "list_of",
    "long_text",
    "lookup_value",
    "money",
    "multi_picklist",
    "numbered",
    "of_type",
    "percent",
    "phone",
    "picklist",
    "reference",
    "tags",
    "text",
    "url",
]

#: Key of the field's specification in the metadata of its attrs attribute.
SPECIFICATION = "crmcore"


def of_type(kind: FieldType, *, default: Any = None, **rules: Any) -> Any:
    """Declare a field of any type; ``rules`` are those of :class:`FieldDef`."""
    rules.setdefault("searchable", kind.textual)
    specification = {"type": kind, "default": default, **rules, **kind.implied}
    return attrs.field(default=default, metadata={SPECIFICATION: specification})


def custom(name: str, kind: FieldType, *, label: str = "", **rules: Any) -> FieldDef:
    """Make a custom field: one whose values live in ``record.custom`` (REC-09).

    One with a ``formula`` or a ``roll_up`` is worked out by the library.
    """
    if rules.get("formula") is not None or rules.get("roll_up") is not None:
        rules["computed"] = True
    rules.setdefault("searchable", kind.textual)
    rules = {"label": label or words(name), **rules, **kind.implied}
    return FieldDef(name=name, type=kind, custom=True, **rules)


def numbered(field: FieldDef, shown: NumberFormat) -> FieldDef:
    """Return a declared line of text as a field that numbers its records (REC-15).

    Raises ValidationError for a field of another type and for a bad format.
    """
    if field.system or type(field.type) not in (Text, AutoNumber):
        raise ValidationError.of(field.name, "not_numbered")
    kind = AutoNumber(format=shown, maximum=cast(Text, field.type).maximum)
    rules = {**kind.implied, "indexed": field.indexed}
    return attrs.evolve(field, type=kind, **rules)


def words(name: str) -> str:
    """Return a key as a label: company_name -> Company name."""
    return name.removesuffix("_id").replace("_", " ").capitalize()


def text(maximum: int = 255, **rules: Any) -> Any:
    """Declare a line of text with at most ``maximum`` characters."""
    return of_type(Text(maximum=maximum), **rules)


def long_text(maximum: int = 32_000, **rules: Any) -> Any:
    """Declare text of several paragraphs."""
    return of_type(LongText(maximum=maximum), **rules)


def integer(**rules: Any) -> Any:
    """Declare a whole number; ``minimum`` and ``maximum`` are its bounds."""
    bounds = {k: rules.pop(k) for k in ("minimum", "maximum") if k in rules}
    return of_type(Integer(**bounds), **rules)


def decimal(digits: int = 4, **rules: Any) -> Any:
    """Declare an exact number with ``digits`` digits after the point."""
    return of_type(DecimalNumber(digits=digits), **rules)


def money(*, minimum: Decimal | None = None, **rules: Any) -> Any:
    """Declare an amount of money with its currency."""
    return of_type(MoneyAmount(minimum=minimum), **rules)


def converted_money(
    *, rate_date: str | None = None, minimum: Decimal | None = None, **rules: Any
) -> Any:
    """Declare an amount that is kept with its worth in the default currency (I18N-03).

    ``rate_date`` names the date field whose rate counts, else that of the creation.
    """
    return of_type(ConvertedMoneyAmount(minimum=minimum, rate_date=rate_date), **rules)


def percent(**rules: Any) -> Any:
    """Declare a share of a hundred."""
    return of_type(Percent(), **rules)


def boolean(**rules: Any) -> Any:
    """Declare a yes or no."""
    return of_type(Boolean(), **rules)


def date(**rules: Any) -> Any:
    """Declare a day."""
    return of_type(DateOnly(), **rules)


def datetime(**rules: Any) -> Any:
    """Declare a point in time."""
    return of_type(DateTime(), **rules)


def identifier(**rules: Any) -> Any:
    """Declare an id that refers to no entity."""
    return of_type(Identifier(), **rules)


def picklist(options: Picklist, **rules: Any) -> Any:
    """Declare a choice of one option."""
    return of_type(Choice(picklist=options), **rules)


def multi_picklist(options: Picklist, **rules: Any) -> Any:
    """Declare a choice of several options."""
    return of_type(Choices.of(options), **rules)


def email(**rules: Any) -> Any:
    """Declare an e-mail address."""
    return of_type(Email(), **{"sensitive": True, **rules})


def phone(**rules: Any) -> Any:
    """Declare a phone number."""
    return of_type(Phone(), **{"sensitive": True, **rules})


def url(**rules: Any) -> Any:
    """Declare a web address."""
    return of_type(WebAddress(), **rules)


def reference(entity: str, **rules: Any) -> Any:
    """Declare a reference to a record of ``entity``; indexed unless told otherwise."""
    return of_type(Reference(entity=entity), **{"indexed": True, **rules})


def lookup_value(relation: str, field: str, **rules: Any) -> Any:
    """Declare what is shown of another record: ``field`` of the one behind ``relation``.

    ``relation`` names the reference, such as ``account_id``. Nothing is stored, and
    nobody sets it.
    """
    return of_type(LookupValue(relation=relation, field=field), **rules)


def any_reference(*entities: str, **rules: Any) -> Any:
    """Declare a reference to a record of any of ``entities``."""
    return of_type(AnyReference(entities=entities), **{"indexed": True, **rules})


def auto_number(**rules: Any) -> Any:
    """Declare a number that is given automatically.

    ``rules`` are those of :class:`NumberFormat`, such as ``prefix`` and ``padding``, and
    of :class:`FieldDef`.
    """
    parts = {a.name for a in attrs.fields(NumberFormat)}
    shown = NumberFormat(**{k: rules.pop(k) for k in parts & rules.keys()})
    return of_type(AutoNumber(format=shown), **rules)


def address(**rules: Any) -> Any:
    """Declare a postal address."""
    return of_type(AddressBlock(), **{"sensitive": True, **rules})


def list_of(item: FieldType, **rules: Any) -> Any:
    """Declare several values of one type."""
    return of_type(ListOf(item=item), **rules)


def tags_of(entity: str) -> ListOf:
    """Return the type of the tags of ``entity``: its own, and those of all entities."""
    fitting = [
        {"field": "object", "op": "is_null", "value": True},
        {"field": "object", "op": "==", "value": entity},
    ]
    return ListOf(item=Reference(entity="tag", filter={"or": fitting}))


def tags(entity: str, **rules: Any) -> Any:
    """Declare the tags of the records of ``entity``; the field is ``tag_ids`` (REC-23).

    Chosen are tags of this entity, and those of all entities.
    """
    usual = {"indexed": True, "on_delete": "clear", "label": "Tags"}
    return of_type(tags_of(entity), **{**usual, **rules})


def contact_points(item: FieldType, *kinds: str, **rules: Any) -> Any:
    """Declare several phones or e-mail addresses with their kinds."""
    points = ContactPoints(item=item, kinds=kinds or CONTACT_POINT_KINDS)
    return of_type(points, **{"sensitive": True, **rules})
