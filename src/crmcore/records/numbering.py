"""Automatic numbers: how they are written, when they begin anew, who may give them.

::

    number: str | None = fields.auto_number(prefix="INV", padding=7)  # INV0000001

A number without padding sorts as text: LEA10 stands before LEA9. Sort by ``created_at``
where the order of giving is meant, or pad.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.records.conventions import Conventions
from crmcore.records.types import Refused, Text, clean_text

__all__ = ["AutoNumber", "NumberFormat", "format_from_data"]

#: From the coarsest to the finest: what a number may show, and at what it begins anew.
PERIODS = ("none", "year", "month", "day")

LONGEST_TEXT = 20
MOST_DIGITS = 18
LARGEST_START = 10**15


@attrs.frozen(kw_only=True)
class NumberFormat:
    """Prefix, date, separator, counter and suffix, and how the counter counts (REC-15).

    ``date_part``: none, ``year`` (2026), ``month`` (202603), ``day`` (20260314).
    ``padding``: the least number of digits of the counter; it grows beyond them.
    ``start``: the first counter; raised later it jumps ahead, lowered it changes nothing.
    ``reset``: never (``none``), or at each new ``year``, ``month`` or ``day``, which the
    number then has to show.
    ``gapless``: 1, 2, 3 ... without a gap, so that creators wait for each other; without
    it they do not, and numbers that nobody used are lost.
    ``manual``: callers may give a number of their own to a new record.
    ``automatic``: a record without a given number gets one; else it has to be given.
    """

    prefix: str = ""
    date_part: str = "none"
    separator: str = ""
    padding: int = 0
    suffix: str = ""
    start: int = 1
    reset: str = "none"
    gapless: bool = True
    manual: bool = False
    automatic: bool = True

    def render(self, number: int, moment: date) -> str:
        """Return the number as it is shown; ``moment`` is in the tenant's time zone."""
        period = period_of(self.date_part, moment)
        counter = str(number).zfill(self.padding)
        return f"{self.prefix}{period}{self.separator}{counter}{self.suffix}"

    def preview(self, last: int, moment: date) -> str:
        """Return the number that follows when the sequence stands at ``last``."""
        return self.render(max(last + 1, self.start), moment)

    def sequence_name(self, entity: str, field: str, moment: date) -> str:
        """Return the sequence that counts now; it is another one after each reset.

        It does not depend on how numbers are written, so that a changed format goes on
        behind the last number.
        """
        period = period_of(self.reset, moment)
        return f"number/{entity}.{field}" + (f"/{period}" if period else "")

    def problems(self) -> Iterator[Problem]:
        """Yield everything that is wrong with the format."""
        for name in ("prefix", "separator", "suffix"):
            yield from _text_problems(name, getattr(self, name))
        yield from _range_problems("padding", self.padding, 0, MOST_DIGITS)
        yield from _range_problems("start", self.start, 1, LARGEST_START)
        for name in ("date_part", "reset"):
            value = getattr(self, name)
            if value not in PERIODS:
                yield Problem(name, "not_an_option", {"value": str(value)[:60]})
                return
        if PERIODS.index(self.reset) > PERIODS.index(self.date_part):
            yield Problem("reset", "reset_not_shown", {"period": self.reset})


def period_of(period: str, moment: date) -> str:
    """Return the digits of a year, month or day; nothing for ``none``."""
    digits = f"{moment.year:04d}{moment.month:02d}{moment.day:02d}"
    return digits[: _WIDTHS[period]]


_WIDTHS = {"none": 0, "year": 4, "month": 6, "day": 8}


def _text_problems(name: str, text: str) -> Iterator[Problem]:
    if len(text) > LONGEST_TEXT:
        yield Problem(name, "too_long", {"maximum": LONGEST_TEXT})
    if not text.isprintable() or text != text.strip():
        yield Problem(name, "invisible_characters")


def _range_problems(name: str, value: int, low: int, high: int) -> Iterator[Problem]:
    if not low <= value <= high:
        yield Problem(name, "out_of_range", {"minimum": low, "maximum": high})


def format_from_data(data: Mapping[str, Any]) -> NumberFormat:
    """Return the format that a definition describes, defaults filled in.

    Raises ValidationError that names every bad part.
    """
    kinds = {a.name: type(a.default) for a in attrs.fields(NumberFormat)}
    problems = []
    for name, value in data.items():
        if name not in kinds:
            problems.append(Problem(str(name)[:60], "unknown_setting"))
        elif type(value) is not kinds[name]:
            problems.append(Problem(name, _NOT[kinds[name]]))
    if problems:
        raise ValidationError(problems)
    return NumberFormat(**data)


_NOT: Mapping[Any, str] = {str: "not_text", int: "not_integer", bool: "not_boolean"}


@attrs.frozen(kw_only=True)
class AutoNumber(Text):
    """A number that the library gives to a new record, once and for good (REC-15).

    Kept as text. It never changes, and nobody gets it again, not even after the record
    was removed for good.
    """

    kind: ClassVar[str] = "auto_number"
    lasting: ClassVar[bool] = True
    maximum: int = 100
    format: NumberFormat = attrs.field(factory=NumberFormat)

    def __attrs_post_init__(self) -> None:
        """Refuse a format that could not count."""
        problems = list(self.format.problems())
        if problems:
            raise ValidationError(problems)

    @property
    def implied(self) -> Mapping[str, Any]:
        """Return that the field is unique, fixed, and the library's to fill."""
        given = self.format.manual or not self.format.automatic
        return {
            "unique": True,
            "updatable": False,
            "indexed": True,
            "computed": not given,
            "required": not self.format.automatic,
        }

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        """Return a number that somebody gave; what cannot be seen in it is refused."""
        text = clean_text(value, self.maximum)
        if not text.isprintable():
            raise Refused("invisible_characters")
        return text or None
