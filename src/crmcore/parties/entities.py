"""Accounts and contacts: who business is done with (PTY-01 to PTY-05)."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from crmcore.parties import picklists
from crmcore.records import (
    Address,
    ContactPoint,
    Email,
    FormerNames,
    Money,
    Phone,
    Record,
    Text,
    entity,
    fields,
)

__all__ = ["Account", "Contact"]


@entity("account", plural="accounts", indexes=(("name",),))
class Account(Record):
    """A customer, organisation or person: the anchor of everything else (PTY-01).

    A name can be taken only once. ``kind`` decides what is required (PTY-02).
    """

    name: str | None = fields.text(255, required=True, unique=True)
    name_note: str | None = fields.text(100)
    former_names: tuple[ContactPoint, ...] | None = fields.of_type(FormerNames())
    english_name: str | None = fields.text(255)
    kind: str | None = fields.picklist(picklists.PARTY_KIND, default="organisation")
    attribute: str | None = fields.picklist(picklists.CUSTOMER_ATTRIBUTE)
    sub_category: str | None = fields.text(80)
    last_name: str | None = fields.text(80)
    first_name: str | None = fields.text(80)
    number: str | None = fields.text(40, copied=False)
    code: str | None = fields.text(40, unique=True)
    external_id: str | None = fields.text(80, unique=True, label="External id")
    type: str | None = fields.picklist(picklists.ACCOUNT_TYPE)
    status: str | None = fields.picklist(
        picklists.ACCOUNT_STATUS, default="potential", indexed=True
    )
    level: str | None = fields.picklist(picklists.ACCOUNT_LEVEL)
    rating: str | None = fields.picklist(picklists.RATING)
    industry: str | None = fields.picklist(picklists.INDUSTRY, indexed=True)
    lead_source: str | None = fields.picklist(picklists.LEAD_SOURCE)
    intent: str | None = fields.text(255)
    needs: str | None = fields.long_text()
    business_type: str | None = fields.text(80)
    parent_id: UUID | None = fields.reference("account", acyclic=True)
    region: str | None = fields.text(80)
    phone: str | None = fields.phone()
    mobile: str | None = fields.phone()
    fax: str | None = fields.phone()
    phones: tuple[ContactPoint, ...] | None = fields.contact_points(Phone())
    email: str | None = fields.email()
    emails: tuple[ContactPoint, ...] | None = fields.contact_points(Email())
    website: str | None = fields.url()
    websites: tuple[str, ...] | None = fields.list_of(Text(maximum=500))
    billing_address: Address | None = fields.address()
    delivery_address: Address | None = fields.address()
    number_of_employees: int | None = fields.integer(minimum=0)
    annual_revenue: Money | None = fields.money()
    ownership: str | None = fields.text(40)
    unit_category: str | None = fields.text(80)
    market_class: str | None = fields.text(80)
    market_subclass: str | None = fields.text(80)
    do_not_disturb: bool | None = fields.boolean(default=False)
    possible_duplicate: bool | None = fields.boolean(default=False)
    latest_activity_at: dt.datetime | None = fields.datetime(copied=False)
    entry_way: str | None = fields.picklist(picklists.ENTRY_WAY)
    tag_ids: tuple[UUID, ...] | None = fields.tags("account")
    original_lead_id: UUID | None = fields.reference("lead", copied=False)
    description: str | None = fields.long_text()


@entity("contact", plural="contacts", display=("first_name", "last_name"))
class Contact(Record):
    """A person, who belongs to at most one account (PTY-04)."""

    last_name: str | None = fields.text(80, required=True)
    first_name: str | None = fields.text(80)
    english_name: str | None = fields.text(120)
    salutation: str | None = fields.picklist(picklists.SALUTATION)
    number: str | None = fields.text(40, copied=False)
    external_id: str | None = fields.text(80, unique=True, label="External id")
    account_id: UUID | None = fields.reference("account", belongs=True)
    lead_id: UUID | None = fields.reference("lead", belongs=True)
    reports_to_id: UUID | None = fields.reference("contact", acyclic=True)
    department: str | None = fields.text(80)
    title: str | None = fields.text(120)
    role: str | None = fields.picklist(picklists.CONTACT_ROLE)
    phone: str | None = fields.phone()
    mobile: str | None = fields.phone()
    home_phone: str | None = fields.phone()
    other_phone: str | None = fields.phone()
    fax: str | None = fields.phone()
    phones: tuple[ContactPoint, ...] | None = fields.contact_points(Phone())
    email: str | None = fields.email()
    secondary_email: str | None = fields.email()
    emails: tuple[ContactPoint, ...] | None = fields.contact_points(Email())
    website: str | None = fields.url()
    gender: str | None = fields.picklist(picklists.GENDER, sensitive=True)
    birthday: dt.date | None = fields.date(sensitive=True)
    mailing_address: Address | None = fields.address()
    other_address: Address | None = fields.address()
    lead_source: str | None = fields.picklist(picklists.LEAD_SOURCE)
    entry_way: str | None = fields.picklist(picklists.ENTRY_WAY)
    do_not_disturb: bool | None = fields.boolean(default=False)
    do_not_call: bool | None = fields.boolean(default=False)
    email_opt_out: bool | None = fields.boolean(default=False, label="E-mail opt-out")
    latest_activity_at: dt.datetime | None = fields.datetime(copied=False)
    tag_ids: tuple[UUID, ...] | None = fields.tags("contact")
    original_lead_id: UUID | None = fields.reference("lead", copied=False)
    description: str | None = fields.long_text()
