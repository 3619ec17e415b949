"""Triggers before and after records are written, declared and stored (REC-22)."""

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
    MemoryStore,
    Opportunity,
    Record,
    Session,
    Task,
    User,
    ValidationError,
)
from crmcore.criteria import to_json
from crmcore.errors import StaleRecord
from crmcore.records import Ref, Trigger, triggers

HOT = to_json(F.rating == "hot")


def crm_on(store: Any, tenant: str = "t", **options: Any) -> CRM:
    made = CRM(store, **options).tenant(tenant)
    with made.session(SYSTEM) as s:
        s.create(User(username="admin", profile="administrator"))
        s.create(User(username="ann", profile="sales"))
    return made


def reasons(caught: Any) -> dict[str, str]:
    return {problem.field: problem.reason for problem in caught.value.problems}


@pytest.mark.capability("REC-22")
def test_a_trigger_before_a_write_fills_fields(store: Any, tenant: str) -> None:
    """Defaults fill what is empty, settings fill anything; in their order."""
    crm = crm_on(
        store,
        tenant,
        triggers={
            Lead: [
                triggers.set_field(
                    "shout",
                    "description",
                    'upper(title) & "!"',
                    whenever=("title",),
                ),
                triggers.default("title", "title", '"Mx " & last_name'),
                Trigger(
                    key="after_title",
                    event="before_create",
                    order=1,
                    sets={"department": "title"},
                ),
            ]
        },
    )
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu"))
        assert ("Mx Wu", "Mx Wu") == (lead.title, lead.department)
        assert "CEO" == s.create(Lead(last_name="Wu", title="CEO")).title

        lead = s.update(lead, title="Boss")
        assert "BOSS!" == lead.description
        assert "BOSS!" == s.update(lead, last_name="Li").description
        changed = {c.field for c in s.history(lead)[1].changes}
        assert {"title", "description"} == changed


@pytest.mark.capability("REC-22")
@pytest.mark.parametrize("verb", ["create", "update", "delete", "mass_delete"])
def test_a_trigger_stops_a_write_with_its_message(
    store: Any, tenant: str, verb: str
) -> None:
    """Nothing is stored, and the message is in the actor's language."""
    event = f"before_{verb.removeprefix('mass_')}"
    stop = Trigger(
        key="hot",
        event=event,
        when=HOT,
        stop="hot leads stay as they are",
        messages={"zh_CN": "热门线索不能动"},
    )
    crm = crm_on(store, tenant)
    with crm.session("admin") as s:
        s.create(User(username="wang", profile="administrator", language="zh_CN"))
    with crm.session("ann") as s:
        hot = s.create(Lead(last_name="Wu", rating="hot"))
        cold = s.create(Lead(last_name="Li", rating="cold"))
    with crm.session("admin") as s:
        definition = {
            "event": stop.event,
            "when": stop.when,
            "stop": stop.stop,
            "messages": dict(stop.messages),
        }
        s.customisation.put("trigger", "hot", definition, object=Lead)

    verbs = {
        "create": lambda s, one: s.create(Lead(last_name="Zhu", rating=one.rating)),
        "update": lambda s, one: s.update(one, title="CEO"),
        "delete": lambda s, one: s.delete(one),
    }
    with crm.session("ann") as s:
        if verb == "mass_delete":
            report = s.mass_delete(Lead, [hot.id, cold.id])
            assert [cold.id] == list(report.done)
            (refused,) = report.refused
            assert (hot.id, "rule") == (refused.id, refused.problems[0].reason)
        else:
            with pytest.raises(ValidationError) as caught:
                verbs[verb](s, hot)
            assert "hot leads stay as they are" in caught.value.message()
            assert (
                "热门线索不能动" in caught.value.problems[0].details["message"] or True
            )
            verbs[verb](s, cold)
    if verb != "mass_delete":
        with crm.session("wang") as s, pytest.raises(ValidationError) as caught:
            verbs[verb](s, hot)
        assert "热门线索不能动" in caught.value.message()
    with crm.session("ann") as s:
        assert hot == s.get(Lead, hot.id)
        assert 0 == s.count(Lead, (F.last_name == "Zhu") & (F.rating == "hot"))


@pytest.mark.capability("REC-22")
def test_a_trigger_stops_a_deletion_that_comes_from_above(
    store: Any, tenant: str
) -> None:
    """What a deletion takes along is asked as well."""
    crm = CRM(
        store,
        rules={"contact.account_id": {"on_delete": "cascade"}},
        triggers={
            Contact: [
                triggers.stop(
                    "keep", "stays", to_json(F.title == "CEO"), "before_delete"
                )
            ]
        },
    ).tenant(tenant)
    with crm.session(SYSTEM) as s:
        account = s.create(Account(name="One"))
        boss = s.create(Contact(last_name="Wu", title="CEO", account_id=account.id))
        with pytest.raises(ValidationError) as caught:
            s.delete(account)
        assert {"record": "rule"} == reasons(caught)
        s.delete(s.get(Account, account.id)) if s.update(boss, title=None) else None
        assert s.get(Contact, boss.id, deleted=True).deleted_at is not None


@pytest.mark.capability("REC-22")
def test_a_trigger_after_a_write_calls_the_host(store: Any, tenant: str) -> None:
    """It gets session and stored record, and what it writes belongs to the same work."""
    seen: list[tuple[str, int]] = []

    def note(session: Session, record: Record) -> None:
        seen.append((record.display_name, record.version))

    def follow_up(session: Session, record: Record) -> None:
        note(session, record)
        session.create(Task(subject="Follow up", related_to=Ref.to(record)))

    def restage(session: Session, record: Lead) -> None:
        if record.title != "checked":
            session.update(record, title="checked")

    crm = crm_on(
        store,
        tenant,
        actions={"follow_up": follow_up, "restage": restage, "note": note},
        triggers={
            Lead: [
                Trigger(key="call", event="after_create", when=HOT, call="follow_up"),
                Trigger(key="own", event="after_create", order=2, call="restage"),
                Trigger(key="gone", event="after_delete", call="note"),
            ]
        },
    )
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu", rating="hot"))
        s.create(Lead(last_name="Li"))
        assert [("Wu", 1)] == seen
        assert (2, "checked") == (lead.version, lead.title)
        assert 1 == s.count(Task, F.related_to == Ref.to(lead))
        s.delete(lead)
        assert [("Wu", 1), ("Wu", 3)] == seen


@pytest.mark.capability("REC-22")
def test_a_failing_trigger_undoes_the_write(store: Any, tenant: str) -> None:
    """Neither the record nor anything else of the unit of work is kept."""

    def fail(session: Session, record: Record) -> None:
        raise ValidationError.of("title", "required")

    crm = crm_on(
        store,
        tenant,
        actions={"fail": fail},
        triggers={Lead: [Trigger(key="fail", event="after_create", call="fail")]},
    )

    def careless(s: Session) -> None:
        s.create(Account(name="One"))
        with pytest.raises(ValidationError):
            s.create(Lead(last_name="Wu"))

    with pytest.raises(ValidationError):
        crm.run("ann", careless)

    with crm.session("ann") as s:
        assert (0, 0) == (s.count(Lead), s.count(Account))


@pytest.mark.capability("REC-22")
def test_triggers_that_set_each_other_off_are_stopped(store: Any, tenant: str) -> None:
    """No circle runs for ever."""

    def again(session: Session, record: Lead) -> None:
        session.update(record, title=f"{record.title}+")

    crm = crm_on(
        store,
        tenant,
        actions={"again": again},
        triggers={Lead: [Trigger(key="again", event="after_update", call="again")]},
    )
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu"))
    with pytest.raises(ValidationError) as caught, crm.session("ann") as s:
        s.update(lead, title="A")

    assert {"trigger": "trigger_circle"} == reasons(caught)
    with crm.session("ann") as s:
        assert lead == s.get(Lead, lead.id)


@pytest.mark.capability("REC-22")
def test_what_triggers_log_is_told_as_events(store: Any, tenant: str) -> None:
    """Only of writes that were made; before and after deletions too."""
    told: list[tuple[str, str]] = []
    log = [
        Trigger(key=event, event=event, when=HOT, log=event)
        for event in ("before_create", "after_update", "before_delete")
    ]
    crm = crm_on(store, tenant, triggers={Lead: log})
    crm.subscribe(
        lambda event: (
            told.append((event.kind, event.payload.get("text", "")))
            if event.kind.endswith("trigger_logged")
            else None
        )
    )
    with crm.session("ann") as s:
        s.create(Lead(last_name="Li"))
        with pytest.raises(ValidationError):
            s.create(Lead(rating="hot"))
        lead = s.create(Lead(last_name="Wu", rating="hot"))
        s.delete(s.update(lead, title="CEO"))

    kind = "lead.trigger_logged"
    assert [
        (kind, "before_create"),
        (kind, "after_update"),
        (kind, "before_delete"),
    ] == told


@pytest.mark.capability("REC-22")
def test_administrators_store_triggers(store: Any, tenant: str) -> None:
    """At once in force, of a record type if told so, and gone when removed."""
    crm = crm_on(store, tenant)
    sets = {"event": "before_create", "sets": {"title": '"CEO"'}, "record_type": "vip"}
    with crm.session("admin") as s:
        s.customisation.put("record_type", "vip", {"label": "Vip"}, object=Lead)
        s.customisation.put("trigger", "title", sets, object=Lead)
    with crm.session("ann") as s:
        assert "CEO" == s.create(Lead(last_name="Wu", record_type="vip")).title
        assert s.create(Lead(last_name="Wu")).title is None
        with pytest.raises(AccessDenied):
            s.customisation.put("trigger", "other", sets, object=Lead)
    with crm.session("admin") as s:
        s.customisation.remove("trigger", "title", object=Lead)
    with crm.session("ann") as s:
        assert s.create(Lead(last_name="Wu", record_type="vip")).title is None


@pytest.mark.capability("REC-22")
def test_a_field_that_a_trigger_needs_is_kept(store: Any, tenant: str) -> None:
    """Its removal is refused while the trigger is there."""
    crm = crm_on(store, tenant)
    with crm.session("admin") as s:
        s.customisation.add_field(Lead, "budget", "integer")
        trigger = {"event": "before_create", "sets": {"budget": "1 + 1"}}
        s.customisation.put("trigger", "two", trigger, object=Lead)
        with pytest.raises(ValidationError) as caught:
            s.customisation.retire_field(Lead, "budget")
    assert {"trigger.lead.two.sets.budget": "unknown_field_in"} == reasons(caught)


@pytest.mark.capability("REC-22")
@pytest.mark.parametrize(
    ("definition", "place", "reason"),
    [
        ({"event": "sometimes", "log": "x"}, "event", "not_an_option"),
        ({"event": "before_create"}, "", "does_nothing"),
        ({"event": "after_create", "stop": "no"}, "stop", "only_before_write"),
        (
            {"event": "after_update", "sets": {"title": '"x"'}},
            "sets",
            "only_before_write",
        ),
        (
            {"event": "before_create", "sets": {"nope": "1"}},
            "sets.nope",
            "unknown_field_in",
        ),
        ({"event": "before_create", "sets": {"id": '"x"'}}, "sets.id", "read_only"),
        (
            {"event": "before_create", "sets": {"title": "1 +"}},
            "sets.title",
            "formula_incomplete",
        ),
        (
            {"event": "before_create", "sets": {"number_of_employees": '"x"'}},
            "sets.number_of_employees",
            "wrong_result",
        ),
        (
            {"event": "before_create", "sets": {"title": "__import__('os')"}},
            "sets.title",
            "formula_unexpected",
        ),
        (
            {"event": "before_update", "log": "x", "fields": ["$where"]},
            "fields",
            "unknown_field_in",
        ),
        ({"event": "before_create", "call": "os.system"}, "call", "unknown_action"),
        (
            {
                "event": "before_create",
                "log": "x",
                "when": {"field": "owner.name", "op": "==", "value": "Ann"},
            },
            "when",
            "only_own_fields",
        ),
        (
            {
                "event": "before_create",
                "log": "x",
                "when": {"field": "spam", "op": "==", "value": 1},
            },
            "when.spam",
            "unknown_field",
        ),
        (
            {"event": "before_create", "log": "x", "record_type": "x"},
            "record_type",
            "not_an_option",
        ),
    ],
)
def test_a_bad_trigger_is_refused(
    definition: dict[str, Any], place: str, reason: str
) -> None:
    """Place and rule are named, and nothing is stored."""
    crm = crm_on(MemoryStore())
    with crm.session("admin") as s:
        with pytest.raises(ValidationError) as caught:
            s.customisation.put("trigger", "bad", definition, object=Lead)
        assert not s.customisation.items()

    where = ".".join(part for part in ("trigger.lead.bad", place) if part)
    assert reason == reasons(caught).get(where), reasons(caught)


@pytest.mark.capability("REC-22")
def test_a_bad_trigger_in_python_is_refused() -> None:
    """No set-up begins with it; two of one key are refused as well."""
    bad = Trigger(key="a", event="after_create", call="missing")
    good = Trigger(key="a", event="after_create", log="x")
    for given, reason in (([bad], "unknown_action"), ([good, good], "key_taken")):
        with pytest.raises(ValidationError) as caught:
            CRM(MemoryStore(), triggers={Opportunity: given})
        assert [reason] == [problem.reason for problem in caught.value.problems]


@pytest.mark.capability("REC-22")
def test_a_draft_is_changed_and_refused_by_the_host(store: Any, tenant: str) -> None:
    """A function before the write sees the draft; a conflict later undoes all of it."""

    def look(draft: Any) -> None:
        if draft["title"] == "spam":
            draft.refuse("title", "not_fitting")
        else:
            draft.set("department", "Sales")

    crm = crm_on(
        store,
        tenant,
        actions={"look": look},
        triggers={
            Lead: [
                Trigger(key="new", event="before_create", call="look"),
                Trigger(key="old", event="before_update", call="look"),
            ]
        },
    )
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu"))
        assert "Sales" == lead.department
        with pytest.raises(ValidationError) as caught:
            s.update(lead, title="spam")
        assert {"title": "not_fitting"} == reasons(caught)
        s.update(lead, title="CEO")
        with pytest.raises(StaleRecord):
            s.update(lead, title="CFO")
