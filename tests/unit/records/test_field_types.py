"""Each field type reads, cleans and refuses values by its own rules (REC-03, REC-10)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import Lead
from crmcore.records import (
    NOT_APPLICABLE,
    Address,
    AddressBlock,
    AnyReference,
    AudioFile,
    Boolean,
    Choice,
    Choices,
    ContactPoint,
    ContactPoints,
    Conventions,
    DateOnly,
    DateTime,
    DecimalNumber,
    Email,
    FieldType,
    File,
    FileReference,
    FormerNames,
    Geolocation,
    ImageFile,
    Integer,
    Link,
    ListOf,
    LongText,
    Money,
    MoneyAmount,
    OpenChoice,
    Option,
    OrNotApplicable,
    Percent,
    Phone,
    Picklist,
    Position,
    Ref,
    Reference,
    Refused,
    Text,
    WebAddress,
    fold,
    identity_key,
)
from crmcore.testing import make_account, make_lead, memory_crm
from crmcore.testing.strategies import texts

CONVENTIONS = Conventions(region="DE", currency="EUR")
COLOURS = Picklist("colour", (Option("red", "Red"), Option("old", "Old", active=False)))
ID = UUID(int=5)
FILE = FileReference("f/1", "photo.png", "image/png", 1_000)

ACCEPTED: list[tuple[FieldType, Any, Any]] = [
    (Text(), "  Ada  ", "Ada"),
    (Text(), "   ", None),
    (Text(), "A\u0308", "Ä"),
    (Text(maximum=3), "abc   ", "abc"),
    (LongText(), "a\n\nb\n", "a\n\nb"),
    (Integer(), -5, -5),
    (Integer(), 2**63 - 1, 2**63 - 1),
    (DecimalNumber(digits=2), "1.5", Decimal("1.50")),
    (DecimalNumber(digits=2), 0.1, Decimal("0.10")),
    (DecimalNumber(digits=2), 3, Decimal("3.00")),
    (DecimalNumber(digits=2), Decimal("1E+2"), Decimal("100.00")),
    (Percent(), 100, Decimal("100.00")),
    (MoneyAmount(), Money(5, "USD"), Money(Decimal("5.0000"), "USD")),
    (MoneyAmount(), "5.5", Money(Decimal("5.5000"), "EUR")),
    (
        MoneyAmount(),
        {"amount": "1", "currency": "CNY"},
        Money(Decimal("1.0000"), "CNY"),
    ),
    (Boolean(), True, True),
    (Boolean(), False, False),
    (DateOnly(), "2026-02-28", date(2026, 2, 28)),
    (DateOnly(), date(1, 1, 1), date(1, 1, 1)),
    (
        DateTime(),
        datetime(2026, 1, 1, 1, 0, 0, 123_999, timezone(timedelta(hours=2))),
        datetime(2025, 12, 31, 23, 0, 0, 123_000, UTC),
    ),
    (DateTime(), "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
    (Choice(picklist=COLOURS), " red ", "red"),
    (Choice(picklist=COLOURS), "old", "old"),
    (Choice(picklist=COLOURS), "", None),
    (Choices.of(COLOURS), ["red"], ("red",)),
    (Choices.of(COLOURS), [], None),
    (ListOf(item=Text()), ["b", " a ", ""], ("b", "a")),
    (Email(), " Ada@EXAMPLE.com ", "Ada@example.com"),
    (Phone(), "030 901820", "+4930901820"),
    (Phone(), "+86 755 1234 5678", "+8675512345678"),
    (WebAddress(), "Example.COM/Path", "https://example.com/Path"),
    (WebAddress(), "ftp://example.com:21/x", "ftp://example.com:21/x"),
    (Reference(entity="lead"), str(ID), ID),
    (AnyReference(), Ref("lead", ID), Ref("lead", ID)),
    (AnyReference(), {"entity": "lead", "id": str(ID)}, Ref("lead", ID)),
    (Link(), f"lead:{ID}", Ref("lead", ID)),
    (AddressBlock(), {"city": " Berlin "}, Address(city="Berlin")),
    (AddressBlock(), {"city": " "}, None),
    (OpenChoice(picklist=COLOURS), " red ", "red"),
    (OpenChoice(picklist=COLOURS), "third of five", "third of five"),
    (OpenChoice(picklist=COLOURS), " ", None),
    (OrNotApplicable(item=Integer()), 5, 5),
    (OrNotApplicable(item=Integer()), NOT_APPLICABLE, NOT_APPLICABLE),
    (OrNotApplicable(item=Integer()), {"not_applicable": True}, NOT_APPLICABLE),
    (OrNotApplicable(item=Text()), " ", None),
    (Geolocation(), ("52.5", 13.25), Position("52.500000", "13.250000")),
    (Geolocation(), {"latitude": 90, "longitude": "-180"}, Position(90, -180)),
    (File(), FILE, FILE),
    (ImageFile(), {**attrs.asdict(FILE), "media_type": " IMAGE/png "}, FILE),
    (AddressBlock(), Address(), None),
    (
        ContactPoints(item=Phone()),
        ["+4930901820", {"value": "+4930901821", "kind": "home"}],
        (ContactPoint("+4930901820"), ContactPoint("+4930901821", "home")),
    ),
    (
        FormerNames(),
        [ContactPoint("Old", "2026-01-01")],
        (ContactPoint("Old", "2026-01-01"),),
    ),
]

REFUSED: list[tuple[FieldType, Any, str]] = [
    (Text(), 5, "not_text"),
    (Text(), b"a", "not_text"),
    (Text(), "a\0b", "null_character"),
    (Text(), "a\ud800", "invalid_unicode"),
    (Text(maximum=3), "abcd", "too_long"),
    (LongText(), "x" * 32_001, "too_long"),
    (Integer(), True, "not_integer"),
    (Integer(), 1.0, "not_integer"),
    (Integer(), "1", "not_integer"),
    (Integer(), 2**63, "out_of_range"),
    (Integer(minimum=0), -1, "too_small"),
    (Integer(maximum=9), 10, "too_great"),
    (Integer(minimum=0, maximum=9), 10, "out_of_range"),
    (DecimalNumber(digits=2), "1.555", "too_many_digits"),
    (DecimalNumber(), "x", "not_number"),
    (DecimalNumber(), True, "not_number"),
    (DecimalNumber(), float("nan"), "not_number"),
    (DecimalNumber(), "Infinity", "not_number"),
    (DecimalNumber(), "1e30", "out_of_range"),
    (DecimalNumber(), "1e999999", "not_number"),
    (Percent(), "100.01", "out_of_range"),
    (Percent(), -1, "out_of_range"),
    (MoneyAmount(), Money(1, "XYZ"), "unknown_currency"),
    (MoneyAmount(), {"amount": 1}, "not_money"),
    (MoneyAmount(), {"amount": 1, "currency": 5}, "not_money"),
    (MoneyAmount(), True, "not_money"),
    (MoneyAmount(minimum=Decimal(0)), -1, "too_small"),
    (MoneyAmount(), "0.00001", "too_many_digits"),
    (OpenChoice(picklist=COLOURS, maximum=3), "abcd", "too_long"),
    (OpenChoice(picklist=COLOURS), 5, "not_text"),
    (OrNotApplicable(item=Integer()), "5", "not_integer"),
    (OrNotApplicable(item=Integer()), "not applicable", "not_integer"),
    (OrNotApplicable(item=Integer()), {"not_applicable": False}, "not_integer"),
    (OrNotApplicable(item=Integer(minimum=0)), -1, "too_small"),
    (Geolocation(), (90.000001, 0), "out_of_range"),
    (Geolocation(), (0, "-180.1"), "out_of_range"),
    (Geolocation(), ("0.0000001", 0), "too_many_digits"),
    (Geolocation(), {"latitude": 1}, "not_position"),
    (Geolocation(), "52.5, 13.25", "not_position"),
    (Geolocation(), (1, 2, 3), "not_position"),
    (File(), "photo.png", "not_file"),
    (File(), attrs.evolve(FILE, name="../secret.png"), "not_file"),
    (File(), attrs.evolve(FILE, name="a\\b.png"), "not_file"),
    (File(), attrs.evolve(FILE, name=".."), "not_file"),
    (File(), attrs.evolve(FILE, key=" "), "not_file"),
    (File(), attrs.evolve(FILE, size=-1), "not_file"),
    (File(), attrs.evolve(FILE, size=True), "not_file"),
    (File(), attrs.evolve(FILE, media_type="png"), "not_file"),
    (File(), {**attrs.asdict(FILE), "name": 5}, "not_text"),
    (File(maximum=10), FILE, "file_too_large"),
    (AudioFile(), FILE, "wrong_media_type"),
    (ImageFile(), attrs.evolve(FILE, media_type="text/html"), "wrong_media_type"),
    (Boolean(), 1, "not_boolean"),
    (Boolean(), "true", "not_boolean"),
    (DateOnly(), "2026-02-30", "not_date"),
    (DateOnly(), datetime(2026, 1, 1, tzinfo=UTC), "not_date"),
    (DateOnly(), 20260101, "not_date"),
    (DateTime(), datetime(2026, 1, 1), "not_datetime"),  # noqa: DTZ001 - refused
    (DateTime(), "2026-01-01T00:00:00", "not_datetime"),
    (DateTime(), "yesterday", "not_datetime"),
    (DateTime(), "0001-01-01T00:00:00+10:00", "not_datetime"),
    (Choice(picklist=COLOURS), "blue", "not_an_option"),
    (Choice(picklist=COLOURS), 5, "not_text"),
    (Choices.of(COLOURS), ["red", "red"], "duplicate_item"),
    (Choices.of(COLOURS), "red", "not_list"),
    (Choices.of(COLOURS), {"red": 1}, "not_list"),
    (ListOf(item=Integer(), maximum=2), [1, 2, 3], "too_large"),
    (Email(), "ada", "not_email"),
    (Email(), "a@b@c.example", "not_email"),
    (Phone(), "call me", "not_phone"),
    (Phone(), "+1", "not_phone"),
    (WebAddress(), "javascript:alert(1)", "not_url"),
    (WebAddress(), "https://user:secret@example.com", "not_url"),
    (WebAddress(), "nonsense", "not_url"),
    (WebAddress(), "http://[::1", "not_url"),
    (Reference(entity="lead"), "x", "not_reference"),
    (Reference(entity="lead"), 5, "not_reference"),
    (Reference(entity="lead"), make_account(), "not_reference"),
    (AnyReference(entities=("lead",)), Ref("account", ID), "not_reference"),
    (AnyReference(), "lead", "not_reference"),
    (Link(), "lead:x", "not_reference"),
    (AddressBlock(), {"town": "x"}, "not_address"),
    (AddressBlock(), "Berlin", "not_address"),
    (AddressBlock(), {"city": 5}, "not_text"),
    (
        ContactPoints(item=Phone()),
        [ContactPoint("+4930901820", "fax")],
        "not_an_option",
    ),
    (FormerNames(), [ContactPoint("Old", "once")], "not_date"),
]


def _shown(value: Any) -> str:
    return repr(value)[:40] if not isinstance(value, FieldType) else value.kind


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED, ids=_shown)
def test_values_are_brought_into_their_one_form(
    kind: FieldType, value: Any, expected: Any
) -> None:
    """A type gives the canonical value, which it leaves as it is a second time."""
    once = kind.coerce(value, CONVENTIONS)

    assert (expected, type(expected)) == (once, type(once))
    if once is not None:
        assert once == kind.coerce(once, CONVENTIONS)


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED, ids=_shown)
def test_stored_forms_come_back(kind: FieldType, value: Any, expected: Any) -> None:
    """Splitting into stored parts and joining them gives the same value."""
    assert expected == kind.join(kind.split(expected))
    if expected is not None:
        assert expected == kind.from_json(kind.to_json(expected), CONVENTIONS)


@pytest.mark.capability("REC-03")
@pytest.mark.parametrize(("kind", "value", "reason"), REFUSED, ids=_shown)
def test_what_does_not_fit_is_refused(kind: FieldType, value: Any, reason: str) -> None:
    """A bad value is refused with the key of the rule that it breaks."""
    with pytest.raises(Refused) as raised:
        kind.coerce(value, CONVENTIONS)

    assert reason == raised.value.reason


@given(text=texts())
def test_folding_twice_is_folding_once(text: str) -> None:
    """Folded text and identity keys are stable, and keys ignore outer blanks."""
    assert fold(text) == fold(fold(text))
    assert identity_key(text) == identity_key(identity_key(text))
    assert identity_key(text) == identity_key(f"  {text}\t")


@given(text=texts(), maximum=st.integers(1, 20))
def test_text_of_any_kind_is_cleaned_or_refused(text: str, maximum: int) -> None:
    """Whatever is typed becomes clean text of at most its length, or is refused."""
    kind = Text(maximum=maximum)
    try:
        cleaned = kind.coerce(text, CONVENTIONS)
    except Refused as refused:
        assert "too_long" == refused.reason  # noqa: PT017 - both outcomes are fine
    else:
        assert cleaned is not None
        assert cleaned == cleaned.strip()
        assert len(cleaned) <= maximum


def test_every_bad_field_is_named_at_once() -> None:
    """All problems of a record are reported together, each with field and reason."""
    office = memory_crm()
    with office.session() as s, pytest.raises(ValueError) as raised:
        s.create(make_lead(last_name=None, email="x", status="x", phone="x", title=5))

    problems = raised.value.problems  # type: ignore[attr-defined]
    assert {
        ("last_name", "required"),
        ("email", "not_email"),
        ("status", "not_an_option"),
        ("phone", "not_phone"),
        ("title", "not_text"),
    } == {(p.field, p.reason) for p in problems}


def test_records_are_values() -> None:
    """Records of equal values are equal and have one hash; none can be changed."""
    one, other = Lead(last_name="X"), Lead(last_name="X", custom={})

    assert one == other
    assert {one} == {other}
    with pytest.raises(AttributeError):
        one.last_name = "Y"  # type: ignore[misc]
