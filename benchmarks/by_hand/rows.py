"""What is written: the values of each row, with ids and times as the driver takes them."""

from __future__ import annotations

import calendar
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.by_hand.rules import account_keys, folded, identity_key, person_keys

__all__ = ["Conversion", "Stamp", "conversion", "dumps", "new_lead", "quarter_end"]

dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Row = dict[str, Any]


@attrs.frozen
class Stamp:
    """Who writes when, in the driver's form; ``new`` makes an id in that form."""

    tenant: str
    actor: Any
    at: Any
    new: Callable[[], Any]

    def envelope(self, identity: Any, owner: Any) -> Row:
        """Return the columns that every new record has."""
        return {
            "tenant": self.tenant,
            "id": identity,
            "version": 1,
            "owner_id": owner,
            "created_at": self.at,
            "created_by": self.actor,
            "updated_at": self.at,
            "updated_by": self.actor,
        }


def new_lead(stamp: Stamp, lead: Mapping[str, Any]) -> Row:
    """Return the columns of a new lead; ``folded`` is a mapping still."""
    return {
        **stamp.envelope(stamp.new(), stamp.actor),
        **lead,
        "record_type": "lead",
        "status": "new",
        "do_not_call": False,
        "email_opt_out": False,
        "folded": folded(lead),
    }


def quarter_end(day: dt.date) -> dt.date:
    month = (day.month - 1) // 3 * 3 + 3
    return dt.date(day.year, month, calendar.monthrange(day.year, month)[1])


@attrs.frozen
class Conversion:
    """The rows of one conversion, with the match keys of the account and the contact."""

    account: Row
    contact: Row
    opportunity: Row
    claim: str
    account_keys: list[str]
    contact_keys: list[str]
    changes: list[list[Any]]


#: Columns of a lead that go into the account under another name.
_ACCOUNT = {
    "company_name": "name",
    "industry": "industry",
    "lead_source": "lead_source",
    "phone": "phone",
    "website": "website",
    "annual_revenue": "annual_revenue",
    "annual_revenue_currency": "annual_revenue_currency",
    "number_of_employees": "number_of_employees",
    "rating": "rating",
    "mailing_address_city": "billing_address_city",
    "mailing_address_country": "billing_address_country",
}
_CONTACT = (
    "last_name",
    "first_name",
    "title",
    "phone",
    "email",
    "website",
    "lead_source",
    "mailing_address_city",
    "mailing_address_country",
    "do_not_call",
    "email_opt_out",
)
_ACCOUNT_FOLDED = ("name", "phone", "website")
_CONTACT_FOLDED = ("last_name", "first_name", "title", "phone", "email", "website")
_OPPORTUNITY_FOLDED = ("name", "pipeline", "stage", "last_open_stage", "description")


def conversion(
    stamp: Stamp,
    lead: Mapping[str, Any],
    today: dt.date,
    text_of: Callable[[Any], str],
    at: str,
) -> Conversion:
    """Return what a lead becomes.

    ``text_of`` writes an id as text and ``at`` is the time as text, for the history.
    """
    owner, company = lead["owner_id"], lead["company_name"]
    account = {
        **stamp.envelope(stamp.new(), owner),
        **{target: lead[source] for source, target in _ACCOUNT.items()},
        "kind": "organisation",
        "status": "potential",
        "do_not_disturb": False,
        "possible_duplicate": False,
        "original_lead_id": lead["id"],
    }
    account["folded"] = folded(account, _ACCOUNT_FOLDED)
    contact = {
        **stamp.envelope(stamp.new(), owner),
        **{name: lead[name] for name in _CONTACT},
        "do_not_disturb": False,
        "entry_way": "conversion",
        "account_id": account["id"],
        "original_lead_id": lead["id"],
    }
    contact["folded"] = folded(contact, _CONTACT_FOLDED)
    opportunity = {
        **stamp.envelope(stamp.new(), owner),
        "name": company,
        "lead_source": lead["lead_source"],
        "description": lead["description"],
        "account_id": account["id"],
        "contact_id": contact["id"],
        "pipeline": "default",
        "stage": "prospecting",
        "stage_category": "open",
        "stage_changed_at": stamp.at,
        "last_open_stage": "prospecting",
        "probability": 1000,
        "probability_source": "stage",
        "forecast_category": "pipeline",
        "close_date": quarter_end(today),
        "committed": False,
        "original_lead_id": lead["id"],
    }
    opportunity["folded"] = folded(opportunity, _OPPORTUNITY_FOLDED)
    return Conversion(
        account=account,
        contact=contact,
        opportunity=opportunity,
        claim=identity_key(company),
        account_keys=account_keys(account),
        contact_keys=person_keys(contact, company),
        changes=[
            ["status", lead["status"], "converted"],
            ["converted_at", None, at],
            ["converted_by", None, text_of(stamp.actor)],
            ["converted_account_id", None, text_of(account["id"])],
            ["converted_contact_id", None, text_of(contact["id"])],
            ["converted_opportunity_id", None, text_of(opportunity["id"])],
        ],
    )


def new_link_keys(links: Sequence[str], opportunity: str) -> list[str]:
    """Return the match keys that a carried task or note gets; it keeps the lead's."""
    return [f"link:{link}" for link in (*links[:2], f"opportunity:{opportunity}")]


def link_changes(
    conversion: Conversion, lead_id: Any, text_of: Callable[[Any], str]
) -> tuple[list[str], list[list[Any]]]:
    """Return the links of a task or note of the lead afterwards, and its history."""
    lead, account, contact, opportunity = (
        text_of(identity)
        for identity in (
            lead_id,
            conversion.account["id"],
            conversion.contact["id"],
            conversion.opportunity["id"],
        )
    )
    links = [f"account:{account}", f"contact:{contact}", f"lead:{lead}"]
    main = [
        {"entity": "lead", "id": lead},
        {"entity": "opportunity", "id": opportunity},
    ]
    return links, [["related_to", *main], ["links", None, links]]
