"""What a form, an import wizard or an API generator gets to know (REC-11, 12, 19)."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from crmcore import AccessDenied, Lead, ValidationError
from crmcore.records import Option
from crmcore.testing import Office


def field_of(described: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the description of one field."""
    found: dict[str, Any] = next(f for f in described["fields"] if f["name"] == name)
    return found


@pytest.mark.capability("REC-11", "REC-12")
def test_a_description_is_plain_data_in_the_asked_language(office: Office) -> None:
    """Labels, options and original names; JSON can carry it."""
    described = office.crm.schema("lead").describe(language="zh_CN")
    json.dumps(described)
    status = field_of(described, "status")

    assert "线索" in described["label"]
    assert ("picklist", "lead_status") == (status["type"], status["picklist"])
    assert all(choice["label"] for choice in status["choices"])
    assert field_of(described, "last_name")["required_on_add"] is True
    assert field_of(described, "created_at")["read_only"] is True


@pytest.mark.capability("REC-14", "REC-18", "REC-19", "REC-20")
def test_a_description_tells_layout_types_and_relations(office: Office) -> None:
    """With the layout of the actor's profile, and dependent options."""
    with office.session("admin") as s:
        shape = s.customisation
        shape.add_picklist("provinces", ["gd"])
        shape.add_picklist("cities", [Option("sz", "Shenzhen", parent="gd")])
        shape.add_field(
            "lead", "province", "picklist", options={"picklist": "provinces"}
        )
        shape.add_field(
            "lead",
            "town",
            "picklist",
            options={"picklist": "cities"},
            controlling_field="province",
        )
        shape.add_object("project", label="Project")
        shape.add_field("project", "of_id", "reference", options={"entity": "lead"})
        sections = [{"key": "main", "label": "Main", "fields": [{"field": "town"}]}]
        shape.put(
            "layout", "s", {"profile": "sales", "sections": sections}, object="lead"
        )
        shape.put(
            "record_type", "cold", {"label": "Cold", "default": True}, object="lead"
        )
    schema = office.crm.schema("lead")
    mine, bosses = schema.describe("alice"), schema.describe("boss")
    town = field_of(mine, "town")

    assert ("province", "gd") == (
        town["controlling_field"],
        town["choices"][0]["parent"],
    )
    assert ["town"] == [f["field"] for f in mine["layout"]["sections"][0]["fields"]]
    assert bosses["layout"] is None
    assert {"entity": "project", "field": "of_id"} in mine["relations"]
    assert "cold" in [one["key"] for one in mine["record_types"]]


@pytest.mark.capability("ACC-16")
def test_a_description_tells_what_the_actor_may_do(office: Office) -> None:
    """By action; an unknown actor is refused."""
    schema = office.crm.schema("user")

    assert schema.describe("admin")["permissions"]["create"] is True
    assert schema.describe("alice")["permissions"]["create"] is False
    assert "permissions" not in schema.describe()
    with pytest.raises(AccessDenied):
        schema.describe("nobody")


@pytest.mark.capability("REC-11")
def test_a_description_can_be_changed_without_harm(office: Office) -> None:
    """Callers get data of their own: the next description is as it was."""
    schema = office.crm.schema("lead")
    first = schema.describe()
    first["fields"].clear()

    assert schema.describe()["fields"]


@pytest.mark.capability("REC-11")
def test_a_change_is_described_at_once(office: Office) -> None:
    """A cached description never outlives the schema."""
    before = office.crm.schema("lead").describe()
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "money", help="per year")
    after = office.crm.schema("lead").describe()

    assert "budget" not in [f["name"] for f in before["fields"]]
    assert field_of(after, "budget")["help"] == "per year"


@pytest.mark.capability("REC-10", "REC-11")
def test_the_json_schema_accepts_what_the_library_accepts(office: Office) -> None:
    """It is a valid schema; good input passes, bad input fails, in both alike."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "score", "integer", options={"maximum": 10})
        s.customisation.add_field("lead", "due", "date")
    schema = office.crm.schema("lead").json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    good: dict[str, Any] = {
        "last_name": "A",
        "score": 3,
        "due": "2026-11-27",
        "status": "new",
    }
    bad: list[dict[str, Any]] = [
        {"score": 3},
        {"last_name": "A", "score": "3"},
        {"last_name": "A", "score": 11},
        {"last_name": "A", "status": "ufo"},
        {"last_name": "A", "ufo": 1},
        {"last_name": "x" * 300},
    ]

    assert check.is_valid(good)
    with office.session() as s:
        s.create(Lead(), **good)
        for values in bad:
            assert not check.is_valid(values)
            with pytest.raises(ValidationError):
                s.create(Lead(), **values)
    change = office.crm.schema("lead").json_schema(modify=True)
    assert jsonschema.Draft202012Validator(change).is_valid({"score": 4})


@pytest.mark.capability("REC-12", "REC-19")
def test_small_screens_and_search_screens_have_their_fields(office: Office) -> None:
    """The compact form asks for what is required or marked; a search for its criteria."""
    with office.session("admin") as s:
        s.customisation.change_field("lead", "phone", compact=True)
        sections = [{"key": "main", "fields": [{"field": "company_name"}]}]
        s.customisation.put(
            "layout", "find", {"purpose": "search", "sections": sections}, object="lead"
        )
    schema = office.crm.schema("lead")
    compact = [field["name"] for field in schema.describe(compact=True)["fields"]]

    assert ["last_name", "phone", "status"] == sorted(compact)
    assert ["company_name"] == schema.describe()["search"]
    assert len(schema.describe()["fields"]) > 20
