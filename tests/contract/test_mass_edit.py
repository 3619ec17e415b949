"""One act on many records: each is done or refused, and refused ones stop no other."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from crmcore import Account, Contact, F, Lead, NotFound, Task, ValidationError
from crmcore.testing import Factory, Office
from crmcore.unit import mass_edit


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mass_edit, "BATCH", 2)


@pytest.mark.capability("REC-04")
def test_only_the_named_fields_are_written(office: Office, factory: Factory) -> None:
    """A mass edit changes what it names, and each record reports for itself."""
    with office.session() as s:
        leads = s.create_many(factory.lead() for _ in range(3))
        converted = s.create(factory.lead())
        s.leads.convert(converted)
        nobody = uuid4()
        report = s.mass_update(Lead, [*leads, converted, nobody], {"title": "CEO"})
        changed = [s.get(Lead, lead.id) for lead in leads]

    assert {lead.id for lead in leads} == set(report.done)
    refused = {one.id: one.problems[0].reason for one in report.refused}
    assert {converted.id, nobody} == set(refused)
    assert "not_found" == refused[nobody]
    for old, new in zip(leads, changed, strict=True):
        assert new == old.evolved(
            title="CEO",
            version=2,
            updated_at=new.updated_at,
            updated_by=new.updated_by,
        )


@pytest.mark.capability("REC-04")
def test_a_bad_value_is_refused_per_record(office: Office, factory: Factory) -> None:
    """A value that no record may have refuses all of them, and writes nothing."""
    with office.session() as s:
        leads = s.create_many(factory.lead() for _ in range(2))
        report = s.mass_update(Lead, leads, {"status": "'; DROP TABLE leads"})
        for values in ({"external_id": "1"}, {"__class__": 1}, {"$where": 1}):
            with pytest.raises(ValidationError):
                s.mass_update(Lead, leads, values)
        assert list(leads) == [s.get(Lead, lead.id) for lead in leads]

    assert [["not_an_option"]] * 2 == [
        [p.reason for p in one.problems] for one in report.refused
    ]


@pytest.mark.capability("REC-04")
@pytest.mark.usefixtures("small_batches")
def test_large_selections_go_on_where_they_stopped(
    office: Office, factory: Factory
) -> None:
    """A report says where the next call goes on, by criteria and by ids."""
    with office.session() as s:
        leads = s.create_many(factory.lead(title="old") for _ in range(5))
    for chosen in (F.title == "old", [lead.id for lead in leads]):
        done: list[Any] = []
        after = None
        while True:
            with office.session() as s:
                report = s.mass_update(Lead, chosen, {"description": "x"}, after=after)
            done += report.done
            after = report.next
            if after is None:
                break
        assert sorted(lead.id for lead in leads) == done


@pytest.mark.capability("REC-04")
def test_owners_are_changed_in_one_act(office: Office, factory: Factory) -> None:
    """Records are handed over; what the actor does not see is like absent."""
    with office.session("bob") as s:
        hidden = s.create(factory.lead())
    with office.session("boss") as s:
        mine = s.create_many(factory.lead() for _ in range(2))
    with office.session("alice") as s:
        own = s.create(factory.lead())
        report = s.mass_assign(Lead, [own, hidden, *mine], office.people.alice)
        assert (own.id,) == report.done
        assert {"not_found"} == {o.problems[0].reason for o in report.refused}
    with office.session("boss") as s:
        report = s.mass_assign(Lead, mine, office.people.alice)
        assert {office.people.alice.id} == {
            s.get(Lead, lead.id).owner_id for lead in mine
        }

    assert 2 == len(report.done)


@pytest.mark.capability("REC-04")
def test_many_are_deleted_in_one_act(office: Office, factory: Factory) -> None:
    """Deleted and refused ones are told apart, and a retry gets the same report."""
    with office.session() as s:
        leads = s.create_many(factory.lead() for _ in range(2))
    reports = []
    for _ in range(2):
        with office.session(operation_key="tidy") as s:
            reports.append(s.mass_delete(Lead, leads))
    with office.session() as s, pytest.raises(NotFound):
        s.get(Lead, leads[0].id)
    with office.session() as s, pytest.raises(ValidationError):
        s.mass_delete(Lead, "all")

    assert reports[0] == reports[1]
    assert 2 == len(reports[0].done)


@pytest.mark.capability("REC-07")
def test_a_copy_is_a_new_record(office: Office, factory: Factory) -> None:
    """Values are copied, identity, owner, unique values and stage are not."""
    with office.session("alice") as s:
        lead = s.create(factory.lead(external_id="1", number="7", status="in_process"))
    with office.session("boss") as s:
        draft = s.copy(lead)
        made = s.save_and_copy(lead, title="Other")
        assert lead == s.get(Lead, lead.id)

    assert not draft.is_saved
    assert (None, None, None, "new", None) == (
        draft.external_id,
        draft.number,
        draft.owner_id,
        draft.status,
        draft.created_at,
    )
    assert (lead.last_name, lead.email) == (draft.last_name, draft.email)
    assert ("Other", office.people.boss.id) == (made.title, made.owner_id)


@pytest.mark.capability("REC-07")
def test_a_copy_of_some_groups(office: Office) -> None:
    """A group that no field belongs to is refused; who does not see it copies nothing."""
    with office.session() as s:
        account = s.create(Account(name="Acme"))
        contact = s.create(Contact(last_name="Wang", account_id=account.id))
        with pytest.raises(ValidationError):
            s.copy(contact, groups={"__class__"})
        assert account.id == s.copy(contact).account_id
    with office.session("bob") as s, pytest.raises(NotFound):
        s.copy(contact)


@pytest.mark.capability("REC-04")
def test_a_task_is_created_for_each(office: Office, factory: Factory) -> None:
    """Each belongs to its record; what cannot have one is refused, and stops no other."""
    with office.session() as s:
        leads = s.create_many(factory.lead() for _ in range(2))
        gone = s.invalidate(s.create(factory.lead()))
        nobody = uuid4()
        report = s.mass_create(
            Lead, [*leads, gone, nobody], Task(subject="Call"), priority="high"
        )
        tasks = list(s.stream(Task))
        with pytest.raises(ValidationError):
            s.mass_create(Lead, leads, Lead(last_name="x"))

    assert {lead.id for lead in leads} == set(report.done)
    refused = {one.id: one.problems[0].reason for one in report.refused}
    assert {gone.id: "invalid_record", nobody: "not_found"} == refused
    assert {("high", lead.id) for lead in leads} == {
        (task.priority, task.related_to.id) for task in tasks if task.related_to
    }


@pytest.mark.capability("REC-04")
@pytest.mark.usefixtures("small_batches")
def test_tasks_are_created_in_batches(office: Office, factory: Factory) -> None:
    """A report tells where to go on; nobody gets two."""
    with office.session() as s:
        s.create_many(factory.lead() for _ in range(5))
        after, rounds = None, 0
        while rounds == 0 or after is not None:
            report = s.mass_create(
                Lead, ~F.id.is_null(), Task(subject="Call"), after=after
            )
            after, rounds = report.next, rounds + 1
        assert (5, 3) == (s.count(Task), rounds)
