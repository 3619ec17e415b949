"""The file of an import: a path or a binary stream, read in pieces, never as a whole."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import attrs

from crmcore.errors import ImportRejected, Problem
from crmcore.exchange.encoding import SAMPLE, is_strict

__all__ = ["FileSource", "Scan", "open_source"]

_PIECE = 1 << 18


@attrs.frozen
class Scan:
    """What one pass over the bytes tells.

    ``sample`` is the beginning, and where the file is not UTF-8 the place that shows it.
    """

    digest: str
    size: int
    lines: int
    sample: bytes
    utf8: bool


@attrs.frozen(eq=False)
class FileSource:
    """Where the bytes come from; can be read several times."""

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None
    start: int = 0

    @contextmanager
    def bytes(self) -> Iterator[BinaryIO]:
        """Open the file at its beginning."""
        if self.path is None:
            assert self.stream is not None
            self.stream.seek(self.start)
            yield self.stream
            return
        try:
            opened = self.path.open("rb")
        except OSError as error:
            problem = str(error.strerror or error)
            raise _rejected(problem) from None
        with opened:
            yield opened

    @contextmanager
    def text(self, encoding: str) -> Iterator[IO[str]]:
        """Open the file as text; bytes that fit no character become lone surrogates."""
        errors = "strict" if is_strict(encoding) else "surrogateescape"
        with self.bytes() as raw:
            text = io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="")
            try:
                yield text
            finally:
                text.detach()

    def scan(self) -> Scan:
        """Read all bytes once: digest, size, number of lines, whether it is UTF-8."""
        digest = hashlib.blake2b(digest_size=32)
        decoder = codecs.getincrementaldecoder("utf-8")()
        size = lines = 0
        sample, doubt = b"", b""
        utf8 = True
        with self.bytes() as raw:
            while piece := raw.read(_PIECE):
                sample = sample or piece[:SAMPLE]
                digest.update(piece)
                size += len(piece)
                lines += piece.count(b"\n")
                if utf8 and not _continues(decoder, piece):
                    utf8, doubt = False, _around_doubt(piece)
            utf8 = utf8 and _continues(decoder, b"", final=True)
        if doubt and size > _PIECE:
            sample = doubt + b"\n" + sample[: SAMPLE - len(doubt)]
        return Scan(digest.hexdigest(), size, lines, sample, utf8)

    def check_decodes(self, encoding: str) -> None:
        """Raise ImportRejected where a wide encoding breaks off."""
        if not is_strict(encoding):
            return
        with self.text(encoding) as text:
            try:
                while text.read(_PIECE):
                    pass
            except UnicodeError as error:
                raise _rejected(str(error)[:200]) from None


def _continues(
    decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False
) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _around_doubt(piece: bytes) -> bytes:
    """Return the lines of ``piece`` that are whole and not plain ASCII."""
    found: list[bytes] = []
    length = 0
    lines = piece.splitlines(keepends=True)
    for line in lines[1:-1] or lines:
        if not line.isascii() and length < SAMPLE // 2:
            found.append(line)
            length += len(line)
    return b"".join(found)[: SAMPLE // 2]


def open_source(file: str | os.PathLike[str] | BinaryIO | bytes) -> FileSource:
    """Return the source for a path, the bytes themselves, or a stream that can seek.

    Raises ImportRejected for anything else.
    """
    if isinstance(file, bytes):
        return FileSource("data", stream=io.BytesIO(file))
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        if not path.is_file():
            raise _rejected("there is no such file")
        return FileSource(path.name, path=path)
    if not hasattr(file, "read") or hasattr(file, "encoding"):
        raise _rejected("a path or a binary stream is needed")
    if not file.seekable():
        raise _rejected("the stream cannot be read twice")
    name = getattr(file, "name", "")
    known = Path(name).name if isinstance(name, str) and name else "stream"
    return FileSource(known, stream=file, start=file.tell())


def _rejected(problem: str) -> ImportRejected:
    return ImportRejected(
        [Problem("file", "unreadable", {"problem": problem})], problem=problem
    )
