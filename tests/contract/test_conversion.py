"""Converting a lead: all of it or nothing, once, and never against the rules (LEAD-03)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    AccessDenied,
    AccessPolicy,
    Account,
    AlreadyConverted,
    Contact,
    ConversionSettings,
    Create,
    DuplicateFound,
    Lead,
    Money,
    Note,
    Opportunity,
    Profile,
    Ref,
    Skip,
    StaleRecord,
    Task,
    TransitionRefused,
    UniqueViolation,
    Use,
    ValidationError,
)
from crmcore.session import Session
from crmcore.testing import (
    Factory,
    Office,
    small_organisation,
)

pytestmark = pytest.mark.capability("LEAD-03")


def counts(session: Session) -> tuple[int, int, int]:
    return session.count(Account), session.count(Contact), session.count(Opportunity)


def test_a_plan_writes_nothing(office: Office, factory: Factory) -> None:
    """A plan is a value: it says what will be made, and the store stays as it is."""
    with office.session() as s:
        lead = s.create(factory.lead())
        plan = s.leads.plan_conversion(lead)

        assert ["create"] * 3 == [
            plan.account.action,
            plan.contact.action,
            plan.opportunity.action,
        ]
        assert (0, 0, 0) == counts(s)
        assert lead == s.get(Lead, lead.id)


def test_values_go_where_they_belong(office: Office, factory: Factory) -> None:
    """Company, person and origin of the lead become account, contact, opportunity."""
    with office.session() as s:
        lead = s.create(
            factory.lead(
                company_name="Acme",
                title="CEO",
                industry="finance",
                annual_revenue=Money("12.5", "EUR"),
                campaign="Fair",
                do_not_call=True,
            )
        )
        done = s.leads.convert(s.leads.plan_conversion(lead))

    assert done.account is not None
    assert done.contact is not None
    assert done.opportunity is not None
    assert ("Acme", "finance", Money("12.5000", "EUR")) == (
        done.account.name,
        done.account.industry,
        done.account.annual_revenue,
    )
    assert ("CEO", True, done.account.id) == (
        done.contact.title,
        done.contact.do_not_call,
        done.contact.account_id,
    )
    assert ("Acme", "Fair", done.account.id, done.contact.id, "prospecting") == (
        done.opportunity.name,
        done.opportunity.campaign,
        done.opportunity.account_id,
        done.opportunity.contact_id,
        done.opportunity.stage,
    )
    made = (done.account, done.contact, done.opportunity)
    assert {lead.id} == {record.original_lead_id for record in made}
    assert {lead.owner_id} == {record.owner_id for record in made}
    assert ("converted", *(record.id for record in made)) == (
        done.lead.status,
        done.lead.converted_account_id,
        done.lead.converted_contact_id,
        done.lead.converted_opportunity_id,
    )


def test_it_fails_as_a_whole_when_the_account_exists(
    office: Office, factory: Factory
) -> None:
    """The error carries the account, and nothing at all was made."""
    with office.session() as s:
        account = s.create(Account(name="ACME"))
        lead = s.create(factory.lead(company_name=" acme"))
        plan = s.leads.plan_conversion(lead)
        with pytest.raises(UniqueViolation) as raised:
            s.leads.convert(plan)

        assert ["account_exists"] == [obstacle.kind for obstacle in plan.obstacles]
        assert account.id == raised.value.details["existing_id"]
        assert (1, 0, 0) == counts(s)
        assert lead == s.get(Lead, lead.id)


def test_the_existing_account_may_be_used(office: Office, factory: Factory) -> None:
    """Only its empty fields are filled; contact and opportunity belong to it."""
    with office.session() as s:
        account = s.create(Account(name="Acme", industry="finance"))
        lead = s.create(
            factory.lead(company_name="Acme", industry="energy", number_of_employees=5)
        )
        done = s.leads.convert(s.leads.plan_conversion(lead, account=Use(account.id)))

    assert done.account is not None
    assert (account.id, "finance", 5) == (
        done.account.id,
        done.account.industry,
        done.account.number_of_employees,
    )
    assert done.contact is not None
    assert done.opportunity is not None
    assert {account.id} == {done.contact.account_id, done.opportunity.account_id}


def test_existing_accounts_may_be_reused_by_setting(
    office: Office, factory: Factory
) -> None:
    """With ``existing_account="reuse"`` a visible account of the name is used."""
    with office.session("carol") as s:
        s.create(Account(name="Hidden"))
    with office.session() as s:
        account = s.create(Account(name="Acme"))
        lead = s.create(factory.lead(company_name="ACME"))
        done = s.leads.convert(lead, existing_account="reuse")
        hidden = s.create(factory.lead(company_name="hidden"))
        with pytest.raises(UniqueViolation) as raised:
            s.leads.convert(hidden, existing_account="reuse")

    assert done.account is not None
    assert account.id == done.account.id
    assert raised.value.details["existing_id"] is None


@pytest.mark.parametrize("skipped", ["account", "contact", "opportunity"])
def test_each_of_the_three_may_be_left_out(
    office: Office, factory: Factory, skipped: str
) -> None:
    """What is skipped is not made; the others are."""
    choices: dict[str, Any] = {skipped: Skip()}
    with office.session() as s:
        lead = s.create(factory.lead())
        done = s.leads.convert(s.leads.plan_conversion(lead, **choices))
        made = {n for n in ("account", "contact", "opportunity") if getattr(done, n)}

        assert {"account", "contact", "opportunity"} - {skipped} == made
        assert sum(counts(s)) == 2
        assert getattr(done.lead, f"converted_{skipped}_id") is None


def test_given_values_go_first(office: Office, factory: Factory) -> None:
    """``Create(values)`` overrides what the lead gives."""
    with office.session() as s:
        lead = s.create(factory.lead(company_name="Acme"))
        done = s.leads.convert(
            lead,
            account=Create({"name": "Acme Holding"}),
            opportunity=Create({"name": "Deal", "amount": Money(5, "EUR")}),
            owner_id=office.people.bob.id,
        )

    assert done.account is not None
    assert done.opportunity is not None
    assert ("Acme Holding", "Deal") == (done.account.name, done.opportunity.name)
    assert {office.people.bob.id} == {done.account.owner_id, done.opportunity.owner_id}


def test_a_failure_in_the_middle_leaves_nothing(
    office: Office, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever write fails, neither records nor names nor the lead's state stay."""
    with office.session() as s:
        lead = s.create(factory.lead(company_name="Acme"))
        task = s.create(Task(subject="Call", related_to=Ref.to(lead)))
    with pytest.raises(ZeroDivisionError), office.session() as s:  # noqa: PT012
        plan = s.leads.plan_conversion(lead)

        def fail(*_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(type(s.transaction), "append", fail)
        s.leads.convert(plan)
    monkeypatch.undo()

    with office.session() as s:
        assert (0, 0, 0) == counts(s)
        assert (lead, task) == (s.get(Lead, lead.id), s.get(Task, task.id))
        assert s.leads.convert(s.leads.plan_conversion(lead)).account is not None


def test_a_bad_value_refuses_the_whole(office: Office, factory: Factory) -> None:
    """A target that is refused stops the conversion before anything is made."""
    with office.session() as s:
        lead = s.create(factory.lead())
        with pytest.raises(ValidationError):
            s.leads.convert(lead, opportunity=Create({"stage": "nowhere"}))
        with pytest.raises(ValidationError):
            s.leads.convert(lead, contact=Create({"birthday": "tomorrow"}))

        assert (0, 0, 0) == counts(s)
        assert lead == s.get(Lead, lead.id)


def test_a_lead_is_converted_once(office: Office, factory: Factory) -> None:
    """The second time the error says what the first one made."""
    with office.session() as s:
        done = s.leads.convert(s.create(factory.lead()))
        with pytest.raises(AlreadyConverted) as raised:
            s.leads.plan_conversion(done.lead)

    assert done.account is not None
    assert done.account.id == raised.value.details["account_id"]
    assert done.lead.id == raised.value.details["lead_id"]


def test_a_plan_is_applied_once(office: Office, factory: Factory) -> None:
    """Applying one plan twice is refused and makes nothing more."""
    with office.session() as s:
        plan = s.leads.plan_conversion(s.create(factory.lead()))
        s.leads.convert(plan)
        with pytest.raises(AlreadyConverted):
            s.leads.convert(plan)

        assert (1, 1, 1) == counts(s)


def test_a_plan_of_an_older_version_is_stale(office: Office, factory: Factory) -> None:
    """When lead, account or contact changed since planning, nothing is made."""
    with office.session() as s:
        account = s.create(Account(name="Acme"))
        lead = s.create(factory.lead())
        plan = s.leads.plan_conversion(lead)
        lead = s.update(lead, title="CEO")
        with pytest.raises(StaleRecord):
            s.leads.convert(plan)
        plan = s.leads.plan_conversion(lead, account=Use(account.id))
        s.update(account, industry="finance")
        with pytest.raises(StaleRecord):
            s.leads.convert(plan)

        assert (1, 0, 0) == counts(s)


def test_a_name_taken_after_planning_refuses_the_whole(
    office: Office, factory: Factory
) -> None:
    """The claim on the name holds, also where the plan saw no obstacle."""
    with office.session() as s:
        plan = s.leads.plan_conversion(s.create(factory.lead(company_name="Acme")))
        s.create(Account(name="acme"))
        with pytest.raises(UniqueViolation):
            s.leads.convert(plan)

        assert (1, 0, 0) == counts(s)


def test_a_converted_lead_is_read_only(office: Office, factory: Factory) -> None:
    """No field changes any more, and nobody converts a lead by editing it."""
    with office.session() as s:
        done = s.leads.convert(s.create(factory.lead()))
        with pytest.raises(ValidationError) as raised:
            s.update(done.lead, title="CEO", status="new")
        fresh = s.create(factory.lead())
        for values in (
            {"status": "converted"},
            {"converted_at": office.clock.now()},
            {"converted_account_id": done.lead.converted_account_id},
        ):
            with pytest.raises(ValidationError):
                s.update(fresh, **values)
            with pytest.raises(ValidationError):
                s.create(factory.lead(**values))

    assert {("title", "read_only"), ("status", "read_only")} == {
        (p.field, p.reason) for p in raised.value.problems
    }


def test_tasks_and_notes_are_carried(office: Office, factory: Factory) -> None:
    """They belong to the opportunity, and stay linked with all records and the lead."""
    with office.session() as s:
        lead = s.create(factory.lead())
        task = s.create(Task(subject="Call", related_to=Ref.to(lead)))
        other = s.create(factory.lead())
        note = s.create(
            Note(body="Said", related_to=Ref.to(other), links=(Ref.to(lead),))
        )
        untouched = s.create(Task(subject="Other", related_to=Ref.to(other)))
        plan = s.leads.plan_conversion(lead)
        done = s.leads.convert(plan)
        task, note = s.get(Task, task.id), s.get(Note, note.id)

        assert plan.activities == 2
        assert done.opportunity is not None
        assert done.account is not None
        assert done.contact is not None
        assert Ref.to(done.opportunity) == task.related_to
        assert {Ref.to(done.account), Ref.to(done.contact), Ref.to(lead)} == set(
            task.links or ()
        )
        assert Ref.to(other) == note.related_to
        assert {Ref.to(done.opportunity), Ref.to(lead)} <= set(note.links or ())
        assert untouched == s.get(Task, untouched.id)


@pytest.mark.parametrize(("way", "kept"), [("move", False), ("leave", True)])
def test_activities_may_be_moved_or_left(
    office: Office, factory: Factory, way: str, kept: bool
) -> None:
    """Moved ones lose their tie to the lead, left ones keep only that."""
    with office.session() as s:
        lead = s.create(factory.lead())
        task = s.create(Task(subject="Call", related_to=Ref.to(lead)))
        s.leads.convert(lead, activities=way)
        task = s.get(Task, task.id)

    assert kept == (Ref.to(lead) in {task.related_to, *(task.links or ())})


def test_a_lead_without_a_company_makes_no_account(
    office: Office, factory: Factory
) -> None:
    """Contact and opportunity are made; the opportunity is called by the person."""
    with office.session() as s:
        lead = s.create(factory.lead(company_name=None, last_name="Lovelace"))
        done = s.leads.convert(lead)

    assert done.account is None
    assert done.contact is not None
    assert done.opportunity is not None
    assert (None, None) == (done.contact.account_id, done.opportunity.account_id)
    assert "Ada Lovelace" == done.opportunity.name


def test_consent_only_becomes_stricter(office: Office, factory: Factory) -> None:
    """An opt-out of lead or contact survives; a consent of the lead lifts none."""
    with office.session() as s:
        strict = s.create(factory.contact(do_not_call=True, email_opt_out=False))
        lead = s.create(factory.lead(do_not_call=False, email_opt_out=True))
        done = s.leads.convert(lead, contact=Use(strict.id), account=Skip())

    assert done.contact is not None
    assert (True, True) == (done.contact.do_not_call, done.contact.email_opt_out)


def test_a_contact_of_another_account_is_refused(
    office: Office, factory: Factory
) -> None:
    """Unless the set-up links contacts, an existing one must belong to the account."""
    with office.session() as s:
        theirs = s.create(Account(name="Theirs"))
        contact = s.create(factory.contact(account_id=theirs.id))
        lead = s.create(factory.lead(company_name="Acme"))
        with pytest.raises(ValidationError) as raised:
            s.leads.plan_conversion(lead, contact=Use(contact.id))
        done = s.leads.convert(
            lead, contact=Use(contact.id), link_contact_to_account=True
        )

    assert [("contact", "wrong_account")] == [
        (p.field, p.reason) for p in raised.value.problems
    ]
    assert done.contact is not None
    assert done.account is not None
    assert done.account.id == done.contact.account_id


def test_duplicates_stop_it_with_candidates(office: Office, factory: Factory) -> None:
    """Look-alikes are offered; they may be used, or ignored by decision."""
    with office.session() as s:
        twin = s.create(factory.contact(email="ada@example.com"))
        lead = s.create(factory.lead(email="ADA@example.com"))
        plan = s.leads.plan_conversion(lead)
        with pytest.raises(DuplicateFound) as raised:
            s.leads.convert(plan)

        assert ["duplicate"] == [obstacle.kind for obstacle in plan.obstacles]
        assert [twin.id] == [match.id for match in raised.value.candidates]
        assert (0, 1, 0) == counts(s)
        done = s.leads.convert(lead, on_duplicate="create_anyway")
        assert done.contact is not None
        assert twin.id != done.contact.id


def test_the_best_duplicate_may_be_used_by_setting(
    office: Office, factory: Factory
) -> None:
    """With ``on_duplicate="use_best"`` a readable look-alike is completed."""
    with office.session() as s:
        twin = s.create(factory.contact(email="ada@example.com", title=None))
        lead = s.create(factory.lead(email="ada@example.com", title="CEO"))
        done = s.leads.convert(lead, on_duplicate="use_best", account=Skip())

    assert done.contact is not None
    assert (twin.id, "CEO") == (done.contact.id, done.contact.title)


def test_candidates_of_others_are_redacted(office: Office, factory: Factory) -> None:
    """A look-alike that one may not read stops it too, without its id."""
    with office.session("carol") as s:
        s.create(factory.contact(email="ada@example.com"))
    with office.session() as s:
        lead = s.create(factory.lead(email="ada@example.com"))
        with pytest.raises(DuplicateFound) as raised:
            s.leads.convert(lead)

    assert [(None, False)] == [(m.id, m.readable) for m in raised.value.candidates]


def test_only_given_states_are_converted(
    store: Any, tenant: str, factory: Factory
) -> None:
    """A set-up may say which states are ready for conversion."""
    settings = ConversionSettings(convert_from=frozenset({"in_process"}))
    crm = CRM(store, settings=[settings]).tenant(tenant)
    small_organisation(crm)
    with crm.session("alice") as s:
        lead = s.create(factory.lead())
        with pytest.raises(TransitionRefused) as raised:
            s.leads.convert(lead)
        assert "not_convertible" == raised.value.details["reason"]
        assert s.leads.convert(s.update(lead, status="in_process")).contact is not None


def test_a_conversion_needs_the_right_to_make_each_record(
    store: Any, tenant: str, factory: Factory
) -> None:
    """Without the right to create opportunities nothing is made at all."""
    daily = frozenset({"create", "read", "edit", "convert"})
    limited = Profile("limited", {"*": daily, "opportunity": frozenset({"read"})})
    policy = AccessPolicy(profiles=(*AccessPolicy().profiles, limited))
    crm = CRM(store, policy=policy).tenant(tenant)
    people = small_organisation(crm)
    with crm.session("admin") as s:
        s.update(people.carol, profile="limited")
    with crm.session("carol") as s:
        lead = s.create(factory.lead())
        with pytest.raises(AccessDenied):
            s.leads.convert(lead)
        assert (0, 0, 0) == counts(s)
        assert s.leads.convert(lead, opportunity=Skip()).contact is not None


def test_a_conversion_is_one_entry_of_the_history(
    office: Office, factory: Factory
) -> None:
    """The lead's history says converted, by whom, and into what."""
    with office.session() as s:
        done = s.leads.convert(s.create(factory.lead()))
        last = s.history(done.lead)[-1]

    assert ("converted", office.people.alice.id, 2) == (
        last.action,
        last.by,
        last.version,
    )
    changed = {change.field: change.new for change in last.changes}
    assert done.account is not None
    assert ("converted", str(done.account.id)) == (
        changed["status"],
        changed["converted_account_id"],
    )
