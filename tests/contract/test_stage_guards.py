"""No way round what closes an opportunity and what a stage asks for."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    Money,
    Opportunity,
    Pipeline,
    SalesSettings,
    Stage,
    TransitionRefused,
    ValidationError,
)
from crmcore.testing import Office, small_organisation

PIPELINE = Pipeline(
    "p",
    "P",
    (
        Stage("a", "A", 10),
        Stage("b", "B", 50, requirements=("next_step",)),
        Stage("won", "Won", 100, "won", "closed"),
        Stage("lost", "Lost", 0, "lost", "omitted"),
        Stage("given_up", "Given up", 0, "lost", "omitted"),
    ),
)


@pytest.mark.capability("SAL-04")
def test_a_closed_opportunity_leaves_its_stage_by_reopening_only(
    office: Office,
) -> None:
    """Won and lost lock stage and amount; reopening unlocks them."""
    with office.session() as s:
        won = s.sales.win(s.create(Opportunity(name="X", amount=Money(5, "USD"))))
        for stage, values in (
            ("proposal", {}),
            ("closed_lost", {"lost_reason": "price", "amount": Money(1, "USD")}),
        ):
            with pytest.raises(TransitionRefused) as raised:
                s.sales.move(won, stage, **values)
            assert "closed" == raised.value.details["reason"]
        deal = s.sales.move(s.sales.reopen(won), "proposal", amount=Money(7, "USD"))

    assert ("proposal", Money("7.0000", "USD")) == (deal.stage, deal.amount)


@pytest.mark.capability("SAL-03")
@pytest.mark.parametrize(
    "values",
    [
        {"last_open_stage": "negotiation"},
        {"stage_category": "won"},
        {"probability_source": "manual"},
        {"probability": 99},
        {"pipeline": "other"},
    ],
)
def test_a_step_sets_what_follows_from_it_itself(
    office: Office, values: dict[str, Any]
) -> None:
    """Whoever moves an opportunity cannot give what only the stage sets."""
    with office.session() as s:
        deal = s.create(Opportunity(name="X"))
        with pytest.raises(ValidationError) as raised:
            s.sales.move(deal, "proposal", **values)

    assert list(values) == [p.field for p in raised.value.problems]


@pytest.mark.capability("SAL-04")
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_blank_is_no_reason(office: Office, reason: Any) -> None:
    """Losing without a reason is refused, however it is left out."""
    with office.session() as s:
        deal = s.create(Opportunity(name="X"))
        with pytest.raises(TransitionRefused):
            s.sales.lose(deal, reason)
        assert deal == s.get(Opportunity, deal.id)


@pytest.mark.capability("SAL-03")
def test_requirements_hold_however_a_stage_is_entered(store: Any, tenant: str) -> None:
    """Neither emptying the field with the step nor starting there gets round them."""
    settings = SalesSettings(pipelines=(PIPELINE,), reason_required_when_won=True)
    crm = CRM(store, settings=[settings]).tenant(tenant)
    small_organisation(crm)
    with crm.session("alice") as s:
        deal = s.create(Opportunity(name="X", next_step="Call"))
        with pytest.raises(TransitionRefused):
            s.sales.move(deal, "b", next_step=None)
        for stage, field in (
            ("b", "next_step"),
            ("won", "won_reason"),
            ("lost", "lost_reason"),
        ):
            with pytest.raises(ValidationError) as raised:
                s.create(Opportunity(name="Y", stage=stage))
            assert [(field, "required")] == [
                (p.field, p.reason) for p in raised.value.problems
            ]
        assert "b" == s.sales.move(deal, "b").stage


@pytest.mark.capability("SAL-04")
def test_an_open_opportunity_starts_without_an_end(office: Office) -> None:
    """Time of closing and reasons are refused where the stage is not closed."""
    with office.session() as s:
        for values in (
            {"closed_at": office.clock.now()},
            {"lost_reason": "price"},
            {"won_reason": "best offer"},
            {"stage": "closed_won", "lost_reason": "price"},
        ):
            with pytest.raises(ValidationError):
                s.create(Opportunity(name="X", **values))


@pytest.mark.capability("SAL-03")
def test_a_step_may_hand_the_opportunity_over(office: Office) -> None:
    """Moving it to somebody else's hands is logged, though one sees it no more."""
    with office.session() as s:
        deal = s.create(Opportunity(name="X"))
        moved = s.sales.move(deal, "proposal", owner_id=office.people.carol.id)
    with office.session("carol") as s:
        assert ["proposal"] == [step.to_stage for step in s.sales.stage_history(moved)]
