"""Real exports, imported completely; what is stored equals what the files say.

Two things of the files are decisions, not accidents:

- The accounts of the Salesforce export hold each name twice. Names are unique by
  default, so this set-up says ``account.name`` is not.
- An import moves no lead to "converted": only a conversion does. The export holds no
  converted lead; a status that the default list does not know is translated.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    F,
    Lead,
    Opportunity,
    Pipeline,
    SalesSettings,
    Stage,
    User,
    count,
)
from crmcore.exchange import ColumnMapping, run_import
from crmcore.records import DateOnly, Integer, fields
from crmcore.sales import SALESFORCE_PIPELINE

pytestmark = [
    pytest.mark.capability("IMP-01", "IMP-02", "IMP-03"),
    pytest.mark.timeout(600),
]


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def load(crm, path, kind, **options):
    options.setdefault("duplicates", "off")
    with crm.session(SYSTEM) as s:
        plan = s.exchange.plan_import(path, kind, **options)
    return run_import(crm, SYSTEM, plan)


def stored(crm, kind):
    with crm.session(SYSTEM) as s:
        return list(s.stream(kind))


# -- Salesforce ------------------------------------------------------------------------

SOURCES = {
    "Webinar": "seminar",
    "Google AdWords": "advertisement",
    "Customer Event": "trade_show",
}


@pytest.fixture
def salesforce(store, tenant, shared_data):
    """A CRM with the four files of the export in it, and the files' folder."""
    folder = shared_data / "salesforce-sample"
    crm = CRM(
        store,
        settings=[SalesSettings(pipelines=(SALESFORCE_PIPELINE,))],
        rules={"account.name": {"unique": False}},
    ).tenant(tenant)
    owners = sorted({row["OwnerId"] for row in rows_of(folder / "Account.csv")})
    with crm.session(SYSTEM) as s:
        for number, owner in enumerate(owners):
            s.create(User(username=f"user{number}", external_id=owner, profile="sales"))
    reports = {
        "Account": load(
            crm,
            folder / "Account.csv",
            Account,
            mapping={
                "Type": ColumnMapping(
                    "type", values={"Installation Partner": "channel_partner"}
                ),
                "Industry": ColumnMapping("industry", values={"Utility": "utilities"}),
            },
        ),
        "Contact": load(crm, folder / "Contact.csv", Contact),
        "Lead": load(
            crm,
            folder / "Lead.csv",
            Lead,
            mapping={
                "Status": ColumnMapping(
                    "status", values={"Working": "in_process", "Unqualified": "dead"}
                ),
                "LeadType__c": None,
            },
        ),
        "Opportunity": load(
            crm,
            folder / "Opportunity.csv",
            Opportunity,
            mapping={
                "StageName": ColumnMapping("stage", values={"Proposal": "price_quote"}),
                "LeadSource": ColumnMapping("lead_source", values=SOURCES),
                "Type": "business_type",
            },
        ),
    }
    for name, report in reports.items():
        assert (report.issues, report.counts.failed) == ((), 0), name
    return crm, folder


def test_every_row_of_the_salesforce_export_is_there_once(salesforce):
    """All 18-character ids come in, each as the external id of one record."""
    crm, folder = salesforce
    for kind in (Account, Contact, Lead, Opportunity):
        rows = rows_of(folder / f"{kind.__name__}.csv")
        assert Counter(r.external_id for r in stored(crm, kind)) == Counter(
            row["Id"] for row in rows
        )


def test_references_of_the_salesforce_export_lead_to_the_same_records(salesforce):
    """Accounts and owners are found by their ids in the export."""
    crm, folder = salesforce
    accounts = {a.id: a.external_id for a in stored(crm, Account)}
    owners = {u.id: u.external_id for u in stored(crm, User)}
    for kind in (Contact, Opportunity):
        found = {
            r.external_id: (accounts.get(r.account_id, ""), owners[r.owner_id])
            for r in stored(crm, kind)
        }
        assert found == {
            row["Id"]: (row["AccountId"], row["OwnerId"])
            for row in rows_of(folder / f"{kind.__name__}.csv")
        }


def test_words_of_the_salesforce_export_are_kept(salesforce):
    """Names, addresses of mail and multi-line texts are what the file holds."""
    crm, folder = salesforce
    leads = {lead.external_id: lead for lead in stored(crm, Lead)}
    for row in rows_of(folder / "Lead.csv"):
        lead = leads[row["Id"]]
        assert lead.last_name == row["LastName"].strip()
        assert (lead.company_name or "") == row["Company"].strip()
        assert (lead.email or "").lower() == row["Email"].strip().lower()
        assert (lead.description or "") == row["Description"].strip()
    statuses = {"New": "new", "Working": "in_process", "Nurturing": "nurturing"}
    assert Counter(lead.status for lead in leads.values()) == Counter(
        statuses.get(row["Status"], "dead") for row in rows_of(folder / "Lead.csv")
    )


def test_amounts_of_the_salesforce_export_add_up(salesforce):
    """Sums by stage equal those computed from the file."""
    crm, folder = salesforce
    expected: defaultdict[str, Decimal] = defaultdict(Decimal)
    numbers: Counter[str] = Counter()
    for row in rows_of(folder / "Opportunity.csv"):
        expected[row["StageName"]] += Decimal(row["Amount"] or 0)
        numbers[row["StageName"]] += 1
    keys = {
        "Closed Won": "closed_won",
        "Negotiation": "negotiation",
        "Needs Analysis": "needs_analysis",
        "Qualification": "qualification",
        "Proposal": "price_quote",
    }
    with crm.session(SYSTEM) as s:
        groups = s.aggregate(
            Opportunity,
            {"number": count(), "amount": F.amount.sum()},
            group_by=[F.stage],
        )
    found = {g["stage"]: (g["number"], g["amount"].amount) for g in groups}
    assert found == {keys[n]: (numbers[n], expected[n]) for n in expected}


@pytest.mark.capability("DUP-05")
def test_importing_the_salesforce_export_again_doubles_nothing(salesforce):
    """A second import recognises every row by its id."""
    crm, folder = salesforce
    report = load(crm, folder / "Contact.csv", Contact, duplicates="skip")
    assert report.created == 0
    assert report.counts.skipped == len(rows_of(folder / "Contact.csv"))
    report = load(crm, folder / "Contact.csv", Contact, mode="upsert")
    assert report.counts.unchanged == report.counts.rows


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_names_that_occur_twice_are_refused_by_default(store, tenant, shared_data):
    """With unique account names, the second of each pair is reported (DUP-01)."""
    path = shared_data / "salesforce-sample" / "Account.csv"
    crm = CRM(store).tenant(tenant)
    mapping = {"Type": None, "Industry": None, "OwnerId": None}
    report = load(crm, path, Account, mapping=mapping)
    names = {row["Name"].casefold() for row in rows_of(path)}
    assert report.created == len(names)
    assert Counter(i.reason for i in report.issues) == {
        "unique": len(rows_of(path)) - len(names)
    }


# -- Maven -----------------------------------------------------------------------------

MAVEN = Pipeline(
    "maven",
    "Maven",
    (
        Stage("prospecting", "Prospecting", 10),
        Stage("engaging", "Engaging", 40),
        Stage("won", "Won", 100, "won", "closed"),
        Stage("lost", "Lost", 0, "lost", "omitted"),
    ),
)


@pytest.fixture
def maven(store, tenant, shared_data):
    """A CRM with the agents, accounts and opportunities, and the files' folder."""
    folder = shared_data / "maven-crm"
    crm = CRM(
        store,
        settings=[SalesSettings(pipelines=(MAVEN,))],
        fields={
            Account: [fields.custom("year_established", Integer())],
            Opportunity: [fields.custom("engage_date", DateOnly())],
        },
    ).tenant(tenant)
    team = folder / "sales_teams.csv"
    managers = load(
        crm,
        team,
        User,
        mapping={
            "sales_agent": None,
            "manager": ["username", "name"],
            "regional_office": "region",
        },
        defaults={"profile": "manager"},
        mode="upsert",
        match_on=("username",),
    )
    agents = load(
        crm,
        team,
        User,
        mapping={
            "sales_agent": ["username", "name"],
            "manager": "manager_id",
            "regional_office": "region",
        },
        defaults={"profile": "sales"},
    )
    accounts = load(
        crm,
        folder / "accounts.csv",
        Account,
        mapping={
            "sector": ColumnMapping("industry", values={"technolgy": "technology"}),
            "office_location": "billing_address.country",
            "subsidiary_of": "parent_id",
        },
        duplicates="skip",
    )
    deals = load(
        crm,
        folder / "sales_pipeline.csv",
        Opportunity,
        mapping={
            "opportunity_id": ["external_id", "name"],
            "sales_agent": "owner_id",
            "product": ColumnMapping("product", values={"GTXPro": "GTX Pro"}),
            "deal_stage": [
                "stage",
                ColumnMapping(
                    "lost_reason",
                    values={
                        "Lost": "other",
                        "Won": None,
                        "Engaging": None,
                        "Prospecting": None,
                    },
                ),
            ],
            "close_value": ColumnMapping("amount", currency="USD"),
        },
    )
    for report in (managers, agents, accounts, deals):
        assert (report.issues, report.counts.failed) == ((), 0)
    return crm, folder


def test_the_maven_files_are_imported_completely(maven):
    """Agents under their managers, accounts with parents, all opportunities."""
    crm, folder = maven
    users = stored(crm, User)
    named = {u.id: u.username for u in users}
    under = {u.username: (named[u.manager_id], u.region) for u in users if u.manager_id}
    assert under == {
        row["sales_agent"]: (row["manager"], row["regional_office"])
        for row in rows_of(folder / "sales_teams.csv")
    }
    accounts = stored(crm, Account)
    names = {a.id: a.name for a in accounts}
    assert {
        a.name: (
            names.get(a.parent_id, ""),
            a.annual_revenue.amount,
            a.annual_revenue.currency,
            a.number_of_employees,
            a.billing_address.country,
            a["year_established"],
            a.industry,
        )
        for a in accounts
    } == {
        row["account"]: (
            row["subsidiary_of"],
            Decimal(row["revenue"]),
            "USD",
            int(row["employees"]),
            row["office_location"],
            int(row["year_established"]),
            row["sector"].replace("technolgy", "technology"),
        )
        for row in rows_of(folder / "accounts.csv")
    }
    check_deals(crm, folder, named, names)
    check_funnels(crm, folder)


def check_deals(crm, folder, users, accounts):
    found = {
        deal.external_id: (
            users[deal.owner_id],
            accounts.get(deal.account_id, ""),
            deal.product,
            deal.stage,
            deal["engage_date"],
            deal.close_date,
            deal.amount and deal.amount.amount,
        )
        for deal in stored(crm, Opportunity)
    }
    assert found == {
        row["opportunity_id"]: (
            row["sales_agent"],
            row["account"],
            row["product"].replace("GTXPro", "GTX Pro"),
            row["deal_stage"].lower(),
            day(row["engage_date"]),
            day(row["close_date"]),
            Decimal(row["close_value"]) if row["close_value"] else None,
        )
        for row in rows_of(folder / "sales_pipeline.csv")
    }


def day(text) -> date | None:
    return datetime.strptime(text, "%m/%d/%Y").date() if text else None  # noqa: DTZ007


def check_funnels(crm, folder):
    """Each manager sees exactly the funnel of the own agents."""
    manager_of = {
        row["sales_agent"]: row["manager"]
        for row in rows_of(folder / "sales_teams.csv")
    }
    expected: defaultdict[tuple[str, str], tuple[int, Decimal]]
    expected = defaultdict(lambda: (0, Decimal(0)))
    for row in rows_of(folder / "sales_pipeline.csv"):
        place = manager_of[row["sales_agent"]], row["deal_stage"].lower()
        number, amount = expected[place]
        expected[place] = number + 1, amount + Decimal(row["close_value"] or 0)
    found = {}
    for manager in sorted(set(manager_of.values())):
        with crm.session(manager) as s:
            for group in s.aggregate(
                Opportunity,
                {"number": count(), "amount": F.amount.sum()},
                group_by=[F.stage],
            ):
                amount = group["amount"].amount if group["amount"] else Decimal(0)
                found[manager, group["stage"]] = group["number"], amount
    assert found == dict(expected)
