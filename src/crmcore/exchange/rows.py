"""Rows of a text, one by one, whatever the text holds: a bad row never stops the others.

Takes text, returns numbered rows; a row that cannot be read carries the reason.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO

import attrs

__all__ = ["LONGEST_LINE", "MOST_COLUMNS", "Row", "read_rows"]

#: Characters in a line; a longer one is refused, not kept.
LONGEST_LINE = 1_000_000
#: Lines of one row; a quote that is not closed by then is an error.
MOST_LINES = 2_000
#: Cells of a row.
MOST_COLUMNS = 500


@attrs.frozen
class Row:
    """One row: its number from 1, the line where it starts, and its cells.

    ``reason`` says why the row cannot be used; its cells are empty then.
    """

    number: int
    line: int
    cells: tuple[str, ...] | list[str]
    reason: str | None = None


class _Lines:
    """Hands lines to the CSV reader and remembers those of the current row."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.ended = False
        self.too_long = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line:
            self.ended = True
            raise StopIteration
        self.taken.append(line)
        if len(self.taken) > MOST_LINES:
            raise csv.Error("unclosed quote")
        return line

    def _read(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            self.too_long = True
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._text.readline(LONGEST_LINE)
            return "\n"
        return line

    def push_back(self) -> None:
        """Offer all lines of the current row but the first again."""
        self._waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        self.ended = False


def read_rows(text: IO[str], delimiter: str) -> Iterator[Row]:
    """Yield the rows of ``text`` that are not blank, header included.

    A quote that is never closed spoils its own line only: the lines behind it are read
    again as rows.
    """
    lines = _Lines(text)
    number, line = 0, 1
    while True:
        cells, reason = _next_row(lines, delimiter)
        if not lines.taken:
            return
        if reason is not None or any(cells):
            number += 1
            yield Row(number, line, cells, reason)
        line += len(lines.taken)
        lines.taken.clear()
        lines.too_long = False


def _next_row(lines: _Lines, delimiter: str) -> tuple[list[str], str | None]:
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        cells = next(reader, [])
    except csv.Error:
        reason = "unclosed_quote" if len(lines.taken) > 1 else "line_too_long"
        lines.push_back()
        return [], reason
    if lines.ended and lines.taken:
        lines.push_back()
        return [], "unclosed_quote"
    return _checked(lines, cells)


def _checked(lines: _Lines, cells: list[str]) -> tuple[list[str], str | None]:
    if lines.too_long:
        return [], "line_too_long"
    if len(cells) > MOST_COLUMNS:
        return [], "too_many_cells"
    if any("\0" in line for line in lines.taken):
        return [], "null_in_row"
    return cells, None
