"""The criteria language: building, refusing, writing as JSON and reading back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import F, Money, ValidationError, last_days, next_days
from crmcore.criteria import Binder, Criteria, Everything, Period, from_json, to_json
from crmcore.criteria.periods import PERIODS
from crmcore.records import Conventions, Ref
from crmcore.testing.specimens import specimen_schema

SCHEMA = specimen_schema()
NOW = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)
BINDER = Binder(SCHEMA, Conventions(), NOW)


def bind(wanted: Criteria) -> Any:
    return BINDER.criteria(SCHEMA.entity("specimen"), wanted)


def reasons(wanted: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        bind(wanted)
    return [(p.field, p.reason) for p in raised.value.problems]


WRITTEN: list[Criteria] = [
    F.name == "x",
    F.name != None,  # noqa: E711 - builds criteria
    F.size.between(1, 2),
    F.size.in_([1, None]),
    F.price > Money(Decimal("1.50"), "EUR"),
    F.price.currency == "EUR",
    F.weight <= Decimal("0.1"),
    F.born == date(2026, 1, 1),
    F.seen_at < NOW,
    F.habitat_id == UUID(int=5),
    F.about == Ref("lead", UUID(int=5)),
    F.tags.any_of(["a", "b"]),
    F.colours.all_of({"red"}),
    F.name.contains("%") & ~F.name.starts_with("_") | F.alive.is_null(),
    F.born.during("this_month") & F.seen_at.during(last_days(7)),
    F.habitat.name == "Sea",
    F["name"] == "x",
    ~Everything(),
]


@pytest.mark.parametrize("wanted", WRITTEN, ids=repr)
def test_criteria_survive_json(wanted: Criteria) -> None:
    """Criteria written as JSON text and read back are the same condition."""
    text = json.dumps(to_json(wanted))
    again = from_json(json.loads(text))

    assert text == json.dumps(to_json(again))
    assert str(bind(wanted)).count("Test") == str(bind(again)).count("Test")


@pytest.mark.parametrize(
    "data",
    [
        *(None, 5, "x", [], {}, {"and": {}}, {"or": "x"}, {"not": []}, {"xor": []}),
        {"and": [], "or": []},
        {"field": "name", "op": "=="},
        {"field": "name", "op": "==", "value": 1, "more": 1},
        {"field": 5, "op": "==", "value": 1},
        {"field": "name", "op": 5, "value": 1},
        {"field": "name", "op": "$ne", "value": 1},
        {"field": "born", "op": "during", "value": 5},
        {"field": "born", "op": "during", "value": {"days": 5}},
        {"field": "born", "op": "during", "value": {"period": "x", "$gt": 1}},
    ],
    ids=repr,
)
def test_other_json_is_refused(data: Any) -> None:
    """Anything that is not exactly of the documented form is refused."""
    with pytest.raises(ValidationError):
        from_json(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["and", "or", "not", "field", "op", "value", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(data: Any) -> None:
    """No JSON data raise anything but ValidationError, when read or when bound."""
    try:
        bind(from_json(data))
    except ValidationError as error:
        assert error.problems  # noqa: PT017 - both outcomes are fine


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (F.nonsense == 1, ("nonsense", "unknown_field")),
        (F.name == 1, ("name", "not_text")),
        (F.name == " ", ("name", "wrong_type")),
        (F.size == "1", ("size", "not_integer")),
        (F.size < None, ("size", "operator_not_allowed")),
        (F.size.contains("1"), ("size", "operator_not_allowed")),
        (F.plain.contains("x"), ("plain", "not_searchable")),
        (F.tags == ["a"], ("tags", "operator_not_allowed")),
        (F.tags.in_(["a"]), ("tags", "operator_not_allowed")),
        (F.name.any_of(["a"]), ("name", "operator_not_allowed")),
        (F.address < "x", ("address", "operator_not_allowed")),
        (F.address == {"city": "x"}, ("address", "wrong_type")),
        (F.address.town == "x", ("address.town", "unknown_field")),
        (F.size.during("today"), ("size", "operator_not_allowed")),
        (F.born.during("someday"), ("born", "unknown_period")),
        (F.born.during(Period("last_days", -1)), ("born", "out_of_range")),
        (F.price == {"$gt": 0}, ("price", "not_money")),
        (F.price == Money(1, "XYZ"), ("price", "unknown_currency")),
        (F.habitat.owner.name == "x", ("owner", "unknown_field")),
        (F.name.is_null("yes"), ("name", "not_boolean")),  # type: ignore[arg-type]
        (F.size.between(1, None), ("size", "operator_not_allowed")),
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_refused(
    wanted: Criteria, problem: tuple[str, str]
) -> None:
    """Unknown fields, wrong types and wrong operators are named."""
    assert [problem] == reasons(wanted)


def test_python_operators_are_not_mistaken() -> None:
    """``and``, ``or`` and ``not`` raise instead of dropping half of the condition."""
    for mistake in (
        lambda: F.name == "x" and F.size == 1,
        lambda: not F.name == "x",  # noqa: SIM201 - the mistake that is meant
        lambda: (F.name == "x") & True,  # type: ignore[operator]
        lambda: hash(F.name),
    ):
        with pytest.raises(TypeError):
            mistake()


@pytest.mark.parametrize(
    ("name", "first", "end"),
    [
        ("today", "2026-03-14", "2026-03-15"),
        ("yesterday", "2026-03-13", "2026-03-14"),
        ("tomorrow", "2026-03-15", "2026-03-16"),
        ("this_week", "2026-03-09", "2026-03-16"),
        ("last_week", "2026-03-02", "2026-03-09"),
        ("next_week", "2026-03-16", "2026-03-23"),
        ("this_month", "2026-03-01", "2026-04-01"),
        ("last_month", "2026-02-01", "2026-03-01"),
        ("next_month", "2026-04-01", "2026-05-01"),
        ("this_quarter", "2026-01-01", "2026-04-01"),
        ("last_quarter", "2025-10-01", "2026-01-01"),
        ("next_quarter", "2026-04-01", "2026-07-01"),
        ("this_year", "2026-01-01", "2027-01-01"),
        ("last_year", "2025-01-01", "2026-01-01"),
        ("next_year", "2027-01-01", "2028-01-01"),
    ],
)
def test_periods(name: str, first: str, end: str) -> None:
    """A period begins on its first day and ends before the next one begins."""
    bounds = Period(name).resolve(NOW.date())

    assert (date.fromisoformat(first), date.fromisoformat(end)) == bounds


def test_periods_of_days() -> None:
    """The last days end with today, the next days begin with it."""
    today = NOW.date()
    assert (date(2026, 3, 8), date(2026, 3, 15)) == last_days(7).resolve(today)
    assert (today, date(2026, 3, 21)) == next_days(7).resolve(today)


@given(
    name=st.sampled_from(sorted(PERIODS)),
    today=st.dates(date(1900, 1, 1), date(2200, 1, 1)),
)
def test_this_follows_last_and_next_follows_this(name: str, today: date) -> None:
    """Neighbouring periods leave no gap and do not overlap."""
    word, _, unit = name.partition("_")
    if word not in ("last", "this", "next") or unit == "days":
        return
    last, this, following = (
        Period(f"{each}_{unit}").resolve(today) for each in ("last", "this", "next")
    )
    assert last[1] == this[0] <= today < this[1] == following[0]
