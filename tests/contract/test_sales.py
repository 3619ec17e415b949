"""Moving opportunities through their stages (SAL-02 to SAL-04)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crmcore import (
    CRM,
    AccessDenied,
    Money,
    NotFound,
    Opportunity,
    Pipeline,
    SalesSettings,
    Stage,
    StageChange,
    StaleRecord,
    TransitionRefused,
    ValidationError,
)
from crmcore.testing import (
    Factory,
    FixedClock,
    Office,
    SeededIds,
    small_organisation,
)


def office_on(store: Any, tenant: str, **settings: Any) -> Office:
    clock, ids = FixedClock(), SeededIds()
    crm = CRM(store, clock=clock, ids=ids, settings=[SalesSettings(**settings)])
    crm = crm.tenant(tenant)
    return Office(crm, clock, ids, small_organisation(crm))


@pytest.mark.capability("SAL-02")
def test_a_new_opportunity_starts_in_the_first_stage(
    office: Office, factory: Factory
) -> None:
    """Stage, category, probability and forecast come from the pipeline."""
    with office.session() as s:
        made = s.create(factory.opportunity())
        given = s.create(factory.opportunity(stage="negotiation"))

    assert ("default", "prospecting", "open", Decimal(10), "pipeline", "stage") == (
        made.pipeline,
        made.stage,
        made.stage_category,
        made.probability,
        made.forecast_category,
        made.probability_source,
    )
    assert ("negotiation", Decimal(80), "commit") == (
        given.stage,
        given.probability,
        given.forecast_category,
    )


@pytest.mark.capability("SAL-02")
def test_stages_have_a_closed_set_of_categories() -> None:
    """A pipeline has one won and at least one lost stage, and no key twice."""
    won, lost = Stage("w", "W", 100, "won"), Stage("l", "L", 0, "lost")
    assert "w" == Pipeline("p", "P", (won, lost)).first_of("won").key
    for stages in (
        (won,),
        (won, won, lost),
        (lost,),
        (won, lost, Stage("w2", "", 100, "won")),
    ):
        with pytest.raises(ValueError, match="pipeline p"):
            Pipeline("p", "P", stages)
    with pytest.raises(ValueError):
        Stage("x", "X", 5, "nearly")


@pytest.mark.capability("SAL-02")
def test_probability_follows_the_stage_unless_it_may_be_set(
    store: Any, tenant: str, factory: Factory
) -> None:
    """By default nobody sets it; with the option a manual one is kept, till closing."""
    office = office_on(store, tenant)
    with office.session() as s:
        deal = s.create(factory.opportunity())
        with pytest.raises(ValidationError):
            s.update(deal, probability=33)
        with pytest.raises(ValidationError):
            s.create(factory.opportunity(probability=33))
    free = office_on(store, f"{tenant}-2", probability_editable=True)
    with free.session() as s:
        deal = s.update(s.create(factory.opportunity()), probability=33)
        moved = s.sales.move(deal, "proposal")
        won = s.sales.win(moved)

    assert ("manual", "manual", "stage") == (
        deal.probability_source,
        moved.probability_source,
        won.probability_source,
    )
    assert [33, 33, 100] == [deal.probability, moved.probability, won.probability]


@pytest.mark.capability("SAL-03")
def test_a_step_is_logged(office: Office, factory: Factory) -> None:
    """Each step keeps from, to, when, who, how long, amount and probability."""
    with office.session() as s:
        deal = s.create(factory.opportunity(amount=Money(5, "EUR")))
    office.clock.advance(hours=2)
    with office.session("boss") as s:
        deal = s.sales.move(deal, "proposal")
    office.clock.advance(days=1)
    with office.session() as s:
        deal = s.sales.move(deal, "qualification")
        first, second = s.sales.stage_history(deal)

    assert ("prospecting", "proposal", 7_200, Decimal(50)) == (
        first.from_stage,
        first.to_stage,
        first.duration_seconds,
        first.probability,
    )
    assert (office.people.boss.id, Money("5.0000", "EUR")) == (
        first.created_by,
        first.amount,
    )
    assert ("proposal", "qualification", 86_400) == (
        second.from_stage,
        second.to_stage,
        second.duration_seconds,
    )
    assert timedelta(days=1) == second.created_at - first.created_at  # type: ignore[operator]
    assert ("qualification", Decimal(20)) == (deal.stage, deal.probability)


@pytest.mark.capability("SAL-03")
def test_stage_fields_change_only_by_a_step(office: Office, factory: Factory) -> None:
    """An edit of the stage or of what follows from it is refused."""
    with office.session() as s:
        deal = s.create(factory.opportunity())
        for values in (
            {"stage": "proposal"},
            {"stage_category": "won"},
            {"closed_at": office.clock.now()},
            {"lost_reason": "price"},
            {"pipeline": "other"},
        ):
            with pytest.raises(ValidationError) as raised:
                s.update(deal, **values)
            assert ["read_only"] == [p.reason for p in raised.value.problems]
        with pytest.raises(AccessDenied):
            s.create(StageChange(opportunity_id=deal.id, to_stage="proposal"))


@pytest.mark.capability("SAL-03")
def test_refused_steps_change_nothing(office: Office, factory: Factory) -> None:
    """Unknown stages, the same stage, stale versions and strangers are refused."""
    with office.session() as s:
        deal = s.create(factory.opportunity())
        moved = s.sales.move(deal, "proposal")
        for stage, error in (
            ("nowhere", ValidationError),
            ("proposal", TransitionRefused),
        ):
            with pytest.raises(error):
                s.sales.move(moved, stage)
        with pytest.raises(StaleRecord):
            s.sales.move(deal, "negotiation")
        with pytest.raises(ValidationError):
            s.sales.move(moved, "negotiation", nonsense=1)
        assert moved == s.get(Opportunity, deal.id)
        assert 1 == len(s.sales.stage_history(moved))
    with office.session("carol") as s, pytest.raises(NotFound):
        s.sales.move(moved, "negotiation")


@pytest.mark.capability("SAL-03")
def test_requirements_and_order_of_stages(
    store: Any, tenant: str, factory: Factory
) -> None:
    """A step names the missing fields; with ``as_defined`` only next stages follow."""
    stages = (
        Stage("a", "A", 10, allowed_next=("b", "lost")),
        Stage("b", "B", 50, requirements=("next_step", "close_date")),
        Stage("c", "C", 60, active=False),
        Stage("won", "Won", 100, "won", "closed"),
        Stage("lost", "Lost", 0, "lost", "omitted"),
    )
    pipeline = Pipeline("p", "P", stages)
    office = office_on(store, tenant, pipelines=(pipeline,), stage_order="as_defined")
    with office.session() as s:
        deal = s.create(factory.opportunity(close_date=None))
        with pytest.raises(TransitionRefused) as order:
            s.sales.move(deal, "won")
        with pytest.raises(TransitionRefused) as missing:
            s.sales.move(deal, "b")
        deal = s.sales.move(deal, "b", next_step="Call", close_date="2026-05-01")
        with pytest.raises(TransitionRefused):
            s.sales.move(deal, "c")

    assert ("stage_order", "missing_fields") == (
        order.value.details["reason"],
        missing.value.details["reason"],
    )
    assert ["next_step", "close_date"] == missing.value.details["missing"]
    assert "b" == deal.stage


@pytest.mark.capability("SAL-04")
def test_winning(office: Office, factory: Factory) -> None:
    """Won: probability 100, time of closing, last open stage; the amount is fixed."""
    with office.session() as s:
        deal = s.sales.move(s.create(factory.opportunity()), "proposal")
        won = s.sales.win(deal, "best offer", "Signed")
        for values in (
            {"amount": Money(1, "USD")},
            {"account_id": None, "probability": 5},
        ):
            with pytest.raises(ValidationError):
                s.update(won, **values)
        s.update(won, next_step="Deliver")

    assert (
        "won",
        Decimal(100),
        "closed",
        office.clock.now(),
        "proposal",
        "best offer",
    ) == (
        won.stage_category,
        won.probability,
        won.forecast_category,
        won.closed_at,
        won.last_open_stage,
        won.won_reason,
    )


@pytest.mark.capability("SAL-04")
def test_losing_needs_a_reason(office: Office, factory: Factory) -> None:
    """Lost: probability 0 and a reason of the picklist."""
    with office.session() as s:
        deal = s.create(factory.opportunity())
        with pytest.raises(TransitionRefused) as raised:
            s.sales.move(deal, "closed_lost")
        with pytest.raises(ValidationError):
            s.sales.lose(deal, "bad luck")
        with pytest.raises(ValidationError):
            s.create(factory.opportunity(stage="closed_lost"))
        lost = s.sales.lose(deal, "price", "Too dear")

    assert ["lost_reason"] == raised.value.details["missing"]
    assert ("lost", Decimal(0), "price", "Too dear") == (
        lost.stage_category,
        lost.probability,
        lost.lost_reason,
        lost.close_note,
    )


@pytest.mark.capability("SAL-04")
def test_reopening(office: Office, factory: Factory) -> None:
    """It goes back to its last open stage; the history keeps the closing."""
    with office.session() as s:
        deal = s.sales.move(s.create(factory.opportunity()), "negotiation")
        with pytest.raises(TransitionRefused):
            s.sales.reopen(deal)
        again = s.sales.reopen(s.sales.lose(deal, "price"))
        steps = s.sales.stage_history(again)
        reasons = [
            (c.old, c.new)
            for entry in s.history(again)
            for c in entry.changes
            if c.field == "lost_reason"
        ]

    assert ("negotiation", Decimal(80), "open", None, None) == (
        again.stage,
        again.probability,
        again.stage_category,
        again.closed_at,
        again.lost_reason,
    )
    assert ["negotiation", "closed_lost", "negotiation"] == [x.to_stage for x in steps]
    assert [(None, "price"), ("price", None)] == reasons


@pytest.mark.capability("SAL-04")
def test_a_reason_may_be_asked_for_when_won(
    store: Any, tenant: str, factory: Factory
) -> None:
    """With the option a win without a reason is refused."""
    office = office_on(store, tenant, reason_required_when_won=True)
    with office.session() as s:
        deal = s.create(factory.opportunity())
        with pytest.raises(TransitionRefused):
            s.sales.win(deal)
        assert "won" == s.sales.win(deal, "best offer").stage_category
