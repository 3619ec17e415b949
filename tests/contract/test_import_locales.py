"""Imports that read numbers, amounts and days as a locale writes them, and positions."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Lead,
    Money,
    Opportunity,
    User,
    ValidationError,
)
from crmcore.exchange import ColumnMapping
from crmcore.records import Geolocation, Position, fields
from tests.contract.importing import all_of, load

DEALS = (
    b"Name;Amount;Close date\n"
    b"Pumps;1.234;03.04.2026\n"
    b"Valves;1.234,50;3.4.2026\n"
    b"Wrong;1,234.50;2026-04-03\n"
)


@pytest.mark.capability("IMP-02", "I18N-04")
def test_numbers_and_days_are_read_as_the_locale_writes_them(crm):
    """1.234 is a thousand and more in German; what is not German is refused by row."""
    report = load(crm, DEALS, Opportunity, locale="de")
    found = {deal.name: deal for deal in all_of(crm, Opportunity)}
    assert {"Pumps", "Valves"} == set(found)
    assert Money(1234, "USD") == found["Pumps"].amount
    assert Money(Decimal("1234.50"), "USD") == found["Valves"].amount
    assert {dt.date(2026, 4, 3)} == {deal.close_date for deal in found.values()}
    (issue,) = report.issues
    assert (4, "amount", "not_money_like") == (issue.line, issue.field, issue.reason)


@pytest.mark.capability("IMP-02", "I18N-04")
def test_without_a_locale_a_cell_is_read_by_what_it_shows(crm):
    """The control: of the same file only what is certain is taken."""
    load(crm, DEALS, Opportunity)
    found = {deal.name: deal for deal in all_of(crm, Opportunity)}
    assert {"Wrong"} == set(found)
    assert Money(Decimal("1234.50"), "USD") == found["Wrong"].amount


@pytest.mark.capability("IMP-02", "I18N-04")
def test_a_column_may_be_written_in_a_locale_of_its_own(crm):
    """A mapping of one column wins over the file's locale."""
    mapping = {"Amount": ColumnMapping("amount", locale="en")}
    data = b"Name;Amount;Close date\nPumps;1,234.50;03.04.2026\n"
    load(crm, data, Opportunity, locale="de", mapping=mapping)
    (deal,) = all_of(crm, Opportunity)
    assert Money(Decimal("1234.50"), "USD") == deal.amount
    assert dt.date(2026, 4, 3) == deal.close_date


@pytest.mark.capability("IMP-02")
def test_an_unknown_locale_stands_among_the_problems(crm):
    """Nothing is imported."""
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(DEALS, Opportunity, locale="klingon")
    assert not plan.is_valid
    assert [("locale", "unknown_language")] == [
        (problem.field, problem.reason) for problem in plan.problems
    ]


@pytest.mark.capability("IMP-02", "REC-10")
def test_a_position_comes_from_two_columns(store, tenant):
    """Latitude and longitude are put together; half a position is refused."""
    place = fields.custom("place", Geolocation())
    crm = CRM(store, fields={Account: [place]}).tenant(tenant)
    with crm.session(SYSTEM) as s:
        s.create(User(username="boss", profile="administrator"))
    data = b"Name,Lat,Long\nA,52.5,13.4\nB,,\nC,52.5,\nD,91,13.4\n"
    mapping = {"Lat": "place.latitude", "Long": "place.longitude"}
    report = load(crm, data, Account, mapping=mapping, actor="boss")
    found = {account.name: account["place"] for account in all_of(crm, Account)}
    assert {"A": Position("52.5", "13.4"), "B": None} == found
    assert {(4, "place"), (5, "place")} == {(i.line, i.field) for i in report.issues}


@pytest.mark.capability("I18N-04")
def test_users_choose_how_days_and_times_are_written(crm):
    """Week start, clock and pattern are their settings; a bad one is refused."""
    with crm.session(SYSTEM) as s:
        s.create(
            User(
                username="li",
                profile="administrator",
                language="de",
                timezone="Europe/Berlin",
                first_weekday=6,
                clock_24=False,
                date_pattern="yyyy-mm-dd",
            )
        )
        for field, value in (
            ("date_pattern", "mm"),
            ("first_weekday", 7),
            ("clock_24", "sometimes"),
        ):
            with pytest.raises(ValidationError) as caught:
                s.create(User(username="x"), **{field: value})
            assert [field] == [problem.field for problem in caught.value.problems]
    moment = dt.datetime(2026, 4, 3, 20, 5, tzinfo=dt.UTC)
    with crm.session("li") as s:
        assert 6 == s.formats.week_start
        assert "2026-04-03" == s.formats.day(dt.date(2026, 4, 3))
        assert s.formats.time(moment).startswith("10:05")
        assert Decimal("1234.5") == s.formats.read_number("1.234,5")
    with crm.session("alice") as s:
        assert "en" == s.formats.language
        assert s.count(Lead) == 0
