from __future__ import annotations

import pytest

from crmcore.errors import ImportRejected
from crmcore.exchange.dialect import check_delimiter, detect_delimiter, detect_header


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，"])
def test_the_delimiter_of_even_rows_is_recognised(delimiter):
    """The mark under which all rows have the same width is the delimiter."""
    rows = [["name", "company", "amount"], ["José", "A & B", "1"], ["Li", "x", ""]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert detect_delimiter(text) == delimiter


def test_commas_inside_cells_do_not_win():
    """Decimal commas in a file of semicolons do not make it a file of commas."""
    text = "name;amount;rate\nA;1,50;2,25\nB;17;3\nC, the third;1,2;3,4\n"
    assert detect_delimiter(text) == ";"


def test_a_single_column_has_a_comma():
    """Where there is nothing to cut, the comma is assumed."""
    assert detect_delimiter("email\na@example.com\n") == ","


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0"])
def test_a_delimiter_is_one_character(delimiter):
    """Quotes, line ends and words are refused as a delimiter."""
    with pytest.raises(ImportRejected):
        check_delimiter(delimiter)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["whatever", "email"], True),
        (["unknown", "words"], True),
        (["Wang", "wang@example.com"], False),
        (["Wang", "+86 755 1234"], False),
        (["Wang", "2024-03-05"], False),
        (["Wang", "1,234.50"], False),
        (["email", "2024"], True),
    ],
)
def test_a_row_with_data_is_no_header(row, expected):
    """A known name makes a header, a number or an address makes data."""
    assert detect_header(row, {"email"}.__contains__) is expected
