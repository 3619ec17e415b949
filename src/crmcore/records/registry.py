"""Field types by name: how definitions that are data name a type and its settings.

A new type is one class and one :func:`register`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from crmcore.records.composites import (
    AddressBlock,
    AnyReference,
    Choices,
    ListOf,
    MasterDetail,
    MoneyAmount,
    Reference,
)
from crmcore.records.contact_types import Email, Phone, WebAddress
from crmcore.records.converted_money import ConvertedMoneyAmount
from crmcore.records.media import AudioFile, File, ImageFile
from crmcore.records.numbering import AutoNumber, format_from_data
from crmcore.records.picklists import Picklist
from crmcore.records.places import Geolocation
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
    OpenChoice,
    Percent,
    Refused,
    Text,
)

__all__ = ["KINDS", "Setting", "TypeKind", "register", "type_from_data", "type_to_data"]

Picklists = Mapping[str, Picklist]


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a type: how it is read from plain data and written as such."""

    read: Callable[[Any, Picklists], Any]
    write: Callable[[Any], Any] = lambda value: value
    required: bool = False


@attrs.frozen(kw_only=True)
class TypeKind:
    """A type under its name: its class and its settings, by attribute."""

    cls: type[FieldType]
    settings: Mapping[str, Setting] = attrs.field(factory=dict)

    def make(self, options: Mapping[str, Any], picklists: Picklists) -> FieldType:
        """Return the type with these settings; raises Refused."""
        for name in options:
            if name not in self.settings:
                raise Refused("unknown_setting_of", key=str(name)[:60])
        values = {}
        for name, setting in self.settings.items():
            if name in options:
                values[name] = setting.read(options[name], picklists)
            elif setting.required:
                raise Refused("setting_missing", key=name)
        _check_bounds(values)
        return self.cls(**values)

    def data_of(self, kind: FieldType) -> dict[str, Any]:
        """Return the settings of a type as plain data, defaults left out."""
        defaults = {a.name: a.default for a in attrs.fields(self.cls)}
        data = {}
        for name, setting in self.settings.items():
            value = getattr(kind, name)
            if setting.required or value != defaults[name]:
                data[name] = setting.write(value)
        return data


def _check_bounds(values: Mapping[str, Any]) -> None:
    low, high = values.get("minimum"), values.get("maximum")
    if low is not None and high is not None and low > high:
        raise Refused("bounds_crossed", minimum=str(low), maximum=str(high))


# -- settings --------------------------------------------------------------------------


def _whole(low: int, high: int) -> Setting:
    def read(value: Any, _: Picklists) -> int:
        if type(value) is not int:
            raise Refused("not_integer")
        if not low <= value <= high:
            raise Refused("out_of_range", minimum=low, maximum=high)
        return value

    return Setting(read=read)


def _read_exact(value: Any, _: Picklists) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Refused("not_number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Refused("not_number") from None
    if not number.is_finite():
        raise Refused("not_number")
    return number


def _read_name(value: Any, _: Picklists) -> str:
    if not isinstance(value, str) or not value.isidentifier() or len(value) > 60:
        raise Refused("bad_name", value=str(value)[:60])
    return value


def _read_names(value: Any, picklists: Picklists) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise Refused("not_list")
    return tuple(_read_name(item, picklists) for item in value)


def _read_picklist(value: Any, picklists: Picklists) -> Picklist:
    found = picklists.get(value) if isinstance(value, str) else None
    if found is None:
        raise Refused("unknown_picklist", value=str(value)[:60])
    return found


def _read_item(value: Any, picklists: Picklists) -> FieldType:
    if not isinstance(value, Mapping) or not {"type"} <= value.keys() <= _ITEM:
        raise Refused("bad_item")
    options = value.get("options", {})
    if not isinstance(options, Mapping):
        raise Refused("bad_item")
    item = type_from_data(value["type"], options, picklists)
    if len(item.parts) != 1 or item.plural:
        raise Refused("bad_item")
    return item


_ITEM = {"type", "options"}


def _write_item(item: FieldType) -> dict[str, Any]:
    kind, options = type_to_data(item)
    return {"type": kind, **({"options": options} if options else {})}


def _write_exact(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


_NUMBER = Setting(read=_read_exact, write=_write_exact)
_INT64 = _whole(-(2**63) + 1, 2**63 - 1)
_PICKLIST = Setting(
    read=_read_picklist, write=lambda picklist: picklist.name, required=True
)
_ENTITY = Setting(read=_read_name, required=True)
_CRITERIA = Setting(read=lambda value, _: _plain_criteria(value))


def _plain_criteria(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused("malformed")
    return value


class _OfChoices(TypeKind):
    """Several options keep their picklist within the type of an item."""

    def make(self, options: Mapping[str, Any], picklists: Picklists) -> FieldType:
        """Return the type for the picklist that the options name."""
        if set(options) != {"picklist"}:
            raise Refused("setting_missing", key="picklist")
        return Choices.of(_read_picklist(options["picklist"], picklists))

    def data_of(self, kind: FieldType) -> dict[str, Any]:
        """Return the name of the picklist."""
        assert isinstance(kind, Choices)
        return {"picklist": kind.item.picklist.name}


class _Numbered(TypeKind):
    """The settings of an automatic number are those of its format."""

    def make(self, options: Mapping[str, Any], picklists: Picklists) -> FieldType:
        """Return the type with the format that the options describe."""
        return AutoNumber(format=format_from_data(options))

    def data_of(self, kind: FieldType) -> dict[str, Any]:
        """Return the format as plain data, defaults left out."""
        assert isinstance(kind, AutoNumber)
        return attrs.asdict(
            kind.format,
            filter=lambda attribute, value: value != attribute.default,
        )


# -- the registry ----------------------------------------------------------------------

#: All field types by the name under which definitions know them (REC-10).
KINDS: dict[str, TypeKind] = {}


def register(kind: TypeKind) -> None:
    """Make a type known under the ``kind`` of its class."""
    KINDS[kind.cls.kind] = kind


for _kind in (
    TypeKind(cls=Text, settings={"maximum": _whole(1, 2_000)}),
    TypeKind(cls=LongText, settings={"maximum": _whole(1, 1_000_000)}),
    TypeKind(cls=Integer, settings={"minimum": _INT64, "maximum": _INT64}),
    TypeKind(
        cls=DecimalNumber,
        settings={"digits": _whole(0, 9), "minimum": _NUMBER, "maximum": _NUMBER},
    ),
    TypeKind(cls=Percent, settings={"minimum": _NUMBER, "maximum": _NUMBER}),
    TypeKind(cls=MoneyAmount, settings={"minimum": _NUMBER}),
    TypeKind(
        cls=ConvertedMoneyAmount,
        settings={"minimum": _NUMBER, "rate_date": Setting(read=_read_name)},
    ),
    TypeKind(cls=Boolean),
    TypeKind(cls=DateOnly),
    TypeKind(cls=DateTime),
    TypeKind(cls=Identifier),
    TypeKind(cls=Email),
    TypeKind(cls=Phone),
    TypeKind(cls=WebAddress),
    TypeKind(cls=AddressBlock),
    TypeKind(cls=Geolocation),
    TypeKind(cls=File, settings={"maximum": _whole(1, 10**12)}),
    TypeKind(cls=ImageFile, settings={"maximum": _whole(1, 10**12)}),
    TypeKind(cls=AudioFile, settings={"maximum": _whole(1, 10**12)}),
    TypeKind(cls=Choice, settings={"picklist": _PICKLIST}),
    TypeKind(cls=OpenChoice, settings={"picklist": _PICKLIST}),
    _OfChoices(cls=Choices),
    _Numbered(cls=AutoNumber),
    TypeKind(cls=Reference, settings={"entity": _ENTITY, "filter": _CRITERIA}),
    TypeKind(cls=MasterDetail, settings={"entity": _ENTITY, "filter": _CRITERIA}),
    TypeKind(cls=AnyReference, settings={"entities": Setting(read=_read_names)}),
    TypeKind(
        cls=ListOf,
        settings={
            "item": Setting(read=_read_item, write=_write_item, required=True),
            "maximum": _whole(1, 1_000),
        },
    ),
):
    register(_kind)


def type_from_data(
    kind: str, options: Mapping[str, Any], picklists: Picklists
) -> FieldType:
    """Return the field type that a definition names, with its settings.

    Raises Refused for an unknown type, an unknown or missing setting, a bad value.
    """
    known = KINDS.get(kind)
    if known is None:
        raise Refused("unknown_type", value=str(kind)[:60])
    return known.make(options, picklists)


def type_to_data(kind: FieldType) -> tuple[str, dict[str, Any]]:
    """Return the name of a field type and its settings as plain data.

    A type that is not registered is named with no settings.
    """
    known = KINDS.get(kind.kind)
    if known is None or type(kind) is not known.cls:
        return kind.kind, {}
    return kind.kind, known.data_of(kind)
