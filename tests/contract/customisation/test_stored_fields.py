"""Fields that administrators add and change at run time, on every store."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from crmcore import (
    CRM,
    AccessDenied,
    Account,
    F,
    Lead,
    Money,
    StaleRecord,
    UniqueViolation,
    ValidationError,
)
from crmcore.customisation import ItemKey, Put
from crmcore.records import Option
from crmcore.testing import Office, small_organisation
from tests.contract.customisation.reasons import reasons


@pytest.mark.capability("REC-09")
def test_a_stored_field_is_written_read_filtered_and_sorted(office: Office) -> None:
    """A field added at run time behaves like a declared one, without a restart."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "money", label="Budget")
        s.customisation.add_field(Lead, "headcount", "integer", indexed=True)

    with office.session() as s:
        for name, budget, heads in (("A", 5, 3), ("B", 9, 1), ("C", None, 2)):
            s.create(Lead(last_name=name), budget=budget, headcount=heads)
        found = s.find(Lead, F.budget > 4, order_by=[F.headcount.asc()])
        first = s.find(Lead, order_by=[F.headcount.asc()], limit=2)
        second = s.find(Lead, order_by=[F.headcount.asc()], limit=2, after=first.next)

    assert ["B", "A"] == [lead.last_name for lead in found.items]
    assert Money(Decimal(9), "USD") == found.items[0]["budget"]
    assert [1, 2, 3] == [lead["headcount"] for lead in (*first.items, *second.items)]


@pytest.mark.capability("REC-09")
def test_a_running_session_keeps_its_schema(office: Office) -> None:
    """A field added meanwhile is unknown to a session that had begun."""
    with office.session() as running:
        running.count(Lead)
        with office.session("admin") as s:
            s.customisation.add_field("lead", "budget", "integer")
        with pytest.raises(ValidationError) as refused:
            running.find(Lead, F.budget > 1)
    with office.session() as s:
        assert s.count(Lead, F.budget > 1) == 0

    assert {"budget": "unknown_field"} == reasons(refused)


@pytest.mark.capability("TEN-01")
def test_fields_of_one_tenant_are_unknown_to_another(
    office: Office, tenant: str
) -> None:
    """Two tenants may give one key two types; neither sees the other's."""
    crm = office.crm.tenant(f"{tenant}-2")
    other = Office(crm, office.clock, office.ids, small_organisation(crm))
    with office.session("admin") as s:
        s.customisation.add_field("lead", "code", "integer", indexed=True)
    with other.session("admin") as s:
        with pytest.raises(ValidationError):
            s.create(Lead(last_name="X"), code=1)
        s.customisation.add_field("lead", "code", "text", indexed=True)
    with office.session() as s:
        s.create(Lead(last_name="A"), code=7)
    with other.session() as s:
        s.create(Lead(last_name="B"), code="seven")

    with office.session() as s:
        assert [7] == [lead["code"] for lead in s.find(Lead, F.code == 7).items]
    with other.session() as s:
        found = s.find(Lead, F.code == "seven")
        assert ["seven"] == [lead["code"] for lead in found.items]


@pytest.mark.capability("REC-09")
def test_two_processes_see_a_change_without_restart(
    office: Office, tenant: str
) -> None:
    """Another CRM on the same store uses a field as soon as it is committed."""
    second = CRM(office.crm.store, clock=office.clock).tenant(tenant)
    with second.session("alice") as s:
        s.create(Lead(last_name="before"))
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer")
    with second.session("alice") as s:
        s.create(Lead(last_name="after"), budget=3)
        assert s.count(Lead, F.budget == 3) == 1


@pytest.mark.capability("REC-09", "ACC-18")
@pytest.mark.parametrize("actor", ["alice", "boss"])
def test_only_administrators_shape(office: Office, actor: str) -> None:
    """Everybody else is refused, and nothing is stored."""
    with office.session(actor) as s:
        for attempt in (
            lambda: s.customisation.add_field("lead", "budget", "integer"),
            s.customisation.items,
            lambda: s.customisation.plan([]),
        ):
            with pytest.raises(AccessDenied):
                attempt()
    with office.session("admin") as s:
        assert len(s.customisation.items()) == 0


HOSTILE = {
    "__class__": "bad_key",
    "$where": "bad_key",
    "a.b": "bad_key",
    "o'clock": "bad_key",
    'say"': "bad_key",
    "": "bad_key",
    "Größe": "bad_key",
    "party🎉": "bad_key",
    "\u202eevil": "bad_key",
    "9lives": "bad_key",
    "a__b": "bad_key",
    "x" * 41: "too_long",
    "class": "reserved_key",
    "custom": "reserved_key",
    "evolved": "reserved_key",
    "status": "key_taken",
    "id": "key_taken",
}


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_key_is_refused(office: Office, key: str) -> None:
    """The error names the field and the rule; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_field("lead", key, "text")
        assert len(s.customisation.items()) == 0

    assert HOSTILE[key] in reasons(refused).values()


@pytest.mark.capability("REC-09", "REC-10")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"type": "teapot"}, "unknown_type"),
        ({"type": "integer", "options": {"maximum": "9"}}, "not_integer"),
        (
            {"type": "integer", "options": {"minimum": 9, "maximum": 1}},
            "bounds_crossed",
        ),
        ({"type": "text", "options": {"colour": "red"}}, "unknown_setting_of"),
        ({"type": "text", "spam": True}, "unknown_setting"),
        ({"type": "text", "required": "yes"}, "malformed"),
        ({"type": "text", "label": "x" * 101}, "too_long"),
        ({"type": "integer", "default": "many"}, "not_integer"),
        ({"type": "picklist"}, "setting_missing"),
        ({"type": "picklist", "options": {"picklist": "none"}}, "unknown_picklist"),
        ({"type": "reference", "options": {"entity": "ufo"}}, "unknown_entity"),
        ({"type": "reference", "options": {"entity": "$where"}}, "bad_name"),
        ({"type": "list", "options": {"item": {"type": "money"}}}, "bad_item"),
        ({"type": "text", "controlling_field": "last_name"}, "not_a_picklist"),
    ],
)
def test_a_bad_definition_is_refused(
    office: Office, settings: dict[str, Any], reason: str
) -> None:
    """The error names the field and what is wrong with it; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.put("field", "budget", settings, object="lead")
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()
    assert all(name.startswith("field.lead.budget") for name in reasons(refused))


@pytest.mark.capability("REC-10", "REC-11")
def test_the_type_of_a_filled_field_stays(office: Office) -> None:
    """It may change while no record holds a value, and not any more afterwards."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "text")
        s.customisation.change_field("lead", "budget", type="integer")
    with office.session() as s:
        lead = s.create(Lead(last_name="A"), budget=1)
    with office.session("admin") as s:
        for changed in (
            {"type": "text"},
            {"type": "decimal", "options": {"digits": 2}},
        ):
            with pytest.raises(ValidationError) as refused:
                s.customisation.change_field("lead", "budget", **changed)
            assert {"field.lead.budget.type": "type_in_use"} == reasons(refused)
    with office.session() as s:
        assert s.get(Lead, lead.id)["budget"] == 1


@pytest.mark.capability("REC-09")
def test_a_retired_field_comes_back_with_its_values(office: Office) -> None:
    """Meanwhile it is unknown, its key stays taken, and edits lose nothing of it."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer")
        s.customisation.add_field("lead", "mood", "text")
    with office.session() as s:
        lead = s.create(Lead(last_name="A"), budget=5, mood="fine")
    with office.session("admin") as s:
        s.customisation.retire_field("lead", "budget")
    with office.session() as s:
        with pytest.raises(ValidationError) as unknown:
            s.find(Lead, F.budget == 5)
        with pytest.raises(ValidationError) as unwritten:
            s.update(s.get(Lead, lead.id), budget=6)
        s.update(s.get(Lead, lead.id), mood="better")
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as taken:
            s.customisation.add_field("lead", "budget", "text")
        s.customisation.restore_field("lead", "budget")
    with office.session() as s:
        kept = s.get(Lead, lead.id)

    assert {"budget": "unknown_field"} == reasons(unknown) == reasons(unwritten)
    assert {"field.lead.budget": "key_taken"} == reasons(taken)
    assert (5, "better") == (kept["budget"], kept["mood"])


@pytest.mark.capability("REC-09")
def test_a_field_in_use_is_not_retired(office: Office) -> None:
    """The error names what uses it: a rule, a layout, a record type."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer")
        s.customisation.put(
            "layout",
            "short",
            {"sections": [{"key": "main", "fields": [{"field": "budget"}]}]},
            object="lead",
        )
        with pytest.raises(ValidationError) as refused:
            s.customisation.retire_field("lead", "budget")
        s.customisation.remove("layout", "short", object="lead")
        s.customisation.retire_field("lead", "budget")

    assert {"layout.lead.short.sections": "unknown_field_in"} == reasons(refused)


@pytest.mark.capability("REC-12")
def test_settings_of_a_declared_field_change(office: Office) -> None:
    """Label, requirement and order may change; what the code relies on may not."""
    with office.session("admin") as s:
        s.customisation.change_field(
            "lead", "company_name", label="Firm", required=True, sort_number=-5
        )
        for settings in (
            {"type": "integer"},
            {"indexed": True},
            {"searchable": False},
        ):
            with pytest.raises(ValidationError) as fixed:
                s.customisation.change_field("lead", "website", **settings)
            assert set(reasons(fixed).values()) == {"declared_in_python"}
        with pytest.raises(ValidationError) as weaker:
            s.customisation.change_field("lead", "last_name", required=False)
        with pytest.raises(ValidationError) as off:
            s.customisation.change_field("lead", "last_name", enabled=False)
    with office.session() as s, pytest.raises(ValidationError) as missing:
        s.create(Lead(last_name="A"))
    described = office.crm.schema("lead").describe()
    field = next(f for f in described["fields"] if f["name"] == "company_name")

    assert {"field.lead.last_name.required": "declared_in_python"} == reasons(weaker)
    assert {"field.lead.last_name.enabled": "always_on"} == reasons(off)
    assert {"company_name": "required"} == reasons(missing)
    assert ("Firm", "Company name") == (field["label"], field["original_label"])
    assert described["fields"][0]["name"] == "company_name"


@pytest.mark.capability("REC-03", "REC-12")
def test_a_disabled_field_is_neither_demanded_nor_written(office: Office) -> None:
    """Its stored value stays as it is."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer", required=True)
    with office.session() as s:
        old = s.create(Lead(last_name="A"), budget=1)
    with office.session("admin") as s:
        s.customisation.change_field("lead", "budget", enabled=False)
    with office.session() as s:
        s.create(Lead(last_name="B"))
        with pytest.raises(ValidationError) as refused:
            s.update(old, budget=2)
        changed = s.update(old, last_name="C")

    assert {"budget": "switched_off"} == reasons(refused)
    assert changed["budget"] == 1


@pytest.mark.capability("REC-03")
def test_every_missing_field_is_named(office: Office) -> None:
    """Those required on add are demanded then, those on modify at each change."""
    with office.session("admin") as s:
        for key in ("first", "second"):
            s.customisation.add_field("lead", key, "text", required_on_add=True)
        s.customisation.add_field("lead", "later", "text", required_on_modify=True)
    with office.session() as s:
        with pytest.raises(ValidationError) as blank:
            s.create(Lead(last_name="A"), first="  ", second=None)
        lead = s.create(Lead(last_name="A"), first="x", second="y")
        with pytest.raises(ValidationError) as later:
            s.update(lead, last_name="B")
        lead = s.update(lead, last_name="B", later="now")
        assert s.update(lead, first=None)["first"] is None

    assert {"first": "required", "second": "required"} == reasons(blank)
    assert {"later": "required"} == reasons(later)


@pytest.mark.capability("REC-03")
def test_a_field_that_became_required_spares_old_records(office: Office) -> None:
    """Unrelated edits of old records go through; new records need the value."""
    with office.session() as s:
        old = s.create(Lead(last_name="A"))
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer", required=True)
    with office.session() as s:
        old = s.update(old, first_name="B")
        with pytest.raises(ValidationError) as missing:
            s.create(Lead(last_name="C"))
        filled = s.update(old, budget=1)
        with pytest.raises(ValidationError) as emptied:
            s.update(filled, budget=None)

    assert {"budget": "required"} == reasons(missing) == reasons(emptied)


@pytest.mark.capability("REC-11")
def test_creatable_updatable_and_minimum_length_hold(office: Office) -> None:
    """A value at the wrong time, or too short, is refused naming the rule."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "origin", "text", updatable=False)
        s.customisation.add_field("lead", "verdict", "text", creatable=False)
        s.customisation.add_field("lead", "code", "text", minimum_length=3)
        s.customisation.add_field("lead", "secret", "text", sortable=False)
    with office.session() as s:
        with pytest.raises(ValidationError) as early:
            s.create(Lead(last_name="A"), verdict="good", code="ab")
        lead = s.create(Lead(last_name="A"), origin="fair", code="abc")
        with pytest.raises(ValidationError) as late:
            s.update(lead, origin="web")
        lead = s.update(lead, verdict="good", origin="fair")
        with pytest.raises(ValidationError) as unsorted:
            s.find(Lead, order_by=[F.secret.asc()])

    assert {"verdict": "read_only", "code": "too_short"} == reasons(early)
    assert {"origin": "fixed_once_created"} == reasons(late)
    assert {"secret": "not_sortable"} == reasons(unsorted)
    assert (lead["origin"], lead["verdict"]) == ("fair", "good")


@pytest.mark.capability("DUP-01", "REC-11")
def test_a_field_becomes_unique_only_where_no_value_is_shared(office: Office) -> None:
    """Afterwards stored values are claimed too, whatever their case; blanks are free."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "code", "text")
    with office.session() as s:
        first = s.create(Lead(last_name="A"), code="one")
        s.create(Lead(last_name="B"), code="ONE")
        s.create(Lead(last_name="C"))
    with office.session("admin") as s, pytest.raises(ValidationError) as shared:
        s.customisation.change_field("lead", "code", unique=True)
    with office.session() as s:
        s.update(first, code="two")
    with office.session("admin") as s:
        s.customisation.change_field("lead", "code", unique=True)
    with office.session() as s:
        with pytest.raises(UniqueViolation):
            s.create(Lead(last_name="D"), code="Two")
        s.create(Lead(last_name="E"))
        s.delete(s.get(Lead, first.id))
        s.create(Lead(last_name="F"), code="two")
    with office.session("admin") as s:
        s.customisation.change_field("lead", "code", unique=None)
    with office.session() as s:
        s.create(Lead(last_name="G"), code="two")

    assert {"field.lead.code": "values_shared"} == reasons(shared)


@pytest.mark.capability("REC-09")
def test_two_administrators_do_not_overwrite_each_other(office: Office) -> None:
    """A plan made before somebody else's change is refused as stale."""
    budget = ItemKey("field", "lead", "budget")
    with office.session("admin") as s:
        plan = s.customisation.plan([Put(budget, {"type": "integer"})])
    with office.session("admin") as s:
        s.customisation.add_field("lead", "mood", "text")
    with office.session("admin") as s, pytest.raises(StaleRecord):
        s.customisation.apply(plan)
    with office.session("admin") as s:
        assert s.customisation.items().get(budget) is None


@pytest.mark.capability("REC-12")
def test_each_change_of_a_definition_is_kept(office: Office) -> None:
    """The versions of a field tell who changed what, and when."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer", label="Budget")
        s.customisation.change_field("lead", "budget", label="Money")
    with office.session("admin") as s:
        entries = s.customisation.history("field", "lead", "budget")

    assert ["created", "updated"] == [entry.action for entry in entries]
    (change,) = entries[1].changes
    assert ("Budget", "Money") == (change.old["label"], change.new["label"])
    assert entries[1].by == office.people.admin.id


@pytest.mark.capability("REC-09")
def test_an_operation_key_makes_a_retry_harmless(office: Office) -> None:
    """The same change under the same key is made once and answered alike."""
    plans = []
    for _ in range(2):
        with office.session("admin", operation_key="add-budget") as s:
            plans.append(s.customisation.add_field("lead", "budget", "integer"))
    with office.session("admin") as s:
        assert len(s.customisation.items()) == 1

    assert ["+ field lead.budget"] * 2 == [str(plan) for plan in plans]


@pytest.mark.capability("REC-09", "REC-10")
def test_a_plan_is_checked_again_when_it_is_applied(office: Office) -> None:
    """Records that came meanwhile, and a plan that others made, are judged as well."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer")
    with office.session("admin") as s:
        budget = ItemKey("field", "lead", "budget")
        plan = s.customisation.plan([Put(budget, {"type": "text"})])
        bad = s.customisation.plan([Put(budget, {"type": "teapot"})])
    with office.session() as s:
        s.create(Lead(last_name="A"), budget=1)
    with office.session("admin") as s, pytest.raises(ValidationError) as filled:
        s.customisation.apply(plan)
    with office.session("admin") as s, pytest.raises(ValidationError) as forged:
        s.customisation.apply(attrs.evolve(bad, problems=()))
    with office.session() as s:
        assert s.count(Lead, F.budget == 1) == 1

    assert {"field.lead.budget.type": "type_in_use"} == reasons(filled)
    assert "unknown_type" in reasons(forged).values()


@pytest.mark.capability("REC-14")
def test_lists_that_control_each_other_are_refused(office: Office) -> None:
    """The way round is named, and nothing is stored."""
    with office.session("admin") as s:
        for name in ("one", "two"):
            s.customisation.add_picklist(name, [Option("a", "A")])
            s.customisation.add_field(
                "lead", name, "picklist", options={"picklist": name}
            )
        s.customisation.change_field("lead", "one", controlling_field="two")
        with pytest.raises(ValidationError) as caught:
            s.customisation.change_field("lead", "two", controlling_field="one")

    found = {p.field: p.details.get("path") for p in caught.value.problems}
    assert "two → one → two" == found["field.lead.two.controlling_field"]


@pytest.mark.capability("REC-14")
def test_an_option_stands_under_a_known_one(office: Office) -> None:
    """A parent that the controlling list does not have is refused by its key."""
    with office.session("admin") as s:
        s.customisation.add_picklist("country", [Option("cn", "China")])
        cities = [Option("paris", "Paris", parent="fr")]
        s.customisation.add_picklist("city", cities)
        s.customisation.add_field(
            "lead", "country", "picklist", options={"picklist": "country"}
        )
        with pytest.raises(ValidationError) as caught:
            s.customisation.add_field(
                "lead",
                "city",
                "picklist",
                options={"picklist": "city"},
                controlling_field="country",
            )

    assert {"picklist.city.paris.parent": "not_an_option"} == reasons(caught)


@pytest.mark.capability("REC-12")
def test_a_field_applies_to_some_kinds_of_records(office: Office) -> None:
    """Others neither need nor take it; what was filled before stays and may be emptied."""
    with office.session("admin") as s:
        s.customisation.change_field(
            "account", "region", applies_to=["organisation"], required=True
        )
    with office.session("alice") as s:
        with pytest.raises(ValidationError) as caught:
            s.create(Account(name="Acme"))
        assert {"region": "required"} == reasons(caught)
        person: dict[str, Any] = {
            "kind": "person",
            "last_name": "Wu",
            "first_name": "Li",
        }
        s.create(Account(**person))
        with pytest.raises(ValidationError) as caught:
            s.create(Account(**person, region="North"))
        assert {"region": "not_of_this_kind"} == reasons(caught)

        acme = s.create(Account(name="Acme", region="North"))
        acme = s.update(acme, **person)
        assert "North" == acme.region
        with pytest.raises(ValidationError) as caught:
            s.update(acme, region="South")
        assert {"region": "not_of_this_kind"} == reasons(caught)
        assert s.update(acme, region=None).region is None


@pytest.mark.capability("REC-12")
@pytest.mark.parametrize("entity", ["account", "note"])
def test_a_field_applies_to_kinds_that_there_are(office: Office, entity: str) -> None:
    """An unknown kind is refused, and any kind where records have none."""
    field = "region" if entity == "account" else "title"
    with office.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.customisation.change_field(entity, field, applies_to=["martian"])
    assert {f"field.{entity}.{field}.applies_to": "not_an_option"} == reasons(caught)
