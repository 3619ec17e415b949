"""Pipelines and stages: logic reads a stage's category, never its label (SAL-02)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property

import attrs

__all__ = [
    "CATEGORIES",
    "DEFAULT_PIPELINE",
    "HUBSPOT_PIPELINE",
    "SALESFORCE_PIPELINE",
    "Pipeline",
    "SalesSettings",
    "Stage",
]

#: The closed set of what a stage can mean.
CATEGORIES = frozenset({"open", "won", "lost", "on_hold"})


@attrs.frozen
class Stage:
    """One step of a pipeline.

    ``probability`` is in percent; ``requirements`` are fields that must be filled to
    enter; ``allowed_next`` limits where an opportunity can go from here (none: anywhere).
    """

    key: str
    label: str
    probability: Decimal = attrs.field(converter=Decimal)
    category: str = attrs.field(
        default="open", validator=attrs.validators.in_(CATEGORIES)
    )
    forecast_category: str = "pipeline"
    requirements: tuple[str, ...] = ()
    allowed_next: tuple[str, ...] | None = None
    active: bool = True


@attrs.frozen(slots=False)
class Pipeline:
    """An ordered list of stages with exactly one won and at least one lost stage."""

    key: str
    label: str
    stages: tuple[Stage, ...]

    def __attrs_post_init__(self) -> None:
        keys = [stage.key for stage in self.stages]
        categories = [stage.category for stage in self.stages]
        if len(set(keys)) != len(keys):
            msg = f"the pipeline {self.key} has two stages of one key"
            raise ValueError(msg)
        unknown = {
            key for stage in self.stages for key in stage.allowed_next or ()
        } - set(keys)
        if unknown:
            msg = f"the pipeline {self.key} has no stages {sorted(unknown)}"
            raise ValueError(msg)
        if categories.count("won") != 1 or "lost" not in categories:
            msg = f"the pipeline {self.key} needs one won and at least one lost stage"
            raise ValueError(msg)

    @cached_property
    def by_key(self) -> dict[str, Stage]:
        """Return the stages by their key."""
        return {stage.key: stage for stage in self.stages}

    def first_of(self, category: str) -> Stage:
        """Return the first stage of a category."""
        return next(stage for stage in self.stages if stage.category == category)


def _pipeline(
    key: str, label: str, rows: Iterable[tuple[str, str, int, str, str]]
) -> Pipeline:
    stages = (
        Stage(stage, words, Decimal(probability), category, forecast)
        for stage, words, probability, category, forecast in rows
    )
    return Pipeline(key, label, tuple(stages))


DEFAULT_PIPELINE = _pipeline(
    "default",
    "Default",
    (
        ("prospecting", "Prospecting", 10, "open", "pipeline"),
        ("qualification", "Qualification", 20, "open", "pipeline"),
        ("needs_analysis", "Needs analysis", 25, "open", "pipeline"),
        ("proposal", "Proposal", 50, "open", "best_case"),
        ("negotiation", "Negotiation", 80, "open", "commit"),
        ("closed_won", "Closed won", 100, "won", "closed"),
        ("closed_lost", "Closed lost", 0, "lost", "omitted"),
    ),
)

SALESFORCE_PIPELINE = _pipeline(
    "salesforce",
    "Salesforce",
    (
        ("prospecting", "Prospecting", 10, "open", "pipeline"),
        ("qualification", "Qualification", 20, "open", "pipeline"),
        ("needs_analysis", "Needs analysis", 25, "open", "pipeline"),
        ("value_proposition", "Value proposition", 30, "open", "pipeline"),
        ("decision_makers", "Identify decision makers", 40, "open", "pipeline"),
        ("perception_analysis", "Perception analysis", 50, "open", "best_case"),
        ("price_quote", "Proposal and price quote", 65, "open", "best_case"),
        ("negotiation", "Negotiation and review", 80, "open", "commit"),
        ("closed_won", "Closed won", 100, "won", "closed"),
        ("closed_lost", "Closed lost", 0, "lost", "omitted"),
    ),
)

HUBSPOT_PIPELINE = _pipeline(
    "hubspot",
    "HubSpot",
    (
        ("appointment_scheduled", "Appointment scheduled", 20, "open", "pipeline"),
        ("qualified_to_buy", "Qualified to buy", 40, "open", "pipeline"),
        ("presentation_scheduled", "Presentation scheduled", 60, "open", "best_case"),
        ("decision_maker", "Decision maker bought in", 80, "open", "commit"),
        ("contract_sent", "Contract sent", 90, "open", "commit"),
        ("closed_won", "Closed won", 100, "won", "closed"),
        ("closed_lost", "Closed lost", 0, "lost", "omitted"),
    ),
)


@attrs.frozen(slots=False)
class SalesSettings:
    """How this business sells.

    The first pipeline is the default one. ``stage_order`` is ``free`` (any stage may
    follow any) or ``as_defined`` (``allowed_next`` holds, SAL-03).
    ``probability_editable`` lets people set the probability by hand (SAL-02);
    ``keep_manual_probability`` keeps it when the stage changes.
    ``reason_required_when_won`` asks for a reason when won as well (SAL-04).
    """

    pipelines: tuple[Pipeline, ...] = (DEFAULT_PIPELINE,)
    stage_order: str = attrs.field(
        default="free", validator=attrs.validators.in_(("free", "as_defined"))
    )
    probability_editable: bool = False
    keep_manual_probability: bool = True
    reason_required_when_won: bool = False

    @cached_property
    def by_key(self) -> dict[str, Pipeline]:
        """Return the pipelines by their key."""
        return {pipeline.key: pipeline for pipeline in self.pipelines}

    @property
    def default(self) -> Pipeline:
        """Return the pipeline of opportunities that name none."""
        return self.pipelines[0]

    def pipeline(self, key: str | None) -> Pipeline | None:
        """Return a pipeline by its key, the default one for none."""
        return self.default if key is None else self.by_key.get(key)
