"""Field types: how each kind of value is read, checked, stored and written as JSON.

A type is a small frozen value with one job. ``coerce`` turns what a caller hands in
into the one canonical Python value or raises :class:`Refused`; ``to_stored`` and
``from_stored`` translate to the form that stores keep and compare (text, 64-bit
integers, booleans, dates, times, ids). Scalar types live here, those made of parts in
:mod:`crmcore.records.composites`, e-mail, phone and web addresses in
:mod:`crmcore.records.contact_types`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

import attrs

from crmcore.records.conventions import Conventions
from crmcore.records.picklists import Picklist
from crmcore.records.text import has_surrogate
from crmcore.records.values import Ref

__all__ = [
    "Boolean",
    "Choice",
    "DateOnly",
    "DateTime",
    "DecimalNumber",
    "FieldType",
    "Identifier",
    "Integer",
    "Link",
    "LongText",
    "OpenChoice",
    "Percent",
    "Refused",
    "Storage",
    "Text",
]

INT64_MAX = 2**63 - 1


class Storage(StrEnum):
    """The forms in which stores keep a value and compare it."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    UUID = "uuid"
    JSON = "json"


class Refused(Exception):
    """A value is refused; becomes a problem of the field that it was meant for."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


@attrs.frozen(kw_only=True)
class FieldType:
    """What every type can do; the defaults suit values that are stored as they are."""

    kind: ClassVar[str] = ""
    storage: ClassVar[Storage] = Storage.TEXT
    #: May be compared with < and >, sorted by, minimum and maximum.
    ordered: ClassVar[bool] = True
    #: Holds words, so that ``contains`` and ``starts_with`` make sense.
    textual: ClassVar[bool] = False
    #: May be summed and averaged.
    additive: ClassVar[bool] = False
    #: Has several parts and may all the same be compared with ``==`` as a whole.
    comparable: ClassVar[bool] = False
    #: Holds several items, so that ``any_of`` makes sense.
    plural: ClassVar[bool] = False
    #: No store can read it: lists ask only whether it is there.
    sealed: ClassVar[bool] = False
    #: A unique value stays taken when its record is deleted or removed for good.
    lasting: ClassVar[bool] = False

    @property
    def implied(self) -> Mapping[str, Any]:
        """Return the rules that every field of this type has, whatever is declared."""
        return {}

    @property
    def json_type(self) -> Mapping[str, Any] | None:
        """Return how JSON Schema describes a value, None where its storage tells."""
        return None

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the stored parts by name; a scalar has the single part ``""``."""
        return {"": self}

    def split(self, value: Any) -> tuple[Any, ...]:
        """Return the stored form of each part of ``value``, None where missing."""
        return (None if value is None else self.to_stored(value),)

    def join(self, stored: tuple[Any, ...]) -> Any:
        """Return the value made of the stored form of its parts."""
        return None if stored[0] is None else self.from_stored(stored[0])

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical form of ``value``, None for a blank.

        Raises Refused with a reason key.
        """
        return value

    def to_stored(self, value: Any) -> Any:
        """Return the form that stores keep of a canonical ``value``."""
        return value

    def from_stored(self, stored: Any) -> Any:
        """Return the canonical value of a stored form."""
        return stored

    def to_json(self, value: Any) -> Any:
        """Return ``value`` as JSON data (history, cursors, criteria)."""
        return value

    def from_json(self, data: Any, conventions: Conventions) -> Any:
        """Return the canonical value of JSON data, checked like any other input."""
        return self.coerce(data, conventions)


def clean_text(value: Any, maximum: int) -> str:
    """Return ``value`` in Unicode NFC without outer blanks; refuse what is not text."""
    if type(value) is not str:
        if not isinstance(value, str):
            raise Refused("not_text")
        value = str(value)
    if not value.isascii():
        if has_surrogate(value):
            raise Refused("invalid_unicode")
        value = unicodedata.normalize("NFC", value)
    if "\0" in value:
        raise Refused("null_character")
    cleaned: str = value.strip()
    if len(cleaned) > maximum:
        raise Refused("too_long", maximum=maximum)
    return cleaned


@attrs.frozen(kw_only=True)
class Text(FieldType):
    """One line or a few words, at most ``maximum`` characters."""

    kind: ClassVar[str] = "text"
    textual: ClassVar[bool] = True
    maximum: int = 255

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the text in Unicode NFC without outer blanks."""
        return clean_text(value, self.maximum) or None


@attrs.frozen(kw_only=True)
class LongText(Text):
    """Several paragraphs."""

    kind: ClassVar[str] = "long_text"
    storage: ClassVar[Storage] = Storage.LONG_TEXT
    maximum: int = 32_000


def check_bounds(
    value: Decimal | int, minimum: Decimal | int | None, maximum: Decimal | int | None
) -> None:
    """Refuse a number that lies beyond its field's bounds."""
    low = minimum is not None and value < minimum
    high = maximum is not None and value > maximum
    if not low and not high:
        return
    if minimum is not None and maximum is not None:
        raise Refused("out_of_range", minimum=str(minimum), maximum=str(maximum))
    if low:
        raise Refused("too_small", minimum=str(minimum))
    raise Refused("too_great", maximum=str(maximum))


@attrs.frozen(kw_only=True)
class Integer(FieldType):
    """A whole number of 64 bits."""

    kind: ClassVar[str] = "integer"
    storage: ClassVar[Storage] = Storage.INTEGER
    additive: ClassVar[bool] = True
    minimum: int | None = None
    maximum: int | None = None

    def coerce(self, value: Any, conventions: Conventions) -> int:
        """Return the number; text and fractions are refused."""
        if type(value) is not int:
            raise Refused("not_integer")
        if not -INT64_MAX <= value <= INT64_MAX:
            raise Refused("out_of_range", minimum=-INT64_MAX, maximum=INT64_MAX)
        check_bounds(value, self.minimum, self.maximum)
        return value


@attrs.frozen(kw_only=True)
class DecimalNumber(FieldType):
    """An exact number with at most ``digits`` digits after the point."""

    kind: ClassVar[str] = "decimal"
    storage: ClassVar[Storage] = Storage.INTEGER
    additive: ClassVar[bool] = True
    digits: int = 4
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def coerce(self, value: Any, conventions: Conventions) -> Decimal:
        """Return the exact number; it is never rounded silently."""
        number = exact_number(value)
        scaled = number.scaleb(self.digits, _WIDE)
        if scaled != scaled.to_integral_value(context=_WIDE):
            raise Refused("too_many_digits", digits=self.digits)
        self._check_range(number, scaled)
        return number.quantize(Decimal(1).scaleb(-self.digits))

    def _check_range(self, number: Decimal, scaled: Decimal) -> None:
        check_bounds(number, self.minimum, self.maximum)
        if abs(scaled) > INT64_MAX:
            limit = Decimal(INT64_MAX).scaleb(-self.digits)
            raise Refused("out_of_range", minimum=str(-limit), maximum=str(limit))

    def to_stored(self, value: Decimal) -> int:
        """Return the number as a whole number of its smallest unit."""
        return int(value.scaleb(self.digits))

    def from_stored(self, stored: int) -> Decimal:
        """Return the number of a whole number of smallest units."""
        return Decimal(stored).scaleb(-self.digits)

    def to_json(self, value: Decimal) -> str:
        """Return the number as text, so that no reader rounds it."""
        return format(value, "f")


def exact_number(value: Any) -> Decimal:
    """Return a number as it is written; raises Refused for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise Refused("not_number")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, ValueError):
        raise Refused("not_number") from None
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise Refused("not_number")
    if len(number.as_tuple().digits) > _WIDE.prec:
        raise Refused("not_number")
    return number


#: Wide enough for every number that is let in, so that nothing is rounded.
_WIDE = Context(prec=200)


@attrs.frozen(kw_only=True)
class Percent(DecimalNumber):
    """A share of a hundred, from 0 to 100 with two digits after the point."""

    kind: ClassVar[str] = "percent"
    digits: int = 2
    minimum: Decimal | None = Decimal(0)
    maximum: Decimal | None = Decimal(100)


@attrs.frozen(kw_only=True)
class Boolean(FieldType):
    """Yes or no."""

    kind: ClassVar[str] = "boolean"
    storage: ClassVar[Storage] = Storage.BOOLEAN

    def coerce(self, value: Any, conventions: Conventions) -> bool:
        """Return the answer; numbers and words are refused."""
        if value is not True and value is not False:
            raise Refused("not_boolean")
        return bool(value)


@attrs.frozen(kw_only=True)
class DateOnly(FieldType):
    """A day of the calendar."""

    kind: ClassVar[str] = "date"
    storage: ClassVar[Storage] = Storage.DATE

    def coerce(self, value: Any, conventions: Conventions) -> date:
        """Return the day; accepts a date or its ISO 8601 text."""
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value.strip())
            except ValueError:
                raise Refused("not_date") from None
        if isinstance(value, datetime) or not isinstance(value, date):
            raise Refused("not_date")
        return value

    def to_json(self, value: date) -> str:
        """Return the day as ISO 8601 text."""
        return value.isoformat()


@attrs.frozen(kw_only=True)
class DateTime(FieldType):
    """A point in time, kept in UTC to the millisecond."""

    kind: ClassVar[str] = "datetime"
    storage: ClassVar[Storage] = Storage.DATETIME

    def coerce(self, value: Any, conventions: Conventions) -> datetime:
        """Return the time in UTC; one without a zone is refused."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                raise Refused("not_datetime") from None
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise Refused("not_datetime")
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            raise Refused("not_datetime") from None
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def to_json(self, value: datetime) -> str:
        """Return the time as ISO 8601 text of fixed length, which sorts by time."""
        return value.isoformat(timespec="milliseconds")


@attrs.frozen(kw_only=True)
class Identifier(FieldType):
    """The id of a record."""

    kind: ClassVar[str] = "id"
    storage: ClassVar[Storage] = Storage.UUID

    def coerce(self, value: Any, conventions: Conventions) -> UUID:
        """Return the id of a record, an id or its text."""
        if isinstance(value, UUID):
            return value
        if isinstance(value, str):
            try:
                return UUID(value)
            except ValueError:
                raise Refused("not_reference") from None
        identity = getattr(value, "id", None)
        if isinstance(identity, UUID):
            return identity
        raise Refused("not_reference")

    def to_json(self, value: UUID) -> str:
        """Return the id as text."""
        return str(value)


def typed_reference(value: Any) -> Ref:
    """Return the reference that a Ref is, or one to a record; refuse anything else."""
    if hasattr(type(value), "entity_name"):
        value = Ref.to(value)
    if not isinstance(value, Ref) or not isinstance(value.id, UUID):
        raise Refused("not_reference")
    name: Any = value.entity
    if not isinstance(name, str) or not _ENTITY_NAME.fullmatch(name):
        raise Refused("not_reference")
    return value


_ENTITY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


@attrs.frozen(kw_only=True)
class Link(FieldType):
    """A typed reference kept as one text, for lists of links."""

    kind: ClassVar[str] = "link"

    def coerce(self, value: Any, conventions: Conventions) -> Ref:
        """Return the typed reference of a record, a Ref or its text."""
        if isinstance(value, str):
            entity, _, identity = value.partition(":")
            value = Ref(entity, Identifier().coerce(identity, conventions))
        return typed_reference(value)

    def to_stored(self, value: Ref) -> str:
        """Return entity and id as one text."""
        return f"{value.entity}:{value.id}"

    def from_stored(self, stored: str) -> Ref:
        """Return the typed reference of its text."""
        return self.coerce(stored, Conventions())

    def to_json(self, value: Ref) -> str:
        """Return entity and id as one text."""
        return self.to_stored(value)


@attrs.frozen(kw_only=True)
class Choice(FieldType):
    """One option of a picklist, stored by its stable key (REC-13)."""

    kind: ClassVar[str] = "picklist"
    picklist: Picklist

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the option's key; anything else is refused."""
        key = clean_text(value, 100)
        if not key:
            return None
        if key not in self.picklist.by_key:
            raise Refused("not_an_option", value=key)
        return key


@attrs.frozen(kw_only=True)
class OpenChoice(Choice):
    """One option of a picklist, or free text where none fits (REC-10)."""

    kind: ClassVar[str] = "open_picklist"
    textual: ClassVar[bool] = True
    maximum: int = 100

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return the option's key, or the text as it is."""
        return clean_text(value, self.maximum) or None
