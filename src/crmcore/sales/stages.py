"""Moving through stages: what a step changes and what stands in its way (SAL-03, SAL-04).

Pure: takes an opportunity, settings and a moment, returns the fields to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crmcore.errors import Problem, TransitionRefused, ValidationError
from crmcore.sales.entities import Opportunity
from crmcore.sales.pipelines import Pipeline, SalesSettings, Stage
from crmcore.unit import Draft

__all__ = ["CLOSED", "STAGE_FIELDS", "enter_stage", "set_initial_stage", "stage_of"]

#: Fields that only a stage move sets.
STAGE_FIELDS = frozenset(
    {
        "pipeline",
        "stage",
        "stage_category",
        "stage_changed_at",
        "last_open_stage",
        "closed_at",
        "forecast_category",
        "probability_source",
        "lost_reason",
        "won_reason",
    }
)

#: Categories of stages that end the work on an opportunity.
CLOSED = frozenset({"won", "lost"})
#: What goes with a step, so that whoever moves an opportunity may give it.
_REASONS = frozenset({"lost_reason", "won_reason"})
#: What nobody changes on a closed opportunity (SAL-04).
_LOCKED = frozenset({"amount", "amount_type", "probability", "account_id"})


def stage_of(pipeline: Pipeline, key: object) -> Stage:
    """Return a stage by its key; raises ValidationError for an unknown one."""
    stage = pipeline.by_key.get(key) if isinstance(key, str) else None
    if stage is None:
        raise ValidationError.of("stage", "not_an_option", value=str(key)[:60])
    return stage


def set_initial_stage(draft: Draft) -> None:
    """Rule of new and edited opportunities: stage fields follow the stage.

    A new opportunity starts in the stage given, or in the pipeline's first. Later the
    stage changes only through ``session.sales``; closed ones keep their amount.
    """
    settings = draft.context.settings.get(SalesSettings) or SalesSettings()
    if draft.is_new:
        _start(draft, settings)
    elif not draft.privileged:
        _guard(draft, settings)


def _start(draft: Draft, settings: SalesSettings) -> None:
    pipeline = settings.pipeline(draft["pipeline"])
    if pipeline is None:
        draft.refuse("pipeline", "not_an_option", value=draft["pipeline"])
        return
    key = draft["stage"] or pipeline.first_of("open").key
    stage = pipeline.by_key.get(key)
    if stage is None:
        draft.refuse("stage", "not_an_option", value=key)
        return
    if not stage.active:
        draft.refuse("stage", "inactive_option", value=key)
    for name in _needed(stage, settings):
        if draft[name] is None:
            draft.refuse(name, "required")
    for name in _unfit(stage):
        if draft[name] is not None:
            draft.refuse(name, "read_only")
    manual = draft["probability"] is not None and settings.probability_editable
    if draft["probability"] is not None and not manual:
        _refuse_other_probability(draft, stage)
    draft.set("pipeline", pipeline.key)
    draft.set("stage", stage.key)
    draft.set("stage_category", stage.category)
    draft.set("forecast_category", stage.forecast_category)
    draft.set("stage_changed_at", draft.context.now)
    draft.set("probability_source", "manual" if manual else "stage")
    if not manual:
        draft.set("probability", stage.probability)
    if stage.category in CLOSED:
        closed_at = draft["closed_at"] or draft.context.now
        draft.set("closed_at", closed_at)
    else:
        draft.set("last_open_stage", stage.key)


def _refuse_other_probability(draft: Draft, stage: Stage) -> None:
    if draft["probability"] != stage.probability:
        draft.refuse("probability", "read_only")


def _guard(draft: Draft, settings: SalesSettings) -> None:
    for name in sorted(STAGE_FIELDS & set(draft.values)):
        draft.refuse(name, "read_only")
    if draft["stage_category"] in CLOSED:
        for name in sorted(_LOCKED & set(draft.values)):
            draft.refuse(name, "read_only")
    elif draft.changes("probability"):
        if settings.probability_editable:
            draft.set("probability_source", "manual")
        else:
            draft.refuse("probability", "read_only")


def enter_stage(
    opportunity: Opportunity,
    target: str,
    settings: SalesSettings,
    now: datetime,
    given: Mapping[str, Any],
    *,
    reopening: bool = False,
) -> dict[str, Any]:
    """Return the fields to set when ``opportunity`` enters the stage ``target``.

    ``given`` are the reason and other values handed in with the step; ``reopening``
    lets a closed opportunity leave its stage.

    Raises ValidationError for an unknown stage or a value that only the stage sets,
    TransitionRefused naming the guard or the missing fields.
    """
    _check_given(given, settings)
    pipeline = settings.pipeline(opportunity.pipeline) or settings.default
    stage = stage_of(pipeline, target)
    current = pipeline.by_key.get(opportunity.stage or "")
    _check_step(opportunity, current, stage, settings, reopening)
    _check_filled(opportunity, stage, settings, given)
    values: dict[str, Any] = {
        **given,
        "pipeline": pipeline.key,
        "stage": stage.key,
        "stage_category": stage.category,
        "forecast_category": stage.forecast_category,
        "stage_changed_at": now,
        "closed_at": now if stage.category in CLOSED else None,
    }
    if current is not None and current.category == "open":
        values["last_open_stage"] = current.key
    if stage.category != "lost":
        values["lost_reason"] = None
    if stage.category != "won":
        values["won_reason"] = None
    return {**values, **_probability(opportunity, stage, settings)}


def _probability(
    opportunity: Opportunity, stage: Stage, settings: SalesSettings
) -> dict[str, Any]:
    manual = opportunity.probability_source == "manual"
    if manual and settings.keep_manual_probability and stage.category not in CLOSED:
        return {}
    return {"probability": stage.probability, "probability_source": "stage"}


def _check_step(
    opportunity: Opportunity,
    current: Stage | None,
    stage: Stage,
    settings: SalesSettings,
    reopening: bool,
) -> None:
    reason = None
    if not stage.active:
        reason = "stage_inactive"
    elif current is not None and stage.key == current.key:
        reason = "same_stage"
    elif opportunity.stage_category in CLOSED and not reopening:
        reason = "closed"
    elif (
        settings.stage_order == "as_defined"
        and current is not None
        and current.allowed_next is not None
        and stage.key not in current.allowed_next
    ):
        reason = "stage_order"
    if reason is not None:
        raise TransitionRefused(
            source=opportunity.stage, target=stage.key, reason=reason
        )


def _check_filled(
    opportunity: Opportunity,
    stage: Stage,
    settings: SalesSettings,
    given: Mapping[str, Any],
) -> None:
    missing = [
        name
        for name in _needed(stage, settings)
        if _is_blank(given[name] if name in given else opportunity[name])
    ]
    if missing:
        raise TransitionRefused(
            source=opportunity.stage,
            target=stage.key,
            reason="missing_fields",
            missing=missing,
        )


def _check_given(given: Mapping[str, Any], settings: SalesSettings) -> None:
    """Refuse what only the stage itself sets (SAL-03)."""
    fixed = STAGE_FIELDS - _REASONS
    if not settings.probability_editable:
        fixed |= {"probability"}
    problems = [Problem(name, "read_only") for name in sorted(fixed & set(given))]
    if problems:
        raise ValidationError(problems)


def _needed(stage: Stage, settings: SalesSettings) -> list[str]:
    """Return the fields that must be filled to enter a stage."""
    needed = list(stage.requirements)
    if stage.category == "lost":
        needed.append("lost_reason")
    if stage.category == "won" and settings.reason_required_when_won:
        needed.append("won_reason")
    return list(dict.fromkeys(needed))


def _unfit(stage: Stage) -> list[str]:
    """Return the fields that make no sense for an opportunity in a stage."""
    unfit = {"lost": "lost_reason", "won": "won_reason"}
    names = [name for category, name in unfit.items() if category != stage.category]
    return names if stage.category in CLOSED else [*names, "closed_at"]


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
