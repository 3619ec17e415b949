"""Stored validation rules, record types, layouts and picklists, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import Account, F, Lead, ValidationError
from crmcore.criteria import to_json
from crmcore.records import Option
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons

# -- validation rules ------------------------------------------------------------------


@pytest.mark.capability("REC-21")
def test_a_rule_refuses_with_its_message(office: Office) -> None:
    """The message is the rule's own, in the actor's language, at the rule's field."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "integer")
        s.customisation.put(
            "validation_rule",
            "cap",
            {
                "must": to_json(F.budget <= 10),
                "field": "budget",
                "message": "at most 10",
                "messages": {"zh_CN": "不能超过十"},
            },
            object="lead",
        )
        s.update(office.people.alice, language="zh_CN")
    with office.session("bob") as s:
        with pytest.raises(ValidationError) as english:
            s.create(Lead(last_name="A"), budget=11)
        s.create(Lead(last_name="A"), budget=10)
        with pytest.raises(ValidationError):
            s.create(Lead(last_name="missing is not at most ten"))
    with office.session("alice") as s, pytest.raises(ValidationError) as chinese:
        s.create(Lead(last_name="A"), budget=11)

    assert {"budget": "rule"} == reasons(english)
    assert "at most 10" in english.value.message()
    assert "不能超过十" in chinese.value.message()


@pytest.mark.capability("REC-21")
def test_a_requirement_may_be_conditional(office: Office) -> None:
    """Asked where the condition holds, and again when a change makes it hold."""
    with office.session("admin") as s:
        s.customisation.put(
            "validation_rule",
            "important",
            {
                "when": to_json(F.rating == "hot"),
                "required": ["phone", "email"],
                "message": "hot leads can be reached",
            },
            object="lead",
        )
    with office.session() as s:
        cold = s.create(Lead(last_name="A", rating="cold"))
        with pytest.raises(ValidationError) as raised:
            s.update(cold, rating="hot")
        with pytest.raises(ValidationError) as made:
            s.create(Lead(last_name="B", rating="hot", phone="+8675512345678"))
        s.update(cold, rating="hot", phone="+8675512345678", email="a@example.com")

    expected = {"phone": "required_by_rule", "email": "required_by_rule"}
    assert expected == reasons(raised)
    assert {"email": "required_by_rule"} == reasons(made)


@pytest.mark.capability("REC-21")
def test_a_stricter_rule_spares_unrelated_edits(office: Office) -> None:
    """Old records stay readable and editable where the rule reads nothing changed."""
    with office.session() as s:
        old = s.create(Lead(last_name="A", number_of_employees=500))
    with office.session("admin") as s:
        s.customisation.put(
            "validation_rule",
            "small",
            {"must": to_json(F.number_of_employees < 100), "message": "small only"},
            object="lead",
        )
    with office.session() as s:
        kept = s.update(s.get(Lead, old.id), first_name="B")
        with pytest.raises(ValidationError) as refused:
            s.update(kept, number_of_employees=400)
        s.update(kept, number_of_employees=50)

    assert {"number_of_employees": "rule"} == reasons(refused)


@pytest.mark.capability("REC-21")
def test_a_warning_lets_the_record_pass(office: Office) -> None:
    """It is told by the session, and the record is stored."""
    with office.session("admin") as s:
        s.customisation.put(
            "validation_rule",
            "site",
            {"required": ["website"], "message": "", "severity": "warning"},
            object="account",
        )
    with office.session() as s:
        s.create(Account(name="Acme"))
        warned = [(problem.field, problem.reason) for problem in s.warnings]
        assert s.count(Account) == 1

    assert [("website", "required")] == warned


@pytest.mark.capability("REC-21")
def test_a_rule_reads_the_record_it_refers_to(office: Office) -> None:
    """Across a reference, also where the change leaves the reference alone."""
    with office.session("admin") as s:
        s.customisation.add_field(
            "lead", "partner_id", "reference", options={"entity": "account"}
        )
        s.customisation.put(
            "validation_rule",
            "partner",
            {
                "when": to_json(F.partner.industry == "energy"),
                "must": to_json(~F.company_name.is_null()),
                "field": "company_name",
                "message": "name the company",
            },
            object="lead",
        )
    with office.session() as s:
        partner = s.create(Account(name="Sun", industry="energy"))
        lead = s.create(Lead(last_name="A", company_name="Acme"), partner_id=partner.id)
        with pytest.raises(ValidationError) as refused:
            s.update(lead, company_name=None)

    assert {"company_name": "rule"} == reasons(refused)


@pytest.mark.capability("REC-21")
@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"message": "x"}, "empty_rule"),
        ({"must": {"field": "ufo", "op": "==", "value": 1}, "message": "x"}, None),
        (
            {"must": {"field": "status", "op": "$where", "value": 1}, "message": "x"},
            None,
        ),
        ({"must": {"python": "1"}, "message": "x"}, "malformed"),
        ({"required": ["ufo"], "message": "x"}, "unknown_field_in"),
        ({"required": ["email"], "severity": "fatal"}, "not_an_option"),
        ({"must": {"field": "status", "op": "==", "value": "new"}}, "required"),
        ({"required": ["email"], "when": "1=1"}, "malformed"),
    ],
)
def test_a_bad_rule_is_refused(
    office: Office, rule: dict[str, Any], reason: str | None
) -> None:
    """The error names the rule and what is wrong; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.put("validation_rule", "bad", rule, object="lead")
        assert len(s.customisation.items()) == 0

    assert reason is None or reason in reasons(refused).values()
    assert all(name.startswith("validation_rule.lead.bad") for name in reasons(refused))


# -- record types and layouts ----------------------------------------------------------


@pytest.mark.capability("REC-18")
def test_a_record_type_demands_and_narrows(office: Office) -> None:
    """Its required fields and option subsets hold for its records only."""
    with office.session("admin") as s:
        put = s.customisation.put
        put(
            "record_type",
            "service",
            {"label": "Service", "default": True},
            object="account",
        )
        put(
            "record_type",
            "product",
            {
                "label": "Product",
                "required": ["website"],
                "options": {"industry": ["energy", "banking"]},
                "profiles": ["manager"],
            },
            object="account",
        )
    with office.session("boss") as s:
        plain = s.create(Account(name="A", industry="retail"))
        assert plain["record_type"] == "service"
        with pytest.raises(ValidationError) as refused:
            s.create(Account(name="B", industry="retail"), record_type="product")
        with pytest.raises(ValidationError) as changed:
            s.update(plain, record_type="product")
        product = s.create(
            Account(name="C", industry="energy", website="c.example"),
            record_type="product",
        )
        found = s.find(Account, F.record_type == "product")
        assert [product.id] == [account.id for account in found.items]
    with office.session("alice") as s, pytest.raises(ValidationError) as closed:
        s.create(
            Account(name="D", industry="energy", website="d.example"),
            record_type="product",
        )

    expected = {"website": "required", "industry": "not_of_this_type"}
    assert expected == reasons(refused) == reasons(changed)
    assert {"record_type": "type_not_allowed"} == reasons(closed)


@pytest.mark.capability("REC-18")
def test_a_record_type_in_use_stays(office: Office) -> None:
    """It cannot be removed while a record is of it."""
    with office.session("admin") as s:
        for key in ("one", "two"):
            s.customisation.put("record_type", key, {"label": key}, object="account")
    with office.session() as s:
        s.create(Account(name="A"), record_type="two")
    with office.session("admin") as s, pytest.raises(ValidationError) as refused:
        s.customisation.remove("record_type", "two", object="account")

    assert "option_in_use" in reasons(refused).values()


@pytest.mark.capability("REC-19")
def test_a_layout_demands_and_protects_fields(office: Office) -> None:
    """For the profile it is made for; the others have theirs."""
    fields = [
        {"field": "name"},
        {"field": "website", "required": True},
        {"field": "description", "read_only": True},
    ]
    with office.session("admin") as s:
        s.customisation.put(
            "layout",
            "sales",
            {"profile": "sales", "sections": [{"key": "main", "fields": fields}]},
            object="account",
        )
    with office.session("alice") as s:
        with pytest.raises(ValidationError) as refused:
            s.create(Account(name="A", description="mine"))
        account = s.create(Account(name="A", website="a.example"))
        with pytest.raises(ValidationError) as emptied:
            s.update(account, website=None)
    with office.session("boss") as s:
        s.create(Account(name="B", description="free"))

    assert {"website": "required", "description": "read_only"} == reasons(refused)
    assert {"website": "required"} == reasons(emptied)


# -- picklists -------------------------------------------------------------------------


@pytest.mark.capability("REC-13")
def test_a_value_set_is_shared_and_grows(office: Office) -> None:
    """An option added to it may be chosen in every field that shares it."""
    with office.session("admin") as s:
        s.customisation.add_picklist("sizes", ["small", "large"])
        for kind in ("lead", "account"):
            s.customisation.add_field(
                kind, "size", "picklist", options={"picklist": "sizes"}
            )
    with office.session() as s, pytest.raises(ValidationError) as unknown:
        s.create(Lead(last_name="A"), size="huge")
    with office.session("admin") as s:
        s.customisation.put_options(
            "sizes",
            [
                Option(
                    "huge", "Huge", order=1, colour="#f00", labels={"zh_CN": "巨大"}
                ),
                Option("medium", "Medium", default=True),
            ],
        )
    with office.session() as s:
        lead = s.create(Lead(last_name="A"), size="huge")
        account = s.create(Account(name="A"))
    field = next(
        f
        for f in office.crm.schema("lead").describe(language="zh_CN")["fields"]
        if f["name"] == "size"
    )

    assert {"size": "not_an_option"} == reasons(unknown)
    assert ("huge", "medium") == (lead["size"], account["size"])
    assert "巨大" == next(c["label"] for c in field["choices"] if c["key"] == "huge")
    assert "huge" == field["choices"][-1]["key"]


@pytest.mark.capability("REC-13")
def test_a_deactivated_option_stays_on_old_records(office: Office) -> None:
    """It is shown there, and can be chosen no more; removing it is refused."""
    with office.session("admin") as s:
        s.customisation.add_picklist("sizes", ["small", "large"])
        s.customisation.add_field(
            "lead", "size", "picklist", options={"picklist": "sizes"}
        )
    with office.session() as s:
        lead = s.create(Lead(last_name="A"), size="small")
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as used:
            s.customisation.remove_option("sizes", "small")
        s.customisation.deactivate_option("sizes", "small")
    with office.session() as s:
        lead = s.update(s.get(Lead, lead.id), first_name="B")
        with pytest.raises(ValidationError) as inactive:
            s.create(Lead(last_name="C"), size="small")

    assert lead["size"] == "small"
    assert "option_in_use" in reasons(used).values()
    assert {"size": "inactive_option"} == reasons(inactive)


@pytest.mark.capability("REC-13")
def test_options_that_rules_rely_on_keep_their_meaning(office: Office) -> None:
    """A declared option is relabelled or switched off, never dropped or given another."""
    with office.session("admin") as s:
        s.customisation.put_options(
            "lead_status", [Option("new", "Fresh", "open", labels={"zh_CN": "新"})]
        )
        with pytest.raises(ValidationError) as category:
            s.customisation.put_options(
                "lead_status", [Option("new", "New", "converted")]
            )
        with pytest.raises(ValidationError) as dropped:
            s.customisation.remove_option("lead_status", "new")
    with office.session() as s:
        assert s.create(Lead(last_name="A")).status == "new"

    assert "declared_in_python" in reasons(category).values()
    assert "declared_in_python" in reasons(dropped).values()


@pytest.mark.capability("REC-14")
def test_choices_depend_on_the_controlling_value(office: Office) -> None:
    """A city of another province is refused, on three levels, and after a change."""
    with office.session("admin") as s:
        s.customisation.add_picklist("provinces", ["gd", "zj"])
        s.customisation.add_picklist(
            "cities",
            [
                Option("sz", "Shenzhen", parent="gd"),
                Option("hz", "Hangzhou", parent="zj"),
            ],
            parent="provinces",
        )
        s.customisation.add_picklist(
            "districts",
            [
                Option("nanshan", "Nanshan", parent="sz"),
                Option("xihu", "Xihu", parent="hz"),
            ],
        )
        add = s.customisation.add_field
        add("lead", "province", "picklist", options={"picklist": "provinces"})
        add(
            "lead",
            "town",
            "picklist",
            options={"picklist": "cities"},
            controlling_field="province",
        )
        add(
            "lead",
            "district",
            "picklist",
            options={"picklist": "districts"},
            controlling_field="town",
        )
    with office.session() as s:
        with pytest.raises(ValidationError) as foreign:
            s.create(Lead(last_name="A"), province="gd", town="hz")
        with pytest.raises(ValidationError) as orphan:
            s.create(Lead(last_name="A"), town="hz")
        lead = s.create(
            Lead(last_name="A"), province="gd", town="sz", district="nanshan"
        )
        with pytest.raises(ValidationError) as moved:
            s.update(lead, province="zj")
        with pytest.raises(ValidationError) as third:
            s.update(lead, province="zj", town="hz")
        s.update(lead, province="zj", town="hz", district="xihu")
        s.update(s.get(Lead, lead.id), province="gd", town=None, district=None)
    cities = office.crm.schema().picklists["cities"]

    assert {"town": "not_allowed_here"} == reasons(foreign) == reasons(orphan)
    assert {"town": "not_allowed_here"} == reasons(moved)
    assert {"district": "not_allowed_here"} == reasons(third)
    assert ["hz"] == [option.key for option in cities.allowed("zj")]


@pytest.mark.capability("REC-13")
def test_two_options_become_one_with_all_records(office: Office) -> None:
    """In batches that can be gone on with; history tells, and the loser is gone."""
    with office.session("admin") as s:
        s.customisation.add_picklist("sizes", ["small", "tiny"])
        s.customisation.add_field(
            "lead", "size", "picklist", options={"picklist": "sizes"}
        )
        s.customisation.add_field(
            "lead", "fits", "multi_picklist", options={"picklist": "sizes"}
        )
    with office.session() as s:
        leads = s.create_many(
            Lead(last_name=str(n), custom={"size": "tiny", "fits": ["tiny", "small"]})
            for n in range(5)
        )
    steps: list[Any] = []
    while not steps or not steps[-1].done:
        with office.session("admin") as s:
            step = s.customisation.merge_options("sizes", "tiny", "small", limit=4)
            steps.append(step)
        assert len(steps) < 10
    with office.session() as s:
        after = [s.get(Lead, lead.id) for lead in leads]
        changes = {c.field for e in s.history(after[0]) for c in e.changes}

    assert {("small", ("small",))} == {(a["size"], a["fits"]) for a in after}
    assert 10 == sum(step.rewritten for step in steps)
    assert {"size", "fits"} <= changes
    assert ["small"] == [o.key for o in office.crm.schema().picklists["sizes"].options]


@pytest.mark.capability("REC-13")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([{"key": "", "label": "x"}], "bad_key"),
        ([{"key": "a", "label": " "}], "required"),
        ([{"key": "a", "label": "x"}, {"key": "a", "label": "y"}], "key_taken"),
        ([{"key": "x" * 101, "label": "x"}], "too_long"),
        ([{"key": "a", "label": "x" * 201}], "too_long"),
        ([{"key": "a", "label": "x", "shape": 1}], "unknown_setting"),
        ([{"key": "a", "label": "x", "active": "no"}], "malformed"),
        (
            [
                {"key": "a", "label": "x", "default": True},
                {"key": "b", "label": "y", "default": True},
            ],
            "several_defaults",
        ),
    ],
)
def test_a_bad_picklist_is_refused(
    office: Office, options: list[dict[str, Any]], reason: str
) -> None:
    """The error names the option and the rule; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.put("picklist", "sizes", {"options": options})
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()
