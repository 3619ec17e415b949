"""Places on the globe (REC-10, ACT-11)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from crmcore.records.conventions import Conventions
from crmcore.records.types import DecimalNumber, FieldType, Refused, Storage

__all__ = ["Geolocation", "Position"]


def _decimal(value: Decimal | float | str) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


@attrs.frozen
class Position:
    """A position in degrees of WGS 84, exact to six digits (about a tenth of a metre)."""

    latitude: Decimal = attrs.field(converter=_decimal)
    longitude: Decimal = attrs.field(converter=_decimal)

    def __str__(self) -> str:
        return f"{self.latitude}, {self.longitude}"


_LATITUDE = DecimalNumber(digits=6, minimum=Decimal(-90), maximum=Decimal(90))
_LONGITUDE = DecimalNumber(digits=6, minimum=Decimal(-180), maximum=Decimal(180))


@attrs.frozen(kw_only=True)
class Geolocation(FieldType):
    """A position; its parts are filtered as ``F.office.latitude``."""

    kind: ClassVar[str] = "geolocation"
    comparable: ClassVar[bool] = True
    storage: ClassVar[Storage] = Storage.INTEGER
    ordered: ClassVar[bool] = False

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return latitude and longitude; there is no main part."""
        return {"latitude": _LATITUDE, "longitude": _LONGITUDE}

    def split(self, value: Position | None) -> tuple[Any, ...]:
        """Return both as whole numbers of millionths of a degree."""
        if value is None:
            return (None, None)
        latitude = _LATITUDE.to_stored(value.latitude)
        return (latitude, _LONGITUDE.to_stored(value.longitude))

    def join(self, stored: tuple[Any, ...]) -> Position | None:
        """Return the position of its stored parts."""
        if stored[0] is None or stored[1] is None:
            return None
        latitude = _LATITUDE.from_stored(stored[0])
        return Position(latitude, _LONGITUDE.from_stored(stored[1]))

    def coerce(self, value: Any, conventions: Conventions) -> Position:
        """Return the position of a pair or a mapping, within the bounds of the globe."""
        if isinstance(value, Position):
            value = (value.latitude, value.longitude)
        elif isinstance(value, Mapping) and set(value) == {"latitude", "longitude"}:
            value = (value["latitude"], value["longitude"])
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise Refused("not_position")
        latitude = _LATITUDE.coerce(value[0], conventions)
        return Position(latitude, _LONGITUDE.coerce(value[1], conventions))

    def to_json(self, value: Position) -> dict[str, str]:
        """Return both as text, so that no reader rounds them."""
        return {
            "latitude": format(value.latitude, "f"),
            "longitude": format(value.longitude, "f"),
        }
