"""``session.reporting``: the figures that a session offers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from crmcore.criteria import Criteria, Everything, F, Group, count
from crmcore.errors import ValidationError
from crmcore.records import Money
from crmcore.reporting.funnel import Funnel, StageGroup, build_funnel
from crmcore.sales import Opportunity, Pipeline, SalesSettings
from crmcore.unit import UnitOfWork

__all__ = ["ReportingService"]

_SUBJECTS: dict[str | None, tuple[Any, ...]] = {
    None: (),
    "owner": (F.owner_id,),
    "manager": (F.owner.manager_id,),
}


class ReportingService:
    """What a session offers as ``session.reporting``."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def funnel(
        self,
        by: Literal["owner", "manager"] | None = None,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        pipeline: str | None = None,
    ) -> Funnel:
        """Return the sales funnel of the opportunities that the actor sees (REP-07).

        ``by`` splits it by the opportunities' ``owner`` or by the owner's direct
        superior (``manager``); ``criteria`` narrows it down; ``pipeline`` is a
        pipeline's key, the default one for none. One statement, whatever the number of
        opportunities; each row holds one currency.

        Raises ValidationError for an unknown split, pipeline or field.
        """
        if by not in _SUBJECTS:
            raise ValidationError.of("by", "not_an_option", value=str(by)[:60])
        chosen = self._pipeline(pipeline)
        entity = self._unit.schema.entity(Opportunity)
        worth = "amount" not in self._unit.rights(entity).sometimes_hidden
        groups = self._unit.aggregate(
            Opportunity,
            {"count": count(), **({"amount": F.amount.sum()} if worth else {})},
            (F.pipeline == chosen.key) & criteria,
            group_by=(
                F.stage,
                F.stage_category,
                F.last_open_stage,
                *_SUBJECTS[by],
                *((F.amount.currency,) if worth else ()),
            ),
        )
        counted = [_stage_group(group, by is not None) for group in groups]
        return build_funnel(chosen, counted, by=by, names=self._names(counted))

    def _pipeline(self, key: str | None) -> Pipeline:
        found = self._unit.settings(SalesSettings).pipeline(key)
        if found is None:
            raise ValidationError.of("pipeline", "not_an_option", value=str(key)[:60])
        return found

    def _names(self, groups: list[StageGroup]) -> dict[UUID | None, str]:
        users = self._unit.context.organisation.users
        names: dict[UUID | None, str] = {}
        for group in groups:
            user = users.get(group.subject) if group.subject else None
            if user is not None:
                names[group.subject] = user.name or user.username or ""
        return names


def _stage_group(group: Group, split: bool) -> StageGroup:
    stage, category, last_open_stage, *rest = group.keys.values()
    subject = rest[:1] if split else []
    # Amounts may be hidden from the actor: then nothing is told of any currency.
    currency = rest[-1] if len(rest) > len(subject) else None
    amount: Money | None = group.values.get("amount")
    return StageGroup(
        stage=stage or "",
        category=category or "open",
        last_open_stage=last_open_stage,
        subject=subject[0] if subject else None,
        currency=currency,
        count=group["count"],
        amount=Decimal(0) if amount is None else amount.amount,
    )
