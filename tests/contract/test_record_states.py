"""Invalid and archived records: to be looked at, and no more (REC-06)."""

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
    Opportunity,
    Ref,
    Session,
    StaleRecord,
    Task,
    User,
    ValidationError,
)
from crmcore.criteria import count
from crmcore.errors import ReadOnlyRecord


@pytest.fixture
def crm(store: Any, tenant: str) -> CRM:
    made = CRM(store).tenant(tenant)
    with made.session(SYSTEM) as s:
        s.create(User(username="admin", profile="administrator"))
        boss = s.create(User(username="boss", profile="manager"))
        s.create(User(username="ann", profile="sales", manager_id=boss.id))
    return made


def invalid_account(s: Session) -> Account:
    return s.invalidate(s.create(Account(name="Gone Ltd")))


REFUSED: dict[str, Any] = {
    "update": lambda s, a: s.update(a, name="Other"),
    "assign": lambda s, a: s.update(
        a, owner_id=next(iter(s.find(User, F.username == "boss"))).id
    ),
    "delete": lambda s, a: s.delete(a),
    "archive": lambda s, a: s.archive(a),
    "invalidate": lambda s, a: s.invalidate(a),
}


@pytest.mark.capability("REC-06")
@pytest.mark.parametrize("name", list(REFUSED))
@pytest.mark.parametrize("state", ["invalid", "archived"])
def test_a_closed_record_can_only_be_viewed(crm: CRM, name: str, state: str) -> None:
    """Change, hand-over, deletion and every other verb are refused; it is still read."""
    with crm.session("ann") as s:
        account = s.create(Account(name="Gone Ltd"))
        closed = s.invalidate(account) if state == "invalid" else s.archive(account)

    with crm.session("ann") as s, pytest.raises(ReadOnlyRecord) as caught:
        REFUSED[name](s, closed)

    assert (state, "account", closed.id) == tuple(
        caught.value.details[key] for key in ("state", "entity", "id")
    )
    with crm.session("ann") as s:
        assert closed == s.get(Account, closed.id)


@pytest.mark.capability("REC-06")
def test_what_belongs_to_an_invalid_record_is_invalid_with_it(crm: CRM) -> None:
    """Contacts, deals and their tasks go along, whoever owns them, and come back."""
    with crm.session("admin") as s:
        account = s.create(Account(name="Gone Ltd"))
        contact = s.create(Contact(last_name="Wu", account_id=account.id))
        deal = s.create(Opportunity(name="Deal", account_id=account.id))
        task = s.create(Task(subject="Call", related_to=Ref.to(deal)))
        alone = s.invalidate(s.create(Contact(last_name="Li", account_id=account.id)))
        other = s.create(Account(name="Other"))
    crm_time = alone.invalid_at
    assert crm_time is not None

    with crm.session("admin") as s:
        account = s.invalidate(account)
    with crm.session("admin") as s:
        for record in (contact, deal, task):
            assert account.invalid_at == s.get(type(record), record.id).invalid_at
        assert s.get(Account, other.id).invalid_at is None
        with pytest.raises(ReadOnlyRecord):
            s.update(s.get(Task, task.id), subject="Other")

    with crm.session("admin") as s:
        account = s.revalidate(account)
        assert (None, None) == (account.invalid_at, account.invalid_by)
        for record in (contact, deal, task):
            assert s.get(type(record), record.id).invalid_at is None
        assert s.get(Contact, alone.id).invalid_at == crm_time
        assert "revalidated" == s.history(task)[-1].action


@pytest.mark.capability("REC-06")
def test_only_administrators_bring_an_invalid_record_back(crm: CRM) -> None:
    """Neither the owner nor a superior undoes it."""
    with crm.session("ann") as s:
        account = invalid_account(s)

    for username in ("ann", "boss"):
        with crm.session(username) as s, pytest.raises(AccessDenied):
            s.revalidate(account)

    with crm.session("admin") as s:
        assert s.revalidate(account).version == account.version + 1


@pytest.mark.capability("REC-06")
def test_nothing_new_refers_to_an_invalid_record(crm: CRM) -> None:
    """It cannot be chosen any more, and is still shown where it was chosen."""
    with crm.session("ann") as s:
        account = s.create(Account(name="Gone Ltd"))
        child = s.create(Account(name="Child", parent_id=account.id))
        free = s.create(Contact(last_name="Wu"))
        account = s.invalidate(account)

    for attempt in (
        lambda s: s.create(Contact(last_name="Li", account_id=account.id)),
        lambda s: s.create(Task(subject="Visit", related_to=Ref.to(account))),
        lambda s: s.update(free, account_id=account.id),
    ):
        with crm.session("ann") as s, pytest.raises(ValidationError) as caught:
            attempt(s)
        (problem,) = caught.value.problems
        assert "invalid_record" == problem.reason
        assert problem.field in ("account_id", "related_to")

    with crm.session("ann") as s:
        # A reference alone makes no part: the child lives on and shows its parent.
        assert account.id == s.update(child, region="North").parent_id


@pytest.mark.capability("REC-06")
def test_the_archive_takes_closed_records_only(crm: CRM) -> None:
    """Logic asks for the category of the state; what is open is refused."""
    with crm.session("ann") as s:
        deal = s.create(Opportunity(name="Deal"))
        lead = s.create(Lead(last_name="Wu"))
        task = s.create(Task(subject="Call"))
        for record, field in (
            (deal, "stage_category"),
            (lead, "status"),
            (task, "status"),
        ):
            with pytest.raises(ValidationError) as caught:
                s.archive(record)
            (problem,) = caught.value.problems
            assert (field, "not_closed") == (problem.field, problem.reason)

        assert s.archive(s.sales.lose(deal, "price")).archived_at is not None
        assert s.archive(s.update(lead, status="dead")).archived_by is not None
        assert s.archive(s.update(task, status="completed")).version == 3


@pytest.mark.capability("REC-06")
def test_archived_records_are_out_of_lists_and_in_reports(crm: CRM) -> None:
    """Lists, counts and mass edits leave them out unless asked; reports count them."""
    with crm.session("ann") as s:
        old, new = s.create(Account(name="Old")), s.create(Account(name="New"))
        contact = s.create(Contact(last_name="Wu", account_id=old.id))
        old = s.archive(old)

    with crm.session("ann") as s:
        assert ["New"] == [one.name for one in s.find(Account)]
        both = s.find(Account, order_by=F.name, archived=True)
        assert ["New", "Old"] == [one.name for one in both]
        assert (1, 2) == (s.count(Account), s.count(Account, archived=True))
        assert 1 == len(list(s.stream(Account)))
        assert 2 == len(list(s.stream(Account, archived=True)))
        (group,) = s.aggregate(Account, {"all": count()})
        assert 2 == group["all"]
        assert [new.id] == [
            o.id for o in s.mass_update(Account, ~F.name.is_null(), {}).outcomes
        ]
        named = s.mass_update(Account, [old.id, new.id], {"region": "North"})
        assert [new.id] == [o.id for o in named.outcomes if not o.problems]
        # The contact is not archived with the account, and can still be written.
        assert "Li" == s.update(contact, last_name="Li").last_name


@pytest.mark.capability("REC-06")
def test_what_was_archived_comes_out_again(crm: CRM) -> None:
    """Unarchiving clears the stamps and is logged; the record can be written again."""
    with crm.session("ann") as s:
        account = s.archive(s.create(Account(name="Old")))
        back = s.unarchive(account)
        assert (None, None) == (back.archived_at, back.archived_by)
        assert ["created", "archived", "unarchived"] == [
            entry.action for entry in s.history(back)
        ]
        assert back == s.unarchive(back)
        assert "New" == s.update(back, name="New").name


@pytest.mark.capability("REC-06")
def test_states_heed_version_and_visibility(crm: CRM) -> None:
    """A stale version is a conflict, an invisible record is absent."""
    with crm.session("boss") as s:
        account = s.create(Account(name="Old"))
        s.update(account, region="North")
        with pytest.raises(StaleRecord):
            s.invalidate(account)
    for verb in ("invalidate", "revalidate", "archive", "unarchive"):
        with crm.session("ann") as s, pytest.raises(NotFound):
            getattr(s, verb)(account)


@pytest.mark.capability("REC-06")
def test_a_retry_under_the_same_key_does_nothing_twice(crm: CRM) -> None:
    """The first answer comes back, also after the record has gone on."""
    with crm.session("ann") as s:
        account = s.create(Account(name="Old"))
    with crm.session("ann", operation_key="k") as s:
        first = s.archive(account)
    with crm.session("ann") as s:
        s.unarchive(first)

    with crm.session("ann", operation_key="k") as s:
        assert first == s.archive(account)
    with crm.session("ann") as s:
        assert s.get(Account, account.id).archived_at is None


@pytest.mark.capability("REC-06")
def test_deleted_invalid_and_archived_are_three_things(crm: CRM) -> None:
    """A deletion takes invalid parts along; callers set none of the stamps."""
    with crm.session("admin") as s:
        account = s.create(Account(name="Old"))
        s.invalidate(s.create(Contact(last_name="Wu", account_id=account.id)))
        gone = s.delete(account)
        assert (None, None) == (gone.invalid_at, gone.archived_at)
        with pytest.raises(ValidationError):
            s.create(Account(name="New", archived_at=gone.deleted_at))
        with pytest.raises(ValidationError):
            s.update(s.restore(gone), invalid_at=None)
