"""Field types by name: how definitions that are data name a type and its settings.

A new type is one class and one :func:`register`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from crmcore.errors import ValidationError
from crmcore.records.applicability import OrNotApplicable
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
from crmcore.records.lookup_values import LookupValue
from crmcore.records.media import AudioFile, File, ImageFile
from crmcore.records.numbering import AutoNumber, format_from_data
from crmcore.records.places import Geolocation
from crmcore.records.type_settings import (
    CRITERIA,
    LONGEST_NAME,
    NAME,
    NAMES,
    NUMBER,
    PICKLIST,
    Picklists,
    Setting,
    whole,
)
from crmcore.records.types import (
    INT64_MAX,
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

__all__ = ["KINDS", "TypeKind", "register", "type_from_data", "type_to_data"]


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
                values[name] = _read(name, setting, options[name], picklists)
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


def _read(name: str, setting: Setting, value: Any, picklists: Picklists) -> Any:
    try:
        return setting.read(value, picklists)
    except Refused as refused:
        details = {"setting": name, **refused.details}
        raise Refused(refused.reason, **details) from None


def _check_bounds(values: Mapping[str, Any]) -> None:
    low, high = values.get("minimum"), values.get("maximum")
    if low is not None and high is not None and low > high:
        raise Refused("bounds_crossed", minimum=str(low), maximum=str(high))


# -- types within types ----------------------------------------------------------------


def _read_item(value: Any, picklists: Picklists) -> FieldType:
    if not isinstance(value, Mapping) or not {"type"} <= value.keys() <= _ITEM:
        raise Refused("bad_item")
    kind, options = value["type"], value.get("options", {})
    if not isinstance(kind, str) or not isinstance(options, Mapping):
        raise Refused("bad_item")
    item = type_from_data(kind, options, picklists)
    if len(item.parts) != 1 or item.plural or isinstance(item, AutoNumber):
        raise Refused("bad_item")
    return item


_ITEM = {"type", "options"}


def _write_item(item: FieldType) -> dict[str, Any]:
    kind, options = type_to_data(item)
    return {"type": kind, **({"options": options} if options else {})}


_ITEM_TYPE = Setting(read=_read_item, write=_write_item, required=True)


class _OfChoices(TypeKind):
    """Several options keep their picklist within the type of an item."""

    def make(self, options: Mapping[str, Any], picklists: Picklists) -> FieldType:
        """Return the type for the picklist that the options name."""
        one = TypeKind(cls=Choice, settings={"picklist": PICKLIST})
        return Choices(item=cast(Choice, one.make(options, picklists)))

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

_INT64 = whole(-INT64_MAX, INT64_MAX)
_BYTES = whole(1, 10**12)

#: All field types by the name under which definitions know them (REC-10).
KINDS: dict[str, TypeKind] = {}


def register(kind: TypeKind) -> None:
    """Make a type known under the ``kind`` of its class, to all CRMs of the process.

    Call it where the class is defined, before definitions are read. Raises
    ValidationError where another class has the name, or there is none.
    """
    name = kind.cls.kind
    if not name.isidentifier() or len(name) > LONGEST_NAME:
        raise ValidationError.of(kind.cls.__name__, "bad_key", key=name[:60])
    if name in KINDS and KINDS[name].cls is not kind.cls:
        raise ValidationError.of(kind.cls.__name__, "key_taken", key=name)
    KINDS[name] = kind


for _kind in (
    TypeKind(cls=Text, settings={"maximum": whole(1, 2_000)}),
    TypeKind(cls=LongText, settings={"maximum": whole(1, 1_000_000)}),
    TypeKind(cls=Integer, settings={"minimum": _INT64, "maximum": _INT64}),
    TypeKind(
        cls=DecimalNumber,
        settings={"digits": whole(0, 9), "minimum": NUMBER, "maximum": NUMBER},
    ),
    TypeKind(cls=Percent, settings={"minimum": NUMBER, "maximum": NUMBER}),
    TypeKind(cls=MoneyAmount, settings={"minimum": NUMBER}),
    TypeKind(
        cls=ConvertedMoneyAmount,
        settings={"minimum": NUMBER, "rate_date": attrs.evolve(NAME, required=False)},
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
    TypeKind(cls=File, settings={"maximum": _BYTES}),
    TypeKind(cls=ImageFile, settings={"maximum": _BYTES}),
    TypeKind(cls=AudioFile, settings={"maximum": _BYTES}),
    TypeKind(cls=Choice, settings={"picklist": PICKLIST}),
    TypeKind(
        cls=OpenChoice,
        settings={"picklist": PICKLIST, "maximum": whole(1, 255)},
    ),
    _OfChoices(cls=Choices),
    _Numbered(cls=AutoNumber),
    TypeKind(cls=Reference, settings={"entity": NAME, "filter": CRITERIA}),
    TypeKind(cls=MasterDetail, settings={"entity": NAME, "filter": CRITERIA}),
    TypeKind(cls=LookupValue, settings={"relation": NAME, "field": NAME}),
    TypeKind(cls=AnyReference, settings={"entities": NAMES}),
    TypeKind(cls=OrNotApplicable, settings={"item": _ITEM_TYPE}),
    TypeKind(
        cls=ListOf,
        settings={
            "item": _ITEM_TYPE,
            "maximum": whole(1, 1_000),
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
