"""What a deletion takes along, empties or is refused for, and what comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Account,
    Contact,
    Lead,
    NotFound,
    Opportunity,
    UniqueViolation,
    User,
    ValidationError,
)
from crmcore.activities import Task
from crmcore.records import AnyReference, ListOf, MasterDetail, Reference, fields
from crmcore.testing import Factory, FixedClock, Office, small_organisation
from crmcore.unit import RecordSettings
from crmcore.unit import dependents as dependents_module

MASTER = fields.custom("site", MasterDetail(entity="account"))


def shaped(store: Any, tenant: str, *settings: object, **custom: Any) -> CRM:
    """A CRM whose entities have the given custom fields."""
    # Each session has a moment of its own: what goes together is told by the time.
    clock = FixedClock(step=timedelta(milliseconds=5))
    crm = CRM(store, fields=custom, settings=settings, clock=clock).tenant(tenant)
    small_organisation(crm)
    return crm


def reasons(raised: Any) -> list[str]:
    return [problem.reason for problem in raised.value.problems]


@pytest.mark.capability("REC-20")
def test_a_detail_goes_and_comes_with_its_master(store: Any, tenant: str) -> None:
    """Details are deleted with their master, and restored with it."""
    crm = shaped(store, tenant, task=[MASTER])
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
        task = s.create(Task(subject="Visit"), site=account)
        other = s.create(Task(subject="Alone"))
        before = s.delete(s.create(Task(subject="Before"), site=account))
    with crm.session("alice") as s:
        gone = s.delete(account)
        with pytest.raises(NotFound):
            s.get(Task, task.id)
        with pytest.raises(ValidationError) as raised:
            s.restore(s.get(Task, task.id, deleted=True))
        assert other == s.get(Task, other.id)
        s.restore(gone)
        assert account.id == s.get(Task, task.id)["site"]
        with pytest.raises(NotFound):
            s.get(Task, before.id)

    assert ["not_found"] == reasons(raised)


@pytest.mark.capability("REC-20")
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Reference(entity="account"), lambda a, b: a.id),
        (AnyReference(), lambda a, b: a),
        (ListOf(item=Reference(entity="account")), lambda a, b: [a.id, b.id]),
    ],
    ids=["reference", "any_reference", "list"],
)
def test_references_are_cleared(store: Any, tenant: str, kind: Any, value: Any) -> None:
    """A reference that declares it is emptied; the other items of a list stay."""
    place = fields.custom("place", kind, on_delete="clear")
    crm = shaped(store, tenant, task=[place])
    with crm.session("alice") as s:
        account, kept = s.create_many([Account(name="Acme"), Account(name="Kept")])
        task = s.create(Task(subject="Visit"), place=value(account, kept))
        s.delete(account)
        task = s.get(Task, task.id)
        entry = s.history(task, "place")[-1]

    assert ((kept.id,) if isinstance(kind, ListOf) else None) == task["place"]
    assert entry.version == task.version == 2


@pytest.mark.capability("REC-05")
@pytest.mark.parametrize("required", [False, True])
def test_references_block(store: Any, tenant: str, required: bool) -> None:
    """A record in use is not deleted, whoever may see the record that uses it."""
    action = "clear" if required else "block"
    place = fields.custom(
        "place", Reference(entity="account"), on_delete=action, required=required
    )
    crm = shaped(store, tenant, task=[place])
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
    with crm.session(SYSTEM) as s:
        task = s.create(Task(subject="Visit"), place=account)
    with crm.session("alice") as s:
        with pytest.raises(ValidationError) as raised:
            s.delete(account)
        assert account == s.get(Account, account.id)
    with crm.session(SYSTEM) as s:
        s.delete(task)
        s.delete(account)

    (problem,) = raised.value.problems
    assert ("referred_to", "task", 1) == (
        problem.reason,
        problem.details["entity"],
        problem.details["count"],
    )


@pytest.mark.capability("REC-20")
def test_a_circle_of_details_is_deleted_once(store: Any, tenant: str) -> None:
    """References that go round in a circle take each record along once."""
    above = fields.custom("above", Reference(entity="task"), on_delete="cascade")
    crm = shaped(store, tenant, task=[above])
    with crm.session("alice") as s:
        first = s.create(Task(subject="One"))
        second = s.create(Task(subject="Two"), above=first)
        first = s.update(first, above=second)
        gone = s.delete(first)
        assert 0 == s.count(Task)
        s.restore(gone)
        assert 2 == s.count(Task)


@pytest.mark.capability("REC-05")
def test_too_many_dependents_are_refused(
    store: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion that would take too much along changes nothing."""
    monkeypatch.setattr(dependents_module, "MOST_DEPENDENTS", 2)
    crm = shaped(store, tenant, task=[MASTER])
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
        for n in range(3):
            s.create(Task(subject=str(n)), site=account)
        with pytest.raises(ValidationError) as raised:
            s.delete(account)
        assert 3 == s.count(Task)

    assert ["too_many_dependents"] == reasons(raised)


@pytest.mark.capability("REC-05")
def test_too_many_references_to_clear_are_refused(
    store: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is left behind in silence."""
    monkeypatch.setattr(dependents_module, "MOST_DEPENDENTS", 2)
    place = fields.custom("place", Reference(entity="account"), on_delete="clear")
    crm = shaped(store, tenant, task=[place])
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
        tasks = [s.create(Task(subject=str(n)), place=account) for n in range(3)]
        with pytest.raises(ValidationError) as raised:
            s.delete(account)
        s.delete(tasks[0])
        s.delete(account)
        assert s.get(Task, tasks[1].id)["place"] is None

    assert ["too_many_dependents"] == reasons(raised)


@pytest.mark.capability("REC-05")
def test_hard_deletion_leaves_nothing_but_history(store: Any, tenant: str) -> None:
    """In hard mode a deleted record cannot be found or restored; its values are free."""
    settings = RecordSettings(delete_mode={"account": "hard"}, confirm_deletes=True)
    crm = shaped(store, tenant, settings)
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
        with pytest.raises(ValidationError) as raised:
            s.delete(account)
        gone = s.delete(account, confirm=True)
        with pytest.raises(NotFound):
            s.get(Account, account.id, deleted=True)
        s.create(Account(name="acme"))
        lead = s.delete(s.create(Lead(last_name="Soft")), confirm=True)
        s.restore(lead)

    assert ["not_confirmed"] == reasons(raised)
    assert gone.deleted_at is not None


@pytest.mark.capability("REC-05")
def test_hard_deletion_is_replayed(store: Any, tenant: str) -> None:
    """A retry under the same operation key does not look for what is gone."""
    crm = shaped(store, tenant, RecordSettings(delete_mode={"*": "hard"}))
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
    for _ in range(2):
        with crm.session("alice", operation_key="gone") as s:
            assert account.id == s.delete(account).id


@pytest.mark.capability("REC-05")
def test_what_is_referred_to_is_not_removed_for_good(store: Any, tenant: str) -> None:
    """Neither a hard deletion nor a purge leaves a reference that leads nowhere."""
    crm = shaped(store, tenant, RecordSettings(delete_mode={"account": "hard"}))
    with crm.session("admin") as s:
        account = s.create(Account(name="Acme"))
        contact = s.create(Contact(last_name="Wang", account_id=account.id))
        opportunity = s.create(Opportunity(name="Deal", contact_id=contact.id))
        opportunity = s.sales.move(opportunity, "proposal")
        with pytest.raises(ValidationError) as hard:
            s.delete(account)
        contact = s.delete(contact)
        with pytest.raises(ValidationError) as purged:
            s.purge(contact)
        s.purge(s.delete(opportunity))
        s.purge(contact)
        s.delete(account)

    assert (["referred_to"], ["referred_to"]) == (reasons(hard), reasons(purged))


@pytest.mark.capability("REC-05")
def test_deletion_by_key(office: Office) -> None:
    """A unique value names the record; an unknown one changes nothing."""
    with office.session() as s:
        account = s.create(Account(name="Acme", code="A-1"))
        for value in ("A-2", "'; DROP TABLE", "$where", "🙂", "\u202eA-1"):
            with pytest.raises(NotFound):
                s.delete_by_key(Account, "code", value)
        for field in ("phone", "__class__", "nothing"):
            with pytest.raises(ValidationError):
                s.delete_by_key(Account, field, "1")
        gone = s.delete_by_key(Account, "code", "a-1")
        with pytest.raises(NotFound):
            s.delete_by_key(Account, "code", "A-1")
    with office.session("bob") as s:
        hidden = s.create(Account(name="Hidden", code="B-1"))
    with office.session() as s, pytest.raises(NotFound):
        s.delete_by_key(Account, "code", hidden.code)

    assert account.id == gone.id


@pytest.mark.capability("REC-05")
def test_users_with_records_are_not_deleted(office: Office) -> None:
    """Who owns or made records can only be made inactive."""
    with office.session() as s:
        s.create(Lead(last_name="Wang"))
    with office.crm.session(SYSTEM) as s:
        alice = s.get(User, office.people.alice.id)
        with pytest.raises(ValidationError) as raised:
            s.delete(alice)
        s.update(alice, status="inactive")
        s.delete(s.create(User(username="nobody")))

    assert ["user_has_records"] == reasons(raised)


@pytest.mark.capability("REC-05")
def test_a_restored_record_is_compared_again(office: Office) -> None:
    """Restoring warns of a likely duplicate and refuses a value that is taken."""
    with office.session() as s:
        lead = s.delete(
            s.create(Lead(last_name="Wang", email="w@example.com", external_id="1"))
        )
        s.create(Lead(last_name="Wang", email="w@example.com"))
        lead = s.delete(s.restore(lead))
        assert ["duplicate"] == [warning.reason for warning in s.warnings]
        s.create(Lead(last_name="Li", external_id="1"))
        with pytest.raises(UniqueViolation):
            s.restore(lead)


@pytest.mark.capability("REC-01")
def test_the_last_writer_wins_where_asked(store: Any, tenant: str) -> None:
    """With the option an old version is written over; without it nothing is."""
    crm = shaped(store, tenant, RecordSettings(concurrency={"lead": "last_write_wins"}))
    with crm.session("alice") as s:
        lead = s.create(Lead(last_name="Wang"))
        s.update(lead, title="CEO")
        lead = s.update(lead, title="CFO")

    assert ("CFO", 3) == (lead.title, lead.version)


@pytest.mark.capability("REC-08")
def test_history_of_one_field_and_of_none(store: Any, tenant: str) -> None:
    """A field's history keeps the old owner; an entity may be left out of it."""
    crm = shaped(store, tenant, RecordSettings(unlogged=frozenset({"account"})))
    with crm.session(SYSTEM) as s:
        alice, bob = (
            next(user for user in s.find(User) if user.username == name)
            for name in ("alice", "bob")
        )
        lead = s.create(Lead(last_name="Wang", owner_id=alice.id))
        lead = s.update(lead, title="CEO")
        lead = s.update(lead, owner_id=bob.id)
        (entry,) = s.history(lead, "owner_id")
        with pytest.raises(ValidationError):
            s.history(lead, "__class__")
        account = s.update(s.create(Account(name="Acme")), name="Acme 2")
        assert [] == s.history(account)

    assert [(str(alice.id), str(bob.id))] == [(c.old, c.new) for c in entry.changes]


@pytest.mark.parametrize("word", ["", "never", None])
def test_settings_know_their_words(word: Any) -> None:
    """A word that no option has is refused at once."""
    with pytest.raises((ValueError, TypeError)):
        RecordSettings(delete_mode={"lead": word})


@pytest.mark.capability("REC-05")
def test_who_may_delete(office: Office, factory: Factory) -> None:
    """Everyone their own, superiors those of subordinates, administrators all."""
    with office.session("alice") as s:
        first, second, third = s.create_many(factory.lead() for _ in range(3))
    with office.session("bob") as s, pytest.raises((NotFound, AccessDenied)):
        s.delete(first)
    for name, lead in (("alice", first), ("boss", second), ("admin", third)):
        with office.session(name) as s:
            assert isinstance(s.delete(lead).deleted_by, UUID)
