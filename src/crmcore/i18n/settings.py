"""How one user writes and reads dates, times and numbers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from crmcore.errors import ValidationError
from crmcore.i18n import dates, numbers

__all__ = ["FormatSettings"]


@attrs.frozen(kw_only=True)
class FormatSettings:
    """A user's choices; what is None follows the language (I18N-04).

    ``first_weekday``: 0 Monday to 6 Sunday. ``date_pattern``: one of
    :data:`~crmcore.i18n.dates.DATE_PATTERNS`.
    """

    language: str = "en"
    timezone: ZoneInfo = attrs.field(factory=lambda: ZoneInfo("UTC"))
    first_weekday: int | None = attrs.field(default=None)
    clock_24: bool | None = None
    date_pattern: str | None = attrs.field(default=None)

    @first_weekday.validator
    def _check_weekday(self, _: Any, value: Any) -> None:
        if value is not None and (type(value) is not int or not 0 <= value <= 6):
            raise ValidationError.of(
                "first_weekday", "out_of_range", minimum=0, maximum=6
            )

    @date_pattern.validator
    def _check_pattern(self, _: Any, value: Any) -> None:
        if value is not None and value not in dates.DATE_PATTERNS:
            shown = str(value)[:60]
            raise ValidationError.of("date_pattern", "not_an_option", value=shown)

    @classmethod
    def of(
        cls, language: str | None, timezone: str | None, **choices: Any
    ) -> FormatSettings:
        """Return the settings of a user's language and time zone, as texts.

        None stands for English and UTC. Raises ValidationError for an unknown zone.
        """
        try:
            zone = ZoneInfo(timezone or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            shown = str(timezone)[:60]
            raise ValidationError.of(
                "timezone", "unknown_timezone", value=shown
            ) from None
        return cls(language=language or "en", timezone=zone, **choices)

    @property
    def week_start(self) -> int:
        """Return the first day of the week: the user's, else the language's."""
        if self.first_weekday is not None:
            return self.first_weekday
        return dates.first_weekday(self.language)

    def today(self, now: datetime) -> date:
        """Return the user's local day at a moment."""
        return dates.local_day(now, self.timezone)

    def day(self, day: date) -> str:
        """Return a day as the user reads it."""
        return dates.format_date(day, self.language, pattern=self.date_pattern)

    def time(self, moment: datetime, *, seconds: bool = False) -> str:
        """Return the time of day in the user's zone."""
        return dates.format_time(
            moment,
            self.language,
            zone=self.timezone,
            seconds=seconds,
            clock_24=self.clock_24,
        )

    def moment(self, moment: datetime, *, seconds: bool = False) -> str:
        """Return day and time in the user's zone."""
        return dates.format_datetime(
            moment,
            self.language,
            zone=self.timezone,
            pattern=self.date_pattern,
            seconds=seconds,
            clock_24=self.clock_24,
        )

    def number(self, value: Decimal | int) -> str:
        """Return a number in the user's language."""
        return numbers.format_number(value, self.language)

    def money(self, amount: Decimal | int, currency: str) -> str:
        """Return an amount of money in the user's language."""
        return numbers.format_money(amount, currency, self.language)

    def read_date(self, text: str, *, field: str = "") -> date:
        """Return the day that the user wrote; raises ValidationError."""
        return dates.parse_date(
            text, self.language, pattern=self.date_pattern, field=field
        )

    def read_number(self, text: str, *, field: str = "") -> Decimal:
        """Return the number that the user wrote; raises ValidationError."""
        return numbers.parse_number(text, self.language, field=field)

    def read_money(
        self, text: str, currency: str, *, field: str = ""
    ) -> tuple[Decimal, str]:
        """Return amount and currency that the user wrote; raises ValidationError."""
        return numbers.parse_money(text, currency, self.language, field=field)
