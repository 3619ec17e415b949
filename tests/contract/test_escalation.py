"""Nobody gains rights by a write that was meant for something else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    AccessPolicy,
    Account,
    Lead,
    NotFound,
    Profile,
    User,
    ValidationError,
)
from crmcore.testing import Factory, FixedClock, Office, SeededIds, small_organisation

DAILY = frozenset({"create", "read", "edit", "delete", "restore", "assign", "convert"})


def office_with(store: Any, tenant: str, **policy: Any) -> Office:
    """An office where carol and boss have the profile ``daily``."""
    clock, ids = FixedClock(), SeededIds()
    profiles = (*AccessPolicy().profiles, Profile("daily", {"*": DAILY | {"purge"}}))
    rules = AccessPolicy(profiles=profiles, **policy)
    crm = CRM(store, clock=clock, ids=ids, policy=rules).tenant(tenant)
    people = small_organisation(crm)
    with crm.session(SYSTEM) as s:
        s.update_many([people.boss, people.carol], profile="daily")
    return Office(crm, clock, ids, people)


def test_only_administrators_write_users(store: Any, tenant: str) -> None:
    """A profile for all entities makes no administrators, nor a way to become one."""
    office = office_with(store, tenant, default_access={"user": "edit"})
    people = office.people
    for write in (
        lambda s: s.create(User(username="x", profile="administrator")),
        lambda s: s.update(s.get(User, people.carol.id), profile="administrator"),
        lambda s: s.update(people.alice, manager_id=people.carol.id),
        lambda s: s.delete(people.alice),
    ):
        with pytest.raises(AccessDenied), office.session("carol") as s:
            write(s)

    with office.session("admin") as s:
        assert "sales" == s.create(User(username="x", profile="sales")).profile


def test_open_to_edit_is_not_open_to_delete(store: Any, tenant: str) -> None:
    """What everybody may edit is deleted and handed over by its owner only."""
    office = office_with(store, tenant, default_access={"account": "edit"})
    with office.session() as s:
        account = s.create(Account(name="Acme"))
    with office.session("carol") as s:
        account = s.update(account, industry="energy")
        for write in (
            lambda: s.delete(account),
            lambda: s.update(account, owner_id=office.people.carol.id),
        ):
            with pytest.raises(AccessDenied):
                write()
        assert 5 == s.count(User)


@pytest.mark.capability("ACC-10")
def test_superiors_who_may_read_may_do_nothing_else(
    store: Any, tenant: str, factory: Factory
) -> None:
    """With ``hierarchy_access="read"`` the boss changes, moves and purges nothing."""
    office = office_with(store, tenant, hierarchy_access="read")
    with office.session() as s:
        kept, gone = s.create(factory.lead()), s.delete(s.create(factory.lead()))
    with office.session("boss") as s:
        assert kept == s.get(Lead, kept.id)
        for write in (
            lambda: s.update(kept, title="x"),
            lambda: s.delete(kept),
            lambda: s.restore(gone),
            lambda: s.purge(gone),
            lambda: s.leads.convert(kept),
        ):
            with pytest.raises(AccessDenied):
                write()


def test_owners_cannot_be_changed_without_the_right(store: Any, tenant: str) -> None:
    """Editing is not assigning, whether alone or in passing of another verb."""
    clerk = Profile("clerk", {"*": frozenset({"create", "read", "edit"})})
    policy = AccessPolicy(profiles=(*AccessPolicy().profiles, clerk))
    crm = CRM(store, policy=policy).tenant(tenant)
    people = small_organisation(crm)
    with crm.session(SYSTEM) as s:
        s.update(people.carol, profile="clerk")
    with crm.session("carol") as s:
        lead = s.create(Lead(last_name="Li"))
        for write in (
            lambda: s.update(lead, owner_id=people.alice.id),
            lambda: s.update(lead, owner_id=None),
            lambda: s.update_many([lead], title="x", owner_id=people.alice.id),
        ):
            with pytest.raises(AccessDenied):
                write()
        assert lead == s.get(Lead, lead.id)


@pytest.mark.capability("ACC-08")
def test_a_batch_makes_no_circle_of_superiors(office: Office) -> None:
    """Two changes that are fine one by one are refused together."""
    people = office.people
    with office.crm.session(SYSTEM) as s:
        with pytest.raises(ValidationError) as raised:
            s.update_many(
                [
                    (people.alice, {"manager_id": people.bob.id}),
                    (people.bob, {"manager_id": people.alice.id}),
                ]
            )
        assert people.alice == s.get(User, people.alice.id)

    assert ["cycle"] == [p.reason for p in raised.value.problems]


@pytest.mark.capability("ACC-08")
def test_a_restored_superior_closes_no_circle(office: Office) -> None:
    """The tree is checked again when a deleted user comes back."""
    people = office.people
    with office.crm.session(SYSTEM) as s:
        boss = s.delete(s.update(people.boss, manager_id=people.carol.id))
        s.update(people.carol, manager_id=people.alice.id)
        with pytest.raises(ValidationError):
            s.restore(boss)


@pytest.mark.capability("ACC-01")
def test_undone_users_never_act(office: Office, store: Any, tenant: str) -> None:
    """Users made in a savepoint that was undone are not remembered."""
    if not store.capabilities.savepoints:
        pytest.skip(store.capabilities.reasons["savepoints"])
    elsewhere = CRM(store).tenant(tenant)
    with office.crm.session(SYSTEM) as s, suppress(KeyError), s.savepoint():
        s.create(User(username="ghost", profile="administrator"))
        raise KeyError
    with elsewhere.session(SYSTEM) as s:
        s.update(office.people.carol, status="inactive")

    for nobody in ("ghost", "carol"):
        with pytest.raises(AccessDenied), office.session(nobody):
            pass


@pytest.mark.capability("ACC-01")
def test_users_that_the_host_took_back_never_act(store: Any, tenant: str) -> None:
    """Users of a host's transaction that was rolled back are not remembered."""
    if not hasattr(store, "engine"):
        pytest.skip("a transaction of SQLAlchemy is joined here")
    crm, elsewhere = CRM(store).tenant(tenant), CRM(store).tenant(tenant)
    people = small_organisation(crm)
    with store.engine.connect() as connection:
        with crm.session(SYSTEM, within=connection) as s:
            s.create(User(username="ghost", profile="administrator"))
        with crm.session("ghost", within=connection) as s:
            assert s.actor.user is not None
        connection.rollback()
    with elsewhere.session(SYSTEM) as s:
        s.update(people.carol, status="inactive")

    for nobody in ("ghost", "carol"):
        with pytest.raises(AccessDenied), crm.session(nobody):
            pass


@pytest.mark.capability("ACC-01")
def test_another_process_deactivates_at_once(
    office: Office, store: Any, tenant: str
) -> None:
    """A user deactivated or moved elsewhere loses sight with the next session."""
    elsewhere = CRM(store).tenant(tenant)
    with office.session() as s:
        lead = s.create(Lead(last_name="Li"))
    with elsewhere.session(SYSTEM) as s:
        alice = s.update(office.people.alice, manager_id=office.people.carol.id)
    with pytest.raises(NotFound), office.session("boss") as s:
        s.get(Lead, lead.id)
    with elsewhere.session(SYSTEM) as s:
        s.update(alice, status="inactive")
    with pytest.raises(AccessDenied), office.session():
        pass
