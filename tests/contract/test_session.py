"""A session behaves alike on every store, from the golden path to the last refusal."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

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
    OperationConflict,
    Opportunity,
    Skip,
    StaleRecord,
    UniqueViolation,
    User,
    ValidationError,
)
from crmcore.storage import Event
from crmcore.testing import Factory, Office


@pytest.mark.capability("LEAD-03")
@pytest.mark.capability("SAL-03")
@pytest.mark.capability("ACC-10")
def test_the_golden_path(store: Any, tenant: str) -> None:
    """The example of the architecture page runs word for word."""
    crm = CRM(store)
    crm.install()
    crm = crm.tenant(tenant)

    with crm.session(SYSTEM) as s:
        boss = s.create(User(username="boss", name="王总", profile="manager"))
        alice = s.create(
            User(username="alice", name="Alice", manager_id=boss.id, profile="sales")
        )

    with crm.session("alice") as s:
        lead = s.create(
            Lead(
                last_name="王",
                first_name="小明",
                company_name="深圳某公司",
                email="wang@example.com",
                phone="+86 755 1234 5678",
                lead_source="web",
            )
        )
        lead = s.update(lead, status="in_process")
        page = s.find(
            Lead,
            (F.status == "in_process") & F.company_name.contains("深圳"),
            order_by=[F.created_at.desc()],
            limit=50,
        )
        n = s.count(Lead, F.owner_id == alice.id)
        hits = s.duplicates(lead)
        plan = s.leads.plan_conversion(lead)
        done = s.leads.convert(plan)
        assert done.opportunity is not None
        opp = s.sales.move(done.opportunity, "proposal")
        why = s.access.explain(boss, opp, "read")

    assert [lead.id] == [record.id for record in page]
    assert (1, ()) == (n, tuple(hits))
    assert done.account is not None
    assert done.contact is not None
    assert ("深圳某公司", "王") == (done.account.name, done.contact.last_name)
    assert ("proposal", Decimal(50)) == (opp.stage, opp.probability)
    assert why.allowed
    assert ["superior"] == [cause.kind for cause in why.causes]


@pytest.mark.capability("REC-01")
def test_a_stale_version_is_refused(office: Office, factory: Factory) -> None:
    """Whoever holds an older version can neither update, delete nor restore."""
    with office.session() as s:
        first = s.create(factory.lead())
        second = s.update(first, title="CEO")
    for verb in (
        lambda s: s.update(first, title="CTO"),
        lambda s: s.update_many([first], title="CTO"),
        lambda s: s.delete(first),
        lambda s: s.restore(first),
    ):
        with pytest.raises(StaleRecord) as raised, office.session() as s:
            verb(s)
        assert (first.id, 1) == (
            raised.value.details["id"],
            raised.value.details["expected"],
        )

    with office.session() as s:
        assert second == s.get(Lead, first.id)


@pytest.mark.capability("REC-01")
def test_the_envelope_of_a_record(office: Office, factory: Factory) -> None:
    """Identity, owner, stamps and version are set by the library."""
    alice, born = office.people.alice.id, office.clock.now()
    with office.session() as s:
        lead = s.create(factory.lead())
    office.clock.advance(hours=1)
    with office.session("boss") as s:
        changed = s.update(lead, title="CEO")

    assert (1, alice, born, alice, born, alice) == (
        lead.version,
        lead.owner_id,
        lead.created_at,
        lead.created_by,
        lead.updated_at,
        lead.updated_by,
    )
    assert (7, 2) == (lead.id.version, changed.version)
    assert (alice, born, alice) == (
        changed.owner_id,
        changed.created_at,
        changed.created_by,
    )
    assert (born + timedelta(hours=1), office.people.boss.id) == (
        changed.updated_at,
        changed.updated_by,
    )


def test_a_change_of_nothing_is_no_version(office: Office, factory: Factory) -> None:
    """Where nothing changes, no version, history entry or event is made."""
    with office.session() as s:
        lead = s.create(factory.lead(title="CEO"))
        same = s.update(lead, title=" CEO ")

        assert lead == same
        assert 1 == len(s.history(lead))


@pytest.mark.capability("REC-05")
def test_only_what_is_deleted_is_purged(office: Office, factory: Factory) -> None:
    """Purging needs the right and a soft deletion before; then nothing is left."""
    with office.session() as s:
        lead = s.create(factory.lead())
        with pytest.raises(AccessDenied):
            s.purge(lead)
    with office.session("admin") as s, pytest.raises(ValidationError):
        s.purge(lead)
    with office.session("admin") as s:
        s.delete(lead)
        s.purge(s.get(Lead, lead.id, deleted=True))
        with pytest.raises(NotFound):
            s.get(Lead, lead.id, deleted=True)
        assert not s.duplicates(lead)


def test_events_are_delivered_with_a_lease(office: Office, factory: Factory) -> None:
    """A handler that fails gets the event again when the lease has run out."""
    with office.session() as s:
        one, two = s.create(factory.lead()), s.create(factory.lead())
    _drop_events_of_users(office)
    got: list[UUID] = []

    def fail_at_the_second(event: Event) -> None:
        if got:
            raise KeyError
        got.append(event.record_id)

    with pytest.raises(KeyError):
        office.crm.deliver(fail_at_the_second)
    assert 0 == office.crm.deliver(lambda event: got.append(event.record_id))
    office.clock.advance(minutes=5)
    assert 1 == office.crm.deliver(lambda event: got.append(event.record_id))

    assert [one.id, two.id] == got
    office.clock.advance(days=1)
    assert 0 == office.crm.deliver(lambda event: got.append(event.record_id))


def test_subscribers_are_told_after_the_commit_only(
    office: Office, factory: Factory
) -> None:
    """They hear what was committed, in order, and their failures harm nobody."""
    told: list[str] = []

    def listen(event: Event) -> None:
        told.append(event.kind)
        raise KeyError

    stop = office.crm.subscribe(listen)
    with office.session() as s:
        s.update(s.create(factory.lead()), title="CEO")
        assert [] == told
    with pytest.raises(ZeroDivisionError), office.session() as s:  # noqa: PT012
        s.create(factory.lead())
        raise ZeroDivisionError
    stop()
    with office.session() as s:
        s.create(factory.lead())

    assert ["lead.created", "lead.updated"] == told


def test_an_error_writes_nothing(office: Office, factory: Factory) -> None:
    """Two entities in one session, the second is refused: neither is stored."""
    with pytest.raises(ValidationError), office.session() as s:  # noqa: PT012
        s.create(factory.account(name="Acme"))
        s.create(Contact(first_name="only"))

    with office.session() as s:
        assert (0, 0) == (s.count(Account), s.count(Contact))
        s.create(factory.account(name="Acme"))


def test_the_same_record_twice_in_a_batch_is_refused(
    office: Office, factory: Factory
) -> None:
    """Nothing of such a batch is stored, also where the caller goes on."""
    with office.session() as s:
        lead = s.create(factory.lead())
    with pytest.raises(StaleRecord), office.session() as s:
        s.update_many([(lead, {"title": "CEO"}), (lead, {"title": "CTO"})])

    with office.session() as s:
        assert lead == s.get(Lead, lead.id)


def test_opportunities_follow_their_account(office: Office, factory: Factory) -> None:
    """Lists follow one reference, and numbers are grouped by it."""
    with office.session() as s:
        account = s.create(factory.account(industry="finance"))
        s.create(factory.opportunity(account_id=account.id))
        s.create(factory.opportunity())
        found = s.find(Opportunity, F.account.industry == "finance")
        groups = s.aggregate(
            Opportunity, {"value": F.amount.sum()}, group_by=[F.account.industry]
        )

    assert 1 == len(found)
    assert [None, "finance"] == [group["account.industry"] for group in groups]


def test_two_sessions_on_one_store_with_an_operation_key(office: Office) -> None:
    """The same key and content give the same ids, and nothing is doubled."""

    def work() -> tuple[UUID, ...]:
        with office.session(operation_key="import/17") as s:
            lead = s.create(Lead(last_name="Once", email="once@example.com"))
            lead = s.update(lead, status="assigned")
            many = s.create_many([Account(name="A"), Account(name="B")])
            done = s.leads.convert(lead, opportunity=Skip())
            s.delete(many[1])
            assert done.contact is not None
            return (lead.id, *(r.id for r in many), done.contact.id)

    first, second = work(), work()

    assert first == second
    with office.session() as s:
        assert (1, 1, 1) == (s.count(Lead), s.count(Account), s.count(Contact))
    events: list[Event] = []
    office.crm.deliver(events.append)
    assert 1 == sum(event.kind == "lead.created" for event in events)


def test_an_operation_key_serves_one_content(office: Office) -> None:
    """Other content, more verbs or fewer under a known key: OperationConflict."""
    with office.session(operation_key="k") as s:
        s.create(Lead(last_name="One"))
        s.create(Lead(last_name="Two"))

    with pytest.raises(OperationConflict), office.session(operation_key="k") as s:
        s.create(Lead(last_name="Other"))
    with pytest.raises(OperationConflict), office.session(operation_key="k") as s:
        s.create(Lead(last_name="One"))
    with pytest.raises(OperationConflict), office.session(operation_key="k") as s:  # noqa: PT012
        for name in ("One", "Two", "Three"):
            s.create(Lead(last_name=name))

    with office.session() as s:
        assert 2 == s.count(Lead)


def test_an_operation_that_failed_may_be_tried_again(office: Office) -> None:
    """A key belongs to work that was committed."""
    with pytest.raises(KeyError), office.session(operation_key="k") as s:  # noqa: PT012
        s.create(Lead(last_name="One"))
        raise KeyError

    with office.session(operation_key="k") as s:
        s.create(Lead(last_name="Other"))
    with office.session() as s:
        assert ["Other"] == [lead.last_name for lead in s.find(Lead)]


@pytest.mark.capability("DUP-01")
def test_a_taken_name_leaves_nothing_behind(office: Office) -> None:
    """UniqueViolation names entity, field and holder; the session goes on."""
    with office.session() as s:
        first = s.create(Account(name="Acme", code="1"))
        with pytest.raises(UniqueViolation) as raised:
            s.create_many([Account(name="Other"), Account(name=" ACME ", code="2")])
        s.create(Account(name="Third", code="2"))

    assert {"entity": "account", "field": "name", "existing_id": first.id} == (
        raised.value.details
    )
    with office.session() as s:
        assert {"Acme", "Third"} == {a.name for a in s.find(Account)}
        s.create(Account(name="Other"))


@pytest.mark.capability("DUP-01")
def test_eleven_names_have_one_answer(office: Office) -> None:
    """Case, width, blanks and composition do not make another name; letters do."""
    names = [
        *("Acme", "ACME", "acme ", "Äcme", "A\u0308cme", "Acmé", "Ａｃｍｅ"),
        *("Straße", "STRASSE", "İstanbul", "istanbul"),
    ]
    taken = []
    with office.session() as s:
        for name in names:
            try:
                s.create(Account(name=name))
            except UniqueViolation:
                taken.append(name)

    assert ["ACME", "acme ", "A\u0308cme", "Ａｃｍｅ", "STRASSE"] == taken
    with office.session() as s:
        kept = {account.name for account in s.find(Account)}
    assert {unicodedata.normalize("NFC", n) for n in names} - kept == {
        *("ACME", "acme ", "Ａｃｍｅ", "STRASSE")
    }


@pytest.mark.capability("REC-05")
def test_deletion_frees_a_name_and_restoring_takes_it_again(office: Office) -> None:
    """A restored record claims its name; where it is taken, it stays deleted."""
    with office.session() as s:
        first = s.create(Account(name="Acme"))
        s.delete(first)
        second = s.create(Account(name="acme"))
        gone = s.get(Account, first.id, deleted=True)
        with pytest.raises(UniqueViolation):
            s.restore(gone)
        s.delete(second)
        back = s.restore(gone)
        with pytest.raises(UniqueViolation):
            s.restore(s.get(Account, second.id, deleted=True))

    assert (None, None, 3) == (back.deleted_at, back.deleted_by, back.version)
    with office.session() as s:
        assert [back] == list(s.find(Account))
        with pytest.raises(NotFound):
            s.get(Account, second.id)


@pytest.mark.capability("REC-08")
def test_history_tells_who_changed_what_when(office: Office) -> None:
    """Each write is an entry with actor, time, version and old and new values."""
    with office.session() as s:
        lead = s.create(Lead(last_name="Lovelace", title="CEO"))
    office.clock.advance(days=1)
    with office.session("boss") as s:
        lead = s.update(lead, title=None, number_of_employees=5, do_not_call=True)
        s.delete(lead)
        lead = s.restore(s.get(Lead, lead.id, deleted=True))
        entries = s.history(lead)

    people = office.people
    assert ["created", "updated", "deleted", "restored"] == [e.action for e in entries]
    assert [1, 2, 3, 4] == [e.version for e in entries]
    assert [people.alice.id] + [people.boss.id] * 3 == [e.by for e in entries]
    assert timedelta(days=1) == entries[1].at - entries[0].at
    assert {
        ("title", "CEO", None),
        ("number_of_employees", None, 5),
        ("do_not_call", False, True),
    } == {(c.field, c.old, c.new) for c in entries[1].changes}
    with office.session("carol") as s, pytest.raises(NotFound):
        s.history(lead)


def _drop_events_of_users(office: Office) -> None:
    """Deliver what the organisation left, up to the first event of a lead."""
    while office.crm.deliver(lambda event: None, limit=5) == 5:
        return


def test_a_refused_verb_leaves_the_earlier_ones(office: Office) -> None:
    """A caller who catches a refusal keeps what was done before and after."""
    with office.session() as s:
        s.create(Account(name="First"))
        with pytest.raises(ValidationError):
            s.create(Lead(last_name=None))
        s.create(Account(name="Second"))

    with office.session() as s:
        assert {"First", "Second"} == {a.name for a in s.find(Account)}
