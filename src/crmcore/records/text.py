"""The one definition of equal, folded and ordered text, the same for every store."""

from __future__ import annotations

import unicodedata

from crmcore.i18n.names import format_name, is_east_asian

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


def full_name(last: str | None, first: str | None) -> str:
    """Return a person's name in the order of its script: 王小明, Ada Lovelace."""
    return format_name(last, first)


def has_surrogate(text: str) -> bool:
    """Tell whether ``text`` holds a lone surrogate, which no store can keep."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
