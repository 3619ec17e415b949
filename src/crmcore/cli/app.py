"""The commands, collected."""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from importlib.metadata import version
from typing import Annotated

import typer

from crmcore.cli.commands import dedupe, demo, doctor, imports, report, schema

__all__ = ["app"]

_EXITS = (
    "Exit codes: 0 done; 1 a problem was found or input was refused; 2 wrong usage; "
    "3 the store cannot be used; 4 the schema is not current; 5 an extra is missing."
)

app = typer.Typer(
    name="crmcore",
    help="The logic of a CRM, on the command line.",
    epilog=_EXITS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crmcore {version('crmcore')}")
        raise typer.Exit


@app.callback()
def _start(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Serve as the place of options that stand before a command."""


app.command("demo")(demo.demo)
app.command("import")(imports.import_file)
app.command("dedupe")(dedupe.dedupe)
app.add_typer(report.app, name="report")
app.add_typer(schema.app, name="schema")
app.command("doctor")(doctor.doctor)
