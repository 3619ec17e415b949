"""What an actor may not see is told by no other way either."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from crmcore import (
    Account,
    Contact,
    F,
    Lead,
    NotFound,
    Opportunity,
    Ref,
    Task,
    ValidationError,
    count,
)
from crmcore.storage import Event
from crmcore.testing import Factory, Office, small_organisation


@pytest.mark.capability("ACC-10")
def test_conditions_do_not_follow_to_the_invisible(office: Office) -> None:
    """A followed record that one may not see counts as missing, also when negated."""
    with office.session("carol") as s:
        hidden = s.create(Account(name="Secret", industry="energy"))
    with office.session("admin") as s:
        owner = office.people.alice.id
        s.create(Opportunity(name="A", account_id=hidden.id, owner_id=owner))
    with office.session() as s:
        known = s.create(Account(name="Known", industry="energy"))
        s.create(Opportunity(name="B", account_id=known.id))
        s.create(Opportunity(name="C"))

    def names(actor: str, criteria: Any) -> str:
        with office.session(actor) as s:
            found = s.find(Opportunity, criteria, order_by=F.name)
            assert len(found) == s.count(Opportunity, criteria)
            return "".join(deal.name or "" for deal in found)

    for criteria, all_see, alice_sees in (
        (F.account.industry == "energy", "AB", "B"),
        (F.account.industry != "energy", "C", "AC"),
        (~(F.account.industry == "energy"), "C", "AC"),
        (F.account.name.starts_with("sec"), "A", ""),
        (F.account.name.is_null(), "C", "AC"),
        (F.account.name.is_null(False), "AB", "B"),
        (F.account.name.in_(["Secret", None]), "AC", "AC"),
        (F.account.name > "K", "AB", "B"),
        (F.owner.username == "alice", "ABC", "ABC"),
    ):
        assert all_see == names("admin", criteria), criteria
        assert alice_sees == names("alice", criteria), criteria


@pytest.mark.capability("ACC-10")
def test_groups_and_orders_show_nothing_of_the_invisible(office: Office) -> None:
    """Hidden records count as missing in groups, and nobody sorts by them."""
    with office.session("carol") as s:
        hidden = s.create(Account(name="Secret", number_of_employees=900))
    with office.session("admin") as s:
        owner = office.people.alice.id
        s.create(Opportunity(name="A", account_id=hidden.id, owner_id=owner))
    with office.session() as s:
        known = s.create(Account(name="Known", number_of_employees=7))
        s.create(Opportunity(name="B", account_id=known.id))
        s.create(Opportunity(name="C"))
    measures = {
        "deals": count(),
        "people": F.account.number_of_employees.sum(),
        "mean": F.account.number_of_employees.average(),
    }

    def rows(actor: str, *group_by: Any) -> list[tuple[Any, ...]]:
        with office.session(actor) as s:
            groups = s.aggregate(Opportunity, measures, group_by=group_by)
            return [(*g.keys.values(), g["deals"], g["people"]) for g in groups]

    assert [(None, 1, None), ("Known", 1, 7), ("Secret", 1, 900)] == rows(
        "admin", F.account.name
    )
    assert [(None, 2, None), ("Known", 1, 7)] == rows("alice", F.account.name)
    assert [(3, 7)] == rows("alice")
    assert [(3, 907)] == rows("admin")
    assert [("alice", 3, 7)] == rows("alice", F.owner.username)
    with pytest.raises(ValidationError, match="hidden"), office.session() as s:
        s.find(Opportunity, order_by=F.account.name)


@pytest.mark.capability("ACC-10")
def test_links_are_checked_like_references(office: Office, factory: Factory) -> None:
    """A list of links takes no record that is hidden, absent or of no entity."""
    with office.session("carol") as s:
        hidden = s.create(factory.lead())
    with office.session() as s:
        own = s.create(factory.lead())
        for reference in (
            Ref.to(hidden),
            Ref("lead", office.ids.new()),
            Ref("nothing", own.id),
            Ref("le\0ad", own.id),
            Ref(5, own.id),  # type: ignore[arg-type]
        ):
            with pytest.raises(ValidationError) as raised:
                s.create(Task(subject="Call", links=(Ref.to(own), reference)))
            assert ["links"] == [p.field for p in raised.value.problems]
            for criteria in (F.links.any_of([reference]), F.related_to == reference):
                if reference.entity in ("le\0ad", 5):
                    with pytest.raises(ValidationError):
                        s.count(Task, criteria)
                else:
                    assert 0 == s.count(Task, criteria)


def test_what_a_list_refers_to_already_stays(office: Office, factory: Factory) -> None:
    """Who adds to a list needs to see what is added, not what was there."""
    with office.session("carol") as s:
        hidden = s.create(factory.contact())
    with office.session("admin") as s:
        owner = office.people.alice.id
        deal = s.create(factory.opportunity(contact_ids=(hidden.id,), owner_id=owner))
    with office.session() as s:
        own = s.create(factory.contact())
        deal = s.update(deal, contact_ids=(hidden.id, own.id))

    assert (hidden.id, own.id) == deal.contact_ids


def test_the_deleted_is_no_match_under_an_old_name(office: Office) -> None:
    """A contact whose account was renamed leaves no look-alike behind."""
    with office.session() as s:
        account = s.create(Account(name="Old"))
        contact = s.create(
            Contact(last_name="Hopper", first_name="Grace", account_id=account.id)
        )
        s.update(account, name="New")
        s.delete(contact)
        probe = Lead(last_name="Hopper", first_name="Grace", company_name="Old")
        assert () == s.duplicates(probe).matches


def test_subscribers_hear_their_own_tenant(office: Office, tenant: str) -> None:
    """Events of one tenant are told to nobody of another."""
    other = office.crm.tenant(f"{tenant}-2")
    small_organisation(other)
    told: list[Event] = []
    other.subscribe(told.append)
    with office.session() as s:
        s.create(Lead(last_name="Li"))
    assert [] == told
    with other.session("alice") as s:
        lead = s.create(Lead(last_name="Wu"))
    assert [lead.id] == [event.record_id for event in told]


def test_what_a_savepoint_undid_is_told_to_nobody(office: Office, store: Any) -> None:
    """Subscribers hear only of what was committed."""
    if not store.capabilities.savepoints:
        pytest.skip(store.capabilities.reasons["savepoints"])
    told: list[str] = []
    office.crm.subscribe(lambda event: told.append(event.kind))
    with office.session() as s:
        with suppress(KeyError), s.savepoint():
            s.create(Lead(last_name="Never"))
            raise KeyError
        s.create(Task(subject="Call"))

    assert ["task.created"] == told


def test_a_circle_names_nobody_hidden(office: Office) -> None:
    """The way round is told without the names of records one may not see."""
    with office.session() as s:
        first = s.create(Account(name="First"))
        last = s.create(Account(name="Last", parent_id=first.id))
    with office.session("admin") as s:
        last = s.update(last, owner_id=office.people.carol.id)
        third = s.create(
            Account(name="Third", parent_id=last.id, owner_id=first.owner_id)
        )
    with office.session() as s:
        with pytest.raises(NotFound):
            s.get(Account, last.id)
        with pytest.raises(ValidationError) as raised:
            s.update(first, parent_id=third.id)

    assert "First → Third → … → First" in str(raised.value)
