"""Chapter: the sales funnel, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crmcore.access import User
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.funnel_table import funnel_data, funnel_tables, percent, rounded
from crmcore.crm import CRM
from crmcore.errors import MissingExtra
from crmcore.reporting import Funnel, FunnelRow
from crmcore.reporting.charts import funnel_svg

__all__ = ["show_funnel"]


def show_funnel(crm: CRM, director: User, svg: Path, tell: Narrator) -> dict[str, Any]:
    """Show the director's funnel, and the same by manager; write it as SVG."""
    tell.chapter("The funnel")
    with crm.session(director) as session:
        whole = session.reporting.funnel()
        by_manager = session.reporting.funnel("manager")
    tell.say(f"What {director.name} sees, which is everything below:")
    for table in funnel_tables(whole):
        tell.output.show(table)
    tell.table(
        (
            "manager",
            ("opportunities", "right"),
            ("won", "right"),
            ("lost", "right"),
            ("win rate", "right"),
            ("won amount", "right"),
        ),
        [_manager(row) for row in by_manager],
    )
    written = _write(whole, svg, tell)
    return {
        **funnel_data(whole),
        "by_manager": funnel_data(by_manager)["rows"],
        "svg": str(written) if written else None,
    }


def _manager(row: FunnelRow) -> tuple[Any, ...]:
    return (
        row.name or "nobody",
        row.count,
        row.won.count,
        row.lost.count,
        percent(row.win_rate),
        " ".join(filter(None, (rounded(row.won.amount), row.currency))),
    )


def _write(funnel: Funnel, svg: Path, tell: Narrator) -> Path | None:
    try:
        picture = funnel_svg(funnel)
    except MissingExtra as error:
        tell.say(f"No picture is drawn: {error}", style="dim")
        return None
    svg.write_text(picture, encoding="utf-8")
    tell.say(f"As a picture: {svg}")
    return svg
