"""What a rendering may know and do beside its records; all of it is handed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import attrs

from crmcore.ports import Randomness

__all__ = ["NoRights", "Rights", "Surroundings"]


class Rights(Protocol):
    """Answers what the reader may do, for parts of a template that depend on it."""

    def has_function(self, name: str) -> bool:
        """Tell whether the reader has the function ``name``."""
        ...

    def has_role(self, name: str) -> bool:
        """Tell whether the reader has the role ``name``."""
        ...


@attrs.frozen
class NoRights:
    """Nobody in particular reads: no function, no role."""

    def has_function(self, name: str) -> bool:
        """Return false."""
        return False

    def has_role(self, name: str) -> bool:
        """Return false."""
        return False


def _ignore(message: str) -> None:
    """Drop what a template logs."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """The reader's language and zone, the moment, chance, rights and the log."""

    now: datetime
    randomness: Randomness
    locale: str = "en"
    timezone: ZoneInfo = attrs.field(factory=lambda: ZoneInfo("UTC"))
    rights: Rights = attrs.field(factory=NoRights)
    log: Callable[[str], None] = _ignore

    def local(self, moment: datetime) -> datetime:
        """Return a moment in the reader's zone."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(self.timezone)
