"""Text as somebody typed it, with digits and blanks of one kind."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["plain"]

#: Marks that steer the direction of writing; they carry no meaning in a number.
_DIRECTION = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))
_SAME = str.maketrans({"\u2212": "-", "\u2019": "'"})
_LONGEST = 60


def plain(text: Any) -> str | None:
    """Return text with ASCII digits, signs and blanks.

    None for what is no text, is too long to be a number or a date, or holds figures
    that are no digits, such as ² and ½.
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    if any(unicodedata.category(character) == "No" for character in text):
        return None
    folded = unicodedata.normalize("NFKC", text.translate(_DIRECTION)).translate(_SAME)
    return "".join(map(_ascii_digit, folded)).strip()


def _ascii_digit(character: str) -> str:
    if character.isascii():
        return character
    return str(unicodedata.decimal(character, character))
