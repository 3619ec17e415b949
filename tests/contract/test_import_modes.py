"""Imports on every store: updates, upserts and duplicates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmcore import (
    Account,
    Lead,
    Money,
    Opportunity,
    Task,
)
from tests.contract.importing import GOOD, all_of, leads, load, many

# -- modes -------------------------------------------------------------------------------


@pytest.mark.capability("IMP-03")
def test_upsert_updates_what_matches_and_creates_the_rest(crm):
    """Only filled cells change a record; a row without news changes nothing."""
    load(crm, b"Id,Name,Industry\nA-1,Nordwind AG,Energy\nA-2,Weber,Media\n", Account)
    data = b"Id,Name,Industry\nA-1,Nordwind SE,\nA-2,Weber,Media\nA-3,Neu,\n"
    report = load(crm, data, Account, mode="upsert")
    made = {a.external_id: a for a in all_of(crm, Account)}
    counts = report.counts
    assert (counts.updated, counts.unchanged, counts.created) == (1, 1, 1)
    assert (made["A-1"].name, made["A-1"].industry) == ("Nordwind SE", "energy")
    assert [made[key].version for key in ("A-1", "A-2", "A-3")] == [2, 1, 1]


@pytest.mark.capability("IMP-03")
def test_update_creates_nothing(crm):
    """A row that matches no record is reported; one that matches two as well."""
    load(
        crm,
        leads("Wang,A,,x@example.com,,\n", "Li,B,,x@example.com,,\n"),
        duplicates="off",
    )
    load(crm, leads("Zhao,C,,z@example.com,,\n"))
    data = b"email,title\nz@example.com,Boss\nx@example.com,Boss\nq@example.com,Boss\n"
    report = load(crm, data, mode="update", match_on=("email",))
    titles = {lead.last_name: lead.title for lead in all_of(crm, Lead)}
    assert titles == {"Wang": None, "Li": None, "Zhao": "Boss"}
    assert [(i.line, i.reason) for i in report.issues] == [
        (3, "several_matches"),
        (4, "no_match"),
    ]


@pytest.mark.capability("IMP-03")
def test_two_rows_of_one_record_are_applied_in_order(crm):
    """The later row of an upsert sees what the earlier one wrote."""
    data = b"Id,Name,Industry\nA-1,First,Energy\nA-1,Second,\n"
    report = load(crm, data, Account, mode="upsert")
    (account,) = all_of(crm, Account)
    assert (report.created, report.counts.updated) == (1, 1)
    assert (account.name, account.industry) == ("Second", "energy")


@pytest.mark.capability("IMP-03")
def test_what_the_actor_may_not_edit_is_reported(crm):
    """A row never changes a record behind its owner's back."""
    load(crm, b"Id,Name\nA-1,Nordwind AG\n", Account, actor="bob")
    report = load(crm, b"Id,Name\nA-1,Stolen\n", Account, actor="alice", mode="upsert")
    assert [(i.field, i.reason) for i in report.issues] == [("external_id", "unique")]
    assert all_of(crm, Account)[0].name == "Nordwind AG"


@pytest.mark.capability("IMP-03")
def test_unique_values_are_errors_of_their_row(crm):
    """A value taken in the store or by an earlier row refuses that row only."""
    load(crm, b"Id,Name\nA-1,Nordwind AG\n", Account)
    data = b"Id,Name\nA-1,Other\nA-2,NORDWIND AG\nA-3,Neu\nA-4,neu \nA-5,Frei\n"
    report = load(crm, data, Account, duplicates="off")
    assert [(i.line, i.field, i.reason) for i in report.issues] == [
        (2, "external_id", "unique"),
        (3, "name", "unique"),
        (5, "name", "unique"),
    ]
    assert report.created == 2


@pytest.mark.capability("IMP-02")
def test_parts_of_addresses_and_amounts_come_from_columns_of_their_own(crm):
    """City and street make an address; amount and currency make money."""
    data = (
        "Name,City,Street,Annual revenue,Currency\n"
        'A,深圳,科技路1号,"1,234.50",eur\nB,,,$7,\nC,,,12,XXQ\n'
    )
    report = load(
        crm, data.encode(), Account, mapping={"Currency": "annual_revenue.currency"}
    )
    made = {a.name: a for a in all_of(crm, Account)}
    assert made["A"].billing_address.city == "深圳"
    assert made["A"].billing_address.street == "科技路1号"
    assert made["A"].annual_revenue == Money(Decimal("1234.5000"), "EUR")
    assert made["B"].annual_revenue == Money(Decimal("7.0000"), "USD")
    assert [i.reason for i in report.issues] == ["unknown_currency"]


def test_stages_are_read_by_label_and_follow_the_rules(crm):
    """An imported opportunity gets what its stage says; a lost one needs a reason."""
    data = (
        b"Name,Stage,Amount,Close date,Lost reason\nA,Closed Won,100,2024-03-05,\n"
        b"B,negotiation,5,2024-03-05,\nC,Closed lost,5,2024-03-05,Price\n"
        b"D,Closed lost,5,2024-03-05,\n"
    )
    report = load(crm, data, Opportunity)
    made = {o.name: o for o in all_of(crm, Opportunity)}
    assert {n: o.stage_category for n, o in made.items()} == {
        "A": "won",
        "B": "open",
        "C": "lost",
    }
    assert [(i.line, i.field, i.reason) for i in report.issues] == [
        (5, "lost_reason", "required")
    ]


# -- duplicates --------------------------------------------------------------------------


@pytest.mark.capability("DUP-05")
def test_duplicates_are_skipped_with_the_match(crm):
    """Rows that look like a record or an earlier row are left out, with the reason."""
    load(crm, leads(GOOD))
    data = leads(
        "Wong,X.,Other,WANG@example.com,,\n",
        "Li,Lei,A,li@example.com,,\n",
        "Li,Lei,A Ltd,,,\n",
    )
    report = load(crm, data)
    first, second = report.issues
    assert (report.created, report.counts.skipped) == (1, 2)
    assert (first.line, first.reason, first.details["name"]) == (
        2,
        "duplicate_record",
        "Xiaoming Wang",
    )
    assert (second.line, second.reason, second.details["line"]) == (
        4,
        "duplicate_row",
        3,
    )
    assert "same e-mail address" in first.message()


@pytest.mark.capability("DUP-05")
def test_a_match_that_the_actor_may_not_read_tells_its_name_only(crm):
    """Duplicates are found across visibility and stay hidden."""
    load(crm, leads(GOOD), actor="bob")
    report = load(crm, leads(GOOD), actor="alice", duplicates="merge")
    (issue,) = report.issues
    assert (issue.outcome, issue.reason) == ("skipped", "duplicate_hidden")
    assert set(issue.details) == {"name"}


@pytest.mark.capability("DUP-05")
def test_merging_fills_empty_fields_only(crm):
    """A duplicate row completes the record and overwrites nothing."""
    load(crm, leads("Wang,Xiaoming,Shenzhen Co,wang@example.com,,\n"))
    data = leads(
        "Wong,,Other,WANG@example.com,+86 755 1234 5678,Call\n",
        "New,One,A,new@example.com,,\n",
        "New,Two,A,new@example.com,+1 212 555 0101,\n",
        "Wang,Xiaoming,Shenzhen Co,wang@example.com,,\n",
    )
    report = load(crm, data, duplicates="merge")
    made = {lead.email: lead for lead in all_of(crm, Lead)}
    assert len(made) == 2
    wang, new = made["wang@example.com"], made["new@example.com"]
    assert (wang.last_name, wang.company_name) == ("Wang", "Shenzhen Co")
    assert (wang.phone, wang.lead_source) == ("+8675512345678", "call")
    assert (new.first_name, new.phone) == ("One", "+12125550101")
    counts = report.counts
    assert (counts.created, counts.merged, counts.skipped) == (1, 2, 1)


@pytest.mark.capability("DUP-05")
@pytest.mark.parametrize(("choice", "remarks"), [("create", 2), ("off", 0)])
def test_duplicates_are_created_where_that_is_wanted(crm, choice, remarks):
    """With "create" they are flagged, with "off" nobody looks."""
    load(crm, leads(GOOD))
    data = leads(GOOD, "Li,Lei,A,li@example.com,,\n", "Li,Lei,A,li@example.com,,\n")
    report = load(crm, data, duplicates=choice)
    assert report.created == 3
    assert [i.outcome for i in report.issues] == ["flagged"] * remarks


@pytest.mark.capability("DUP-05")
def test_importing_the_same_file_again_doubles_nothing(crm):
    """Duplicates and external ids recognise what is there already."""
    accounts = b"Id,Name\nA-1,Nordwind AG\nA-2,Weber Druck\n"
    for data, kind in ((leads(*many(20)), Lead), (accounts, Account)):
        first = load(crm, data, kind)
        again = load(crm, data, kind)
        assert again.created == 0
        assert again.counts.skipped == first.created == len(all_of(crm, kind))


@pytest.mark.capability("DUP-05")
def test_a_file_that_nothing_would_recognise_is_not_imported_twice(crm):
    """Where records have neither keys nor ids, the file itself is recognised."""
    data = b"subject\nCall back\n"
    load(crm, data, Task)
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(data, Task)
        wanted = s.exchange.plan_import(data, Task, duplicates="off")
    assert [(p.field, p.reason) for p in plan.problems] == [("file", "duplicate")]
    assert wanted.is_valid
