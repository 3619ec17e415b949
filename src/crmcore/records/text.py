"""The one definition of equal, folded and ordered text, the same for every store."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["fold", "full_name", "has_surrogate", "identity_key", "is_east_asian"]


def fold(text: str) -> str:
    """Return ``text`` without differences of case and width, for searching in it."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def identity_key(text: str) -> str:
    """Return the key under which a unique value is claimed (DUP-01).

    NFKC, casefold, trimmed, runs of blanks as one.
    """
    return " ".join(fold(text).split())


#: Chinese, Japanese and Korean: family name first, no blank in between.
_EAST_ASIAN = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def is_east_asian(text: str) -> bool:
    """Tell whether a name is written in Chinese, Japanese or Korean script."""
    return _EAST_ASIAN.fullmatch(text) is not None


def full_name(last: str | None, first: str | None) -> str:
    """Return a person's name in the order of its script: 王小明, Ada Lovelace."""
    if last and first and is_east_asian(last) and is_east_asian(first):
        return f"{last}{first}"
    return " ".join(part for part in (first, last) if part)


def has_surrogate(text: str) -> bool:
    """Tell whether ``text`` holds a lone surrogate, which no store can keep."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
