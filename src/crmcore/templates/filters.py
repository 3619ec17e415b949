"""The functions of the template language beside those of Liquid (REC-24 (2)).

Each takes the surroundings of the rendering first, then the value before the ``|``.
"""

from __future__ import annotations

import crmcore.templates.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.sax.saxutils import escape

from babel.dates import format_date, format_datetime, format_time, get_day_names
from babel.numbers import format_currency, format_decimal, format_percent
from liquid.exceptions import FilterArgumentError, FilterError
from liquid.undefined import is_undefined

from crmcore.errors import MissingExtra
from crmcore.templates.surroundings import Surroundings
from crmcore.templates.views import Chosen, Composite

__all__ = ["FILTERS", "RaisedByTemplate"]

_LONGEST_PATTERN = 60
_PHONE = re.compile(r"\+?\d[\d ()./-]{5,30}\d")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,60}")
_DEEPEST = 12


class RaisedByTemplate(FilterError):
    """A template refused to be rendered, in its own words."""


def _is_empty(value: Any) -> bool:
    return value is None or is_undefined(value) or value in ("", [], {})


def if_empty(_: Surroundings, value: Any, other: Any = "") -> Any:
    return other if _is_empty(value) else value


def if_not_empty(_: Surroundings, value: Any, other: Any = "") -> Any:
    return "" if _is_empty(value) else other


def compare(_: Surroundings, value: Any, other: Any) -> int:
    """Return -1, 0 or 1; empty values stand before all others."""
    if _is_empty(value) or _is_empty(other):
        return int(not _is_empty(value)) - int(not _is_empty(other))
    return int(value > other) - int(value < other)


def random(surroundings: Surroundings, value: Any) -> Any:
    """Return one of the items of a list, or a whole number from 0 to below a number."""
    drawn = surroundings.randomness.random()
    if isinstance(value, list):
        return value[int(drawn * len(value))] if value else None
    return int(Decimal(drawn) * _number(value))


# -- dates and numbers -----------------------------------------------------------------


def _moment(surroundings: Surroundings, value: Any) -> date | datetime | None:
    if value in ("now", "today"):
        value = surroundings.now
    elif isinstance(value, str) and value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise FilterArgumentError("this is not a date", token=None) from None
    if isinstance(value, datetime):
        return surroundings.local(value)
    if isinstance(value, date):
        return value
    if _is_empty(value):
        return None
    raise FilterArgumentError("this is not a date", token=None)


def _pattern(pattern: Any) -> str:
    text = str(pattern)
    if len(text) > _LONGEST_PATTERN:
        raise FilterArgumentError("the pattern is too long", token=None)
    return text


def date_(surroundings: Surroundings, value: Any, pattern: Any = "medium") -> str:
    """Return a day in the reader's language and zone: short, long, or a pattern."""
    moment = _moment(surroundings, value)
    if moment is None:
        return ""
    return str(format_date(moment, _pattern(pattern), locale=surroundings.locale))


def time(surroundings: Surroundings, value: Any, pattern: Any = "short") -> str:
    moment = _moment(surroundings, value)
    if not isinstance(moment, datetime):
        return ""
    return str(
        format_time(
            moment,
            _pattern(pattern),
            tzinfo=surroundings.timezone,
            locale=surroundings.locale,
        )
    )


def datetime_(surroundings: Surroundings, value: Any, pattern: Any = "medium") -> str:
    moment = _moment(surroundings, value)
    if moment is None:
        return ""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return str(
        format_datetime(
            moment,
            _pattern(pattern),
            tzinfo=surroundings.timezone,
            locale=surroundings.locale,
        )
    )


def weekday(surroundings: Surroundings, value: Any) -> str:
    moment = _moment(surroundings, value)
    if moment is None:
        return ""
    return str(get_day_names("wide", locale=surroundings.locale)[moment.weekday()])


def _number(value: Any) -> Decimal:
    if isinstance(value, Composite):
        value = value["amount"]
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise FilterArgumentError("this is not a number", token=None) from None
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise FilterArgumentError("this is not a number", token=None)
    return number


def number(surroundings: Surroundings, value: Any, pattern: Any = None) -> str:
    if _is_empty(value):
        return ""
    chosen = None if pattern is None else _pattern(pattern)
    return format_decimal(_number(value), chosen, locale=surroundings.locale)


def percent(surroundings: Surroundings, value: Any) -> str:
    if _is_empty(value):
        return ""
    return format_percent(_number(value) / 100, "#,##0.##%", surroundings.locale)


def money(surroundings: Surroundings, value: Any, currency: Any = None) -> str:
    """Return money in the reader's language; a bare number needs its currency."""
    if _is_empty(value):
        return ""
    code = value["currency"] if isinstance(value, Composite) else currency
    if not isinstance(code, str) or not re.fullmatch("[A-Z]{3}", code):
        raise FilterArgumentError("the currency is missing", token=None)
    return format_currency(_number(value), code, locale=surroundings.locale)


# -- texts -----------------------------------------------------------------------------


def format_id(_: Surroundings, value: Any, pattern: Any) -> str:
    """Return an identifier in groups: each ``#`` of the pattern is its next character."""
    if _is_empty(value):
        return ""
    rest = list(str(value))
    text = [(rest.pop(0) if rest else "") if c == "#" else c for c in _pattern(pattern)]
    return "".join(text + rest)


def label(_: Surroundings, value: Any) -> Any:
    """Return what people call an option; of several, all of them."""
    if isinstance(value, list):
        return ", ".join(str(label(_, item)) for item in value)
    return value.label if isinstance(value, Chosen) else value


def hide_phone(_: Surroundings, value: Any) -> str:
    """Return a text in which phone numbers show their first three digits and last two."""
    return "" if _is_empty(value) else _PHONE.sub(_hidden, str(value))


def _hidden(match: re.Match[str]) -> str:
    text = match.group()
    places = [i for i, character in enumerate(text) if character.isdigit()]
    hidden = set(places[3:-2])
    return "".join("*" if i in hidden else c for i, c in enumerate(text))


def pinyin(_: Surroundings, value: Any, style: Any = "full") -> str:
    """Return Chinese in Latin letters: ``full`` words, or ``initials``."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError:
        raise MissingExtra(feature="Pinyin", extra="templates") from None
    if _is_empty(value):
        return ""
    if style == "initials":
        return "".join(lazy_pinyin(str(value), style=Style.FIRST_LETTER))
    return " ".join(lazy_pinyin(str(value)))


# -- data ------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if value is None or is_undefined(value):
        return None
    return value if type(value) in (bool, int, float) else str(value)


def to_json(_: Surroundings, value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def from_json(_: Surroundings, value: Any) -> Any:
    try:
        return json.loads(str(value))
    except (ValueError, RecursionError):
        raise FilterArgumentError("this is not JSON", token=None) from None


def to_xml(_: Surroundings, value: Any, root: Any = "data") -> str:
    return _element(str(root), _plain(value), 0)


def _element(name: str, value: Any, depth: int) -> str:
    if not _NAME.fullmatch(name) or depth > _DEEPEST:
        raise FilterArgumentError("this cannot be written as XML", token=None)
    if isinstance(value, Mapping):
        inner = "".join(_element(k, v, depth + 1) for k, v in value.items())
    elif isinstance(value, list):
        inner = "".join(_element("item", v, depth + 1) for v in value)
    else:
        inner = "" if value is None else escape(str(value))
    return f"<{name}>{inner}</{name}>"


def from_xml(_: Surroundings, value: Any) -> Any:
    """Return the elements of an XML text as a mapping; entities are refused."""
    try:
        from defusedxml import ElementTree
    except ImportError:
        raise MissingExtra(feature="Reading XML", extra="templates") from None
    try:
        return _data(ElementTree.fromstring(str(value)), 0)
    except (ValueError, SyntaxError):
        raise FilterArgumentError("this is not plain XML", token=None) from None


def _data(element: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise FilterArgumentError("the XML is nested too deeply", token=None)
    children = list(element)
    if not children:
        return element.text or ""
    return {child.tag: _data(child, depth + 1) for child in children}


# -- rights, errors, log ---------------------------------------------------------------


def has_function(surroundings: Surroundings, value: Any) -> bool:
    return surroundings.rights.has_function(str(value)) is True


def has_role(surroundings: Surroundings, value: Any) -> bool:
    return surroundings.rights.has_role(str(value)) is True


def raise_error(_: Surroundings, value: Any) -> Any:
    raise RaisedByTemplate(str(value)[:500], token=None)


def log(surroundings: Surroundings, value: Any) -> str:
    surroundings.log(str(value)[:500])
    return ""


FILTERS: dict[str, Callable[..., Any]] = {
    "if_empty": if_empty,
    "if_not_empty": if_not_empty,
    "compare": compare,
    "random": random,
    "date": date_,
    "time": time,
    "datetime": datetime_,
    "weekday": weekday,
    "number": number,
    "percent": percent,
    "money": money,
    "format_id": format_id,
    "label": label,
    "hide_phone": hide_phone,
    "pinyin": pinyin,
    "json": to_json,
    "from_json": from_json,
    "xml": to_xml,
    "from_xml": from_xml,
    "has_function": has_function,
    "has_role": has_role,
    "raise_error": raise_error,
    "log": log,
}
