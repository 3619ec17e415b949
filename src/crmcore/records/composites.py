"""Field types made of several stored parts, and those that hold several items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

import attrs
from babel.core import get_global

from crmcore.records.conventions import Conventions
from crmcore.records.picklists import Picklist
from crmcore.records.types import (
    Choice,
    DateOnly,
    DecimalNumber,
    FieldType,
    Identifier,
    Refused,
    Storage,
    Text,
    check_bounds,
    clean_text,
    typed_reference,
)
from crmcore.records.values import Address, ContactPoint, Money, Ref

__all__ = [
    "AddressBlock",
    "AnyReference",
    "Choices",
    "ContactPoints",
    "FormerNames",
    "ListOf",
    "MasterDetail",
    "MoneyAmount",
    "Reference",
]


@cache
def _currencies() -> frozenset[str]:
    return frozenset(get_global("all_currencies"))


_AMOUNT = DecimalNumber(digits=4)
_CURRENCY = Text(maximum=3)


@attrs.frozen(kw_only=True)
class MoneyAmount(FieldType):
    """Money: an exact amount and its currency; sums never mix currencies."""

    kind: ClassVar[str] = "money"
    comparable: ClassVar[bool] = True
    storage: ClassVar[Storage] = Storage.INTEGER
    additive: ClassVar[bool] = True
    minimum: Decimal | None = None

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the amount (the main part) and the currency."""
        return {"": _AMOUNT, "currency": _CURRENCY}

    def split(self, value: Money | None) -> tuple[Any, ...]:
        """Return the scaled amount and the currency."""
        if value is None:
            return (None, None)
        return (_AMOUNT.to_stored(value.amount), value.currency)

    def join(self, stored: tuple[Any, ...]) -> Money | None:
        """Return the money of a scaled amount and a currency."""
        if stored[0] is None:
            return None
        return Money(_AMOUNT.from_stored(stored[0]), stored[1])

    def coerce(self, value: Any, conventions: Conventions) -> Money:
        """Return the money; a bare number is in the default currency."""
        amount, currency = _amount_and_currency(value, conventions)
        if currency not in _currencies():
            raise Refused("unknown_currency", currency=currency)
        exact = _AMOUNT.coerce(amount, conventions)
        check_bounds(exact, self.minimum, None)
        return Money(exact, currency)

    def to_json(self, value: Money) -> dict[str, str]:
        """Return amount and currency as text."""
        return {"amount": format(value.amount, "f"), "currency": value.currency}


def _amount_and_currency(value: Any, conventions: Conventions) -> tuple[Any, str]:
    if isinstance(value, Money):
        return value.amount, value.currency
    if isinstance(value, Mapping):
        if set(value) != {"amount", "currency"} or type(value["currency"]) is not str:
            raise Refused("not_money")
        return value["amount"], value["currency"]
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise Refused("not_money")
    return value, conventions.currency


_ADDRESS_PARTS: dict[str, FieldType] = {
    "street": Text(maximum=255),
    "po_box": Text(maximum=40),
    "postal_code": Text(maximum=20),
    "city": Text(maximum=80),
    "province": Text(maximum=80),
    "country": Text(maximum=80),
}


@attrs.frozen(kw_only=True)
class AddressBlock(FieldType):
    """A postal address; its parts are filtered as ``F.billing_address.city``."""

    kind: ClassVar[str] = "address"
    ordered: ClassVar[bool] = False

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the parts of an address; it has no main part."""
        return _ADDRESS_PARTS

    def split(self, value: Address | None) -> tuple[Any, ...]:
        """Return the six parts."""
        if value is None:
            return (None,) * 6
        return (
            value.street,
            value.po_box,
            value.postal_code,
            value.city,
            value.province,
            value.country,
        )

    def join(self, stored: tuple[Any, ...]) -> Address | None:
        """Return the address, None where every part is missing."""
        return Address(*stored) if any(p is not None for p in stored) else None

    def coerce(self, value: Any, conventions: Conventions) -> Address | None:
        """Return the address with every part cleaned."""
        if isinstance(value, Address):
            given: Mapping[str, Any] = dict(
                zip(_ADDRESS_PARTS, self.split(value), strict=True)
            )
        elif isinstance(value, Mapping) and set(value) <= set(_ADDRESS_PARTS):
            given = value
        else:
            raise Refused("not_address")
        cleaned = {
            name: None
            if part is None
            else _ADDRESS_PARTS[name].coerce(part, conventions)
            for name, part in given.items()
        }
        return Address(**cleaned) if any(cleaned.values()) else None

    def to_json(self, value: Address) -> dict[str, str]:
        """Return the filled parts."""
        return {k: v for k, v in attrs.asdict(value).items() if v is not None}


@attrs.frozen(kw_only=True)
class Reference(Identifier):
    """The id of a record of one other entity; ``entity`` is that entity's name.

    A field named ``account_id`` is followed one hop as ``F.account.industry``.
    """

    kind: ClassVar[str] = "reference"
    entity: str
    #: Criteria, in their JSON form, that a record must meet to be chosen (REC-20).
    filter: Mapping[str, Any] | None = attrs.field(default=None, hash=False)

    def coerce(self, value: Any, conventions: Conventions) -> UUID:
        """Return the id; a record of another entity is refused."""
        name = getattr(type(value), "entity_name", None)
        if name is not None and name() != self.entity:
            raise Refused("not_reference")
        return super().coerce(value, conventions)


@attrs.frozen(kw_only=True)
class MasterDetail(Reference):
    """The master of a record: it must have one, and goes with it (REC-20)."""

    kind: ClassVar[str] = "master_detail"


_ENTITY = Text(maximum=60)
_ANY_ID = Identifier()


@attrs.frozen(kw_only=True)
class AnyReference(FieldType):
    """A reference to a record of any of several entities (activities, notes)."""

    kind: ClassVar[str] = "any_reference"
    comparable: ClassVar[bool] = True
    storage: ClassVar[Storage] = Storage.UUID
    ordered: ClassVar[bool] = False
    entities: tuple[str, ...] = ()

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the id (the main part) and the entity's name."""
        return {"": _ANY_ID, "entity": _ENTITY}

    def split(self, value: Ref | None) -> tuple[Any, ...]:
        """Return the id and the entity's name."""
        return (None, None) if value is None else (value.id, value.entity)

    def join(self, stored: tuple[Any, ...]) -> Ref | None:
        """Return the typed reference."""
        return None if stored[0] is None else Ref(stored[1], stored[0])

    def coerce(self, value: Any, conventions: Conventions) -> Ref:
        """Return the typed reference of a record, a Ref or its JSON data."""
        if isinstance(value, Mapping) and set(value) == {"entity", "id"}:
            value = Ref(value["entity"], _ANY_ID.coerce(value["id"], conventions))
        reference = typed_reference(value)
        if self.entities and reference.entity not in self.entities:
            raise Refused("not_reference")
        return reference

    def to_json(self, value: Ref) -> dict[str, str]:
        """Return entity and id as text."""
        return {"entity": value.entity, "id": str(value.id)}


@attrs.frozen(kw_only=True)
class ListOf(FieldType):
    """Several values of one scalar type, in order, none twice."""

    kind: ClassVar[str] = "list"
    storage: ClassVar[Storage] = Storage.JSON
    ordered: ClassVar[bool] = False
    plural: ClassVar[bool] = True
    item: FieldType
    maximum: int = 100

    def coerce(self, value: Any, conventions: Conventions) -> tuple[Any, ...] | None:
        """Return the items, each in canonical form; an empty list is missing."""
        if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
            raise Refused("not_list")
        items = [self.coerce_item(item, conventions) for item in value]
        filled = tuple(item for item in items if item is not None)
        if len(filled) > self.maximum:
            raise Refused("too_large", maximum=self.maximum)
        if len(set(filled)) != len(filled):
            raise Refused("duplicate_item")
        return filled or None

    def coerce_item(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical form of one item."""
        return self.item.coerce(value, conventions)

    def item_key(self, item: Any) -> Any:
        """Return the JSON value by which ``any_of`` finds an item."""
        return self.item.to_json(item)

    def to_stored(self, value: tuple[Any, ...]) -> list[Any]:
        """Return the items as JSON data."""
        return [self.item.to_json(item) for item in value]

    def from_stored(self, stored: Any) -> tuple[Any, ...] | None:
        """Return the items of JSON data."""
        conventions = Conventions()
        data = json.loads(stored) if isinstance(stored, str) else stored
        return tuple(self.item.from_json(item, conventions) for item in data) or None

    def to_json(self, value: tuple[Any, ...]) -> list[Any]:
        """Return the items as JSON data."""
        return self.to_stored(value)


@attrs.frozen(kw_only=True)
class Choices(ListOf):
    """Several options of a picklist."""

    kind: ClassVar[str] = "multi_picklist"
    item: Choice = attrs.field()

    @classmethod
    def of(cls, picklist: Picklist) -> Choices:
        """Make the type for ``picklist``."""
        return cls(item=Choice(picklist=picklist))

    def from_stored(self, stored: Any) -> tuple[Any, ...] | None:
        """Return the keys as stored; options removed since stay readable."""
        data = json.loads(stored) if isinstance(stored, str) else stored
        return tuple(data) or None


#: Kinds of phones and e-mail addresses where a field names no others.
CONTACT_POINT_KINDS = ("work", "mobile", "home", "other")


@attrs.frozen(kw_only=True)
class ContactPoints(ListOf):
    """Several phones or e-mail addresses, each with a kind (PTY-05).

    ``kinds`` are the kinds allowed; the first is taken where none is given.
    """

    kind: ClassVar[str] = "contact_points"
    kinds: tuple[str, ...] = CONTACT_POINT_KINDS

    def coerce_item(self, value: Any, conventions: Conventions) -> ContactPoint | None:
        """Return the point with its value in canonical form."""
        point = self._point(value)
        cleaned = self.item.coerce(point.value, conventions)
        if clean_text(point.kind, 40) not in self.kinds:
            raise Refused("not_an_option", value=point.kind)
        return None if cleaned is None else ContactPoint(cleaned, point.kind)

    def _point(self, value: Any) -> ContactPoint:
        if isinstance(value, ContactPoint):
            return value
        if isinstance(value, Mapping) and set(value) == {"value", "kind"}:
            return ContactPoint(value["value"], value["kind"])
        return ContactPoint(value, self.kinds[0])

    def item_key(self, item: ContactPoint) -> str:
        """Return the number or address, by which ``any_of`` finds the point."""
        return item.value

    def to_stored(self, value: tuple[ContactPoint, ...]) -> list[Any]:
        """Return the points as JSON data."""
        return [{"value": point.value, "kind": point.kind} for point in value]

    def from_stored(self, stored: Any) -> tuple[Any, ...] | None:
        """Return the points of JSON data."""
        data = json.loads(stored) if isinstance(stored, str) else stored
        return tuple(ContactPoint(p["value"], p["kind"]) for p in data) or None


@attrs.frozen(kw_only=True)
class FormerNames(ContactPoints):
    """Earlier names with the day until which each was used (PTY-03)."""

    kind: ClassVar[str] = "former_names"
    item: FieldType = Text(maximum=255)

    def coerce_item(self, value: Any, conventions: Conventions) -> ContactPoint | None:
        """Return the name; its ``kind`` is the last day as ISO 8601 text."""
        point = self._point(value)
        name = self.item.coerce(point.value, conventions)
        day = DateOnly().coerce(point.kind, conventions)
        return None if name is None else ContactPoint(name, day.isoformat())
