from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.exchange import rows as reading
from crmcore.exchange.rows import read_rows

CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
NASTY = st.text(st.sampled_from('a,"\n\r\0;'), max_size=60)


def read(text, delimiter=","):
    return list(read_rows(io.StringIO(text, newline=""), delimiter))


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=8))
def test_what_was_written_is_read(rows):
    """Rows written by a CSV writer come back as they were, blank ones left out."""
    target = io.StringIO(newline="")
    csv.writer(target).writerows(rows)
    expected = [row for row in rows if any(row)]
    assert [list(row.cells) for row in read(target.getvalue())] == expected


@given(NASTY)
def test_no_text_stops_the_reader(text):
    """Whatever the text holds, rows are numbered and lines only grow."""
    found = read(text)
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    assert all(a.line < b.line for a, b in itertools.pairwise(found))


def test_lines_are_counted_through_quoted_newlines():
    """A row is named by the line where it starts."""
    found = read('a,b\n"x\ny",1\n\nz,2\n')
    assert [(row.line, list(row.cells)) for row in found] == [
        (1, ["a", "b"]),
        (2, ["x\ny", "1"]),
        (5, ["z", "2"]),
    ]


def test_an_unclosed_quote_spoils_its_own_line_only():
    """The lines behind an open quotation mark are read as rows again."""
    found = read('a,b\n"x,1\ny,2\nz,3\n')
    assert [(row.line, row.reason) for row in found] == [
        (1, None),
        (2, "unclosed_quote"),
        (3, None),
        (4, None),
    ]


def test_an_unclosed_quote_before_many_lines_is_bounded(monkeypatch):
    """The search for the end of a quote stops after a bounded number of lines."""
    monkeypatch.setattr(reading, "MOST_LINES", 10)
    found = read('a,b\n"x,1\n' + "y,2\n" * 50)
    assert [row.reason for row in found].count("unclosed_quote") == 1
    assert len(found) == 52


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a\0,b", "null_in_row"),
        (",".join("x" * 600), "too_many_cells"),
        ("y" * 200_000 + ",z", "line_too_long"),
        ("y" * 1_200_000, "line_too_long"),
    ],
)
def test_a_hostile_row_is_refused_and_the_next_is_read(line, reason):
    """NUL, too many cells, too long lines and cells are errors of their own row."""
    found = read(f"{line}\ngood,row\n")
    assert found[0].reason == reason
    assert (found[1].line, list(found[1].cells)) == (2, ["good", "row"])
