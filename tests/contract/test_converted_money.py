"""Amounts kept with their worth in the default currency, on every store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crmcore import CRM, AccessDenied, F, Lead, Money, ValidationError
from crmcore.records import Conventions, ConvertedMoney
from crmcore.records.converted_money import converted
from crmcore.testing import Office

pytestmark = pytest.mark.capability("I18N-03")


def put_rate(office: Office, rate: str, day: date) -> None:
    with office.session("admin") as s:
        s.customisation.set_exchange_rate("EUR", "USD", rate, day)


@pytest.fixture
def dated(office: Office) -> Office:
    """An office whose leads have a budget converted at the rate of the day ``signed``."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "signed", "date")
        s.customisation.add_field(
            "lead", "budget", "converted_money", options={"rate_date": "signed"}
        )
    put_rate(office, "1.10", date(2000, 1, 1))
    put_rate(office, "1.20", date(2026, 5, 1))
    return office


def create(office: Office, name: str, budget: Any, **values: Any) -> Lead:
    with office.session() as s:
        return s.create(Lead(last_name=name), budget=budget, **values)


def budget_of(office: Office, lead: Lead) -> ConvertedMoney:
    with office.session() as s:
        found: ConvertedMoney = s.get(Lead, lead.id)["budget"]
    return found


def worth(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def test_the_rate_of_the_day_is_stored_with_the_record(dated: Office) -> None:
    """The rate of the named date field counts, that of the creation without a date."""
    april = create(dated, "A", Money(10, "EUR"), signed=date(2026, 4, 1))
    may = create(dated, "B", Money(10, "EUR"), signed=date(2026, 5, 1))
    own = create(dated, "C", 10)

    assert worth("11.00") == budget_of(dated, april).worth
    assert Decimal("1.1") == budget_of(dated, april).rate
    assert worth("12.00") == budget_of(dated, may).worth
    assert worth("10") == budget_of(dated, own).worth
    assert budget_of(dated, own).rate is None


def test_sums_filters_and_order_work_across_currencies(dated: Office) -> None:
    """What amounts are worth is summed, filtered and sorted in the database."""
    day = date(2026, 4, 1)
    create(dated, "A", Money(10, "EUR"), signed=day)
    create(dated, "B", Money(12, "USD"), signed=day)
    create(dated, "C", Money(1, "USD"), signed=day)

    with dated.session() as s:
        total = s.aggregate(Lead, {"total": F.budget.converted.sum()})
        above = s.find(
            Lead, F.budget.converted > 5, order_by=[F.budget.converted.desc()]
        )
        same = s.count(Lead, F.budget == Money(10, "EUR"))
        with pytest.raises(ValidationError) as refused:
            s.aggregate(Lead, {"total": F.budget.sum()})

    assert worth("24.00") == total[0].values["total"]
    assert ["B", "A"] == [lead.last_name for lead in above.items]
    assert same == 1
    assert "mixed_currencies" == refused.value.problems[0].reason


def test_later_rates_change_no_record(dated: Office) -> None:
    """A record keeps its rate while its amount and its day stay the same."""
    lead = create(dated, "A", Money(10, "EUR"), signed=date(2026, 4, 1))
    put_rate(dated, "2", date(2026, 3, 1))

    with dated.session() as s:
        s.update(s.get(Lead, lead.id), last_name="B", budget=Money(10, "EUR"))
    assert worth("11.00") == budget_of(dated, lead).worth
    with dated.session() as s:
        s.update(s.get(Lead, lead.id), budget=Money(11, "EUR"))
    assert worth("22.00") == budget_of(dated, lead).worth


def test_a_new_day_has_its_own_rate(dated: Office) -> None:
    """Moving the day converts the amount at the rate of the new one."""
    lead = create(dated, "A", Money(10, "EUR"), signed=date(2026, 4, 1))

    with dated.session() as s:
        s.update(s.get(Lead, lead.id), signed=date(2026, 6, 1))

    assert worth("12.00") == budget_of(dated, lead).worth


def test_a_rate_may_be_given_with_the_amount(dated: Office) -> None:
    """A given rate counts instead of the table's; what it is worth is reckoned."""
    given = {"amount": "10", "currency": "EUR", "rate": "1.5", "converted": "99"}

    assert worth("15.00") == budget_of(dated, create(dated, "A", given)).worth


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (Money(1, "CHF"), "no_exchange_rate"),
        (Money(1, "XXQ"), "unknown_currency"),
        ({"amount": "1", "currency": "EUR", "rate": "0"}, "not_positive"),
        ({"amount": "1", "currency": "EUR", "rate": "$where"}, "not_number"),
        ({"amount": "1", "currency": "EUR", "__class__": "x"}, "not_money"),
    ],
)
def test_an_amount_that_cannot_be_converted_is_refused(
    dated: Office, budget: Any, reason: str
) -> None:
    """The field and what is missing or wrong are named; nothing is written."""
    with pytest.raises(ValidationError) as refused:
        create(dated, "A", budget)

    problems = [(p.field, p.reason) for p in refused.value.problems]
    assert [("budget", reason)] == problems
    with dated.session() as s:
        assert s.count(Lead) == 0


def test_another_default_currency_changes_no_record(
    dated: Office, store: Any, tenant: str
) -> None:
    """Old amounts keep their worth, are never summed with others, and can be redone."""
    day = date(2026, 5, 1)
    lead = create(dated, "A", Money(12, "USD"), signed=day)
    euros = CRM(
        store, conventions=Conventions(currency="EUR"), clock=dated.clock, ids=dated.ids
    ).tenant(tenant)

    with euros.session("alice") as s:
        s.update(s.get(Lead, lead.id), last_name="B")
        other = s.create(Lead(last_name="C"), budget=Money(12, "USD"), signed=day)
        old, new = s.get(Lead, lead.id)["budget"], s.get(Lead, other.id)["budget"]
        with pytest.raises(ValidationError) as refused:
            s.aggregate(Lead, {"total": F.budget.converted.sum()})
        again = converted(Money(old.amount, old.currency), s.rates, day)
        s.update(s.get(Lead, lead.id), budget=again)
        total = s.aggregate(Lead, {"total": F.budget.converted.sum()})

    assert Money(12, "USD") == Money(old.worth.amount, old.worth.currency)
    assert Money(Decimal(10), "EUR") == new.worth
    assert "mixed_currencies" == refused.value.problems[0].reason
    assert Money(Decimal(20), "EUR") == total[0].values["total"]


def test_an_emptied_amount_has_no_worth(dated: Office) -> None:
    """Amount, rate and worth are emptied together."""
    lead = create(dated, "A", Money(10, "EUR"))

    with dated.session() as s:
        s.update(s.get(Lead, lead.id), budget=None)
        assert s.count(Lead, F.budget.is_null()) == 1
        assert s.count(Lead, F.budget.converted.is_null()) == 1
        assert s.get(Lead, lead.id)["budget"] is None


def test_amounts_are_converted_anew_in_batches(dated: Office) -> None:
    """After a rate was corrected, each by its own day; what stays right is left alone."""
    day = date(2026, 4, 1)
    leads = [create(dated, f"L{n}", Money(10, "EUR"), signed=day) for n in range(3)]
    own = create(dated, "Own", 10)
    put_rate(dated, "1.15", date(2026, 3, 1))
    assert worth("11.00") == budget_of(dated, leads[0]).worth

    after, changed, rounds = None, 0, 0
    while rounds == 0 or after is not None:
        with dated.session("admin") as s:
            done = s.customisation.reconvert("lead", after=after, limit=2)
        after, changed, rounds = done.next, changed + done.changed, rounds + 1

    assert (3, 3) == (changed, rounds)
    assert {worth("11.50")} == {budget_of(dated, lead).worth for lead in leads}
    with dated.session("admin") as s:
        assert 1 == s.get(Lead, own.id).version
        assert "reconverted" == s.history(leads[0])[-1].action
        assert 0 == s.customisation.reconvert("lead").changed
    with dated.session("alice") as s, pytest.raises(AccessDenied):
        s.customisation.reconvert("lead")


def test_a_missing_rate_stops_a_conversion(dated: Office) -> None:
    """It is named, and no amount of the batch changes."""
    lead = create(dated, "A", Money(10, "EUR"), signed=date(2026, 4, 1))
    with dated.session("admin") as s:
        for item in s.customisation.items():
            if item.key.kind == "exchange_rate":
                s.customisation.remove("exchange_rate", item.key.key)
    with dated.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.customisation.reconvert("lead")

    assert "no_exchange_rate" == caught.value.problems[0].reason
    assert worth("11.00") == budget_of(dated, lead).worth
