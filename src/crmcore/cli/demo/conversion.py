"""Chapter: leads become accounts, contacts and opportunities; one is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import attrs

from crmcore.access import SYSTEM, User
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.funnel_table import rounded
from crmcore.criteria import Criteria, F
from crmcore.crm import CRM
from crmcore.errors import UniqueViolation
from crmcore.leads import LEAD_STATUS, ConversionResult, Create, Lead, Use
from crmcore.parties import Account, Contact
from crmcore.records import Money, full_name, identity_key
from crmcore.sales import Opportunity
from crmcore.session import Session

__all__ = ["convert_some", "open_leads"]

#: Companies whose leads each salesperson converts.
_EACH = 12
#: Conversions that are shown.
_SHOWN = 6
_CURRENCY = "CNY"
_WAY_OUT = """plan = session.leads.plan_conversion(lead, account=Use(existing_id))
done = session.leads.convert(plan)"""


@attrs.define
class _Tally:
    done: list[ConversionResult] = attrs.field(factory=list)
    left: int = 0


def open_leads() -> Criteria:
    """Return the condition of leads that are being worked on, told by category."""
    keys = (*LEAD_STATUS.keys_of("open"), *LEAD_STATUS.keys_of("working"))
    return F.status.in_(keys)


def convert_some(
    crm: CRM, owners: Sequence[User], random: Random, tell: Narrator
) -> dict[str, Any]:
    """Have each owner convert some leads; show one whose account exists."""
    tell.chapter("Leads become customers")
    tally = _Tally()
    for owner in owners:
        with crm.session(owner) as session:
            for lead in _chosen(session, random):
                _convert(session, lead, random, tally)
    _show(tally, len(owners), tell)
    refused = _refusal(crm, owners, tell)
    return {**_counted(crm), "left_for_a_person": tally.left, "refused": refused}


def _chosen(session: Session, random: Random) -> Iterator[Lead]:
    """Yield one lead for each of some companies; those with two leads come first."""
    companies: dict[str, list[Lead]] = {}
    for lead in _own_leads(session):
        companies.setdefault(identity_key(lead.company_name or ""), []).append(lead)
    several = [leads for leads in companies.values() if len(leads) > 1][:1]
    others = [leads for leads in companies.values() if leads not in several]
    wanted = min(_EACH - len(several), len(others))
    for leads in (*several, *random.sample(others, wanted)):
        yield leads[0]


def _own_leads(session: Session) -> Sequence[Lead]:
    """Return the actor's own open leads of companies, ordered by what they say."""
    wanted = (
        open_leads() & F.company_name.is_null(False) & (F.owner_id == session.actor.id)
    )
    order = [F.company_name, F.last_name, F.first_name, F.email, F.phone]
    return session.find(Lead, wanted, order_by=order, limit=500).items


def _convert(session: Session, lead: Lead, random: Random, tally: _Tally) -> None:
    amount = Money(random.randrange(20, 900) * 1000, _CURRENCY)
    plan = session.leads.plan_conversion(lead, opportunity=Create({"amount": amount}))
    if plan.obstacles:
        tally.left += 1
    else:
        tally.done.append(session.leads.convert(plan))


def _show(tally: _Tally, owners: int, tell: Narrator) -> None:
    tell.say(
        f"{owners} salespeople convert {len(tally.done)} leads. Each conversion is a "
        "plan first, and then one unit of work:"
    )
    columns = ("lead", "account", "contact", ("opportunity", "right"))
    tell.table(columns, [_line(done) for done in tally.done[:_SHOWN]])
    if tally.left:
        tell.say(
            f"{tally.left} more stay leads: their plans met look-alikes or an account "
            "of that name, which a person has to look at."
        )


def _line(done: ConversionResult) -> tuple[str, ...]:
    account = done.account.name if done.account else None
    deal = done.opportunity.amount if done.opportunity else None
    money = f"{rounded(deal)} {deal.currency}" if deal else ""
    return _name(done.lead), account or "", _name(done.contact), money


def _name(person: Lead | Contact | None) -> str:
    if person is None:
        return ""
    return full_name(person.last_name or "", person.first_name or "")


def _refusal(crm: CRM, owners: Sequence[User], tell: Narrator) -> dict[str, Any] | None:
    """Convert a lead of a company that is an account already; show the way out."""
    found = _blocked(crm, owners)
    if found is None:
        return None
    owner, lead = found
    tell.say(
        f"{owner.name} also converts {_name(lead)}. As a whole, this is refused, since "
        f"there is an account {lead.company_name} by now:"
    )
    try:
        with crm.session(owner) as session:
            session.leads.convert(lead)
    except UniqueViolation as error:
        tell.refusal(error)
        return _way_out(crm, owner, lead, error, tell)
    return None


def _way_out(
    crm: CRM, owner: User, lead: Lead, error: UniqueViolation, tell: Narrator
) -> dict[str, Any]:
    existing = error.details["existing_id"]
    tell.say("The error carries the account, so the next plan can use it:")
    tell.code(_WAY_OUT)
    with crm.session(owner) as session:
        plan = session.leads.plan_conversion(lead, account=Use(existing))
        done = session.leads.convert(plan)
        people = session.count(Contact, F.account_id == existing)
    account = done.account.name if done.account else ""
    tell.say(f"{account} has {people} contacts now; no second account was made.")
    return {
        "lead": _name(lead),
        "code": error.code,
        "message": error.message("en"),
        "account": account,
        "contacts_of_account": people,
    }


def _blocked(crm: CRM, owners: Sequence[User]) -> tuple[User, Lead] | None:
    """Return a lead whose only obstacle is that its company is an account already."""
    for owner in owners:
        with crm.session(owner) as session:
            accounts = {
                identity_key(account.name or ""): account
                for account in session.stream(Account, F.owner_id == owner.id)
            }
            for lead in _own_leads(session):
                account = accounts.get(identity_key(lead.company_name or ""))
                if account is None:
                    continue
                plan = session.leads.plan_conversion(lead, account=Use(account.id))
                if not plan.obstacles:
                    return owner, lead
    return None


def _counted(crm: CRM) -> dict[str, int]:
    with crm.session(SYSTEM) as session:
        done = F.status.in_(LEAD_STATUS.keys_of("converted"))
        return {
            "converted": session.count(Lead, done),
            "accounts": session.count(Account),
            "contacts": session.count(Contact),
            "opportunities": session.count(Opportunity),
        }
