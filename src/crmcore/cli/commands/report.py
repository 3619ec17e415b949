"""``crmcore report``: figures of what a store holds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crmcore.access import SYSTEM
from crmcore.cli.funnel_table import funnel_data, funnel_tables
from crmcore.cli.options import ActorOption, JSONOption, StoreOption, TenantOption
from crmcore.cli.output import answering
from crmcore.cli.stores import open_crm
from crmcore.crm import DEFAULT_TENANT
from crmcore.reporting.charts import funnel_svg

__all__ = ["app"]

app = typer.Typer(help="Figures of what a store holds.", no_args_is_help=True)


class Split(StrEnum):
    """Whose rows a funnel has."""

    owner = "owner"
    manager = "manager"


@app.callback()
def _reports() -> None:
    """Keep ``funnel`` a command of its own while it is the only one."""


@app.command()
def funnel(
    store: StoreOption,
    by: Annotated[
        Split | None, typer.Option(help="One funnel per owner or per manager.")
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(metavar="KEY", help="Without it the default one.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as a chart, too.")
    ] = None,
    actor: ActorOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JSONOption = False,
) -> None:
    """Show the sales funnel: opportunities, amounts and conversion per stage."""
    with answering(as_json) as output, open_crm(store, tenant) as crm:
        with crm.session(actor or SYSTEM) as session:
            found = session.reporting.funnel(
                by.value if by else None, pipeline=pipeline
            )
        for table in funnel_tables(found):
            output.show(table)
        if not found.rows:
            output.show("There are no opportunities.")
        if svg is not None:
            svg.write_text(funnel_svg(found), encoding="utf-8")
            output.show(f"Written: {svg}")
        output.answer({**funnel_data(found), "svg": str(svg) if svg else None})
