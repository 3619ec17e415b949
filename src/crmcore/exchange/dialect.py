"""How a text is cut into cells: the delimiter, and whether the first row is a header.

Pure: takes the beginning of a text, returns what fits it best.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence

from crmcore.errors import ImportRejected, Problem

__all__ = ["DELIMITERS", "check_delimiter", "detect_delimiter", "detect_header"]

#: In the order in which they are preferred where several fit.
DELIMITERS = (",", ";", "\t", "|", "，", "；")

_SAMPLED_ROWS = 50
_VALUE = re.compile(
    r"""\s*(
        [^@\s]+@[^@\s]+\.[^@\s]+             # an e-mail address
      | [-+(]?[\d０-９][\d０-９\s.,()/:+\-年月日]*  # a number, a phone, a date
      | https?://\S+
    )\s*""",
    re.VERBOSE,
)


def check_delimiter(delimiter: str) -> str:
    """Return the delimiter; raises ImportRejected unless it is one character."""
    if len(delimiter) != 1 or delimiter in '"\r\n\0 ':
        raise ImportRejected(
            [Problem("delimiter", "malformed")], problem="the delimiter is malformed"
        )
    return delimiter


def detect_delimiter(text: str) -> str:
    """Return the delimiter under which the rows of ``text`` agree best (IMP-01).

    A text of one column gets the comma.
    """
    scores = {mark: _score(text, mark) for mark in DELIMITERS if mark in text}
    best = max(scores.values(), default=0.0)
    return next((m for m, score in scores.items() if score == best and best), ",")


def _score(text: str, delimiter: str) -> float:
    """Return how many rows have the most frequent width, times that width."""
    widths = Counter(map(len, _rows(text, delimiter)))
    del widths[0]
    if not widths:
        return 0.0
    width, rows = max(widths.items(), key=lambda item: (item[1], item[0]))
    agreement = rows / widths.total()
    return 0.0 if width < 2 else agreement**2 * (1 + width / 1000)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            rows.append(row)
            if len(rows) == _SAMPLED_ROWS:
                break
    except csv.Error:
        return rows
    return rows


def detect_header(first: Sequence[str], is_known: Callable[[str], bool]) -> bool:
    """Tell whether the first row holds names of columns, not data (IMP-01).

    A known name decides; otherwise a row with a number, a date, an e-mail or a web
    address is data.
    """
    if any(is_known(cell) for cell in first):
        return True
    return not any(_VALUE.fullmatch(cell) for cell in first if cell.strip())
