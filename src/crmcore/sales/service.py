"""``session.sales``: moving, winning, losing and reopening opportunities."""

from __future__ import annotations

from typing import Any

from crmcore.criteria import F
from crmcore.errors import TransitionRefused
from crmcore.sales.entities import Opportunity, StageChange
from crmcore.sales.pipelines import Pipeline, SalesSettings
from crmcore.sales.stages import CLOSED, enter_stage
from crmcore.unit import UnitOfWork

__all__ = ["SalesService"]


class SalesService:
    """What a session offers as ``session.sales``."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    @property
    def settings(self) -> SalesSettings:
        """Return how this business sells."""
        return self._unit.settings(SalesSettings)

    def pipeline_of(self, opportunity: Opportunity) -> Pipeline:
        """Return the pipeline that an opportunity is in."""
        settings = self.settings
        return settings.pipeline(opportunity.pipeline) or settings.default

    def move(self, opportunity: Opportunity, stage: str, **values: Any) -> Opportunity:
        """Move an opportunity to another stage and log the step (SAL-03).

        ``stage`` is a stage's key; ``values`` are set with the step, such as
        ``lost_reason``. Sets probability and forecast category of the stage. A closed
        opportunity leaves its stage by :meth:`reopen` only (SAL-04).

        Raises TransitionRefused naming the guard or the missing fields, ValidationError,
        StaleRecord, NotFound, AccessDenied.
        """
        return self._unit.perform(
            "sales.move",
            [opportunity, stage, values],
            lambda: self._move(opportunity, stage, values),
        )

    def _move(
        self, opportunity: Opportunity, stage: str, values: dict[str, Any]
    ) -> Opportunity:
        (current,) = self._unit.load_current([opportunity])
        assert isinstance(current, Opportunity)
        return self._enter(current, stage, values)

    def _enter(
        self,
        current: Opportunity,
        stage: str,
        values: dict[str, Any],
        *,
        reopening: bool = False,
    ) -> Opportunity:
        unit = self._unit
        changed = enter_stage(
            current,
            stage,
            self.settings,
            unit.context.now,
            values,
            reopening=reopening,
        )
        derived = changed.keys() - values.keys() - {"stage"}
        draft = unit.update_draft(current, changed, derived=derived)
        draft.privileged = True
        changes = unit.changes()
        (moved,) = unit.plan_updates([draft], changes)
        assert isinstance(moved, Opportunity)
        step = unit.drafts_of_new([(self._step(current, moved), {})], managed=True)
        unit.plan_creation(step, changes)
        unit.apply(changes)
        stored = changes.stored(moved)
        assert isinstance(stored, Opportunity)
        return stored

    def _step(self, before: Opportunity, after: Opportunity) -> StageChange:
        since = before.stage_changed_at or before.created_at
        assert since is not None
        seconds = int((self._unit.context.now - since).total_seconds())
        return StageChange(
            opportunity_id=after.id,
            owner_id=after.owner_id,
            pipeline=after.pipeline,
            from_stage=before.stage,
            to_stage=after.stage,
            to_category=after.stage_category,
            duration_seconds=max(seconds, 0),
            amount=after.amount,
            probability=after.probability,
        )

    def win(
        self,
        opportunity: Opportunity,
        reason: str | None = None,
        note: str | None = None,
    ) -> Opportunity:
        """Close an opportunity as won: probability 100, time of closing (SAL-04)."""
        stage = self.pipeline_of(opportunity).first_of("won").key
        return self.move(opportunity, stage, won_reason=reason, close_note=note)

    def lose(
        self, opportunity: Opportunity, reason: str, note: str | None = None
    ) -> Opportunity:
        """Close an opportunity as lost, for a reason of the picklist (SAL-04).

        Raises ValidationError for an unknown reason, TransitionRefused for none.
        """
        stage = self.pipeline_of(opportunity).first_of("lost").key
        return self.move(opportunity, stage, lost_reason=reason, close_note=note)

    def reopen(self, opportunity: Opportunity) -> Opportunity:
        """Open a closed opportunity again in its last open stage (SAL-04).

        Reason and time of closing are cleared; the history keeps them.
        """
        return self._unit.perform(
            "sales.reopen", [opportunity], lambda: self._reopen(opportunity)
        )

    def _reopen(self, opportunity: Opportunity) -> Opportunity:
        (current,) = self._unit.load_current([opportunity])
        assert isinstance(current, Opportunity)
        pipeline = self.pipeline_of(current)
        last = current.last_open_stage
        stage = last if last in pipeline.by_key else pipeline.first_of("open").key
        if current.stage_category not in CLOSED:
            raise TransitionRefused(
                source=current.stage, target=stage, reason="not_closed"
            )
        return self._enter(current, stage or "", {"close_note": None}, reopening=True)

    def stage_history(self, opportunity: Opportunity) -> tuple[StageChange, ...]:
        """Return the steps of an opportunity, oldest first (SAL-03)."""
        self._unit.get(Opportunity, opportunity.id)
        return self._unit.all_of(StageChange, F.opportunity_id == opportunity.id)
