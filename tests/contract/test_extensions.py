"""Entities that a host extends in Python, and entities of its own, on every store."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Address,
    Area,
    F,
    Lead,
    MemoryStore,
    Money,
    NotFound,
    Opportunity,
    Record,
    UniqueViolation,
    User,
    ValidationError,
    entity,
    extends,
    fields,
)
from crmcore.records import Option, Picklist
from crmcore.testing import (
    FixedClock,
    Office,
    SeededIds,
    memory_crm,
    small_organisation,
)
from tests.contract.customisation.reasons import reasons
from tests.contract.importing import load

pytestmark = pytest.mark.capability("REC-10")

SIZES = Picklist("deal_size", (Option("small", "Small"), Option("large", "Large")))


@extends(Lead)
class DealLead(Lead):
    """A lead with what the business asks for."""

    budget: Money | None = fields.money(indexed=True)
    deal_size: str | None = fields.picklist(SIZES)
    decides_on: date | None = fields.date(required=True)
    tax_number: str | None = fields.text(20, unique=True, searchable=True)
    premises: Address | None = fields.address()


@extends(Opportunity)
class DealOpportunity(Opportunity):
    """An opportunity that takes the size over."""

    deal_size: str | None = fields.picklist(SIZES)


@entity("machine", plural="machines", display=("serial",))
class Machine(Record):
    """An entity that only this host has."""

    serial: str | None = fields.text(40, required=True, unique=True)


DAY = date(2026, 12, 1)


@pytest.fixture
def deals(store: Any, tenant: str) -> Office:
    clock, ids = FixedClock(), SeededIds()
    whole = CRM(
        store,
        entities=[DealLead, DealOpportunity, Machine],
        clock=clock,
        ids=ids,
    )
    whole.install()
    crm = whole.tenant(tenant)
    return Office(crm, clock, ids, small_organisation(crm))


def test_verbs_take_and_give_the_extension(deals: Office) -> None:
    """Typed attributes are created, read, changed and compared like declared ones."""
    with deals.session() as s:
        made = s.create(
            DealLead(
                last_name="Li",
                budget=Money(100, "USD"),
                deal_size="large",
                decides_on=DAY,
                premises=Address(city="Shenzhen", country="CN"),
            )
        )
        changed = s.update(made, budget=Money(250, "USD"), premises=None)
    with deals.session() as s:
        stored = s.get(DealLead, made.id)
        history = s.history(stored)

    assert type(stored) is DealLead
    assert stored == changed
    assert stored.budget == Money(250, "USD")
    assert (stored.decides_on, stored["deal_size"], stored.premises) == (
        DAY,
        "large",
        None,
    )
    assert {c.field for c in history[-1].changes} == {"budget", "premises"}


def test_the_class_that_is_extended_stands_for_the_extension(deals: Office) -> None:
    """Code that knows only the library's class reads and writes the same records."""
    with deals.session() as s:
        plain = s.create(Lead(last_name="Wu", company_name="Acme"), decides_on=DAY)
        found = s.find(Lead).items
        by_name = s.get("lead", plain.id)
        (other,) = s.create_many([DealLead(last_name="Xu", decides_on=DAY)])

    assert [type(one) for one in (plain, *found, by_name, other)] == [DealLead] * 4
    assert plain.company_name == "Acme"
    assert plain["decides_on"] == DAY


def test_rules_of_added_fields_hold(deals: Office) -> None:
    """Required, unique and choices, also for records of the plain class."""
    with deals.session() as s:
        with pytest.raises(ValidationError) as refused:
            s.create(DealLead(last_name="Li", deal_size="huge"), budget="much")
        with pytest.raises(ValidationError) as plain:
            s.create(Lead(last_name="Li"))
        s.create(DealLead(last_name="Li", decides_on=DAY, tax_number="CN 1"))
    with deals.session() as s, pytest.raises(UniqueViolation):
        s.create(DealLead(last_name="Mo", decides_on=DAY, tax_number="cn 1"))

    assert reasons(refused) == {
        "deal_size": "not_an_option",
        "budget": "not_number",
        "decides_on": "required",
    }
    assert reasons(plain) == {"decides_on": "required"}


def test_criteria_know_added_fields(deals: Office) -> None:
    """They filter, sort, group and are added up."""
    with deals.session() as s:
        for name, amount, size in (
            ("A", 3, "small"),
            ("B", 1, "large"),
            ("C", 2, None),
        ):
            s.create(
                DealLead(
                    last_name=name,
                    budget=Money(amount, "USD"),
                    deal_size=size,
                    decides_on=DAY,
                    tax_number=f"No {name}",
                )
            )
        rich = s.find(DealLead, F.budget > Money(1, "USD"), order_by=[F.budget.desc()])
        groups = s.aggregate(Lead, {"sum": F.budget.sum()}, group_by=[F.deal_size])
        searched = s.find(DealLead, F.tax_number.contains("o b")).items

    assert [lead.last_name for lead in rich.items] == ["A", "C"]
    assert {g["deal_size"]: g["sum"] for g in groups} == {
        None: Money(2, "USD"),
        "small": Money(3, "USD"),
        "large": Money(1, "USD"),
    }
    assert [lead.last_name for lead in searched] == ["B"]


def test_a_conversion_gives_extensions_and_takes_shared_fields_over(
    deals: Office,
) -> None:
    """What lead and opportunity both add by name and type is carried over (LEAD-03)."""
    with deals.session() as s:
        lead = s.create(
            DealLead(
                last_name="Li", company_name="Acme", deal_size="large", decides_on=DAY
            )
        )
        done = s.leads.convert(s.leads.plan_conversion(lead))
        assert done.opportunity is not None
        moved = s.sales.move(done.opportunity, "needs_analysis")
        opportunity = s.get(DealOpportunity, moved.id)

    assert type(done.lead) is DealLead
    assert done.lead.is_converted
    assert type(done.opportunity) is DealOpportunity
    assert opportunity.deal_size == "large"


def test_imports_duplicates_copies_and_deletion_work_on_extensions(
    deals: Office,
) -> None:
    """All that works on leads does."""
    rows = "last_name,phone,deal_size,decides_on,budget\n"
    rows += "Li,+86 755 1234 5678,large,2026-12-01,12.50\n"
    report = load(deals.crm, rows.encode(), DealLead, "alice")
    with deals.session() as s:
        (lead,) = s.find(DealLead).items
        asked = s.duplicates(Lead(last_name="Li", phone="+86 755 1234 5678"))
        copy = s.copy(lead)
        s.delete(lead)
        restored = s.restore(s.get(DealLead, lead.id, deleted=True))

    assert report.created == 1
    assert lead.budget == Money("12.5", "USD")
    assert [match.id for match in asked.matches] == [lead.id]
    assert type(copy) is DealLead
    assert (copy.deal_size, copy.budget) == ("large", lead.budget)
    assert type(restored) is DealLead


def test_an_operation_gives_the_extension_again(deals: Office) -> None:
    """A retry returns the version that the first run returned."""
    results = []
    for _ in range(2):
        with deals.session(operation_key="once") as s:
            made = s.create(DealLead(last_name="Li", decides_on=DAY))
            results.append(s.update(made, budget=Money(5, "USD")))

    assert results[0] == results[1]
    assert type(results[1]) is DealLead


@pytest.mark.capability("REC-12")
def test_administrators_shape_extensions_too(deals: Office) -> None:
    """Custom fields stand beside added ones, and forms tell of both."""
    with deals.session("admin") as s:
        s.customisation.add_field("lead", "channel", "text")
        s.customisation.change_field("lead", "budget", label="Means", required=True)
        with pytest.raises(ValidationError) as taken:
            s.customisation.add_field("lead", "tax_number", "text")
    with deals.session() as s:
        with pytest.raises(ValidationError) as refused:
            s.create(DealLead(last_name="Li", decides_on=DAY))
        lead = s.create(
            DealLead(last_name="Li", decides_on=DAY, budget=Money(1, "USD")),
            channel="fair",
        )
    form = deals.crm.schema(DealLead).describe()
    told = {field["name"]: field for field in form["fields"]}

    assert lead["channel"] == "fair"
    assert reasons(refused) == {"budget": "required"}
    assert reasons(taken) == {"field.lead.tax_number": "key_taken"}
    assert (told["budget"]["label"], told["budget"]["custom"]) == ("Means", False)
    assert deals.crm.schema("lead").record_class is DealLead


def test_records_from_before_have_no_value_of_an_added_field(
    store: Any, tenant: str
) -> None:
    """An installation adds what is missing; what was there is read on."""
    if not store.capabilities.durable:
        pytest.skip(store.capabilities.reasons["durable"])
    plain = CRM(store).tenant(tenant)
    small_organisation(plain)
    with plain.session("alice") as s:
        old = s.create(Lead(last_name="Li"))
    CRM(store, entities=[DealLead]).install()
    extended = CRM(store, entities=[DealLead]).tenant(tenant)
    with extended.session("alice") as s:
        before = s.get(DealLead, old.id)
        s.update(before, budget=Money(7, "USD"), decides_on=DAY)
    with plain.session("alice") as s:
        read = s.get(Lead, old.id)
        kept = s.update(read, company_name="Acme")
    with extended.session("alice") as s:
        after = s.get(DealLead, old.id)

    assert before.budget is None
    assert type(kept) is Lead
    assert (after.company_name, after.budget) == ("Acme", Money(7, "USD"))


@pytest.mark.capability("REC-17")
def test_entities_of_the_host_stand_beside_the_others(deals: Office) -> None:
    """Given to the CRM without an area of their own."""
    with deals.session() as s:
        machine = s.create(Machine(serial="W-11"))
        assert s.find(Machine, F.serial == "W-11").items == (machine,)
    with deals.session() as s, pytest.raises(UniqueViolation):
        s.create(Machine(serial="w-11"))


def test_people_are_extended_as_well(store: Any, tenant: str) -> None:
    """Users of an extension act, are named and are found as others are."""

    @extends(User)
    class Staff(User):
        badge: str | None = fields.text(20, unique=True)
        superior: str | None = fields.lookup_value("manager_id", "name")

    whole = CRM(store, entities=[Staff])
    whole.install()
    crm = whole.tenant(tenant)
    with crm.session(SYSTEM) as s:
        boss = s.create(User(username="boss", name="Boss", profile="manager"))
        alice = s.create(
            Staff(username="alice", manager_id=boss.id, profile="sales", badge="7")
        )
    with crm.session(alice) as s:
        lead = s.create(Lead(last_name="Li"))
        me = s.get(User, alice.id)
    with crm.session("boss") as s:
        assert s.access.explain(alice, lead, "edit").allowed
        found = s.find(Staff, F.superior == "Boss").items

    assert type(boss) is type(me) is Staff
    assert (me["badge"], me["superior"]) == ("7", "Boss")
    assert [user.username for user in found] == ["alice"]


# -- what is refused ---------------------------------------------------------------------


def test_added_fields_never_take_the_name_of_another() -> None:
    """Each is named with its entity; parts of fields and properties count as well."""
    with pytest.raises(ValidationError) as refused:

        @extends(Lead)
        class _Clashing(Lead):
            last_name: str | None = fields.text(5)
            owner_id: Any = fields.reference("account")
            annual_revenue_currency: str | None = fields.text(3)  # a stored part
            is_converted: Any = fields.boolean()
            parent: str | None = fields.text()
            evolved: Any = fields.text()
            loose: int = 3
            campaign_id: Any = fields.text()
            budget: Any = fields.money()
            budget_currency: Any = fields.text()

    assert reasons(refused) == {
        "lead.last_name": "field_exists",
        "lead.owner_id": "field_exists",
        "lead.annual_revenue_currency": "key_collides",
        "lead.is_converted": "reserved_key",
        "lead.parent": "reserved_key",
        "lead.evolved": "reserved_key",
        "lead.loose": "not_a_field",
        "lead.budget_currency": "key_collides",
    }


def test_an_extension_inherits_from_what_it_extends() -> None:
    """Neither another class nor one that is no entity can be extended."""
    with pytest.raises(ValidationError) as strange:

        @extends(Lead)
        class _Strange(Account):
            budget: Money | None = fields.money()

    with pytest.raises(ValidationError) as no_entity:
        extends(Record)

    class Undecorated(Lead):
        pass

    with pytest.raises(ValidationError) as undecorated:
        CRM(MemoryStore(), entities=[Undecorated])
    with pytest.raises(ValidationError) as nothing:
        CRM(MemoryStore(), entities=["lead"])  # type: ignore[list-item]

    assert reasons(strange) == {"_Strange": "not_an_extension"}
    assert reasons(no_entity) == {"Record": "not_declared"}
    assert reasons(undecorated) == {"Undecorated": "not_declared"}
    assert reasons(nothing) == {"lead": "not_declared"}


def test_an_entity_has_one_extension() -> None:
    """Two are refused, unless one extends the other: then it is the furthest."""

    @extends(Lead)
    class Other(Lead):
        region: str | None = fields.text()

    @extends(DealLead)
    class Further(DealLead):
        region: str | None = fields.text()

    @entity("lead", plural="leads")
    class Usurper(Record):
        name: str | None = fields.text()

    with pytest.raises(ValidationError) as twice:
        CRM(MemoryStore(), entities=[DealLead, Other])
    with pytest.raises(ValidationError) as usurped:
        CRM(MemoryStore(), entities=[Usurper])
    office = memory_crm(entities=[Further, DealLead])
    with office.session() as s:
        made = s.create(DealLead(last_name="Li", decides_on=DAY), region="South")
        again = s.get(Lead, made.id)
    area = memory_crm(areas=[Area(name="deals", entities=(Other,))])
    with area.session() as s:
        lead = s.create(Lead(last_name="Li"), region="North")
        with pytest.raises(ValidationError) as unknown:
            s.create(DealLead(last_name="Li"))

    assert type(made) is type(again) is Further
    assert made["region"] == "South"
    assert type(lead) is Other
    assert reasons(twice) == reasons(usurped) == {"lead": "declared_twice"}
    assert "DealLead" in str(twice.value)
    assert reasons(unknown) == {"entity": "unknown_entity"}


def test_the_library_knows_nothing_of_another_set_up() -> None:
    """An extension counts in the CRM that it was given to, and nowhere else."""
    plain = memory_crm()
    with plain.session() as s:
        lead = s.create(Lead(last_name="Li"))
        with pytest.raises(ValidationError) as refused:
            s.update(lead, budget=Money(1, "USD"))
        with pytest.raises(NotFound):
            s.get(Lead, "01890000-0000-7000-8000-000000000000")

    assert reasons(refused) == {"budget": "unknown_field"}
    assert "budget" not in Lead.__entity__.fields
