"""Values that fields hold beside plain text, numbers and dates."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

if TYPE_CHECKING:
    from crmcore.records.record import Record

__all__ = ["Address", "ContactPoint", "Money", "Ref"]


def _decimal(value: Decimal | int | str) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


@attrs.frozen(order=False)
class Money:
    """An amount in a currency (ISO 4217), exact to four digits after the point."""

    amount: Decimal = attrs.field(converter=_decimal)
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@attrs.frozen
class Address:
    """A postal address (PTY-05); every part may be missing."""

    street: str | None = None
    po_box: str | None = None
    postal_code: str | None = None
    city: str | None = None
    province: str | None = None
    country: str | None = None


@attrs.frozen
class ContactPoint:
    """A phone number or e-mail address with its kind, such as work or home (PTY-05)."""

    value: str
    kind: str = "work"


@attrs.frozen
class Ref:
    """A typed reference: the entity's name and the record's id."""

    entity: str
    id: UUID

    @classmethod
    def to(cls, record: Record) -> Ref:
        """Return the reference to ``record``."""
        return cls(record.entity_name(), record.id)
