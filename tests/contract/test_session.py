"""A session behaves alike on every store, from the golden path to the last refusal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
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
from crmcore.testing import (
    Factory,
    FixedClock,
    Office,
    SeededIds,
    small_organisation,
)


@pytest.fixture
def office(store: Any, tenant: str) -> Office:
    """A CRM on the store, with a small organisation in a tenant of its own."""
    clock, ids = FixedClock(), SeededIds()
    crm = CRM(store, clock=clock, ids=ids).tenant(tenant)
    return Office(crm, clock, ids, small_organisation(crm))


@pytest.fixture
def factory() -> Factory:
    return Factory()


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
def test_the_holder_of_a_name_is_not_told_to_strangers(office: Office) -> None:
    """Who may not see the other record learns only that the name is taken."""
    with office.session("carol") as s:
        s.create(Account(name="Acme"))

    with office.session() as s, pytest.raises(UniqueViolation) as raised:
        s.create(Account(name="acme"))

    assert {"entity": "account", "field": "name"} == raised.value.details


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


def _drop_events_of_users(office: Office) -> None:
    """Deliver what the organisation left, up to the first event of a lead."""
    while office.crm.deliver(lambda event: None, limit=5) == 5:
        return


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


def test_a_refused_verb_leaves_the_earlier_ones(office: Office) -> None:
    """A caller who catches a refusal keeps what was done before and after."""
    with office.session() as s:
        s.create(Account(name="First"))
        with pytest.raises(ValidationError):
            s.create(Lead(last_name=None))
        s.create(Account(name="Second"))

    with office.session() as s:
        assert {"First", "Second"} == {a.name for a in s.find(Account)}


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


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, store: Any) -> list[str]:
    """What an SQL store asks its server, in order, by the way it asks."""
    if "sql" not in type(store).__name__.lower():
        pytest.skip(f"statements are counted on SQL stores, {store.name} is none")
    from crmcore_sql.connections import Link

    seen: list[str] = []

    def counted(name: str) -> Any:
        ask = getattr(Link, name)

        def note(*given: Any, **options: Any) -> Any:
            seen.append(name)
            return ask(*given, **options)

        return note

    for name in ("fetch", "run", "run_many", "insert_many", "update_each"):
        monkeypatch.setattr(Link, name, counted(name))
    return seen


def test_statements_per_use_case_are_constant(
    office: Office, factory: Factory, statements: list[str]
) -> None:
    """Writing forty records takes as many statements as writing two."""

    def asked(work: Any) -> int:
        statements.clear()
        with office.session() as s:
            work(s)
        return len(statements)

    with office.session() as s:
        few = s.create_many(factory.lead() for _ in range(2))
        many = s.create_many(factory.lead() for _ in range(40))
    created = {
        asked(lambda s, n=n: s.create_many(factory.lead() for _ in range(n)))
        for n in (2, 40)
    }
    updated = {asked(lambda s, r=r: s.update_many(r, title="CEO")) for r in (few, many)}
    found = {asked(lambda s, n=n: s.find(Lead, limit=n)) for n in (2, 40)}
    matched = asked(lambda s: s.duplicates(many[0]))
    got = asked(lambda s: s.get(Lead, many[0].id))
    converted = asked(lambda s: s.leads.convert(many[0].id and s.get(Lead, many[0].id)))

    assert [1, 1, 1] == [len(created), len(updated), len(found)]
    assert (2, 2) == (got, *found)
    assert created.pop() <= 7
    assert updated.pop() <= 8
    assert matched <= 6
    assert converted <= 40


def test_commands_per_use_case_are_constant(mongodb_url: str, factory: Factory) -> None:
    """On MongoDB, too, many records take as many commands as two."""
    from pymongo import MongoClient, monitoring

    from crmcore_mongo import MongoStore

    class Listener(monitoring.CommandListener):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            self.seen.append(event.command_name)

        def succeeded(self, event: Any) -> None:
            """Nothing is counted here."""

        failed = succeeded

    listener = Listener()
    server, _, options = mongodb_url.partition("?")
    address, _, database = server.rpartition("/")
    client: MongoClient[Any] = MongoClient(
        f"{address}/?{options}", event_listeners=[listener]
    )
    try:
        crm = CRM(MongoStore(client, database=database))
        crm.install()
        small_organisation(crm)
        with crm.session("alice") as s:
            s.create_many(factory.lead() for _ in range(2))
        counted = []
        for number in (2, 40):
            listener.seen.clear()
            with crm.session("alice") as s:
                leads = s.create_many(factory.lead() for _ in range(number))
            created = len(listener.seen)
            with crm.session("alice") as s:
                s.update_many(leads, title="CEO")
            counted.append((created, len(listener.seen) - created))
    finally:
        client.close()

    assert counted[0] == counted[1]
    assert max(counted[0]) <= 12


def test_a_session_joins_the_hosts_transaction(store: Any, tenant: str) -> None:
    """What is written within the host's transaction is kept and lost with it."""
    if not store.capabilities.joins_host:
        pytest.skip(store.capabilities.reasons["joins_host"])
    crm = CRM(store).tenant(tenant)
    small_organisation(crm)
    for name, kept in (("Lost", False), ("Kept", True)):
        with host_transaction(store) as (connection, roll_back):
            with crm.session("alice", within=connection) as s:
                s.create(Lead(last_name=name))
                assert [name] == [lead.last_name for lead in s.find(Lead)]
            if not kept:
                roll_back()

    with crm.session("alice") as s:
        assert ["Kept"] == [lead.last_name for lead in s.find(Lead)]


@contextmanager
def host_transaction(store: Any) -> Iterator[tuple[Any, Any]]:
    """The host's own transaction on the same database."""
    if store.name == "mongodb":
        with store._client.start_session() as session, session.start_transaction():
            yield session, session.abort_transaction
        return
    with store.engine.connect() as connection:
        transaction = connection.begin()
        yield connection, transaction.rollback
        if transaction.is_active:
            transaction.commit()


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
