"""The statements and steps that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.by_hand.rows import Conversion, Row, Stamp, dumps, link_changes

__all__ = ["LEAD_COLUMNS", "READ_COLUMNS", "insertion", "of_columns"]

#: The columns of a new lead, in the order in which they are written.
LEAD_COLUMNS = (
    "tenant id version owner_id created_at created_by updated_at updated_by last_name "
    "first_name company_name title phone email website lead_source industry "
    "annual_revenue number_of_employees rating description annual_revenue_currency "
    "mailing_address_city mailing_address_country record_type status do_not_call "
    "email_opt_out folded"
).split()
#: The columns that a ``Lead`` is made of.
READ_COLUMNS = (
    "id version owner_id created_at created_by updated_at updated_by deleted_at "
    "deleted_by last_name first_name english_name salutation number external_id "
    "record_type project_name company_name department title phone mobile fax phones "
    "email secondary_email emails website lead_source campaign industry annual_revenue "
    "annual_revenue_currency number_of_employees status rating mailing_address_street "
    "mailing_address_po_box mailing_address_postal_code mailing_address_city "
    "mailing_address_province mailing_address_country do_not_call email_opt_out "
    "latest_activity_at entry_way description converted_at converted_by "
    "converted_account_id converted_contact_id converted_opportunity_id "
    "invalid_at invalid_by archived_at archived_by"
).split()
#: What a conversion reads of its lead.
CONVERTED_COLUMNS = (
    "id version owner_id deleted_at last_name first_name company_name title phone email "
    "website lead_source industry annual_revenue annual_revenue_currency "
    "number_of_employees status rating mailing_address_city mailing_address_country "
    "do_not_call email_opt_out description"
).split()
ACCOUNT_COLUMNS = (
    "tenant id version owner_id created_at created_by updated_at updated_by name "
    "industry lead_source phone website annual_revenue annual_revenue_currency "
    "number_of_employees rating billing_address_city billing_address_country kind "
    "status do_not_disturb possible_duplicate original_lead_id folded"
).split()
CONTACT_COLUMNS = (
    "tenant id version owner_id created_at created_by updated_at updated_by last_name "
    "first_name title phone email website lead_source mailing_address_city "
    "mailing_address_country do_not_call email_opt_out do_not_disturb entry_way "
    "account_id original_lead_id folded"
).split()
OPPORTUNITY_COLUMNS = (
    "tenant id version owner_id created_at created_by updated_at updated_by name "
    "lead_source description account_id contact_id pipeline stage stage_category "
    "stage_changed_at last_open_stage probability probability_source "
    "forecast_category close_date committed original_lead_id folded"
).split()
KEY_COLUMNS = ("tenant", "entity", "key", "record_id")
HISTORY_COLUMNS = "tenant entity record_id version action at by changes".split()
OUTBOX_COLUMNS = (
    "tenant id kind entity record_id version at by payload leased_until".split()
)


def insertion(table: str, columns: Sequence[str], mark: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join([mark] * len(columns))})"


def of_columns(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """Return the values of a row in order, its folded texts as JSON."""
    values = [row[name] for name in columns]
    values[-1] = dumps(row["folded"])
    return tuple(values)


def key_rows(
    stamp: Stamp, entity: str, keys: Iterable[str], identity: Any
) -> list[tuple[Any, ...]]:
    # The order of the index, as an expert would.
    return [(stamp.tenant, entity, key, identity) for key in keys]


def history_row(
    stamp: Stamp,
    entity: str,
    identity: Any,
    version: int,
    action: str,
    changes: Sequence[Sequence[Any]] = (),
) -> tuple[Any, ...]:
    text = dumps(changes) if changes else "[]"
    return (
        stamp.tenant,
        entity,
        identity,
        version,
        action,
        stamp.at,
        stamp.actor,
        text,
    )


def event_row(
    stamp: Stamp,
    entity: str,
    identity: Any,
    version: int,
    action: str,
    changes: Sequence[Sequence[Any]] = (),
) -> tuple[Any, ...]:
    payload = dumps({"fields": [c[0] for c in changes]}) if changes else "{}"
    return (
        stamp.tenant,
        stamp.new(),
        f"{entity}.{action}",
        entity,
        identity,
        version,
        stamp.at,
        stamp.actor,
        payload,
        None,
    )


Noted = tuple[str, Any, int, str, Sequence[Sequence[Any]]]


def conversion_notes(
    lead: Row,
    made: Conversion,
    activities: Sequence[tuple[str, Any, int]],
    links: Sequence[Sequence[Any]],
) -> list[Noted]:
    """Return what a conversion notes in history and outbox, in order."""
    return [
        ("account", made.account["id"], 1, "created", ()),
        ("contact", made.contact["id"], 1, "created", ()),
        ("opportunity", made.opportunity["id"], 1, "created", ()),
        ("lead", lead["id"], lead["version"] + 1, "converted", made.changes),
        *[
            (entity, i, version + 1, "updated", links)
            for entity, i, version in activities
        ],
    ]


__all__ += ["conversion_notes", "event_row", "history_row", "key_rows", "link_changes"]
