"""Charts as SVG, drawn by Altair without a browser (extra ``charts``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crmcore.errors import MissingExtra
from crmcore.reporting.funnel import Funnel, FunnelRow

__all__ = ["funnel_svg"]

_COLOURS = {
    "open": "#4c78a8",
    "on_hold": "#bab0ac",
    "won": "#54a24b",
    "lost": "#e45756",
}


#: What the two bars of a stage mean.
_KEY = "dark: in the stage now; light: got at least that far"


def funnel_svg(funnel: Funnel, title: str = "Sales funnel") -> str:
    """Return a funnel as an SVG document: a panel per row, two bars per stage.

    The dark bar is as long as the number of opportunities that are in the stage, the
    light one as that of those that reached it; colours show the stage's category.

    Raises MissingExtra where the extra ``charts`` is not installed.
    """
    try:
        import altair as alt
        import vl_convert
    except ImportError:
        raise MissingExtra(feature="A chart", extra="charts") from None
    panels = [_panel(alt, row) for row in funnel.rows]
    heading = alt.TitleParams(title, subtitle=_KEY, anchor="start")
    chart = alt.vconcat(*panels).properties(title=heading)
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg


def _panel(alt: Any, row: FunnelRow) -> Any:
    bars = list(_bars(row))
    stages = alt.Y("stage:N", title=None, sort=[bar["stage"] for bar in bars])
    base = alt.Chart(alt.Data(values=bars)).encode(y=stages)
    colour = alt.Color(
        "category:N",
        legend=None,
        scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
    )
    axis = alt.Axis(tickMinStep=1, grid=False)
    reached = alt.X("reached:Q", title="opportunities", axis=axis)
    light = base.mark_bar(opacity=0.3).encode(x=reached, color=colour)
    dark = base.mark_bar(height={"band": 0.5}).encode(x="count:Q", color=colour)
    words = base.mark_text(align="left", dx=4).encode(x="reached:Q", text="words:N")
    return (light + dark + words).properties(
        title=" ".join(filter(None, (row.name, row.currency))), width=480
    )


def _bars(row: FunnelRow) -> Iterator[dict[str, Any]]:
    for figure in (*row.stages, row.lost):
        amount = f" · {figure.amount.amount:,.0f}" if figure.amount else ""
        yield {
            "stage": figure.label,
            "category": figure.category,
            "count": figure.count,
            "reached": figure.reached,
            "words": f"{figure.count}{amount}",
        }
