"""``crmcore demo``: the main job on real input, in a store of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated

import attrs
import typer

from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.demo.story import is_empty, tell_story
from crmcore.cli.exits import ExitCode
from crmcore.cli.options import JSONOption
from crmcore.cli.output import Output, answering
from crmcore.cli.stores import open_crm, shown_url
from crmcore.crm import CRM, DEFAULT_TENANT
from crmcore.ports import SystemClock

__all__ = ["demo"]


@attrs.frozen
class _Place:
    """Where the demonstration happens, and where its picture goes."""

    url: str
    tenant: str
    svg: Path


def demo(
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="URL", help="Without it: a new SQLite file, elsewhere."
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="An empty tenant; without it a new one."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep all in ./crm-demo.db to play with.")
    ] = False,
    as_json: JSONOption = False,
) -> None:
    """Show the main job: import, duplicates, conversion, pipeline, access, funnel."""
    place = _place(store, tenant, keep)
    with answering(as_json) as output, open_crm(place.url, install=True) as opened:
        crm = opened.tenant(place.tenant)
        if not is_empty(crm):
            _refuse(output, place)
        start = perf_counter()
        output.show(f"[bold]crmcore[/] on {opened.store.name}: {shown_url(place.url)}")
        figures = tell_story(crm, place.svg, Narrator(output))
        seconds = perf_counter() - start
        _end(output, crm, place, seconds)
        output.answer(
            {
                "store": opened.store.name,
                "url": shown_url(place.url),
                "tenant": place.tenant,
                "seconds": round(seconds, 1),
                **figures,
            }
        )


def _place(store: str | None, tenant: str | None, keep: bool) -> _Place:
    if keep:
        if store is not None:
            raise typer.BadParameter("goes without --store", param_hint="--keep")
        url = "sqlite:///crm-demo.db"
        return _Place(url, tenant or DEFAULT_TENANT, Path("crm-demo-funnel.svg"))
    folder = new_folder()
    svg = folder / "funnel.svg"
    if store is None:
        url = f"sqlite:///{(folder / 'crm.db').as_posix()}"
        return _Place(url, tenant or DEFAULT_TENANT, svg)
    fresh = f"demo-{SystemClock().now():%Y%m%d-%H%M%S}"
    return _Place(store, tenant or fresh, svg)


def new_folder() -> Path:
    """Return a new, empty directory among the temporary files; it is left there."""
    return Path(tempfile.mkdtemp(prefix="crmcore-demo-"))


def _refuse(output: Output, place: _Place) -> None:
    message = (
        f"The tenant {place.tenant} of {shown_url(place.url)} has data already, which "
        "stays as it is. Name another one: --tenant NAME."
    )
    output.answer({"error": {"code": "demo.not_empty", "message": message}})
    if not output.as_json:
        output.messages.print(message)
    raise typer.Exit(ExitCode.PROBLEM)


def _end(output: Output, crm: CRM, place: _Place, seconds: float) -> None:
    options = f"--store '{shown_url(place.url)}'"
    if place.tenant != DEFAULT_TENANT:
        options += f" --tenant {place.tenant}"
    if not crm.store.capabilities.durable:
        output.show(f"\nDone in {seconds:.1f} seconds.")
        return
    output.show(f"\nDone in {seconds:.1f} seconds. Look around in it:")
    for command in ("report funnel --by owner", "dedupe", "doctor"):
        output.show(f"    crmcore {command} {options}", soft_wrap=True)
