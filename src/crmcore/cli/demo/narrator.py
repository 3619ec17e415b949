"""Telling the story: chapters, sentences, tables; silent where JSON is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from crmcore.cli.output import Heading, Output, table
from crmcore.errors import CRMError

__all__ = ["Narrator"]


@attrs.define(eq=False)
class Narrator:
    """Prints the chapters of a demonstration, counting them."""

    output: Output
    _chapters: int = 0

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapters += 1
        words = Text(f"{self._chapters}  {title}", style="bold")
        self.output.show()
        self.output.show(Rule(words, align="left", style="dim"))

    def say(self, words: str, style: str = "") -> None:
        """Print a sentence."""
        self.output.show(Text(words, style=style))

    def refusal(self, error: CRMError) -> None:
        """Print what crmcore said to the actor, in the actor's language and English."""
        words = Text(f"{type(error).__name__}: {error}", style="red")
        if str(error) != error.message("en"):
            words.append(f"\n{error.message('en')}", style="dim")
        self.output.show(Padding(words, (0, 0, 0, 4), expand=False))

    def code(self, source: str) -> None:
        """Print lines of Python."""
        shown = Syntax(source, "python", theme="ansi_light", background_color="default")
        self.output.show(Padding(shown, (0, 0, 0, 4), expand=False))

    def table(
        self,
        columns: Sequence[Heading],
        rows: Iterable[Sequence[Any]],
        title: str | None = None,
    ) -> None:
        """Print a table."""
        self.output.show(table(columns, rows, title))
