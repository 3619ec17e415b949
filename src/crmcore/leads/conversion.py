"""Lead conversion as a plan: what will be made, used, linked, and what is in the way.

Pure: takes the lead and what was loaded, returns a value; nothing is read or written.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

import attrs
from attrs.validators import in_

from crmcore.leads.entities import Lead
from crmcore.matching import Match
from crmcore.parties import Account, Contact
from crmcore.records import Record, Schema, full_name
from crmcore.sales import Opportunity

__all__ = [
    "Choice",
    "ConversionPlan",
    "ConversionResult",
    "ConversionSettings",
    "Create",
    "Obstacle",
    "Skip",
    "TargetPlan",
    "Use",
    "fill_empty",
    "plan_target",
]


@attrs.frozen
class Create:
    """Make a new record; ``values`` go before what the lead gives."""

    values: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Use:
    """Use an existing record; only its empty fields are filled."""

    id: UUID


@attrs.frozen
class Skip:
    """Leave this record out."""


Choice = Create | Use | Skip

#: Lead field -> account field.
ACCOUNT_FIELDS = {
    "company_name": "name",
    "industry": "industry",
    "lead_source": "lead_source",
    "phone": "phone",
    "fax": "fax",
    "website": "website",
    "annual_revenue": "annual_revenue",
    "number_of_employees": "number_of_employees",
    "rating": "rating",
    "mailing_address": "billing_address",
}

#: Lead field -> contact field.
CONTACT_FIELDS = {
    name: name
    for name in (
        "last_name",
        "first_name",
        "english_name",
        "salutation",
        "department",
        "title",
        "phone",
        "mobile",
        "fax",
        "phones",
        "email",
        "secondary_email",
        "emails",
        "website",
        "lead_source",
        "mailing_address",
        "do_not_call",
        "email_opt_out",
    )
}

#: Lead field -> opportunity field.
OPPORTUNITY_FIELDS = {
    "lead_source": "lead_source",
    "campaign": "campaign",
    "description": "description",
    "project_name": "project",
}

#: Flags that may become stricter by a conversion, never laxer.
CONSENT_FIELDS = frozenset({"do_not_call", "email_opt_out", "do_not_disturb"})


@attrs.frozen
class ConversionSettings:
    """How leads are converted.

    ``existing_account``: ``fail`` or ``reuse`` when an account of the name exists.
    ``on_duplicate``: ``stop``, ``use_best`` or ``create_anyway`` when look-alikes exist.
    ``activities``: ``link_all``, ``move`` or ``leave`` tasks and notes.
    ``owner``: ``lead_owner`` or ``actor`` owns what is made.
    ``convert_from``: the status keys that may be converted, none for all.
    ``opportunity_name``: with ``{company}`` and ``{name}`` of the lead.
    ``contacts``: ``none`` or ``link`` the lead's other contacts to the account.
    ``field_map``: per target entity further lead fields and where they go.
    """

    existing_account: str = attrs.field(
        default="fail", validator=in_(("fail", "reuse"))
    )
    on_duplicate: str = attrs.field(
        default="stop", validator=in_(("stop", "use_best", "create_anyway"))
    )
    activities: str = attrs.field(
        default="link_all", validator=in_(("link_all", "move", "leave"))
    )
    owner: str = attrs.field(
        default="lead_owner", validator=in_(("lead_owner", "actor"))
    )
    convert_from: frozenset[str] | None = None
    opportunity_name: str = "{company}"
    contacts: str = attrs.field(default="none", validator=in_(("none", "link")))
    link_contact_to_account: bool = False
    field_map: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)


@attrs.frozen
class TargetPlan:
    """What happens with one of the three records: create, use or skip, and why."""

    action: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    id: UUID | None = None
    version: int | None = None
    reason: str = ""


@attrs.frozen
class Obstacle:
    """Why a plan cannot be applied: ``kind`` is ``account_exists`` or ``duplicate``."""

    kind: str
    entity: str
    matches: tuple[Match, ...] = ()
    existing_id: UUID | None = None


@attrs.frozen
class ConversionPlan:
    """What a conversion will do; a value to show, store, test and apply.

    A plan with ``obstacles`` is refused by ``convert``; plan again with ``Use(id)``,
    ``Skip()`` or other settings.
    """

    lead_id: UUID
    lead_version: int
    owner_id: UUID | None
    account: TargetPlan
    contact: TargetPlan
    opportunity: TargetPlan
    settings: ConversionSettings
    activities: int = 0
    obstacles: tuple[Obstacle, ...] = ()


@attrs.frozen
class ConversionResult:
    """What a conversion made or used; none for what was skipped."""

    lead: Lead
    account: Account | None
    contact: Contact | None
    opportunity: Opportunity | None


def plan_target(
    schema: Schema,
    lead: Lead,
    entity: str,
    choice: Choice,
    existing: Record | None,
    settings: ConversionSettings,
    today: date,
    closed: Collection[str] = (),
) -> TargetPlan:
    """Return what happens with one target record.

    Of the lead nothing goes into fields that are ``closed`` to the actor.
    """
    if isinstance(choice, Skip):
        return TargetPlan("skip", reason="left out")
    given = {
        name: value
        for name, value in lead_values(schema, lead, entity, settings, today).items()
        if name not in closed or name in LINKING_FIELDS
    }
    if isinstance(choice, Use):
        assert existing is not None
        return TargetPlan(
            "use",
            values=fill_empty(existing, given),
            id=existing.id,
            version=existing.version,
            reason="chosen",
        )
    values = {**given, **choice.values}
    if entity == "account" and not values.get("name"):
        return TargetPlan("skip", reason="the lead has no company")
    return TargetPlan("create", values=values, reason="new")


def lead_values(
    schema: Schema,
    lead: Lead,
    entity: str,
    settings: ConversionSettings,
    today: date,
) -> dict[str, Any]:
    """Return what the lead gives to a target record, empty fields left out."""
    mapping = {
        **_same_added_fields(schema, entity),
        **_FIELDS[entity],
        **settings.field_map.get(entity, {}),
    }
    values = {target: lead[source] for source, target in mapping.items()}
    values["original_lead_id"] = lead.id
    if entity == "opportunity":
        values["name"] = opportunity_name(lead, settings)
        values["close_date"] = quarter_end(today)
    elif entity == "contact":
        values["entry_way"] = "conversion"
    return {name: value for name, value in values.items() if value is not None}


#: What a conversion fills by itself, whatever the actor's rights.
LINKING_FIELDS = ("original_lead_id", "entry_way")

_FIELDS: Mapping[str, Mapping[str, str]] = {
    "account": ACCOUNT_FIELDS,
    "contact": CONTACT_FIELDS,
    "opportunity": OPPORTUNITY_FIELDS,
}


@lru_cache(maxsize=200)
def _same_added_fields(schema: Schema, entity: str) -> Mapping[str, str]:
    """Return the added fields that lead and target share by name and type.

    Custom ones, and those of the host's extensions.
    """
    lead, target = schema.entity("lead"), schema.entity(entity)
    return {
        field.name: field.name
        for field in lead.fields.values()
        if lead.adds(field)
        and field.name in target.fields
        and target.adds(target.fields[field.name])
        and target.fields[field.name].type == field.type
    }


def opportunity_name(lead: Lead, settings: ConversionSettings) -> str:
    """Return the opportunity's name by the settings' template."""
    person = full_name(lead.last_name or "", lead.first_name or "").strip()
    company = lead.company_name or person
    name = settings.opportunity_name.format(company=company, name=person)
    return name[:255]


def quarter_end(day: date) -> date:
    """Return the last day of the quarter, the close date where none is given."""
    month = (day.month - 1) // 3 * 3 + 3
    return date(day.year, month, calendar.monthrange(day.year, month)[1])


def fill_empty(record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what fills empty fields of ``record``; consent only becomes stricter."""
    values = {}
    for name, value in given.items():
        if name in ("entry_way", "original_lead_id"):
            continue
        present = record[name]
        if name in CONSENT_FIELDS:
            if value is True and present is not True:
                values[name] = True
        elif present is None:
            values[name] = value
    return values
