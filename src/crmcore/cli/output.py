"""What a command prints: tables for people, or one JSON document for programs.

Answers go to the standard output; progress and messages to the standard error.
"""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeRemainingColumn as RemainingColumn
from rich.table import Table
from rich.text import Text

from crmcore.cli.exits import exit_code
from crmcore.cli.plain import plain
from crmcore.errors import CRMError, SchemaOutdated, ValidationError

__all__ = ["Heading", "Output", "answering", "table"]

#: A column's heading, or its heading and where it stands: left, right or center.
Heading = str | tuple[str, str]

#: Told how much is done, and how much there is to do where that is known.
Advance = Callable[[int, int | None], None]


@attrs.frozen(eq=False)
class Output:
    """Where a command shows its answer; with ``as_json`` people's tables are left out."""

    as_json: bool
    out: Console
    messages: Console

    @classmethod
    def open(cls, as_json: bool) -> Output:
        """Return the output on this process's streams as they are now."""
        return cls(as_json, Console(highlight=False), Console(stderr=True))

    def show(self, *things: Any, soft_wrap: bool = False) -> None:
        """Print something for people."""
        if not self.as_json:
            self.out.print(*things, soft_wrap=soft_wrap)

    def answer(self, data: Any) -> None:
        """Print the answer for programs, as one JSON document."""
        if self.as_json:
            typer.echo(json.dumps(plain(data), ensure_ascii=False, indent=2))

    def fail(self, error: CRMError) -> None:
        """Print an error's message, and what to do about it."""
        self.answer({"error": _described(error)})
        if not self.as_json:
            words = Text(str(error))
            self.messages.print(Text("Error:", style="bold red"), words)
            if isinstance(error, SchemaOutdated):
                self.messages.print("Run: crmcore schema upgrade --store URL")

    @contextmanager
    def progress(self, words: str, total: int | None = None) -> Iterator[Advance]:
        """Show a progress bar while something long is done, where people watch."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RemainingColumn(),
            console=self.messages,
            transient=True,
            disable=not self.messages.is_terminal,
        )
        with bar:
            task = bar.add_task(words, total=total)

            def advance(done: int, out_of: int | None = total) -> None:
                bar.update(task, completed=done, total=out_of)

            yield advance


def _described(error: CRMError) -> dict[str, Any]:
    described: dict[str, Any] = {"code": error.code, "message": str(error)}
    if isinstance(error, ValidationError):
        described["problems"] = [
            {"field": p.field, "reason": p.reason, "message": p.message()}
            for p in error.problems
        ]
    return described


@contextmanager
def answering(as_json: bool) -> Iterator[Output]:
    """Give a command its output; end it with the exit code of an error of crmcore."""
    output = Output.open(as_json)
    try:
        yield output
    except CRMError as error:
        output.fail(error)
        raise typer.Exit(exit_code(error)) from None


def table(
    columns: Sequence[Heading],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
) -> Table:
    """Return a table; its cells are texts, numbers, or things that rich can print."""
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        heading, place = (column, "left") if isinstance(column, str) else column
        made.add_column(heading, justify=place, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def _cell(value: Any) -> Any:
    """Return what rich prints as it is: no text of a record is taken for markup."""
    if value is None:
        return ""
    return Text(str(value)) if isinstance(value, (str, int, float)) else value
