"""Automatic numbers on every store: no duplicates, no gaps where none are wanted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    Conventions,
    F,
    Lead,
    NumberFormat,
    UniqueViolation,
    ValidationError,
)
from crmcore.testing import FixedClock

pytestmark = pytest.mark.capability("REC-15")

GAPLESS = NumberFormat(prefix="LEA")
LEASED = NumberFormat(prefix="LEA", gapless=False)
MANUAL = NumberFormat(prefix="LEA", manual=True)

Numbered = Callable[..., CRM]


@pytest.fixture
def numbered(store: Any, tenant: str) -> Numbered:
    """Makes a CRM on the store whose leads are numbered in a way."""

    def make(shown: NumberFormat = GAPLESS, **options: Any) -> CRM:
        given = {"lead.number": shown, **options.pop("numbering", {})}
        return CRM(store, numbering=given, **options).tenant(tenant)

    return make


def lead(**values: Any) -> Lead:
    return Lead(last_name="Li", company_name="Acme", **values)


def create(crm: CRM, count: int = 1, **values: Any) -> list[str | None]:
    with crm.session(SYSTEM) as s:
        made = s.create_many([lead(**values) for _ in range(count)])
    return [one.number for one in made]


def reasons(error: pytest.ExceptionInfo[ValidationError]) -> list[tuple[str, str]]:
    return [(problem.field, problem.reason) for problem in error.value.problems]


# -- giving numbers --------------------------------------------------------------------


def test_new_records_are_numbered_in_turn(numbered: Numbered) -> None:
    """A single record and a batch get the next numbers, and keep them stored."""
    crm = numbered()

    assert ["LEA1"] == create(crm)
    assert ["LEA2", "LEA3", "LEA4"] == create(crm, 3)
    with crm.session(SYSTEM) as s:
        found = s.find(Lead, F.number.starts_with("LEA"), order_by=F.number.asc())
        assert "LEA2" == next(iter(s.find(Lead, F.number == "LEA2"))).number
    assert ["LEA1", "LEA2", "LEA3", "LEA4"] == [one.number for one in found]


def test_each_entity_and_each_field_counts_by_itself(numbered: Numbered) -> None:
    """Numbers of accounts do not move those of leads, even in one batch."""
    crm = numbered(numbering={"account.number": NumberFormat(prefix="C", padding=4)})
    with crm.session(SYSTEM) as s:
        made = s.create_many([lead(), Account(name="A"), lead(), Account(name="B")])

    assert ["LEA1", "C0001", "LEA2", "C0002"] == [one["number"] for one in made]


def test_whatever_creates_a_record_numbers_it(numbered: Numbered) -> None:
    """An account made with its contacts and one made by a conversion have numbers."""
    crm = numbered(numbering={"account.number": NumberFormat(prefix="C")})
    with crm.session(SYSTEM) as s:
        together = s.parties.create_with_contacts(
            Account(name="Beta"), [Contact(last_name="Wu", first_name="An")]
        )
        plan = s.leads.plan_conversion(s.create(lead()))
        converted = s.leads.convert(plan)

    assert converted.account is not None
    assert ["C1", "C2"] == [together.account.number, converted.account.number]


def test_imported_records_are_numbered(numbered: Numbered) -> None:
    """Rows get numbers in their order; a dry run and refused rows take none."""
    crm = numbered()
    file = b"last_name,company_name\nLi,Acme\n,Beta\nWu,Gamma\n"
    with crm.session(SYSTEM) as s:
        plan = s.exchange.try_out(s.exchange.plan_import(file, Lead))
        assert "LEA1" == s.preview_number(Lead, "number")
    with crm.session(SYSTEM) as s:
        s.exchange.apply(plan)
        numbers = {one.company_name: one.number for one in s.find(Lead)}

    assert {"Acme": "LEA1", "Gamma": "LEA2"} == numbers


def test_a_retry_under_the_same_key_takes_no_second_number(numbered: Numbered) -> None:
    """The retry gets the record of the first run; the next record has the next number."""
    crm = numbered()

    def work(s: Any) -> Any:
        return s.create(lead())

    first, second = (crm.run(SYSTEM, work, operation_key="k") for _ in range(2))

    assert first == second
    assert ["LEA2"] == create(crm)


def test_a_start_is_the_least_number(numbered: Numbered) -> None:
    """A start set later jumps ahead; one below the last number changes nothing."""
    assert ["LEA7", "LEA8"] == create(numbered(NumberFormat(prefix="LEA", start=7)), 2)
    assert ["LEA20"] == create(numbered(NumberFormat(prefix="LEA", start=20)))
    assert ["LEA21"] == create(numbered(NumberFormat(prefix="LEA", start=3)))


def test_a_batch_takes_its_numbers_at_once(
    numbered: Numbered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred records ask each sequence once, as one record does."""
    crm = numbered()
    asked: list[tuple[str, int]] = []
    with crm.session(SYSTEM) as s:
        kind = type(s.transaction)
        ask = kind.next_numbers

        def count(transaction: Any, sequence: str, number: int) -> int:
            asked.append((sequence, number))
            return ask(transaction, sequence, number)

        monkeypatch.setattr(kind, "next_numbers", count)
        s.create_many([lead() for _ in range(200)])

    assert [("number/lead.number", 200)] == asked


# -- no gap, no duplicate --------------------------------------------------------------


class _Stop(Exception):
    """A unit of work is given up."""


def test_a_roll_back_gives_gapless_numbers_back(numbered: Numbered) -> None:
    """A unit of work that broke off leaves no gap."""
    crm = numbered()
    with pytest.raises(_Stop), crm.session(SYSTEM) as s:  # noqa: PT012
        s.create_many([lead(), lead()])
        raise _Stop

    assert ["LEA1"] == create(crm)


def test_a_refused_record_takes_no_number(numbered: Numbered) -> None:
    """A caller who goes on after a refusal leaves no gap either."""
    crm = numbered()
    with crm.session(SYSTEM) as s:
        s.create(lead(external_id="x"))
        with pytest.raises(UniqueViolation):
            s.create(lead(external_id="x"))
        with pytest.raises(ValidationError):
            s.create(Lead())
        assert "LEA2" == s.create(lead()).number


@pytest.mark.parametrize("shown", [GAPLESS, LEASED], ids=["gapless", "leased"])
def test_creators_at_once_never_get_the_same_number(
    numbered: Numbered, shown: NumberFormat
) -> None:
    """Eight threads with random roll-backs: no duplicate, and 1 to N where gapless."""
    crm = numbered(shown)
    kept: list[str | None] = []
    errors: list[BaseException] = []
    together = threading.Barrier(8)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        together.wait()
        for _ in range(12):
            broken = chance.random() < 0.3
            size = chance.randint(1, 3)

            def unit(s: Any, size: int = size, broken: bool = broken) -> Any:
                made = s.create_many([lead() for _ in range(size)])
                if broken:
                    raise _Stop
                return made

            try:
                made = crm.run(SYSTEM, unit)
            except _Stop:
                continue
            except BaseException as error:  # noqa: BLE001 - the test shows it
                errors.append(error)
                return
            kept.extend(one.number for one in made)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors
    assert len(kept) == len(set(kept))
    if shown.gapless:
        assert {f"LEA{n}" for n in range(1, len(kept) + 1)} == set(kept)


def test_leased_numbers_do_not_wait_for_an_open_unit_of_work(
    numbered: Numbered, store: Any
) -> None:
    """Two units of work that are open together both have their numbers."""
    if not store.capabilities.concurrent_writers:
        pytest.skip(f"one writer at a time: {store.name}")
    crm = numbered(LEASED)
    with crm.session(SYSTEM) as one, crm.session(SYSTEM) as other:
        first = one.create(lead())
        second = other.create(lead())

    assert first.number != second.number


# -- given by hand ---------------------------------------------------------------------


def test_callers_cannot_set_a_number(numbered: Numbered) -> None:
    """Neither a new record nor a change may bring its own number."""
    crm = numbered()
    with crm.session(SYSTEM) as s:
        with pytest.raises(ValidationError) as caught:
            s.create(lead(number="LEA9"))
        assert [("number", "read_only")] == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.create(lead(), number="LEA9")
        assert ("number", "read_only") in reasons(caught)
        made = s.create(lead())
        with pytest.raises(ValidationError) as caught:
            s.update(made, number="LEA9")
        assert [("number", "read_only")] == reasons(caught)
        assert "LEA1" == s.get(Lead, made.id).number


def test_a_given_number_is_kept_and_passed_over(numbered: Numbered) -> None:
    """Where numbers may be given, the sequence goes past those that were."""
    crm = numbered(MANUAL)
    with crm.session(SYSTEM) as s:
        made = s.create_many([lead(number="lea2"), lead(), lead(number="X-1"), lead()])

    assert ["lea2", "LEA1", "X-1", "LEA3"] == [one.number for one in made]
    assert ["LEA4"] == create(crm)


def test_many_given_numbers_in_a_row_are_passed_over(numbered: Numbered) -> None:
    """However many are taken, the next free ones are found and none is lost."""
    crm = numbered(MANUAL)
    with crm.session(SYSTEM) as s:
        s.create_many([lead(number=f"LEA{n}") for n in range(1, 101) if n != 50])
        assert "LEA50" == s.preview_number(Lead, "number")

    assert ["LEA50", "LEA101"] == create(crm, 2)
    assert ["LEA102"] == create(crm)


def test_a_given_number_is_unique_and_fixed(numbered: Numbered) -> None:
    """A number that exists is refused whatever its case, and none changes later."""
    crm = numbered(MANUAL)
    create(crm)
    with crm.session(SYSTEM) as s:
        with pytest.raises(UniqueViolation) as caught:
            s.create(lead(number="lea1"))
        assert [("number", "unique")] == reasons(caught)
        made = s.create(lead(number="MINE"))
        with pytest.raises(ValidationError) as refused:
            s.update(made, number="OTHER")
    assert [("number", "fixed_once_created")] == reasons(refused)


@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\nb", "x" * 41, 5, b"x"])
def test_a_bad_given_number_is_refused(numbered: Numbered, text: Any) -> None:
    """What cannot be seen, is too long or is no text is no number."""
    crm = numbered(MANUAL)
    with (
        pytest.raises(ValidationError) as caught,
        crm.session(SYSTEM) as s,
    ):
        s.create(lead(), number=text)
    assert ["number"] == [field for field, _ in reasons(caught)]


def test_without_automatic_numbers_one_has_to_be_given(numbered: Numbered) -> None:
    """Switched off, the number is a required field; there is nothing to preview."""
    crm = numbered(NumberFormat(automatic=False))
    with crm.session(SYSTEM) as s:
        with pytest.raises(ValidationError) as caught:
            s.create(lead())
        assert [("number", "required")] == reasons(caught)
        assert "7" == s.create(lead(number="7")).number
        with pytest.raises(ValidationError) as caught:
            s.preview_number(Lead, "number")
        assert [("number", "not_numbered")] == reasons(caught)


def test_a_number_is_never_given_again(numbered: Numbered) -> None:
    """A deleted record keeps its number, and one that was removed leaves it taken."""
    crm = numbered(MANUAL)
    with crm.session(SYSTEM) as s:
        made = s.create(lead(number="MINE"))
        gone = s.delete(made)
        with pytest.raises(UniqueViolation):
            s.create(lead(number="MINE"))
        back = s.restore(gone)
        assert "MINE" == back.number
        s.purge(s.delete(back))
    with crm.session(SYSTEM) as s, pytest.raises(UniqueViolation) as caught:
        s.create(lead(number="mine"))

    assert "existing_id" not in caught.value.details


def test_a_format_that_writes_old_numbers_again_passes_them_over(
    numbered: Numbered,
) -> None:
    """A format that would collide with numbers given before goes on behind them."""
    clock = FixedClock(datetime(2026, 5, 1, tzinfo=UTC))
    yearly = NumberFormat(date_part="year", separator="-", reset="year")
    one_for_all = NumberFormat(date_part="year", separator="-")
    create(numbered(yearly, clock=clock), 30)

    assert ["2026-31"] == create(numbered(one_for_all, clock=clock))
    assert ["2026-32"] == create(numbered(yearly, clock=clock))


# -- periods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        (
            "Asia/Shanghai",
            datetime(2026, 12, 31, 15, 59, tzinfo=UTC),
            datetime(2026, 12, 31, 16, 0, tzinfo=UTC),
        ),
        (
            "America/New_York",
            datetime(2027, 1, 1, 4, 59, tzinfo=UTC),
            datetime(2027, 1, 1, 5, 0, tzinfo=UTC),
        ),
    ],
)
def test_numbers_begin_anew_at_midnight_of_the_tenant(
    numbered: Numbered, zone: str, before: datetime, after: datetime
) -> None:
    """The year changes in the time zone of the set-up, not in UTC."""
    clock = FixedClock(before)
    yearly = NumberFormat(prefix="Q", date_part="year", padding=3, reset="year")
    crm = numbered(
        yearly, clock=clock, conventions=Conventions(timezone=ZoneInfo(zone))
    )

    assert ["Q2026001", "Q2026002"] == create(crm, 2)
    clock.set(after)
    assert ["Q2027001"] == create(crm)
    clock.set(before)
    assert ["Q2026003"] == create(crm)


def test_days_of_summer_time_begin_at_their_own_midnight(numbered: Numbered) -> None:
    """A day of 23 hours is one day: the change of clocks gives no other date."""
    clock = FixedClock(datetime(2026, 3, 28, 22, 59, tzinfo=UTC))
    daily = NumberFormat(date_part="day", separator="-", reset="day")
    crm = numbered(
        daily,
        clock=clock,
        conventions=Conventions(timezone=ZoneInfo("Europe/Berlin")),
    )

    seen = []
    for hours in (0, 1, 22, 1):
        clock.advance(hours=hours)
        seen += create(crm)

    assert ["20260328-1", "20260329-1", "20260329-2", "20260330-1"] == seen


# -- the next number -------------------------------------------------------------------


def test_a_preview_takes_nothing(numbered: Numbered) -> None:
    """The next number is shown as often as one asks, and then given."""
    crm = numbered()
    with crm.session(SYSTEM) as s:
        assert ["LEA1"] * 2 == [s.preview_number(Lead, "number") for _ in range(2)]
    assert ["LEA1"] == create(crm)


def test_only_numbered_fields_have_a_next_number(numbered: Numbered) -> None:
    """Another field, an unknown one and an unknown entity are refused."""
    crm = numbered()
    with crm.session(SYSTEM) as s:
        for kind, field, reason in (
            ("lead", "company_name", "not_numbered"),
            ("lead", "__class__", "unknown_field"),
            ("$where", "number", "unknown_entity"),
        ):
            with pytest.raises(ValidationError) as caught:
                s.preview_number(kind, field)
            assert [reason] == [reason for _, reason in reasons(caught)]
