"""Chapter: opportunities move through the pipeline, are won and are lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from crmcore.access import SYSTEM, User
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.funnel_table import rounded
from crmcore.criteria import F, count
from crmcore.crm import CRM
from crmcore.errors import TransitionRefused
from crmcore.sales import LOST_REASON, Opportunity, Stage, StageChange
from crmcore.session import Session

__all__ = ["work_pipeline"]

#: Of the opportunities this share is won, this share is lost; the rest stays open.
_WON = 0.35
_LOST = 0.25
_REASONS = ("price", "competition", "budget", "timing", "unresponsive")


def work_pipeline(
    crm: CRM, owners: Sequence[User], random: Random, tell: Narrator
) -> dict[str, Any]:
    """Move every opportunity some steps on; close some of them."""
    tell.chapter("Opportunities move on")
    shown: list[Opportunity] = []
    for owner in owners:
        with crm.session(owner) as session:
            mine = session.find(
                Opportunity,
                F.owner_id == owner.id,
                order_by=[F.name, F.amount],
                limit=500,
            )
            shown += [_work(session, deal, random) for deal in mine.items]
    refused = _refusal(crm, shown, tell)
    figures = _counted(crm)
    _show(figures, tell)
    _show_history(crm, shown, tell)
    return {**figures, "refused": refused}


def _work(session: Session, deal: Opportunity, random: Random) -> Opportunity:
    pipeline = session.sales.pipeline_of(deal)
    later = [s.key for s in pipeline.stages if s.category == "open"][1:]
    for stage in later[: random.randint(0, len(later))]:
        deal = session.sales.move(deal, stage)
    fate = random.random()
    if fate < _WON:
        return session.sales.win(deal, "the best offer")
    if fate < _WON + _LOST:
        return session.sales.lose(deal, random.choice(_REASONS))
    return deal


def _refusal(
    crm: CRM, deals: Sequence[Opportunity], tell: Narrator
) -> dict[str, str] | None:
    """Lose an open opportunity without a reason: refused."""
    deal = next((d for d in deals if d.stage_category == "open"), None)
    if deal is None or deal.owner_id is None:
        return None
    try:
        with crm.session(deal.owner_id) as session:
            lost = session.sales.pipeline_of(deal).first_of("lost").key
            session.sales.move(deal, lost)
    except TransitionRefused as error:
        tell.say("Nobody loses an opportunity without saying why:")
        tell.refusal(error)
        return {"code": error.code, "message": error.message("en")}
    return None


def _counted(crm: CRM) -> dict[str, Any]:
    with crm.session(SYSTEM) as session:
        groups = session.aggregate(
            Opportunity,
            {"count": count(), "amount": F.amount.sum()},
            group_by=[F.stage_category, F.lost_reason],
        )
        steps = session.count(StageChange)
    counted: Counter[str] = Counter()
    for group in groups:
        counted[group["stage_category"]] += group["count"]
    won = [g["amount"] for g in groups if g["stage_category"] == "won"]
    reasons = {g["lost_reason"]: g["count"] for g in groups if g["lost_reason"]}
    return {
        "steps": steps,
        "open": counted["open"],
        "won": counted["won"],
        "lost": counted["lost"],
        "won_amount": won[0] if won else None,
        "lost_reasons": reasons,
    }


def _show(figures: dict[str, Any], tell: Narrator) -> None:
    amount = figures["won_amount"]
    money = f", worth {rounded(amount)} {amount.currency}" if amount else ""
    tell.say(
        f"{figures['steps']} steps were logged. {figures['won']} opportunities are "
        f"won{money}; {figures['lost']} are lost; {figures['open']} are open."
    )
    labels = {option.key: option.label for option in LOST_REASON.options}
    rows = sorted(figures["lost_reasons"].items(), key=lambda item: (-item[1], item[0]))
    tell.table(
        ("lost for", ("how many", "right")), [(labels[key], n) for key, n in rows]
    )


def _show_history(crm: CRM, deals: Sequence[Opportunity], tell: Narrator) -> None:
    """Show the steps of the opportunity that came the longest way to be won."""
    won = [deal for deal in deals if deal.stage_category == "won"]
    if not won:
        return
    with crm.session(SYSTEM) as session:
        ways = [(session.sales.stage_history(deal), deal) for deal in won]
        steps, deal = max(ways, key=lambda way: len(way[0]))
        stages = session.sales.pipeline_of(deal).by_key
    rows = [
        (
            _label(stages, step.from_stage),
            _label(stages, step.to_stage),
            f"{step.probability:.0f} %",
        )
        for step in steps
    ]
    tell.say(f"The way of {deal.name}:")
    tell.table(("from", "to", ("probability", "right")), rows)


def _label(stages: Mapping[str, Stage], key: str | None) -> str:
    stage = stages.get(key or "")
    return stage.label if stage else ""
