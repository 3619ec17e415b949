"""Days and times, written and read as a locale or a user does (I18N-04).

Formats are presentation, never data. Pure: moments and zones are handed in.
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo

from babel import dates as cldr

from crmcore.errors import ValidationError
from crmcore.i18n.locales import locale_of
from crmcore.i18n.typed_text import plain

__all__ = [
    "DATE_PATTERNS",
    "date_order",
    "first_weekday",
    "format_date",
    "format_datetime",
    "format_time",
    "local_day",
    "parse_date",
    "uses_24_hours",
]

#: Patterns that a user may choose -> the pattern of CLDR.
DATE_PATTERNS: dict[str, str] = {
    "yyyy-mm-dd": "yyyy-MM-dd",
    "yyyy/mm/dd": "yyyy/MM/dd",
    "dd-mm-yyyy": "dd-MM-yyyy",
    "dd/mm/yyyy": "dd/MM/yyyy",
    "dd.mm.yyyy": "dd.MM.yyyy",
    "mm/dd/yyyy": "MM/dd/yyyy",
}
_EXAMPLE = date(2026, 11, 27)
_YEAR_FIRST = re.compile(
    r"(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/|\. ?(\d{1,2})\. ?|年 ?(\d{1,2})月 ?)(\d{1,2})[日.]?",
    re.ASCII,
)
_YEAR_LAST = re.compile(
    r"(\d{1,2})(?:-(\d{1,2})-|/(\d{1,2})/|\. ?(\d{1,2})\. ?)(\d{4})\.?", re.ASCII
)


def local_day(moment: datetime, zone: tzinfo) -> date:
    """Return the day that a moment falls on in a zone: a user's "today"."""
    return moment.astimezone(zone).date()


def first_weekday(locale: str = "en") -> int:
    """Return the first day of the week where the locale is used: 0 Monday, 6 Sunday."""
    return locale_of(locale).first_week_day


def uses_24_hours(locale: str = "en") -> bool:
    """Tell whether the locale writes 18:30 rather than 6:30 PM."""
    return "H" in locale_of(locale).time_formats["short"].pattern


def format_date(
    day: date, locale: str = "en", *, style: str = "medium", pattern: str | None = None
) -> str:
    """Return a day as the locale writes it, or by one of :data:`DATE_PATTERNS`.

    ``style``: short, medium, long, full, or ``numeric`` with a year of four digits,
    which :func:`parse_date` reads back.
    """
    shown = DATE_PATTERNS[pattern] if pattern else style
    if shown == "numeric":
        shown = _numeric(locale)
    return cldr.format_date(day, format=shown, locale=locale_of(locale))


def _numeric(locale: str) -> str:
    """Return the locale's short pattern with numbers only and the whole year."""
    short = locale_of(locale).date_formats["short"].pattern
    return re.sub("y+", "yyyy", short)


def format_time(
    moment: datetime,
    locale: str = "en",
    *,
    zone: tzinfo,
    seconds: bool = False,
    clock_24: bool | None = None,
) -> str:
    """Return the time of day in a zone, on a 24-hour clock where that is wanted."""
    hours = uses_24_hours(locale) if clock_24 is None else clock_24
    skeleton = ("Hm" if hours else "hm") + ("s" if seconds else "")
    local = moment.astimezone(zone)
    return cldr.format_skeleton(skeleton, local, locale=locale_of(locale))


def format_datetime(
    moment: datetime,
    locale: str = "en",
    *,
    zone: tzinfo,
    style: str = "medium",
    pattern: str | None = None,
    seconds: bool = False,
    clock_24: bool | None = None,
) -> str:
    """Return day and time in a zone; see :func:`format_date` and :func:`format_time`."""
    day = format_date(local_day(moment, zone), locale, style=style, pattern=pattern)
    time = format_time(moment, locale, zone=zone, seconds=seconds, clock_24=clock_24)
    if pattern is not None:
        return f"{day} {time}"
    named = "medium" if style == "numeric" else style
    joined: str = locale_of(locale).datetime_formats[named]
    return str(joined).replace("'", "").format(time, day)


def parse_date(
    text: str, locale: str = "en", *, pattern: str | None = None, field: str = ""
) -> date:
    """Return the day that somebody wrote: year first, or in the locale's own order.

    ``27-11-2026``, ``11/27/2026``, ``2026-11-27``, ``2026年11月27日``: the year has four
    digits, the separators are alike. ``pattern``, one of :data:`DATE_PATTERNS`, gives
    the order instead of the locale. Raises ValidationError that names ``field`` and
    shows how a day is written.
    """
    found = _day(text, locale, pattern)
    if found is None:
        example = format_date(_EXAMPLE, locale, style="numeric", pattern=pattern)
        raise ValidationError.of(field, "not_date_like", example=example)
    return found


def _day(text: str, locale: str, pattern: str | None) -> date | None:
    typed = plain(text)
    if typed is None:
        return None
    shown = DATE_PATTERNS[pattern] if pattern else _numeric(locale)
    for words in re.findall(r"'([^']+)'", shown):
        typed = typed.removesuffix(words).strip()
    found = _YEAR_FIRST.fullmatch(typed)
    if found is not None:
        year, month, day = (part for part in found.groups() if part is not None)
        return _date(year, month, day)
    found = _YEAR_LAST.fullmatch(typed)
    if found is None:
        return None
    first, second, year = (part for part in found.groups() if part is not None)
    order = _order(shown)
    if order.startswith("d"):
        return _date(year, second, first)
    return _date(year, first, second) if order.startswith("M") else None


def _order(pattern: str) -> str:
    return re.sub("[^dMy]", "", pattern)


def date_order(locale: str = "en") -> str:
    """Return in which order a locale writes days: ``dmy``, ``mdy`` or ``ymd``."""
    letters = _order(_numeric(locale)).lower()
    return "".join(dict.fromkeys(letters))


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
