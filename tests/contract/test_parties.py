"""Accounts and contacts, on every store (PTY-01 to PTY-04)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crmcore import (
    Account,
    Contact,
    ContactPoint,
    F,
    UniqueViolation,
    ValidationError,
)
from crmcore.testing import Office


@pytest.mark.capability("PTY-01")
def test_an_account_is_made_with_its_contacts_or_not_at_all(office: Office) -> None:
    """A refused contact leaves neither the account nor its name behind."""
    with office.session() as s:
        with pytest.raises(ValidationError):
            s.parties.create_with_contacts(
                Account(name="Acme"), [Contact(last_name="A"), Contact(email="x")]
            )
        assert (0, 0) == (s.count(Account), s.count(Contact))
        made = s.parties.create_with_contacts(
            Account(name="Acme"), [Contact(last_name="A"), Contact(last_name="B")]
        )

    assert {made.account.id} == {contact.account_id for contact in made.contacts}
    assert ["A", "B"] == [contact.last_name for contact in made.contacts]


@pytest.mark.capability("PTY-01")
def test_a_name_is_taken_by_one_account(office: Office) -> None:
    """The name is required and unique, also against accounts one may not see."""
    with office.session("carol") as s:
        s.create(Account(name="Acme"))
    with office.session() as s:
        with pytest.raises(ValidationError):
            s.create(Account())
        with pytest.raises(UniqueViolation):
            s.create(Account(name="ＡＣＭＥ"))


@pytest.mark.capability("PTY-02")
def test_a_person_needs_both_names(office: Office) -> None:
    """A person's account is called by the person; an organisation by its name."""
    with office.session() as s:
        with pytest.raises(ValidationError) as raised:
            s.create(Account(kind="person", last_name="王", name="王"))
        person = s.create(Account(kind="person", last_name="王", first_name="小明"))

    assert [("first_name", "name_incomplete")] == [
        (p.field, p.reason) for p in raised.value.problems
    ]
    assert "王小明" == person.name


@pytest.mark.capability("PTY-02")
def test_an_individual_becomes_a_unit_customer(office: Office) -> None:
    """The record stays the same; its unit section can be filled from then on."""
    with office.session() as s:
        one = s.create(
            Account(
                kind="person", attribute="individual", last_name="W", first_name="X"
            )
        )
        with pytest.raises(ValidationError):
            s.update(one, market_class="big")
        unit = s.parties.convert_to_unit(one, market_class="big")
        with pytest.raises(ValidationError):
            s.update(unit, attribute="individual")

    assert (one.id, "unit", "organisation", "big") == (
        unit.id,
        unit.attribute,
        unit.kind,
        unit.market_class,
    )


@pytest.mark.capability("PTY-03")
def test_former_names_are_kept_and_free(office: Office) -> None:
    """The old name stays with its last day, and others may take it."""
    with office.session() as s:
        account = s.create(Account(name="Old Name"))
    office.clock.advance(timedelta(days=3))
    with office.session() as s:
        account = s.parties.rename(account, "New Name", "renamed")
        s.create(Account(name="old name"))
        found = s.duplicates(Account(name="OLD NAME Ltd"))

    today = office.clock.now().date().isoformat()
    assert (ContactPoint("Old Name", today),) == account.former_names
    assert ("New Name", "renamed") == (account.name, account.name_note)
    assert account.id in {match.id for match in found}


@pytest.mark.capability("PTY-03")
def test_codes_and_external_ids_are_unique(office: Office) -> None:
    """Two accounts share neither code nor external id."""
    with office.session() as s:
        s.create(Account(name="A", code="C-1", external_id="X"))
        taken: list[dict[str, Any]] = [{"code": "c-1"}, {"external_id": " x "}]
        for values in taken:
            with pytest.raises(UniqueViolation) as raised:
                s.create(Account(name="B", **values))
            assert set(values) == {raised.value.details["field"]}


def test_contacts_are_found_by_their_account(office: Office) -> None:
    """A contact belongs to at most one account, which lists follow."""
    with office.session() as s:
        account = s.create(Account(name="Acme", industry="finance"))
        contact = s.create(Contact(last_name="A", account_id=account.id))
        s.create(Contact(last_name="B"))
        found = s.find(Contact, F.account.industry == "finance")

    assert [contact.id] == [record.id for record in found]
