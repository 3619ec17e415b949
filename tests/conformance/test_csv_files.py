"""Real and awkward files of text: encodings, delimiters, quotes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from crmcore.exchange.dialect import detect_delimiter
from crmcore.exchange.encoding import detect_encoding, marked_encoding
from crmcore.exchange.rows import read_rows
from crmcore.exchange.source import open_source

ENCODED = (
    "big5 cp1251 cp1252 cp1254 euc_kr gb18030 gbk iso8859-2 shift_jis "
    "utf-16-le utf-16 utf-8-sig"
).split()

#: The pair "location_coordinates" disagrees with itself and holds U+FFFD.
SPECTRUM = (
    "comma_in_quotes empty empty_crlf escaped_quotes json newlines newlines_crlf "
    "quotes_and_newlines simple simple_crlf utf8"
).split()


def encoding_of(path):
    scan = open_source(path).scan()
    marked = marked_encoding(scan.sample)
    return marked or ("utf-8" if scan.utf8 else detect_encoding(scan.sample))


def rows_of(path):
    encoding = encoding_of(path)
    with open_source(path).text(encoding) as text:
        head = text.read()
    delimiter = detect_delimiter(head)
    found = list(read_rows(io.StringIO(head, newline=""), delimiter))
    assert not [row for row in found if row.reason]
    return [list(row.cells) for row in found]


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("name", ENCODED)
def test_tiny_files_in_twelve_encodings_are_read(shared_data, name):
    """Two rows are enough to recognise the encoding and the delimiter."""
    folder = shared_data / "csv-encodings"
    expected = (folder / f"{name}.expected.utf8.csv").read_text("utf-8")
    delimiter = ";" if name == "cp1252" else ","
    wanted = list(csv.reader(io.StringIO(expected, newline=""), delimiter=delimiter))
    assert rows_of(folder / f"{name}.csv") == wanted


@pytest.mark.capability("IMP-01")
def test_texts_in_many_languages_are_read(shared_data):
    """Each text decodes to what its known encoding gives."""
    folder = shared_data / "encodings"
    with (folder / "expectations.csv").open(newline="") as file:
        expected = {row["file"]: row["encoding"] for row in csv.DictReader(file)}
    wrong = {}
    for name, known in expected.items():
        data = (folder / name).read_bytes()
        found = encoding_of(folder / name)
        if data.decode(found).lstrip("\ufeff") != data.decode(known).lstrip("\ufeff"):
            wrong[name] = found
    assert wrong == {}


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("name", SPECTRUM)
def test_awkward_csv_files_are_read(shared_data, name):
    """Quotes, newlines, empty cells and line ends are kept exactly."""
    folder = shared_data / "csv-spectrum"
    expected = json.loads((folder / "json" / f"{name}.json").read_text("utf-8"))
    header, *rows = rows_of(folder / "csvs" / f"{name}.csv")
    assert [dict(zip(header, row, strict=True)) for row in rows] == expected
