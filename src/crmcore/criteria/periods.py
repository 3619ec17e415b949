"""Relative dates: today, this month, the last n days; resolved by the session's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import attrs

__all__ = ["PERIODS", "Period", "last_days", "next_days", "period_start"]


@attrs.frozen
class Period:
    """A stretch of days named relative to today, such as ``this_month``.

    ``days`` counts the days of ``last_days`` (today included) and ``next_days``.
    """

    name: str
    days: int = 0

    def resolve(self, today: date) -> tuple[date, date]:
        """Return the first day and the day after the last."""
        return PERIODS[self.name](today, self.days)


def period_start(unit: str, day: date) -> date:
    """Return the first day of the day, week, month, quarter or year of ``day``."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if unit == "year":
        return day.replace(month=1, day=1)
    return day


_LONGEST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def _step(unit: str, offset: int) -> Callable[[date, int], tuple[date, date]]:
    def resolve(today: date, _: int) -> tuple[date, date]:
        start = period_start(unit, today)
        for _unused in range(offset):
            start = period_start(unit, start + timedelta(days=_LONGEST[unit]))
        for _unused in range(-offset):
            start = period_start(unit, start - timedelta(days=1))
        return start, period_start(unit, start + timedelta(days=_LONGEST[unit]))

    return resolve


def _last_days(today: date, days: int) -> tuple[date, date]:
    return today - timedelta(days=days - 1), today + timedelta(days=1)


def _next_days(today: date, days: int) -> tuple[date, date]:
    return today, today + timedelta(days=days)


#: Name -> how to find its first day and the day after its last.
PERIODS: dict[str, Callable[[date, int], tuple[date, date]]] = {
    "today": _step("day", 0),
    "yesterday": _step("day", -1),
    "tomorrow": _step("day", 1),
    **{
        f"{word}_{unit}": _step(unit, offset)
        for unit in ("week", "month", "quarter", "year")
        for word, offset in (("last", -1), ("this", 0), ("next", 1))
    },
    "last_days": _last_days,
    "next_days": _next_days,
}


def last_days(days: int) -> Period:
    """Return the last ``days`` days, today included."""
    return Period("last_days", days)


def next_days(days: int) -> Period:
    """Return the next ``days`` days, today included."""
    return Period("next_days", days)
