from __future__ import annotations

import sys

import pytest

from crmcore.errors import ImportRejected, MissingExtra
from crmcore.exchange.encoding import check_encoding, detect_encoding, marked_encoding
from crmcore.exchange.source import open_source

CHINESE = "姓名,公司,电话\n张三,阿里巴巴,13800000000\n李四,腾讯科技,13900000000\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("utf-8", None),
        ("gbk", None),
    ],
)
def test_a_mark_or_the_zeros_of_utf_16_decide_first(encoding, expected):
    """The first bytes tell the encoding where they can."""
    assert marked_encoding(CHINESE.encode(encoding)) == expected


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "big5"])
def test_chinese_encodings_are_recognised(encoding):
    """What is not UTF-8 is told by its statistics."""
    text = CHINESE if encoding != "big5" else "姓名,公司\n陳大文,台灣積體電路\n"
    assert text.encode(encoding).decode(detect_encoding(text.encode(encoding))) == text


def test_a_missing_library_is_named(monkeypatch):
    """Without the extra, the error says which one is needed."""
    monkeypatch.setitem(sys.modules, "chardet", None)
    with pytest.raises(MissingExtra) as caught:
        detect_encoding(CHINESE.encode("gbk"))
    assert caught.value.details["extra"] == "exchange"


@pytest.mark.parametrize("name", ["klingon", "", "hex", "a\0b"])
def test_an_unknown_encoding_is_refused(name):
    """Only encodings of text are taken."""
    with pytest.raises(ImportRejected):
        check_encoding(name)


def test_one_pass_tells_digest_lines_and_utf_8(tmp_path):
    """The scan reads a file once and tells its size, lines and whether it is UTF-8."""
    path = tmp_path / "a.csv"
    path.write_bytes(CHINESE.encode() * 20_000)
    scan = open_source(path).scan()
    assert (scan.utf8, scan.lines) == (True, 60_000)
    assert scan.size == path.stat().st_size
    assert scan.digest == open_source(path.read_bytes()).scan().digest


def test_a_late_foreign_byte_is_found_and_shown_to_the_guess(tmp_path):
    """Half a megabyte of ASCII does not hide that the file is GBK."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,company\n" * 40_000 + CHINESE.encode("gbk") * 20)
    scan = open_source(path).scan()
    assert not scan.utf8
    assert detect_encoding(scan.sample) == "gb18030"


@pytest.mark.parametrize("file", ["nowhere.csv", 5, None])
def test_what_is_no_file_is_refused(file):
    """A path has to exist; anything else has to be a binary stream."""
    with pytest.raises(ImportRejected):
        open_source(file)
