"""Which encoding a file is written in: its mark first, UTF-8 second, statistics last.

Pure: takes bytes, returns the name of a codec.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from crmcore.errors import ImportRejected, MissingExtra, Problem

__all__ = ["check_encoding", "detect_encoding", "is_strict", "marked_encoding"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: What business files are written in; each with the codec that reads all of it.
_CANDIDATES = {
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "cp950",
    "big5hkscs": "big5hkscs",
    "cp932": "cp932",
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "cp949": "cp949",
    "euc-kr": "cp949",
    "cp1252": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-15": "iso8859-15",
    "cp1250": "cp1250",
    "iso8859-2": "iso8859-2",
    "cp1251": "cp1251",
    "koi8-r": "koi8-r",
    "mac-cyrillic": "mac-cyrillic",
    "cp1253": "cp1253",
    "iso8859-7": "iso8859-7",
    "cp1254": "cp1254",
    "iso8859-9": "cp1254",
    "cp1255": "cp1255",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp1258": "cp1258",
    "cp874": "cp874",
    "tis-620": "cp874",
}

#: How much a guess may look at.
SAMPLE = 200_000

#: Share of NUL bytes at every second place that tells UTF-16 without a mark.
_WIDE_SHARE = 0.1


def check_encoding(name: str) -> str:
    """Return the codec's normal name; raises ImportRejected for an unknown one."""
    try:
        found = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, TypeError):
        raise _rejected(f"unknown encoding {name!r}"[:120]) from None
    return found.name


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes tell: a mark, or UTF-16's zeros."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    return _wide_encoding(head[:4096])


def _wide_encoding(head: bytes) -> str | None:
    """Return UTF-16 without a mark: zeros at the odd or the even places only."""
    pairs = len(head) // 2
    if not pairs:
        return None
    even, odd = head[0 : pairs * 2 : 2].count(0), head[1 : pairs * 2 : 2].count(0)
    if odd > pairs * _WIDE_SHARE and not even:
        return "utf-16-le"
    if even > pairs * _WIDE_SHARE and not odd:
        return "utf-16-be"
    return None


def is_strict(encoding: str) -> bool:
    """Tell whether one bad byte spoils everything behind it."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def detect_encoding(sample: bytes) -> str:
    """Return the likely encoding of ``sample``, which is not UTF-8 (IMP-01).

    Raises MissingExtra without the extra ``exchange``, ImportRejected where nothing
    fits.
    """
    sample = _telling(sample[:SAMPLE])
    for name in _guesses(sample):
        codec = _CANDIDATES.get(_normal(name))
        if codec is not None and _fits(sample, codec):
            return codec
    for codec in ("gb18030", "cp1252"):
        if _fits(sample, codec):
            return codec
    raise _rejected("the encoding was not recognised; name it")


def _telling(sample: bytes) -> bytes:
    """Return the lines that are not plain ASCII, which would only dilute the rest."""
    lines = sample.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.isascii())


def _guesses(sample: bytes) -> Iterable[str]:
    try:
        chardet: Any = import_module("chardet")
    except ImportError:
        raise MissingExtra(feature="Recognising encodings", extra="exchange") from None
    found = chardet.detect_all(sample, ignore_threshold=True)
    return [str(guess["encoding"]) for guess in found if guess["encoding"]]


def _normal(name: str) -> str:
    try:
        return (
            codecs.lookup(name).name.replace("_", "-").replace("shift-jis", "shift_jis")
        )
    except LookupError:
        return name.lower()


def _fits(sample: bytes, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        decoder.decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _rejected(problem: str) -> ImportRejected:
    return ImportRejected(
        [Problem("encoding", "unreadable", {"problem": problem})], problem=problem
    )
