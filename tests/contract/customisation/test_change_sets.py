"""A tenant's customisation as one file, applied to another tenant (IMP-07)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from crmcore import F, Lead, ValidationError
from crmcore.criteria import to_json
from crmcore.customisation import ChangeSet
from crmcore.customisation.kinds import KINDS
from crmcore.testing import Office, small_organisation
from tests.contract.customisation.reasons import reasons


@pytest.fixture
def shaped(office: Office) -> Office:
    """The office with one item of each kind."""
    with office.session("admin") as s:
        shape = s.customisation
        shape.add_picklist("sizes", ["small", "large"])
        shape.add_object("project", label="Project 项目")
        shape.add_field(
            "lead", "size", "picklist", options={"picklist": "sizes"}, label="Size"
        )
        shape.add_field("lead", "budget", "money", indexed=True)
        shape.add_field("project", "of_id", "reference", options={"entity": "lead"})
        shape.change_field("lead", "company_name", label="Firm")
        shape.put("record_type", "cold", {"label": "Cold"}, object="account")
        rule = {"must": to_json(F.budget > 0), "message": "positive"}
        shape.put("validation_rule", "positive", rule, object="lead")
        sections = [{"key": "main", "fields": [{"field": "budget"}]}]
        shape.put("layout", "main", {"sections": sections}, object="lead")
        shape.put("numbering", "number", {"prefix": "LEA"}, object="lead")
        trigger = {"event": "before_create", "sets": {"title": '"Mx"'}}
        shape.put("trigger", "title", trigger, object="lead")
        shared = {"to": [f"user:{uuid4()}"], "owners": [f"user:{uuid4()}"]}
        shape.put("sharing_rule", "some", shared, object="lead")
        shape.put("profile", "desk", {"actions": {"lead": ["read"]}})
        ends = {"source": "lead", "target": "account"}
        shape.put("relation", "partners", ends)
        body = {"kind": "print", "object": "lead", "body": "{{ lead.last_name }}"}
        shape.put("template", "letter", body)
        shape.translate("lead.budget", "zh_CN", "预算")
        shape.set_exchange_rate("EUR", "USD", "1.1", date(2026, 1, 1))
        shape.add_field("lead", "old", "text")
        shape.retire_field("lead", "old")
    return office


@pytest.fixture
def other(office: Office, tenant: str) -> Office:
    crm = office.crm.tenant(f"{tenant}-2")
    return Office(crm, office.clock, office.ids, small_organisation(crm))


@pytest.mark.capability("IMP-07")
def test_every_kind_of_item_is_in_the_change_set(shaped: Office) -> None:
    """Nobody forgets a kind that comes later."""
    with shaped.session("admin") as s:
        kinds = {item.key.kind for item in s.customisation.items()}
    assert kinds == {"field", "object", "picklist", *KINDS}


@pytest.mark.capability("IMP-07")
def test_a_customisation_moves_to_another_tenant(shaped: Office, other: Office) -> None:
    """As text that is the same for the same content; there it works at once."""
    with shaped.session("admin") as s:
        text = s.customisation.export().to_text()
    with other.session("admin") as s:
        plan = s.customisation.plan_import(ChangeSet.from_text(text))
        assert len(s.customisation.items()) == 0
        s.customisation.apply(plan)
    with other.session("admin") as s:
        assert s.customisation.export().to_text() == text
        again = s.customisation.plan_import(ChangeSet.from_text(text))
        assert str(again) == "nothing changes"
    with other.session() as s:
        lead = s.create(Lead(last_name="A"), budget=5, size="small")
        with pytest.raises(ValidationError):
            s.create(Lead(last_name="B"), budget=-5)
        project = other.crm.schema("project").record_class
        s.create(project(), name="P", of_id=lead.id)
    assert "Project 项目" in text
    assert all(str(d).startswith("+ ") for d in plan.differences)


@pytest.mark.capability("IMP-07")
def test_the_difference_is_shown_before_it_is_applied(
    shaped: Office, other: Office
) -> None:
    """What is new, changed, retired and, on request, removed; in words."""
    with shaped.session("admin") as s:
        change_set = s.customisation.export()
    with other.session("admin") as s:
        s.customisation.apply(s.customisation.plan_import(change_set))
        s.customisation.add_field("lead", "extra", "text")
        s.customisation.change_field("lead", "budget", label="Money")
        s.customisation.restore_field("lead", "old")
    with other.session("admin") as s:
        merged = s.customisation.plan_import(change_set)
        replaced = s.customisation.plan_import(change_set, replace=True)
        s.customisation.apply(replaced)
        assert s.customisation.export().to_text() == change_set.to_text()

    assert ["~ field lead.budget: label", "x field lead.old"] == str(merged).split("\n")
    assert "- field lead.extra" in str(replaced)


@pytest.mark.capability("IMP-07")
def test_a_change_set_is_applied_as_a_whole_or_not_at_all(
    shaped: Office, other: Office
) -> None:
    """One bad item, and nothing of it is stored; each problem is named."""
    with shaped.session("admin") as s:
        data = s.customisation.export().to_data()
    data["field"]["lead"]["budget"]["type"] = "teapot"
    data["validation_rule"]["lead"]["positive"]["spam"] = 1
    with other.session("admin") as s:
        plan = s.customisation.plan_import(ChangeSet.from_data(data))
        with pytest.raises(ValidationError) as refused:
            s.customisation.apply(plan)
        assert len(s.customisation.items()) == 0

    found = reasons(refused)
    assert "unknown_type" == found["field.lead.budget.type"]
    assert "unknown_setting" == found["validation_rule.lead.positive.spam"]


@pytest.mark.capability("IMP-07")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"format": "something else", "version": 1}',
        '{"format": "crmcore customisation", "version": 99}',
        '{"format": "crmcore customisation", "version": 1, "field": []}',
        '{"format": "crmcore customisation", "version": 1, "field": {"lead": 1}}',
        '{"format": "crmcore customisation", "version": 1, "picklist": {"a": 1}}',
        '{"format": "crmcore customisation", "version": 1, "version": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_change_set_is_refused(text: str) -> None:
    """With an error that says so, whatever the text."""
    with pytest.raises(ValidationError):
        ChangeSet.from_text(text)


@pytest.mark.capability("IMP-07")
@pytest.mark.parametrize("kind", ["__class__", "teapot", "$where"])
def test_an_unknown_kind_is_refused(office: Office, kind: str) -> None:
    """Nothing is stored that the library does not know."""
    data = {"format": "crmcore customisation", "version": 1, kind: {"a": {"b": 1}}}
    with office.session("admin") as s:
        plan = s.customisation.plan_import(ChangeSet.from_data(data))
        with pytest.raises(ValidationError) as refused:
            s.customisation.apply(plan)
        assert len(s.customisation.items()) == 0

    assert "unknown_kind" in reasons(refused).values()


@pytest.mark.capability("IMP-07")
def test_the_text_is_readable_and_ordered(shaped: Office) -> None:
    """One setting a line, kinds and keys in order, so that versions can be compared."""
    with shaped.session("admin") as s:
        text = s.customisation.export().to_text()
    data: dict[str, Any] = json.loads(text)
    kinds = [key for key in data if key not in ("format", "version")]

    assert sorted(kinds) == kinds
    assert text.count("\n") > 40
    assert data["field"]["lead"]["old"]["retired"] is True
