"""What a reader of input needs to know about the place it comes from."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import attrs

__all__ = ["Conventions"]


@attrs.frozen
class Conventions:
    """How unmarked values are read: a phone without country, an amount without currency.

    ``region`` is an ISO 3166 country code or none, ``currency`` an ISO 4217 code,
    ``locale`` the language of messages, ``timezone`` the zone in which "today" is meant.
    """

    region: str | None = None
    currency: str = "USD"
    locale: str = "en"
    timezone: ZoneInfo = attrs.field(factory=lambda: ZoneInfo("UTC"))
