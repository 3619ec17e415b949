"""Days and times as people write them; the order of day and month is never guessed.

Pure: text in, dates out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from crmcore.records import Refused

__all__ = ["DATE_ORDERS", "detect_order", "read_date", "read_datetime"]

DATE_ORDERS = ("ymd", "dmy", "mdy")

_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([AaPp][Mm])?")


def detect_order(texts: Iterable[str]) -> str | None:
    """Return the order that the dates of one column prove, None where they do not.

    A first part above 12 proves ``dmy``, a second part above 12 ``mdy``.
    """
    orders = set()
    for text in texts:
        found = _YEAR_LAST.match(text.strip())
        if found is None:
            continue
        if int(found[1]) > 12:
            orders.add("dmy")
        if int(found[2]) > 12:
            orders.add("mdy")
    return orders.pop() if len(orders) == 1 else None


def read_date(text: str, order: str | None) -> date:
    """Return the day of ``text``: ISO, ``2024/3/5``, ``2024年3月5日``, ``3/5/2024``.

    ``order`` says what ``3/5/2024`` means; without it such a day is refused, unless
    both readings are the same or only one is a date.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    found = _YEAR_FIRST.fullmatch(plain)
    if found is not None:
        return _day(found[1], found[2], found[3])
    found = _YEAR_LAST.fullmatch(plain)
    if found is not None:
        return _ordered(found[1], found[2], found[3], order)
    if re.fullmatch(r"\d{8}", plain):
        return _day(plain[:4], plain[4:6], plain[6:])
    raise Refused("not_date")


def _ordered(first: str, second: str, year: str, order: str | None) -> date:
    order = None if order == "ymd" else order
    if order == "dmy" or (order is None and int(first) > 12):
        return _day(year, second, first)
    if order == "mdy" or (order is None and int(second) > 12) or first == second:
        return _day(year, first, second)
    raise Refused("ambiguous_date" if order is None else "not_date")


def _day(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise Refused("not_date") from None


def read_datetime(text: str, order: str | None, zone: ZoneInfo) -> datetime:
    """Return the point in time of ``text``; one without a zone is meant in ``zone``."""
    plain = unicodedata.normalize("NFKC", text).strip()
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        moment = _by_parts(plain, order)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _by_parts(text: str, order: str | None) -> datetime:
    found = _TIME.search(text)
    day = text if found is None else text[: found.start()].rstrip(" T,")
    try:
        return datetime.combine(read_date(day, order), _clock(found))
    except (Refused, ValueError) as error:
        if isinstance(error, Refused) and error.reason == "ambiguous_date":
            raise
        raise Refused("not_datetime") from None


def _clock(found: re.Match[str] | None) -> time:
    if found is None:
        return time()
    hour = int(found[1])
    half = (found[4] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(found[2]), int(found[3] or 0))
