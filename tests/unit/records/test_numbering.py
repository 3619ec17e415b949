"""How automatic numbers are written, counted and described (REC-15)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import CRM, MemoryStore, NumberFormat, ValidationError, entity
from crmcore.records import (
    AutoNumber,
    Conventions,
    Record,
    Refused,
    fields,
)
from crmcore.records.numbering import format_from_data
from crmcore.records.registry import type_from_data, type_to_data

pytestmark = pytest.mark.capability("REC-15")

DAY = date(2026, 3, 4)


def reasons(error: pytest.ExceptionInfo[ValidationError]) -> list[tuple[str, str]]:
    return [(problem.field, problem.reason) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("shown", "number", "text"),
    [
        (NumberFormat(prefix="LEA"), 3, "LEA3"),
        (NumberFormat(prefix="DOC"), 12, "DOC12"),
        (NumberFormat(prefix="INV", padding=7), 1, "INV0000001"),
        (NumberFormat(), 8, "8"),
        (NumberFormat(date_part="year", separator="-", padding=4), 9, "2026-0009"),
        (NumberFormat(prefix="Q", date_part="month", padding=2), 9, "Q20260309"),
        (NumberFormat(date_part="day", separator="/", suffix="-A"), 9, "20260304/9-A"),
        (NumberFormat(padding=3), 1000, "1000"),
        (NumberFormat(prefix="发票", padding=2), 1, "发票01"),
    ],
)
def test_a_number_is_prefix_date_counter_and_suffix(
    shown: NumberFormat, number: int, text: str
) -> None:
    """Padding fills with zeros, and grows where the counter is longer."""
    assert text == shown.render(number, DAY)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.dates(), st.dates(), st.data())
def test_two_counters_of_a_period_are_never_written_alike(
    one: int, other: int, day: date, later: date, data: st.DataObject
) -> None:
    """Numbers of one format are alike only in the same period with the same counter."""
    period = data.draw(st.sampled_from(["year", "month", "day"]))
    shown = NumberFormat(prefix="A1", date_part=period, padding=2, reset=period)
    same_period = shown.sequence_name("a", "b", day) == shown.sequence_name(
        "a", "b", later
    )

    alike = shown.render(one, day) == shown.render(other, later)

    assert alike == (same_period and one == other)


def test_the_sequence_does_not_depend_on_how_numbers_are_written() -> None:
    """A format that looks different goes on behind the last number."""
    shown = NumberFormat(prefix="A", padding=3)
    other = NumberFormat(prefix="B", suffix="x", start=70, date_part="day")

    assert shown.sequence_name("lead", "number", DAY) == other.sequence_name(
        "lead", "number", DAY
    )


def test_each_period_has_a_sequence_of_its_own() -> None:
    """A new year, month or day begins anew; without reset there is one sequence."""
    names = [
        NumberFormat(date_part="day", reset=reset).sequence_name("lead", "number", day)
        for reset in ("none", "year", "month", "day")
        for day in (DAY, date(2026, 3, 5), date(2026, 4, 4), date(2027, 3, 4))
    ]

    assert [1, 2, 3, 4] == [len(set(names[i : i + 4])) for i in (0, 4, 8, 12)]


def test_the_preview_follows_the_last_number_and_never_precedes_the_start() -> None:
    """The start is the least number that is given."""
    shown = NumberFormat(prefix="C", start=100)

    assert ["C100", "C100", "C101"] == [shown.preview(n, DAY) for n in (0, 98, 100)]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"prefix": "x" * 21}, ("prefix", "too_long")),
        ({"prefix": " A"}, ("prefix", "invisible_characters")),
        ({"suffix": "A\u202e"}, ("suffix", "invisible_characters")),
        ({"separator": "\n-"}, ("separator", "invisible_characters")),
        ({"padding": -1}, ("padding", "out_of_range")),
        ({"padding": 19}, ("padding", "out_of_range")),
        ({"start": 0}, ("start", "out_of_range")),
        ({"start": 10**16}, ("start", "out_of_range")),
        ({"date_part": "week"}, ("date_part", "not_an_option")),
        ({"reset": "__class__"}, ("reset", "not_an_option")),
        ({"reset": "year"}, ("reset", "reset_not_shown")),
        ({"reset": "day", "date_part": "month"}, ("reset", "reset_not_shown")),
    ],
)
def test_a_format_that_cannot_count_is_refused(
    parts: dict[str, Any], problem: tuple[str, str]
) -> None:
    """The bad part is named, also where the format is declared in Python."""
    with pytest.raises(ValidationError) as caught:
        AutoNumber(format=NumberFormat(**parts))

    assert [problem] == reasons(caught)


@pytest.mark.parametrize("text", ["$where", "'; DROP TABLE", "__class__", "№ 7", "🎉"])
def test_odd_but_visible_prefixes_are_text_like_any_other(text: str) -> None:
    """Nothing in a prefix is ever interpreted."""
    assert f"{text}1" == NumberFormat(prefix=text).render(1, DAY)
    AutoNumber(format=NumberFormat(prefix=text))


def test_a_definition_and_its_format_are_the_same() -> None:
    """A format becomes plain data without its defaults, and comes back as it was."""
    shown = NumberFormat(
        prefix="INV", date_part="year", padding=7, reset="year", gapless=False
    )
    kind, options = type_to_data(AutoNumber(format=shown))

    assert ("auto_number", {"prefix", "date_part", "padding", "reset", "gapless"}) == (
        kind,
        set(options),
    )
    assert AutoNumber(format=shown) == type_from_data(kind, options, {})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"prefix": 3}, ("prefix", "not_text")),
        ({"padding": "3"}, ("padding", "not_integer")),
        ({"padding": True}, ("padding", "not_integer")),
        ({"gapless": 1}, ("gapless", "not_boolean")),
        ({"__class__": "x"}, ("__class__", "unknown_setting")),
    ],
)
def test_a_definition_of_another_type_is_refused(
    data: dict[str, object], problem: tuple[str, str]
) -> None:
    """Nothing is guessed: text is no number, and no setting is made up."""
    with pytest.raises(ValidationError) as caught:
        format_from_data(data)

    assert [problem] == reasons(caught)


def test_what_a_number_field_is_follows_from_its_type() -> None:
    """It is unique and fixed; callers may fill it only where its format says so."""

    def field(**parts: Any) -> tuple[bool, bool, bool, bool]:
        made = fields.custom("code", AutoNumber(format=NumberFormat(**parts)))
        return made.unique, made.updatable, made.computed, made.required

    assert (True, False, True, False) == field()
    assert (True, False, False, False) == field(manual=True)
    assert (True, False, False, True) == field(automatic=False)


@pytest.mark.parametrize("text", ["LEA\u200b1", "a\u202eb", "a\x07b", "x" * 101])
def test_a_given_number_has_to_be_seen_in_full(text: str) -> None:
    """Invisible characters would make two numbers that look alike."""
    with pytest.raises(Refused):
        AutoNumber().coerce(text, Conventions())


def test_an_entity_of_a_host_declares_its_numbers() -> None:
    """``fields.auto_number`` takes the parts of the format and the rules of a field."""

    @entity("receipt", plural="receipts", display=("code",))
    class Receipt(Record):
        code: str | None = fields.auto_number(prefix="R", padding=3, label="Code")

    field = Receipt.__entity__.fields["code"]

    assert ("Code", AutoNumber(format=NumberFormat(prefix="R", padding=3))) == (
        field.label,
        field.type,
    )


def test_only_lines_of_text_become_numbers() -> None:
    """A field of another type is refused when the CRM is made."""
    shown = NumberFormat(prefix="LEA")
    with pytest.raises(ValidationError) as caught:
        CRM(MemoryStore(), numbering={"lead.annual_revenue": shown})
    assert [("annual_revenue", "not_numbered")] == reasons(caught)

    made = CRM(MemoryStore(), numbering={"lead.number": shown})
    field = made.declared_schema.entity("lead").fields["number"]
    assert (40, True) == (getattr(field.type, "maximum", 0), field.computed)
