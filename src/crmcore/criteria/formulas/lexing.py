"""From the text of a formula to its words, numbers, texts and signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import attrs

from crmcore.errors import ValidationError
from crmcore.records.text import has_surrogate

__all__ = ["MAXIMUM_TEXT", "Token", "tokens_of"]

#: Longer formulas are refused.
MAXIMUM_TEXT = 4_000
#: Digits of a number.
MAXIMUM_DIGITS = 30

_PATTERN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<text>"(?:[^"\\]|\\["\\])*")
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|[-+*/&<>(),.])
    """,
    re.VERBOSE,
)
_ESCAPED = re.compile(r'\\(["\\])')


@attrs.frozen
class Token:
    """One word: its kind, its text and where it begins, from 1."""

    kind: str
    text: str
    position: int

    @property
    def number(self) -> int | Decimal:
        """Return the number that the word writes."""
        return Decimal(self.text) if "." in self.text else int(self.text)

    @property
    def string(self) -> str:
        """Return the text between the quotes."""
        return _ESCAPED.sub(r"\1", self.text[1:-1])


def quoted(text: str) -> str:
    """Return a text as formulas write it."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def tokens_of(text: str) -> Iterator[Token]:
    """Yield the words of a formula and an end; raises ValidationError for others."""
    _check_text(text)
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise unexpected(text[position], position + 1)
        kind = str(match.lastgroup)
        if kind == "number" and len(match.group()) > MAXIMUM_DIGITS:
            raise ValidationError.of(
                "formula", "number_too_long", position=position + 1
            )
        if kind != "blank":
            yield Token(kind, match.group(), position + 1)
        position = match.end()
    yield Token("end", "", len(text) + 1)


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise ValidationError.of("formula", "not_text")
    if len(text) > MAXIMUM_TEXT:
        raise ValidationError.of("formula", "too_long", maximum=MAXIMUM_TEXT)
    if "\0" in text:
        raise ValidationError.of("formula", "null_character")
    if has_surrogate(text):
        raise ValidationError.of("formula", "invalid_unicode")
    if not text.strip():
        raise ValidationError.of("formula", "required")


def unexpected(shown: str, position: int) -> ValidationError:
    """Return the error for what cannot stand at a place of a formula."""
    if not shown:
        return ValidationError.of("formula", "formula_incomplete", position=position)
    return ValidationError.of(
        "formula", "formula_unexpected", value=shown[:40], position=position
    )
