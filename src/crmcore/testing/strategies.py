"""Hypothesis strategies: records full of surprises, and questions about them.

``data_sets`` draws specimens and habitats as plain values, ``criteria``, ``orders`` and
``aggregates`` draw questions whose values are mostly taken from the data, so that they
match something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from crmcore.criteria import Bucket, Compare, Criteria, Everything, F, Measure, Sort
from crmcore.criteria.periods import PERIODS, Period
from crmcore.errors import MissingExtra
from crmcore.records import Address, ContactPoint, FieldDef, Money, Schema
from crmcore.testing.clock import START

try:
    from hypothesis import strategies as st
except ImportError:
    raise MissingExtra(feature="Drawing random data", extra="dev") from None

__all__ = ["DataSet", "aggregates", "criteria", "data_sets", "orders", "texts"]

#: Pieces of text that some server, collation or query language treats specially.
NASTY = (
    *("a", "A", "b", "B", "ab", "AB", " ", "  ", "%", "_", "'", '"', "\\", "$", "."),
    *("é", "e\u0301", "É", "ß", "SS", "ss", "ẞ", "ſ", "ı", "İ", "i", "I", "ﬁ", "ǆ"),
    *("ａ", "Ａ", "１", "①", "½", "㎏", "ｶﾞ", "ガ", "か\u3099", "Å", "\u212b", "µ", "μ"),
    *("深", "圳", "😀", "👩\u200d👧", "\U0010ffff", "\uffff", "\ue000", "\ufeff"),
    *("\x01", "\x08", "\x1b", "\x7f", "\x85", "\t", "\n", "\u2028", "\u3000", "\u00a0"),
    *("0", "1", "10", "9", "-1", "1e5", "null", "NULL", "true", "NaN", "[]", "{}"),
    *("σ", "ς", "Σ", "\u0345", "ͅα", "ᾳ", "\u1e9e", "ŉ", "\u0149", "\u200b", "\u00ad"),
)

_COLOURS = ("red", "Red", "green", "$blue", "zwölf")


def texts(longest: int = 12) -> st.SearchStrategy[str]:
    """Draw text that is never blank, of pieces that are treated specially somewhere."""
    pieces = st.lists(st.sampled_from(NASTY), min_size=1, max_size=5).map("".join)
    free = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        min_size=1,
        max_size=longest,
    )
    return (pieces | pieces | free).filter(lambda text: bool(text.strip()))


def _decimals(digits: int, low: int, high: int) -> st.SearchStrategy[Decimal]:
    whole = st.integers(low * 10**digits, high * 10**digits)
    few = st.integers(-3, 3).map(lambda n: n * 10**digits)
    chosen = whole | few.filter(lambda n: low * 10**digits <= n <= high * 10**digits)
    return chosen.map(lambda n: Decimal(n).scaleb(-digits))


_integers = st.sampled_from(
    [-1, 0, 1, 9, 10, 2**31, 2**53 + 1, 2**63 - 1, -(2**63 - 1)]
)
_dates = st.integers(-40, 40).map(lambda n: START.date() + timedelta(days=n)) | (
    st.sampled_from(
        [date(1, 1, 1), date(999, 12, 31), date(2024, 2, 29), date(9999, 12, 31)]
    )
)
_moments = st.integers(-(40 * 24), 40 * 24).map(
    lambda n: START + timedelta(hours=n, milliseconds=n % 3)
) | st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ]
)
_money = st.builds(
    Money,
    _decimals(4, -50, 50) | st.just(Decimal("922337203685477.5807")),
    st.sampled_from(["USD", "EUR", "CNY"]),
)
_items = st.lists(texts(8).map(str.strip), min_size=1, max_size=3, unique=True)
_phones = st.sampled_from(["+442079460000", "+442079460001", "110", "+8675512345678"])

#: Kind of a field -> its values as callers hand them in; references are drawn apart.
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts(),
    "long_text": texts(200),
    "integer": _integers,
    "decimal": _decimals(3, -100, 100),
    "percent": _decimals(2, 0, 100),
    "money": _money,
    "boolean": st.booleans(),
    "date": _dates,
    "datetime": _moments,
    "picklist": st.sampled_from(_COLOURS),
    "multi_picklist": st.lists(
        st.sampled_from(_COLOURS), min_size=1, max_size=3, unique=True
    ),
    "list": _items,
    "email": st.sampled_from(
        ["a@example.com", "A@example.com", "b@例え.jp", "o'x@example.org"]
    ),
    "phone": _phones,
    "contact_points": st.lists(
        st.builds(ContactPoint, _phones, st.sampled_from(["work", "home"])),
        min_size=1,
        max_size=2,
        unique=True,
    ),
    "url": st.sampled_from(
        ["https://example.com/%_", "http://b.example.com/?q='", "https://c.example.com"]
    ),
    "address": st.builds(
        Address,
        city=st.none() | texts(8).map(str.strip),
        country=st.sampled_from([None, "CN", "cn"]),
        street=st.none() | st.just("1 Main"),
    ).filter(lambda block: any(attrs.astuple(block))),
}


@attrs.frozen
class DataSet:
    """Plain input values: habitats, and specimens that name a habitat by its place."""

    habitats: tuple[Mapping[str, Any], ...]
    specimens: tuple[Mapping[str, Any], ...]


def _is_drawn(field: FieldDef) -> bool:
    return not field.system and not field.unique and field.type.kind in _VALUES


@st.composite
def _row(draw: st.DrawFn, schema: Schema, entity: str, habitats: int) -> dict[str, Any]:
    fields = [f for f in schema.entity(entity).fields.values() if _is_drawn(f)]
    filled = draw(st.sets(st.sampled_from(fields), min_size=1, max_size=len(fields)))
    row = {f.name: draw(_VALUES[f.type.kind]) for f in fields if f in filled}
    if entity == "specimen":
        for name in ("habitat_id", "c_habitat_id", "about", "c_about"):
            place = draw(st.none() | st.integers(0, habitats - 1))
            if place is not None:
                row[name] = place
    return row


@st.composite
def data_sets(draw: st.DrawFn, schema: Schema, most: int = 14) -> DataSet:
    """Draw a few habitats and up to ``most`` specimens; values often meet again."""
    habitats = draw(st.lists(_row(schema, "habitat", 0), min_size=2, max_size=4))
    row = _row(schema, "specimen", len(habitats))
    specimens = draw(st.lists(row, min_size=3, max_size=most))
    return DataSet(tuple(habitats), tuple(specimens))


# -- questions -------------------------------------------------------------------------

_EQUALITY = ("==", "!=", "in")
_ORDER = ("<", "<=", ">", ">=", "between")
_TEXT = ("contains", "starts_with")
_TEXTUAL = frozenset({"text", "long_text", "email", "phone", "url"})

_OPERATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TEXTUAL, (*_EQUALITY, *_ORDER, *_TEXT)),
    **dict.fromkeys(
        ("integer", "decimal", "percent", "money", "boolean", "picklist"),
        (*_EQUALITY, *_ORDER),
    ),
    **dict.fromkeys(("date", "datetime"), (*_EQUALITY, *_ORDER, "during")),
    **dict.fromkeys(("multi_picklist", "list", "contact_points"), ("any_of", "all_of")),
    "address": (),
}

_PERIODS = st.builds(
    Period, st.sampled_from(sorted(set(PERIODS) - {"last_days", "next_days"}))
) | st.builds(Period, st.sampled_from(["last_days", "next_days"]), st.integers(0, 60))


@attrs.frozen
class _Askable:
    """A field that a question may be about, with the values that records hold."""

    path: tuple[str, ...]
    kind: str
    present: tuple[Any, ...]
    searchable: bool


def _askable(schema: Schema, data: DataSet) -> list[_Askable]:
    found = []
    for prefix, entity, rows in (
        ((), "specimen", data.specimens),
        (("habitat",), "habitat", data.habitats),
        (("c_habitat",), "habitat", data.habitats),
    ):
        for field in schema.entity(entity).fields.values():
            if _is_drawn(field):
                values = tuple(row[field.name] for row in rows if field.name in row)
                path = (*prefix, field.name)
                found.append(_Askable(path, field.type.kind, values, field.searchable))
    return found


def _value(asked: _Askable) -> st.SearchStrategy[Any]:
    fresh = _VALUES[asked.kind]
    if not asked.present:
        return fresh
    return st.sampled_from(asked.present) | st.sampled_from(asked.present) | fresh


@st.composite
def _part_of_text(draw: st.DrawFn, asked: _Askable) -> str:
    text: str = draw(_value(asked))
    start = draw(st.integers(0, len(text) - 1))
    part = text[start : start + draw(st.integers(1, 4))]
    return draw(st.sampled_from([part, part.upper(), part.lower(), part.casefold()]))


@st.composite
def _comparison(draw: st.DrawFn, fields: list[_Askable]) -> Criteria:
    asked = draw(st.sampled_from(fields))
    operators = [*_OPERATORS[asked.kind], "is_null"]
    if not asked.searchable:
        operators = [each for each in operators if each not in _TEXT]
    operator = draw(st.sampled_from(operators))
    make = _MAKERS.get(operator, _value)
    return _compare(asked, operator, draw(make(asked)))


def _list_items(asked: _Askable) -> st.SearchStrategy[Any]:
    held = [item for value in asked.present for item in value]
    fresh = _VALUES[asked.kind].map(lambda items: items[0])
    item = st.sampled_from(held) | fresh if held else fresh
    return st.lists(item, max_size=3).map(
        lambda items: tuple(
            i.value if isinstance(i, ContactPoint) else i for i in items
        )
    )


_MAKERS: dict[str, Callable[[_Askable], st.SearchStrategy[Any]]] = {
    "is_null": lambda asked: st.booleans(),
    "in": lambda asked: st.lists(st.none() | _value(asked), max_size=4).map(tuple),
    "between": lambda asked: st.tuples(_value(asked), _value(asked)),
    "contains": _part_of_text,
    "starts_with": _part_of_text,
    "any_of": _list_items,
    "all_of": _list_items,
    "during": lambda asked: _PERIODS,
    "==": lambda asked: st.none() | _value(asked),
    "!=": lambda asked: st.none() | _value(asked),
}


def _compare(asked: _Askable, operator: str, value: Any) -> Criteria:
    return Compare(asked.path, operator, value)


_PART_TESTS = (
    F.price.currency == "EUR",
    F.c_money.currency < "USD",
    F.address.city.is_null(),
    F.address.country == "CN",
    F.address.country != "CN",
    F.habitat.price > Decimal(1),
    F.price >= Decimal(1),
    F.c_money < Decimal("1.5"),
    F.about.entity == "habitat",
    F.habitat_id.is_null(False),
)


def criteria(
    schema: Schema, data: DataSet, depth: int = 6
) -> st.SearchStrategy[Criteria]:
    """Draw criteria on specimens: any operator on any field, nested in any way."""
    leaf = _comparison(_askable(schema, data)) | st.sampled_from(_PART_TESTS)
    return st.recursive(
        leaf | st.just(Everything()),
        lambda inner: (
            inner.map(lambda one: ~one)
            | st.tuples(inner, inner).map(lambda two: two[0] & two[1])
            | st.tuples(inner, inner).map(lambda two: two[0] | two[1])
        ),
        max_leaves=depth,
    )


def orders(schema: Schema, data: DataSet) -> st.SearchStrategy[tuple[Sort, ...]]:
    """Draw up to three sort keys, each in any direction, custom ones and hops too."""
    paths = [a.path for a in _askable(schema, data) if "==" in _OPERATORS[a.kind]]
    sort = st.builds(Sort, st.sampled_from([*paths, ("created_at",)]), st.booleans())
    return st.lists(sort, min_size=1, max_size=3, unique_by=lambda each: each.path).map(
        tuple
    )


@st.composite
def aggregates(
    draw: st.DrawFn, schema: Schema, data: DataSet
) -> tuple[Measure, tuple[Bucket | Sort, ...]]:
    """Draw a measure and up to two groups: periods as Bucket, fields as Sort."""
    fields = _askable(schema, data)
    numbers = [a for a in fields if a.kind in ("integer", "decimal", "percent")]
    ordered = [a for a in fields if "<" in _OPERATORS[a.kind] and a.kind != "money"]
    measure = draw(
        st.just(Measure("count"))
        | st.builds(
            Measure,
            st.sampled_from(["sum", "average", "min", "max"]),
            st.sampled_from([a.path for a in numbers]),
        )
        | st.builds(
            Measure,
            st.sampled_from(["min", "max"]),
            st.sampled_from([a.path for a in ordered]),
        )
    )
    dated = [a.path for a in fields if a.kind in ("date", "datetime")]
    bucket = st.builds(
        Bucket,
        st.sampled_from(dated),
        st.sampled_from(["day", "week", "month", "quarter", "year"]),
    )
    plain = st.builds(Sort, st.sampled_from([a.path for a in ordered]))
    groups = draw(
        st.lists(bucket | plain, max_size=2, unique_by=lambda group: group.path)
    )
    return measure, tuple(groups)
