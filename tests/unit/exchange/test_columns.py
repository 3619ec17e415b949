from __future__ import annotations

from typing import Any

import pytest

from crmcore import Account, Contact, Lead, Opportunity
from crmcore.errors import Problem
from crmcore.exchange.columns import (
    ColumnMapping,
    check_columns,
    guess_columns,
    is_known_name,
    mapped_columns,
    read_mapping,
)

pytestmark = pytest.mark.capability("IMP-02")

LEAD = Lead.__entity__


def columns_for(*fields):
    mappings = {p: (ColumnMapping(f),) for p, f in enumerate(fields)}
    return mapped_columns(LEAD, [str(f) for f in fields], [], mappings)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("last_name", "last_name"),
        ("Last name", "last_name"),
        ("LAST-NAME *", "last_name"),
        ("姓", "last_name"),
        ("Company", "company_name"),
        ("公司", "company_name"),
        ("LeadSource", "lead_source"),
        ("MobilePhone", "mobile"),
        ("手机号", "mobile"),
        ("E-mail", "email"),
        ("OwnerId", "owner_id"),
        ("负责人", "owner_id"),
        ("Id", "external_id"),
        ("HasOptedOutOfEmail", "email_opt_out"),
        ("PostalCode", "mailing_address.postal_code"),
        ("城市", "mailing_address.city"),
    ],
)
def test_headers_are_recognised_by_key_label_and_usual_name(header, field):
    """Keys, English and Chinese labels and other systems' names mean the field."""
    assert guess_columns(LEAD, [header]) == {0: field}


@pytest.mark.parametrize(
    ("entity", "header", "field"),
    [
        (Contact, "AccountId", "account_id"),
        (Contact, "Birthdate", "birthday"),
        (Contact, "ReportsToId", "reports_to_id"),
        (Account, "BillingCity", "billing_address.city"),
        (Account, "ShippingStreet", "delivery_address.street"),
        (Account, "ParentId", "parent_id"),
        (Opportunity, "StageName", "stage"),
        (Opportunity, "CloseDate", "close_date"),
    ],
)
def test_other_systems_names_are_known_per_entity(entity, header, field):
    """The usual exports need no mapping by hand."""
    assert guess_columns(entity.__entity__, [header]) == {0: field}


@pytest.mark.parametrize(
    "header", ["ConvertedAccountId", "Probability", "", "nonsense"]
)
def test_what_the_library_sets_is_not_guessed(header):
    """Columns of derived fields are left out unless the caller asks for them."""
    assert guess_columns(Opportunity.__entity__, [header]) == {}
    assert not is_known_name(LEAD, "nonsense")


def test_the_better_name_wins():
    """Of two columns for one field the one with the field's own name is taken."""
    guesses = guess_columns(LEAD, ["Name", "LastName", "FirstName"])
    assert guesses == {1: "last_name", 2: "first_name"}


def test_a_field_mapped_twice_is_refused():
    """Two columns cannot fill one field."""
    problems = check_columns(
        LEAD, columns_for("last_name", "last_name"), [], creates=True
    )
    assert [(p.field, p.reason) for p in problems] == [("last_name", "already_mapped")]


def test_a_required_field_that_nothing_fills_is_refused():
    """A required field needs a column or a default where records are created."""
    columns = columns_for("email", None)
    problems = check_columns(LEAD, columns, [], creates=True)
    assert [(p.field, p.reason) for p in problems] == [("last_name", "not_mapped")]
    assert not check_columns(LEAD, columns, ["last_name"], creates=True)
    assert not check_columns(LEAD, columns, [], creates=False)


@pytest.mark.parametrize("field", ["nonsense", "id", "version", "email.city", "custom"])
def test_an_unknown_target_is_refused(field):
    """System fields and fields that do not exist cannot be filled."""
    columns = columns_for("last_name", field)
    (problem,) = check_columns(LEAD, columns, [], creates=True)
    assert problem.reason == "unknown_field"


def test_columns_are_named_by_header_or_number():
    """A file without header is mapped by the columns' numbers, from 1."""
    problems: list[Problem] = []
    mappings = read_mapping({"b": "email", 1: None, "z": "phone"}, ["a", "b"], problems)
    assert mappings == {0: (ColumnMapping(None),), 1: (ColumnMapping("email"),)}
    assert [(p.field, p.reason) for p in problems] == [("z", "unknown_column")]


def test_required_targets_are_marked():
    """The plan shows which columns fill required fields."""
    columns = columns_for("last_name", "email")
    assert [column.required for column in columns] == [True, False]


def test_one_column_may_fill_several_fields():
    """A list of targets gives each of them the column's cells."""
    mapping: dict[str | int, Any] = {"id": ["external_id", ColumnMapping("number")]}
    mappings = read_mapping(mapping, ["id"], [])
    columns = mapped_columns(LEAD, ["id"], ["7"], mappings)
    assert [(c.position, c.field) for c in columns] == [
        (0, "external_id"),
        (0, "number"),
    ]


@pytest.mark.parametrize("wish", [5, {"target": "email"}, [3.5]])
def test_a_malformed_wish_is_a_problem(wish):
    """What is no target is told, never passed on."""
    problems: list[Problem] = []
    read_mapping({"a": wish}, ["a"], problems)
    assert [(p.field, p.reason) for p in problems] == [("a", "malformed")]
