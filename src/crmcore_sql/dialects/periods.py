"""The first day of a period, by cutting the ISO text of a day."""

from __future__ import annotations

import sqlalchemy as sa

from crmcore_sql.dialects.base import Expression, literal

__all__ = ["period_text"]


def _cut(day: Expression, start: int, length: int) -> Expression:
    return sa.func.substr(
        day,
        sa.literal_column(str(start)),
        sa.literal_column(str(length)),
        type_=sa.String(),
    )


def period_text(day: Expression, unit: str) -> Expression:
    """Return the first day of the day, month, quarter or year; ``day`` is ISO text."""
    if unit == "month":
        return _cut(day, 1, 7) + literal("-01")
    if unit == "year":
        return _cut(day, 1, 4) + literal("-01-01")
    if unit == "quarter":
        month = _cut(day, 6, 2)
        first = sa.case(
            (month < literal("04"), literal("-01-01")),
            (month < literal("07"), literal("-04-01")),
            (month < literal("10"), literal("-07-01")),
            else_=literal("-10-01"),
        )
        return _cut(day, 1, 4) + first
    return day
