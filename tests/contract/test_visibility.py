"""Who sees what, and what strangers are told, is the same on every store."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Account,
    Contact,
    F,
    Lead,
    NotFound,
    UniqueViolation,
    ValidationError,
)
from crmcore.testing import Factory, Office, small_organisation


@pytest.mark.capability("DUP-01")
def test_the_holder_of_a_name_is_not_told_to_strangers(office: Office) -> None:
    """Who may not see the other record learns only that the name is taken."""
    with office.session("carol") as s:
        s.create(Account(name="Acme"))

    with office.session() as s, pytest.raises(UniqueViolation) as raised:
        s.create(Account(name="acme"))

    assert {"entity": "account", "field": "name"} == raised.value.details


@pytest.mark.capability("ACC-08")
@pytest.mark.capability("ACC-10")
def test_superiors_see_what_is_below_them(office: Office, factory: Factory) -> None:
    """The owner and everybody above see a record; peers and others do not."""
    with office.session() as s:
        lead = s.create(factory.lead())

    assert {
        "alice": True,
        "boss": True,
        "bob": False,
        "carol": False,
        "admin": True,
    } == {
        name: _sees(office, name, lead)
        for name in ("alice", "boss", "bob", "carol", "admin")
    }


def _sees(office: Office, name: str, lead: Lead) -> bool:
    """Ask every reading verb; they must agree."""
    with office.session(name) as s:
        listed = bool(s.find(Lead).items)
        assert listed == (s.count(Lead) == 1)
        assert listed == bool(list(s.stream(Lead)))
        try:
            s.get(Lead, lead.id)
        except NotFound:
            assert not listed
        else:
            assert listed
    return listed


@pytest.mark.capability("ACC-10")
def test_the_invisible_is_answered_like_the_absent(
    office: Office, factory: Factory
) -> None:
    """Nobody learns from an error whether a record exists."""
    with office.session() as s:
        hidden = s.create(factory.lead())
    absent = Lead(id=office.ids.new(), version=1)
    answers = []
    for record in (hidden, absent):
        found: list[Any] = []
        for verb in (
            lambda s, r=record: s.get(Lead, r.id),
            lambda s, r=record: s.update(r, title="x"),
            lambda s, r=record: s.delete(r),
            lambda s, r=record: s.restore(r),
            lambda s, r=record: s.history(r),
            lambda s, r=record: s.leads.plan_conversion(r),
            lambda s, r=record: s.create(Contact(last_name="X", lead_id=r.id)),
            lambda s, r=record: s.access.explain("carol", r),
        ):
            with (
                pytest.raises((NotFound, ValidationError)) as raised,
                office.session("carol") as s,
            ):
                verb(s)
            found.append(
                (type(raised.value), str(raised.value).replace(str(record.id), ""))
            )
        answers.append(found)

    assert answers[0] == answers[1]


@pytest.mark.capability("ACC-08")
def test_the_tree_of_superiors_changes_what_is_seen(
    office: Office, factory: Factory
) -> None:
    """A new superior sees at once, the former one no longer; circles are refused."""
    people = office.people
    with office.session() as s:
        lead = s.create(factory.lead())
    with office.session(SYSTEM) as s:
        alice = s.update(people.alice, manager_id=people.carol.id)
        with pytest.raises(ValidationError) as raised:
            s.update(people.carol, manager_id=alice.id)

    assert ["cycle"] == [p.reason for p in raised.value.problems]
    assert not _sees(office, "boss", lead)
    assert _sees(office, "carol", lead)


@pytest.mark.capability("ACC-01")
def test_every_call_has_an_actor(office: Office) -> None:
    """A user, its id or its name opens a session; nobody else does."""
    alice = office.people.alice
    for actor in (alice, alice.id, "alice", "ALICE"):
        with office.crm.session(actor) as s:
            assert alice.id == s.actor.id
    for actor in ("nobody", office.ids.new(), ""):
        with pytest.raises(AccessDenied), office.crm.session(actor):
            pass
    with office.crm.session(SYSTEM) as s:
        s.update(alice, status="inactive")
    with pytest.raises(AccessDenied), office.crm.session("alice"):
        pass


@pytest.mark.capability("ACC-01")
def test_the_system_sees_everything_and_is_nobody(
    office: Office, factory: Factory
) -> None:
    """Records of the system have no creator; it needs no permission."""
    with office.session() as s:
        s.create(factory.lead())
    with office.crm.session(SYSTEM) as s:
        made = s.create(factory.lead(owner_id=office.people.bob.id))
        assert 2 == s.count(Lead)

    assert (None, office.people.bob.id) == (made.created_by, made.owner_id)


@pytest.mark.capability("DUP-03")
def test_duplicates_of_others_are_redacted(office: Office, factory: Factory) -> None:
    """Of a record one may not read, only name, entity and owner are told."""
    with office.session("carol") as s:
        hidden = s.create(factory.lead(email="ada@example.com"))
    with office.session() as s:
        own = s.create(factory.lead(email="Ada@Example.com"))
        found = s.duplicates(Lead(last_name="X", email="ADA@example.com"))

    by_owner = {match.owner_id: match for match in found}
    assert {office.people.carol.id, office.people.alice.id} == set(by_owner)
    told = by_owner[office.people.carol.id]
    assert (False, None, None, ()) == (
        told.readable,
        told.id,
        told.record,
        told.evidence,
    )
    assert hidden.display_name == told.name
    seen = by_owner[office.people.alice.id]
    assert (True, own.id, own) == (seen.readable, seen.id, seen.record)
    assert ["email"] == [piece.kind for piece in seen.evidence]


@pytest.mark.capability("DUP-03")
def test_duplicates_of_others_may_be_hidden(store: Any, tenant: str) -> None:
    """A set-up may tell no more than that something was hidden."""
    crm = CRM(store, cross_visibility_hits=False).tenant(tenant)
    small_organisation(crm)
    with crm.session("carol") as s:
        s.create(Lead(last_name="X", email="ada@example.com"))
    with crm.session("alice") as s:
        found = s.duplicates(Lead(last_name="Y", email="ada@example.com"))

    assert ((), 1, True) == (found.matches, found.hidden, bool(found))


def test_deleted_records_are_no_duplicates(office: Office, factory: Factory) -> None:
    """Match keys go with a deletion and come back with the restoration."""
    probe = Lead(last_name="X", email="ada@example.com")
    with office.session() as s:
        lead = s.create(factory.lead(email="ada@example.com"))
        assert 1 == len(s.duplicates(probe))
        s.delete(lead)
        assert 0 == len(s.duplicates(probe))
        back = s.restore(s.get(Lead, lead.id, deleted=True))
        assert 1 == len(s.duplicates(probe))
        s.update(back, email=None)
        assert 0 == len(s.duplicates(probe))


def test_tenants_do_not_mix(office: Office, tenant: str) -> None:
    """Nothing of one tenant is seen, counted, matched or taken in another."""
    other = office.crm.tenant(f"{tenant}-2")
    small_organisation(other)
    with office.session() as s:
        account = s.create(Account(name="Acme", email="info@acme.example.com"))
    with other.session("alice") as s:
        assert 0 == s.count(Account)
        assert 0 == len(s.duplicates(Account(name="Acme")))
        with pytest.raises(NotFound):
            s.get(Account, account.id)
        with pytest.raises(ValidationError):
            s.create(Contact(last_name="X", account_id=account.id))
        s.create(Account(name="Acme"))
    with pytest.raises(AccessDenied), other.session(office.people.alice):
        pass


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../x", "ü", "x" * 65, None, 5])
def test_names_of_tenants_are_checked(office: Office, name: Any) -> None:
    """A tenant's name is short and plain."""
    with pytest.raises(ValidationError):
        office.crm.tenant(name)


def test_pages_hold_what_one_may_see(office: Office, factory: Factory) -> None:
    """Totals are exact, capped or none, and cursors lead both ways."""
    with office.session("carol") as s:
        s.create_many(factory.lead() for _ in range(3))
    with office.session() as s:
        mine = s.create_many(factory.lead() for _ in range(5))
        first = s.find(Lead, order_by=F.id.asc(), limit=2, total="exact")
        second = s.find(Lead, order_by=F.id.asc(), limit=2, after=first.next, total=3)
        back = s.find(Lead, order_by=F.id.asc(), limit=2, before=second.previous)
        last = s.find(Lead, order_by=F.id.asc(), limit=2, after=second.next)

    assert [lead.id for lead in mine] == [
        r.id for p in (first, second, last) for r in p
    ]
    assert ("5", "3+", None) == (str(first.total), str(second.total), last.total)
    assert first.items == back.items
    assert (None, None, None) == (first.previous, back.previous, last.next)
