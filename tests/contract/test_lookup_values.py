"""Lookup values: what another record holds is shown, never copied (REC-10)."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from crmcore import (
    CRM,
    Account,
    Contact,
    F,
    Lead,
    MemoryStore,
    Money,
    Opportunity,
    ValidationError,
    extends,
    fields,
)
from crmcore.criteria import to_json
from crmcore.records import LookupValue
from crmcore.testing import (
    FixedClock,
    Office,
    SeededIds,
    memory_crm,
    small_organisation,
)
from tests.contract.customisation.reasons import reasons

pytestmark = pytest.mark.capability("REC-10")


@extends(Contact)
class Person(Contact):
    """A contact that shows what its account is."""

    account_industry: str | None = fields.lookup_value("account_id", "industry")
    account_revenue: Money | None = fields.lookup_value("account_id", "annual_revenue")


@pytest.fixture
def office(store: Any, tenant: str) -> Office:
    """Attributes of an extension, a custom field in Python, and one that is stored."""
    clock, ids = FixedClock(), SeededIds()
    whole = CRM(
        store,
        entities=[Person],
        fields={
            Lead: [
                fields.custom(
                    "owner_name", LookupValue(relation="owner_id", field="name")
                )
            ]
        },
        clock=clock,
        ids=ids,
    )
    whole.install()
    crm = whole.tenant(tenant)
    office = Office(crm, clock, ids, small_organisation(crm))
    with office.session("admin") as s:
        s.customisation.add_field(
            "opportunity",
            "account_city",
            "lookup_value",
            options={"relation": "account_id", "field": "website"},
            label="Site",
        )
    return office


def accounts(session: Any) -> tuple[Account, Account]:
    bank = session.create(
        Account(name="Bank", industry="finance", annual_revenue=Money(9, "USD"))
    )
    mill = session.create(
        Account(name="Mill", industry="manufacturing", annual_revenue=Money(5, "USD"))
    )
    return bank, mill


def test_every_read_shows_what_the_other_record_holds_now(office: Office) -> None:
    """At creation, after changes of either record, in lists, streams and by name."""
    with office.session() as s:
        bank, mill = accounts(s)
        made = s.create(Person(last_name="Li", account_id=bank.id))
        alone = s.create(Person(last_name="Wu"))
        moved = s.update(made, account_id=mill.id)
        s.update(mill, industry="retail", annual_revenue=None)
        opportunity = s.create(
            Opportunity(name="Deal", account_id=bank.id, close_date=date(2026, 12, 1))
        )
        s.update(bank, website="https://bank.example")
        lead = s.create(Lead(last_name="Xu"))
    with office.session() as s:
        got = s.get(Contact, made.id)
        page = s.find(Contact, order_by=[F.last_name]).items
        streamed = list(s.stream("contact", order_by=[F.last_name]))
        deal = s.get(Opportunity, opportunity.id)

    assert (made.account_industry, made.account_revenue) == (
        "finance",
        Money(9, "USD"),
    )
    assert alone.account_industry is None
    assert moved.account_industry == "manufacturing"
    assert (got["account_industry"], got["account_revenue"]) == ("retail", None)
    assert [one["account_industry"] for one in page] == ["retail", None]
    assert list(page) == streamed
    assert opportunity["account_city"] is None
    assert deal["account_city"] == "https://bank.example"
    assert lead["owner_name"] == "Alice"


def test_criteria_follow_the_reference(office: Office) -> None:
    """They filter, sort, group and add up by it as by the other record's field."""
    with office.session("admin") as s:
        bank, mill = accounts(s)
        for name, account in (("A", bank), ("B", mill), ("C", bank), ("D", None)):
            identity = account.id if account else None
            s.create(Person(last_name=name, account_id=identity))
        found = s.find(Person, F.account_industry == "finance", order_by=[F.last_name])
        empty = s.find(Person, F.account_industry.is_null()).items
        rich = s.count(Person, F.account_revenue > Money(6, "USD"))
        parts = s.count(Person, F.account_revenue.currency == "USD")
        first, *_ = s.find(
            Person, order_by=[F.account_revenue.desc(), F.last_name.desc()], limit=2
        ).items
        page = s.find(Person, order_by=[F.account_industry.desc()], limit=1)
        following = s.find(
            Person, order_by=[F.account_industry.desc()], limit=1, after=page.next
        )
        groups = s.aggregate(
            Person,
            {"most": F.account_revenue.max()},
            group_by=[F.account_industry],
        )

    assert [one.last_name for one in found.items] == ["A", "C"]
    assert [one.last_name for one in empty] == ["D"]
    assert (rich, parts) == (2, 3)
    assert first.last_name == "C"
    assert [p.items[0].account_industry for p in (page, following)] == [
        "manufacturing",
        "finance",
    ]
    assert {g["account_industry"]: g["most"] for g in groups} == {
        None: None,
        "finance": Money(9, "USD"),
        "manufacturing": Money(5, "USD"),
    }


def test_nobody_sets_it_and_nothing_is_kept(office: Office) -> None:
    """Neither at creation nor later; it stands in no history."""
    with office.session() as s:
        bank, _ = accounts(s)
        person = s.create(Person(last_name="Li", account_id=bank.id))
        with pytest.raises(ValidationError) as created:
            s.create(Contact(last_name="Wu"), account_industry="finance")
        with pytest.raises(ValidationError) as changed:
            s.update(person, account_industry="retail")
        deal = s.create(
            Opportunity(name="Deal", account_id=bank.id, close_date=date(2026, 12, 1))
        )
        with pytest.raises(ValidationError) as custom:
            s.update(deal, account_city="x")
        same = s.update(person, account_id=bank.id)
        copied = s.create(s.copy(person))
        told = {c.field for e in s.history(person) for c in e.changes}

    for refused in (created, changed):
        assert reasons(refused) == {"account_industry": "read_only"}
    assert reasons(custom) == {"account_city": "read_only"}
    assert same.version == 1
    assert copied.account_industry == "finance"
    assert told == set()


@pytest.mark.capability("ACC-09")
def test_it_shows_nothing_of_what_the_actor_may_not_see(office: Office) -> None:
    """Neither of a hidden record nor of a hidden field; criteria agree with reads."""
    with office.session("carol") as s:
        hidden, _ = accounts(s)
    with office.session("admin") as s:
        person = s.create(Person(last_name="Li", account_id=hidden.id))
        person = s.update(person, owner_id=office.people.alice.id)
        assert person.account_industry == "finance"
    with office.session("alice") as s:
        seen = s.get(Person, person.id)
        counted = s.count(Person, F.account_industry == "finance")
        missing = s.count(Person, F.account_industry.is_null())

    assert seen.account_id == hidden.id
    assert (seen.account_industry, seen.account_revenue) == (None, None)
    assert (counted, missing) == (0, 1)


@pytest.mark.capability("ACC-09")
def test_a_field_that_is_hidden_from_a_profile_is_not_shown_elsewhere(
    office: Office,
) -> None:
    """Hiding the original, or the reference, hides what shows it."""
    with office.session("admin") as s:
        s.customisation.put(
            "profile",
            "sales",
            {
                "actions": {"*": ["read", "create", "edit"]},
                "fields": {"account": {"industry": "hidden"}},
            },
        )
    with office.session() as s:
        bank, _ = accounts_of_others(office, s)
        person = s.create(Person(last_name="Li", account_id=bank))
        read = s.get(Person, person.id)
        with pytest.raises(ValidationError) as refused:
            s.count(Person, F.account_industry == "finance")

    assert person.account_industry is read.account_industry is None
    assert read.account_revenue == Money(9, "USD")
    assert reasons(refused) == {"account_industry": "unknown_field"}


@pytest.mark.capability("ACC-09")
def test_whoever_may_not_read_the_reference_sees_nothing_behind_it(
    office: Office,
) -> None:
    """Otherwise the value would tell where the hidden reference leads."""
    with office.session("admin") as s:
        s.customisation.put(
            "profile",
            "sales",
            {
                "actions": {"*": ["read", "create", "edit"]},
                "fields": {"contact": {"account_id": "hidden"}},
            },
        )
        bank, _ = accounts(s)
        bank = s.update(bank, owner_id=office.people.alice.id)
        person = s.create(Person(last_name="Li", account_id=bank.id))
        s.update(person, owner_id=office.people.alice.id)
    with office.session() as s:
        seen = s.get(Person, person.id)
        with pytest.raises(ValidationError) as refused:
            s.find(Person, order_by=[F.account_industry])
    form = office.crm.schema(Person).describe("alice")

    assert (seen.account_id, seen.account_industry, seen.account_revenue) == (None,) * 3
    assert reasons(refused) == {"account_industry": "unknown_field"}
    assert "account_industry" not in {field["name"] for field in form["fields"]}


def accounts_of_others(office: Office, session: Any) -> tuple[UUID, UUID]:
    """Return accounts of Alice, made by somebody who may see all fields."""
    with office.session("admin") as s:
        made = [
            s.update(one, owner_id=office.people.alice.id).id for one in accounts(s)
        ]
    return made[0], made[1]


def test_rules_of_administrators_read_it(office: Office) -> None:
    """A stored rule is asked anew when the reference leads elsewhere."""
    with office.session("admin") as s:
        s.customisation.put(
            "validation_rule",
            "no_banks",
            {"must": to_json(F.account_industry != "finance"), "message": "no banks"},
            object="contact",
        )
    with office.session() as s:
        bank, mill = accounts(s)
        person = s.create(Person(last_name="Li", account_id=mill.id))
        with pytest.raises(ValidationError) as created:
            s.create(Person(last_name="Wu", account_id=bank.id))
        with pytest.raises(ValidationError) as moved:
            s.update(person, account_id=bank.id)

    assert reasons(created) == reasons(moved) == {"account_id": "rule"}


def test_rules_and_layouts_may_demand_it(office: Office) -> None:
    """A rule asks the other record; a layout cannot, nobody could fill the field."""
    with office.session("admin") as s:
        s.customisation.put(
            "validation_rule",
            "known_industry",
            {"required": ["account_industry"], "message": "which industry?"},
            object="contact",
        )
        s.customisation.put(
            "layout",
            "main",
            {
                "sections": [
                    {
                        "key": "main",
                        "label": "Main",
                        "fields": [{"field": "account_revenue", "required": True}],
                    }
                ]
            },
            object="contact",
        )
    with office.session() as s:
        bank, _ = accounts(s)
        plain = s.create(Account(name="Plain"))
        with pytest.raises(ValidationError) as alone:
            s.create(Person(last_name="Wu"))
        person = s.create(Person(last_name="Li", account_id=bank.id))
        with pytest.raises(ValidationError) as moved:
            s.update(person, account_id=plain.id)
        s.update(person, title="Boss")

    assert reasons(alone) == reasons(moved) == {"account_industry": "required_by_rule"}


def test_a_deleted_record_is_shown_as_criteria_find_it(office: Office) -> None:
    """What is read and what is found agree, whatever became of the other record."""
    with office.session() as s:
        bank, _ = accounts(s)
        person = s.create(Person(last_name="Li", account_id=bank.id))
        s.delete(bank)
    with office.session() as s:
        seen = s.get(Person, person.id)
        found = s.find(Person, F.account_industry == seen.account_industry).items

    assert [one.id for one in found] == [person.id]


def test_imports_do_not_fill_it(office: Office) -> None:
    """A column of its name is left out, and cannot be mapped to it."""
    rows = b"last_name,account_industry\nLi,finance\n"
    with office.session() as s:
        plan = s.exchange.plan_import(rows, Person)

    assert [column.field for column in plan.columns] == ["last_name", None]


def test_the_way_may_change_but_not_the_kind(office: Office) -> None:
    """It holds nothing, so that another way or type is always possible."""
    with office.session("admin") as s:
        account = s.create(
            Account(name="Bank", industry="finance", website="b.example")
        )
        deal = s.create(
            Opportunity(
                name="Deal", account_id=account.id, close_date=date(2026, 12, 1)
            )
        )
        assert deal["account_city"] == "https://b.example"
        s.customisation.change_field(
            "opportunity",
            "account_city",
            options={"relation": "account_id", "field": "industry"},
        )
    with office.session("admin") as s:
        assert s.get(Opportunity, deal.id)["account_city"] == "finance"
        s.customisation.change_field(
            "opportunity", "account_city", type="text", options=None
        )
    with office.session("admin") as s:
        assert s.get(Opportunity, deal.id)["account_city"] is None
        assert s.update(deal, account_city="Bern")["account_city"] == "Bern"


def test_forms_know_what_it_shows(office: Office) -> None:
    """Read only, with the type and the choices of the other field."""
    form = office.crm.schema(Contact).describe("alice")
    told = {field["name"]: field for field in form["fields"]}
    shown = told["account_industry"]

    assert shown["type"] == "lookup_value"
    assert shown["options"] == {"relation": "account_id", "field": "industry"}
    assert (shown["read_only"], shown["sortable"]) == (True, True)
    assert shown["shows"] == {"entity": "account", "type": "picklist", "options": {}}
    assert "finance" in {choice["key"] for choice in shown["choices"]}
    assert told["account_revenue"]["shows"]["type"] == "money"
    assert (
        "account_industry"
        not in (office.crm.schema(Contact).json_schema()["properties"])
    )


def test_templates_say_what_it_shows(office: Office) -> None:
    """With the label of an option, as for the other record's own field."""
    pytest.importorskip("liquid")
    with office.session("admin") as s:
        s.customisation.put(
            "template",
            "card",
            {
                "object": "contact",
                "content_type": "text",
                "subject": "-",
                "body": "{{ contact.account_industry | label }}",
            },
        )
    with office.session() as s:
        bank, _ = accounts(s)
        person = s.create(Person(last_name="Li", account_id=bank.id))
        body = s.templates.render("card", person).body

    assert body == "Finance"


def test_a_list_is_read_with_one_more_statement_for_each_entity(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many records it has."""
    with office.session() as s:
        for n in range(5):
            account = s.create(Account(name=f"No {n}", industry="finance"))
            s.create(Person(last_name=f"P{n}", account_id=account.id))
    with office.session() as s:
        loads: list[str] = []
        kind = type(s.transaction)
        load = kind.load

        def counted(self: Any, entity: Any, *rest: Any, **options: Any) -> Any:
            loads.append(entity.name)
            return load(self, entity, *rest, **options)

        monkeypatch.setattr(kind, "load", counted)
        items = s.find(Person).items

    assert len(items) == 5
    assert {one.account_industry for one in items} == {"finance"}
    assert loads == ["account"]


@pytest.mark.capability("REC-09")
def test_administrators_keep_what_it_needs(office: Office) -> None:
    """A reference that it follows cannot be taken away; the field itself can."""
    with office.session("admin") as s:
        shape = s.customisation
        shape.add_field(
            "lead", "partner_id", "reference", options={"entity": "account"}
        )
        shape.add_field(
            "lead",
            "partner_name",
            "lookup_value",
            options={"relation": "partner_id", "field": "name"},
        )
    with office.session("admin") as s:
        with pytest.raises(ValidationError):
            s.customisation.retire_field("lead", "partner_id")
        bank, _ = accounts(s)
        lead = s.create(Lead(last_name="Li"), partner_id=bank.id)
        assert lead["partner_name"] == "Bank"
        s.customisation.retire_field("lead", "partner_name")
    with office.session("admin") as s:
        assert "partner_name" not in s.get(Lead, lead.id).custom
        s.customisation.remove_field("lead", "partner_name")


# -- what is refused ---------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str | None]] = {
    "nowhere": ({"relation": "mother_id", "field": "name"}, "unknown_relation"),
    "no_reference": ({"relation": "last_name", "field": "name"}, "unknown_relation"),
    "no_field": ({"relation": "account_id", "field": "colour"}, "unknown_field"),
    "chain": ({"relation": "reports_to_id", "field": "account_industry"}, None),
    "missing": ({"relation": "account_id"}, "setting_missing"),
    "surplus": ({"relation": "account_id", "field": "name", "x": 1}, None),
    "hostile": ({"relation": "account_id", "field": "__class__"}, None),
    "no_text": ({"relation": ["account_id"], "field": 5}, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_leads_nowhere_is_refused(case: str) -> None:
    """Named with entity and field, in Python and at run time."""
    options, reason = REFUSED[case]
    office = memory_crm(entities=[Person])
    with office.session("admin") as s, pytest.raises(ValidationError) as stored:
        s.customisation.add_field("contact", "shown", "lookup_value", options=options)

    (place,) = reasons(stored)
    assert place.startswith("field.contact.shown")
    assert reason in (None, *reasons(stored).values())
    if case in ("nowhere", "no_reference", "no_field", "chain"):
        kind = LookupValue(**options)
        with pytest.raises(ValidationError) as declared:
            CRM(
                MemoryStore(),
                entities=[Person],
                fields={Contact: [fields.custom("shown", kind)]},
            )
        assert reasons(declared) == reasons(stored)


def test_rules_and_conditions_that_speak_of_stored_values_are_refused() -> None:
    """At run time and in Python, each by its name."""
    office = memory_crm(entities=[Person])
    options = {"relation": "account_id", "field": "name"}
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as added:
            s.customisation.add_field(
                "contact",
                "shown",
                "lookup_value",
                options=options,
                required=True,
                unique=True,
                indexed=True,
                default="x",
            )
        with pytest.raises(ValidationError) as changed:
            s.customisation.change_field("contact", "account_industry", required=True)
        with pytest.raises(ValidationError) as trigger:
            s.customisation.put(
                "trigger",
                "t",
                {
                    "event": "before_create",
                    "when": to_json(F.account_industry == "finance"),
                    "stop": "no",
                },
                object="contact",
            )
    with pytest.raises(ValidationError) as ruled:
        CRM(
            MemoryStore(),
            entities=[Person],
            rules={"contact.account_industry": {"unique": True}},
        )

    assert reasons(added) == {
        f"field.contact.shown.{name}": "not_for_lookups"
        for name in ("required", "unique", "indexed", "default")
    }
    assert reasons(changed) == {
        "field.contact.account_industry.required": "not_for_lookups"
    }
    assert "only_own_fields" in reasons(trigger).values()
    assert reasons(ruled) == {"contact.account_industry.unique": "not_for_lookups"}


def test_rules_that_need_a_stored_value_do_not_fit() -> None:
    """It is never unique, required, indexed or searched, whatever is declared."""
    field = fields.custom(
        "shown",
        LookupValue(relation="account_id", field="name"),
        unique=True,
        required=True,
        indexed=True,
    )
    office = memory_crm(fields={Contact: [field]})
    with office.session("admin") as s:
        s.create(Contact(last_name="Li"))
        with pytest.raises(ValidationError) as further:
            s.count(Opportunity, F.contact.shown == "x")
        with pytest.raises(ValidationError) as formula:
            s.customisation.add_field("contact", "loud", "text", formula="upper(shown)")

    asked = (field.unique, field.required, field.indexed, field.searchable)
    assert asked == (False,) * 4
    assert set(reasons(formula).values()) <= {"not_in_formulas", "wrong_kind"}
    assert set(reasons(further).values()) <= {"shown_from_elsewhere", "unknown_field"}
