"""Opportunities and the history of their stages (SAL-01, SAL-03)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from crmcore.parties.picklists import LEAD_SOURCE
from crmcore.records import (
    Money,
    Option,
    Picklist,
    Record,
    Reference,
    entity,
    fields,
)

__all__ = ["LOST_REASON", "Opportunity", "StageChange"]

LOST_REASON = Picklist(
    "lost_reason",
    (
        Option("price", "Price"),
        Option("competition", "Competition"),
        Option("budget", "No budget"),
        Option("missing_features", "Missing features"),
        Option("timing", "Timing"),
        Option("no_decision", "No decision"),
        Option("unresponsive", "No answer"),
        Option("poor_fit", "Poor fit"),
        Option("not_needed", "No need"),
        Option("other", "Other"),
    ),
)

STAGE_CATEGORY = Picklist(
    "stage_category",
    (
        Option("open", "Open", "open"),
        Option("won", "Won", "won"),
        Option("lost", "Lost", "lost"),
        Option("on_hold", "On hold", "on_hold"),
    ),
)

FORECAST_CATEGORY = Picklist(
    "forecast_category",
    (
        Option("pipeline", "Pipeline"),
        Option("best_case", "Best case"),
        Option("commit", "Commit"),
        Option("closed", "Closed"),
        Option("omitted", "Omitted"),
    ),
)

PROBABILITY_SOURCE = Picklist(
    "probability_source",
    (
        Option("stage", "Stage"),
        Option("manual", "By hand"),
        Option("model", "Model"),
    ),
)

AMOUNT_TYPE = Picklist(
    "amount_type",
    (
        Option("fixed", "Fixed"),
        Option("per_hour", "Per hour"),
        Option("per_day", "Per day"),
        Option("per_week", "Per week"),
        Option("per_month", "Per month"),
        Option("per_year", "Per year"),
    ),
)

ORIGIN = Picklist(
    "opportunity_origin",
    (
        Option("customer_request", "Customer request"),
        Option("sales_discovery", "Found by sales"),
    ),
)

_LISTS = (("stage_category", "close_date"),)


@entity("opportunity", plural="opportunities", indexes=_LISTS, state="stage_category")
class Opportunity(Record):
    """A possible sale. Its stage is moved by ``session.sales``, not by an edit."""

    name: str | None = fields.text(255, required=True)
    number: str | None = fields.text(40, copied=False)
    external_id: str | None = fields.text(80, unique=True, label="External id")
    account_id: UUID | None = fields.reference("account", belongs=True)
    contact_id: UUID | None = fields.reference("contact")
    contact_ids: tuple[UUID, ...] | None = fields.list_of(
        Reference(entity="contact"), label="Contacts"
    )
    pipeline: str | None = fields.text(60)
    stage: str | None = fields.text(60, indexed=True, copied=False)
    stage_category: str | None = fields.picklist(STAGE_CATEGORY, copied=False)
    stage_changed_at: dt.datetime | None = fields.datetime(copied=False)
    last_open_stage: str | None = fields.text(60, copied=False)
    probability: Decimal | None = fields.percent(copied=False)
    probability_source: str | None = fields.picklist(PROBABILITY_SOURCE, copied=False)
    forecast_category: str | None = fields.picklist(FORECAST_CATEGORY, copied=False)
    amount: Money | None = fields.money(minimum=Decimal(0))
    amount_type: str | None = fields.picklist(AMOUNT_TYPE)
    actual_cost: Money | None = fields.money(minimum=Decimal(0))
    close_date: dt.date | None = fields.date(indexed=True)
    closed_at: dt.datetime | None = fields.datetime(copied=False)
    lost_reason: str | None = fields.picklist(LOST_REASON, copied=False)
    won_reason: str | None = fields.text(255, copied=False)
    close_note: str | None = fields.long_text(copied=False)
    committed: bool | None = fields.boolean(default=False, copied=False)
    business_type: str | None = fields.text(80)
    lead_source: str | None = fields.picklist(LEAD_SOURCE)
    campaign: str | None = fields.text(120)
    origin: str | None = fields.picklist(ORIGIN)
    next_step: str | None = fields.text(255)
    product: str | None = fields.text(120)
    tag_ids: tuple[UUID, ...] | None = fields.tags("opportunity")
    project: str | None = fields.text(120)
    latest_activity_at: dt.datetime | None = fields.datetime(copied=False)
    original_lead_id: UUID | None = fields.reference("lead", copied=False)
    description: str | None = fields.long_text()

    @property
    def weighted_amount(self) -> Money | None:
        """Return the amount times the probability."""
        if self.amount is None or self.probability is None:
            return None
        return Money(self.amount.amount * self.probability / 100, self.amount.currency)


@entity("stage_change", plural="stage_changes", display=("to_stage",), managed=True)
class StageChange(Record):
    """One step of an opportunity from a stage to another (SAL-03)."""

    opportunity_id: UUID | None = fields.reference(
        "opportunity", required=True, belongs=True
    )
    pipeline: str | None = fields.text(60)
    from_stage: str | None = fields.text(60)
    to_stage: str | None = fields.text(60, required=True)
    to_category: str | None = fields.picklist(STAGE_CATEGORY)
    duration_seconds: int | None = fields.integer(
        minimum=0, label="Duration in seconds"
    )
    amount: Money | None = fields.money(shows="opportunity.amount")
    probability: Decimal | None = fields.percent(
        copied=False, shows="opportunity.probability"
    )
