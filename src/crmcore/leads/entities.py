"""Leads: somebody who may become a customer (LEAD-01)."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from crmcore.parties import picklists
from crmcore.records import (
    Address,
    ContactPoint,
    Email,
    Money,
    Option,
    Phone,
    Picklist,
    Record,
    entity,
    fields,
)

__all__ = ["LEAD_STATUS", "Lead"]

LEAD_STATUS = Picklist(
    "lead_status",
    (
        Option("new", "New", "open"),
        Option("assigned", "Assigned", "open"),
        Option("in_process", "In process", "working"),
        Option("nurturing", "Nurturing", "on_hold"),
        Option("converted", "Converted", "converted"),
        Option("recycled", "Recycled", "on_hold"),
        Option("dead", "Dead", "disqualified"),
    ),
)

LEAD_TYPE = Picklist(
    "lead_type",
    (Option("lead", "Lead"), Option("project_lead", "Project lead")),
)

_LISTS = (("status", "created_at"),)


@entity(
    "lead",
    plural="leads",
    display=("first_name", "last_name"),
    indexes=_LISTS,
    state="status",
)
class Lead(Record):
    """Somebody who may become a customer; converted once, read-only from then on."""

    last_name: str | None = fields.text(80, required=True)
    first_name: str | None = fields.text(80)
    english_name: str | None = fields.text(120)
    salutation: str | None = fields.picklist(picklists.SALUTATION)
    number: str | None = fields.text(40, copied=False)
    external_id: str | None = fields.text(80, unique=True, label="External id")
    record_type: str | None = fields.picklist(LEAD_TYPE, default="lead")
    project_name: str | None = fields.text(255)
    company_name: str | None = fields.text(255)
    department: str | None = fields.text(80)
    title: str | None = fields.text(120)
    phone: str | None = fields.phone()
    mobile: str | None = fields.phone()
    fax: str | None = fields.phone()
    phones: tuple[ContactPoint, ...] | None = fields.contact_points(Phone())
    email: str | None = fields.email()
    secondary_email: str | None = fields.email()
    emails: tuple[ContactPoint, ...] | None = fields.contact_points(Email())
    website: str | None = fields.url()
    lead_source: str | None = fields.picklist(picklists.LEAD_SOURCE)
    campaign: str | None = fields.text(120)
    industry: str | None = fields.picklist(picklists.INDUSTRY)
    annual_revenue: Money | None = fields.money()
    number_of_employees: int | None = fields.integer(minimum=0)
    status: str | None = fields.picklist(
        LEAD_STATUS, default="new", required=True, copied=False
    )
    rating: str | None = fields.picklist(picklists.RATING)
    mailing_address: Address | None = fields.address()
    do_not_call: bool | None = fields.boolean(default=False)
    email_opt_out: bool | None = fields.boolean(default=False, label="E-mail opt-out")
    latest_activity_at: dt.datetime | None = fields.datetime(copied=False)
    entry_way: str | None = fields.picklist(picklists.ENTRY_WAY)
    tag_ids: tuple[UUID, ...] | None = fields.tags("lead")
    description: str | None = fields.long_text()
    converted_at: dt.datetime | None = fields.datetime(copied=False)
    converted_by: UUID | None = fields.reference("user", indexed=False, copied=False)
    converted_account_id: UUID | None = fields.reference("account", copied=False)
    converted_contact_id: UUID | None = fields.reference("contact", copied=False)
    converted_opportunity_id: UUID | None = fields.reference(
        "opportunity", copied=False
    )

    @property
    def is_converted(self) -> bool:
        """Tell whether the lead was converted."""
        return LEAD_STATUS.category(self.status) == "converted"
