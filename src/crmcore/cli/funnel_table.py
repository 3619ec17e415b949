"""A funnel as a table with bars."""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from crmcore.cli.output import Heading, table
from crmcore.records import Money
from crmcore.reporting import Funnel, FunnelRow, StageFigure

__all__ = ["funnel_data", "funnel_tables", "percent", "rounded"]

#: The longest bar, in characters.
_WIDTH = 18
_COLOURS = {"open": "cyan", "on_hold": "white", "won": "green", "lost": "red"}
_COLUMNS: Sequence[Heading] = (
    "stage",
    ("now", "right"),
    "",
    ("amount", "right"),
    ("reached", "right"),
    ("conversion", "right"),
)


def funnel_tables(funnel: Funnel) -> Iterator[Table]:
    """Yield one table per row of a funnel."""
    for row in funnel.rows:
        title = " · ".join(filter(None, (_subject(funnel, row), row.currency)))
        yield table(_COLUMNS, list(_lines(row)), title or None)


def _subject(funnel: Funnel, row: FunnelRow) -> str:
    if funnel.by is None:
        return ""
    return row.name or f"no {funnel.by}"


def _lines(row: FunnelRow) -> Iterator[tuple[Any, ...]]:
    figures = (*row.stages, row.lost)
    greatest = max(figure.reached for figure in figures)
    for figure in figures:
        yield (
            figure.label,
            figure.count,
            _bar(figure, greatest),
            rounded(figure.amount),
            "" if figure is row.lost else figure.reached,
            percent(figure.conversion),
        )


def _bar(figure: StageFigure, greatest: int) -> Text:
    """Return a bar: full as far as the stage is filled now, light as it was reached."""
    now = _length(figure.count, greatest)
    reached = max(_length(figure.reached, greatest), now)
    bar = "█" * now + "░" * (reached - now)
    return Text(bar.ljust(_WIDTH), style=_COLOURS[figure.category])


def _length(number: int, greatest: int) -> int:
    """Return a length in characters, at least one for at least one."""
    if number == 0:
        return 0
    return max(round(_WIDTH * number / greatest), 1)


def percent(share: Decimal | None) -> str:
    """Return a share in percent, nothing for none."""
    return "" if share is None else f"{share * 100:.0f} %"


def rounded(money: Money | None) -> str:
    """Return an amount without the part behind the point, nothing for none."""
    return "" if money is None else f"{money.amount:,.0f}"


def funnel_data(funnel: Funnel) -> dict[str, Any]:
    """Return a funnel as data, with the rates that its rows are asked for."""
    return {
        "pipeline": funnel.pipeline,
        "by": funnel.by,
        "count": funnel.count,
        "rows": [
            {
                "subject": row.subject,
                "name": row.name,
                "currency": row.currency,
                "count": row.count,
                "win_rate": row.win_rate,
                "stages": row.stages,
                "lost": row.lost,
            }
            for row in funnel.rows
        ],
    }
