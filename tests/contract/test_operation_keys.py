"""A retry under an operation key is answered as the first run was, whatever it did."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from crmcore import (
    Account,
    Contact,
    CRMError,
    F,
    Lead,
    Money,
    OperationConflict,
    Opportunity,
    Skip,
    UniqueViolation,
    Use,
    ValidationError,
)
from crmcore.session import Session
from crmcore.testing import Factory, Office


def twice(office: Office, work: Callable[[Session], Any]) -> Any:
    """Run ``work`` two times under one key; return what both runs returned."""
    answers = []
    for _ in range(2):
        with office.session(operation_key="k") as s:
            answers.append(work(s))
        office.clock.advance(minutes=1)
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.capability("LEAD-03")
def test_a_plan_and_its_conversion_are_replayed(office: Office) -> None:
    """The retry gets the plan and the records of the first run, not AlreadyConverted."""

    def work(s: Session) -> Any:
        lead = s.create(
            Lead(last_name="Li", company_name="Acme", annual_revenue=Money(5, "EUR"))
        )
        plan = s.leads.plan_conversion(lead, opportunity=Skip())
        return plan, s.leads.convert(plan)

    plan, done = twice(office, work)

    assert (plan.lead_id, "Acme") == (done.lead.id, done.account.name)
    with office.session() as s:
        assert (1, 1) == (s.count(Account), s.count(Contact))


def test_a_plan_with_obstacles_is_replayed(office: Office, factory: Factory) -> None:
    """Who decided by the matches of a plan decides the same again."""
    with office.session() as s:
        twin = s.create(factory.contact(email="ada@example.com"))

    def work(s: Session) -> Any:
        lead = s.create(Lead(last_name="A", email="ada@example.com"))
        plan = s.leads.plan_conversion(lead)
        ((match,),) = (obstacle.matches for obstacle in plan.obstacles)
        assert match.id is not None
        done = s.leads.convert(lead, contact=Use(match.id))
        return plan, done.contact

    plan, used = twice(office, work)

    assert (twin.id, used.id) == (plan.obstacles[0].matches[0].id, twin.id)


@pytest.mark.capability("SAL-04")
def test_closing_and_reopening_are_replayed(office: Office) -> None:
    """The retry is not judged by the stage that the first run left."""

    def work(s: Session) -> Any:
        deal = s.sales.move(s.create(Opportunity(name="Press")), "proposal")
        return s.sales.reopen(s.sales.lose(deal, "price"))

    assert "proposal" == twice(office, work).stage


def test_later_verbs_may_use_earlier_results(office: Office) -> None:
    """A result comes back as the version that the first run got."""

    def work(s: Session) -> Any:
        lead = s.create(Lead(last_name="Li", title="CEO"))
        changed = s.update(lead, title=None, do_not_call=True)
        gone = s.delete(s.update(changed, description=f"was {lead.title}"))
        back = s.restore(gone)
        return lead, changed, gone, back

    first, second, gone, back = twice(office, work)

    assert [1, 2, 4, 5] == [r.version for r in (first, second, gone, back)]
    assert ("CEO", None, "was CEO") == (first.title, second.title, back.description)
    assert (True, False) == (gone.deleted_at is not None, back.deleted_at is not None)


def test_results_are_not_those_of_today(office: Office) -> None:
    """What others changed since is not in the answer of a retry."""
    with office.session(operation_key="k") as s:
        lead = s.create(Lead(last_name="Li"))
    with office.session("boss") as s:
        s.update(lead, phone="+44 20 7946 0000", owner_id=office.people.boss.id)

    with office.session(operation_key="k") as s:
        assert lead == s.create(Lead(last_name="Li"))


def test_refusals_are_replayed(office: Office) -> None:
    """A unit of work that went on after a refusal goes on in the retry as well."""
    with office.session() as s:
        s.create(Account(name="Acme"))

    def work(s: Session) -> tuple[Any, ...]:
        told: list[Any] = []
        for verb in (
            lambda: s.create(Account(name="ACME")),
            lambda: s.create(Lead(annual_revenue="much")),  # type: ignore[arg-type]
            lambda: s.leads.plan_conversion(UUID(int=1)),
        ):
            with pytest.raises(CRMError) as raised:
                verb()
            problems = getattr(raised.value, "problems", ())
            told.append((type(raised.value), raised.value.details, problems))
        return s.create(Lead(last_name="Li")).id, *told

    _, unique, *_ = twice(office, work)

    assert UniqueViolation is unique[0]
    with office.session() as s:
        assert (1, 1) == (s.count(Account), s.count(Lead))


def test_what_a_savepoint_undid_is_undone_again(office: Office, store: Any) -> None:
    """The retry does it once more and takes it back; nothing stays of either."""
    if not store.capabilities.savepoints:
        pytest.skip(store.capabilities.reasons["savepoints"])

    def work(s: Session) -> UUID:
        with suppress(KeyError), s.savepoint():
            s.create(Lead(last_name="Never"))
            raise KeyError
        with s.savepoint():
            return s.create(Lead(last_name="Once")).id

    twice(office, work)

    with (
        pytest.raises(OperationConflict),
        office.session(operation_key="k") as s,
        s.savepoint(),
    ):
        s.create(Lead(last_name="Never"))
    with office.session() as s:
        assert ["Once"] == [lead.last_name for lead in s.find(Lead)]


def test_a_key_belongs_to_its_actor(office: Office) -> None:
    """Somebody else gets nothing of what was done under a key."""
    with office.session(operation_key="k") as s:
        s.create(Lead(last_name="Li"))

    with (
        pytest.raises(OperationConflict),
        office.session("carol", operation_key="k") as s,
    ):
        s.create(Lead(last_name="Li"))


def test_many_at_once_are_replayed_in_order(office: Office, factory: Factory) -> None:
    """create_many and update_many give the same records in the same order."""
    leads = [factory.lead(title=str(number)) for number in range(5)]

    def work(s: Session) -> Any:
        made = s.create_many(leads)
        return s.update_many([(lead, {"title": f"{lead.title}!"}) for lead in made])

    assert [f"{n}!" for n in range(5)] == [lead.title for lead in twice(office, work)]
    with office.session() as s:
        assert 5 == s.count(Lead, F.title.contains("!"))


def test_a_failure_in_the_middle_leaves_the_key_free(office: Office) -> None:
    """Only what was committed is remembered."""
    with pytest.raises(ValidationError), office.session(operation_key="k") as s:
        (s.create(Lead(last_name="Li")), s.create(Lead()))

    with office.session(operation_key="k") as s:
        assert (0, 1) == (s.count(Lead), s.create(Lead(last_name="Wu")).version)
