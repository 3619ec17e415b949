"""Objects that administrators define behave like standard ones, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    AccessDenied,
    F,
    Lead,
    NotFound,
    Ref,
    StaleRecord,
    Task,
    UniqueViolation,
    ValidationError,
)
from crmcore.testing import Office, small_organisation
from tests.contract.customisation.reasons import reasons


@pytest.fixture
def projects(office: Office) -> Office:
    """The office with an object for projects, which belong to leads."""
    with office.session("admin") as s:
        s.customisation.add_object("project", label="Project", data_type="work_order")
        s.customisation.add_field(
            "project", "origin_id", "reference", options={"entity": "lead"}
        )
        s.customisation.add_field("project", "size", "integer", indexed=True)
        s.customisation.add_field("project", "code", "text", unique=True)
    return office


@pytest.mark.capability("REC-17")
def test_records_of_an_object_live_like_any_other(projects: Office) -> None:
    """Create, read, edit, filter across a reference, history, delete, restore."""
    kind = projects.crm.schema("project").record_class
    with projects.session() as s:
        lead = s.create(Lead(last_name="Li", company_name="Acme"))
        made = s.create(kind(), name="Bridge", origin_id=lead.id, size=3)
        assert made.display_name == "Bridge"
        assert made.owner_id == projects.people.alice.id
        found = s.find(kind, (F.size >= 3) & (F.origin.company_name == "Acme"))
        assert [made.id] == [record.id for record in found.items]
        changed = s.update(made, size=4)
        with pytest.raises(StaleRecord):
            s.update(made, size=5)
        gone = s.delete(changed)
        assert s.count(kind) == 0
        s.restore(gone)
    with projects.session() as s:
        (again,) = s.find(kind).items
        assert (again["name"], again["size"]) == ("Bridge", 4)
        actions = [entry.action for entry in s.history(again)]
        assert ["created", "updated", "deleted", "restored"] == actions


@pytest.mark.capability("REC-17", "ACC-10")
def test_permissions_hold_for_custom_objects(projects: Office) -> None:
    """A superior sees the records, somebody in another branch does not."""
    kind = projects.crm.schema("project").record_class
    with projects.session("alice") as s:
        made = s.create(kind(), name="Bridge")
    with projects.session("boss") as s:
        assert s.get(kind, made.id).id == made.id
    with projects.session("carol") as s:
        assert s.count(kind) == 0
        with pytest.raises(NotFound):
            s.get(kind, made.id)


@pytest.mark.capability("REC-17", "DUP-01")
def test_unique_values_of_an_object_are_claimed(projects: Office) -> None:
    """A taken value is refused, and free again after the record's deletion."""
    kind = projects.crm.schema("project").record_class
    with projects.session() as s:
        first = s.create(kind(), name="A", code="x1")
        with pytest.raises(UniqueViolation):
            s.create(kind(), name="B", code="X1")
        s.delete(first)
        s.create(kind(), name="B", code="X1")


@pytest.mark.capability("REC-17", "TEN-01")
def test_an_object_belongs_to_one_tenant(projects: Office, tenant: str) -> None:
    """Another tenant neither knows it nor meets its records under the same key."""
    crm = projects.crm.tenant(f"{tenant}-2")
    other = Office(crm, projects.clock, projects.ids, small_organisation(crm))
    with pytest.raises(ValidationError):
        crm.schema("project")
    with other.session("admin") as s:
        s.customisation.add_object("project", label="Other", name_field="title")
    own = projects.crm.schema("project").record_class
    theirs = crm.schema("project").record_class
    with projects.session() as s:
        s.create(own(), name="A")
    with other.session() as s:
        assert s.count(theirs) == 0
        s.create(theirs(), title="B")
        with pytest.raises(ValidationError):
            s.create(own(), name="C")
    with projects.session() as s:
        assert ["A"] == [record["name"] for record in s.find(own).items]


@pytest.mark.capability("REC-17")
@pytest.mark.parametrize(
    ("key", "settings", "reason"),
    [
        ("lead", {"label": "Lead"}, "key_taken"),
        ("$where", {"label": "x"}, "bad_key"),
        ("__init__", {"label": "x"}, "bad_key"),
        ("x" * 41, {"label": "x"}, "too_long"),
        ("thing", {"label": " "}, "required"),
        ("thing", {"label": "x" * 101}, "too_long"),
        ("thing", {"label": "x", "data_type": "teapot"}, "not_an_option"),
        ("thing", {"label": "x", "switches": ["fly"]}, "not_an_option"),
        ("thing", {"label": "x", "name_field": "id"}, "reserved_key"),
        ("thing", {"label": "x", "shape": "round"}, "unknown_setting"),
    ],
)
def test_a_bad_object_is_refused(
    office: Office, key: str, settings: dict[str, Any], reason: str
) -> None:
    """The error names the object and the rule; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_object(key, **settings)
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()


@pytest.mark.capability("REC-17")
def test_a_data_type_has_one_default_object(projects: Office) -> None:
    """A second default of the same purpose is refused."""
    with projects.session("admin") as s:
        s.customisation.add_object(
            "case_a", label="A", data_type="customer", default=True
        )
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_object(
                "case_b", label="B", data_type="customer", default=True
            )
        s.customisation.add_object("case_b", label="B", data_type="basic", default=True)

    assert "default_taken" in reasons(refused).values()


@pytest.mark.capability("REC-17", "REC-05")
def test_an_object_with_records_is_not_removed(projects: Office) -> None:
    """Once it is empty it goes, with its fields, and its name is free."""
    kind = projects.crm.schema("project").record_class
    with projects.session() as s:
        made = s.create(kind(), name="A")
    with projects.session("admin") as s:
        items = ("origin_id", "size", "code")
        from crmcore.customisation import ItemKey, Remove

        everything = [
            *(Remove(ItemKey("field", "project", key)) for key in items),
            Remove(ItemKey("object", "", "project")),
        ]
        plan = s.customisation.plan(everything)
        with pytest.raises(ValidationError) as refused:
            s.customisation.apply(plan)
        s.purge(s.delete(s.get(kind, made.id)))
        s.customisation.apply(s.customisation.plan(everything))
    with pytest.raises(ValidationError):
        projects.crm.schema("project")

    assert {"object.project": "in_use"} == reasons(refused)


@pytest.mark.capability("REC-17", "ACC-16")
def test_only_administrators_define_objects(office: Office) -> None:
    """Everybody else is refused."""
    with office.session("boss") as s, pytest.raises(AccessDenied):
        s.customisation.add_object("project", label="Project")


@pytest.mark.capability("REC-17")
def test_an_object_is_named_by_its_key(projects: Office) -> None:
    """Every verb takes the key in place of the record class."""
    with projects.session() as s:
        made = s.create("project", name="Bridge", size=3)
        assert s.get("project", made.id) == made
        assert s.find("project", F.size == 3).items == (made,)
        assert list(s.stream("project")) == [made]
        assert s.count("project") == 1
        with pytest.raises(ValidationError) as unknown:
            s.create("teapot", name="x")

    assert {"entity": "unknown_entity"} == reasons(unknown)


@pytest.mark.capability("REC-17", "ACC-16")
def test_an_object_may_be_open_to_some_profiles(office: Office) -> None:
    """Users of others can neither read nor write its records."""
    with office.session("admin") as s:
        s.customisation.add_object("deal_file", label="File", open_to=["manager"])
    with office.session("boss") as s:
        made = s.create("deal_file", name="A")
    with office.session("alice") as s:
        assert s.count("deal_file") == 0
        with pytest.raises(NotFound):
            s.get("deal_file", made.id)
        with pytest.raises(AccessDenied):
            s.create("deal_file", name="B")
    with office.session("admin") as s:
        assert s.get("deal_file", made.id) == made


@pytest.mark.capability("REC-09", "REC-17")
def test_an_object_has_no_more_fields_than_its_space(office: Office) -> None:
    """The field beyond it is refused, naming the limit; its name field counts."""
    with office.session("admin") as s:
        s.customisation.add_object("small", label="Small", field_space=2)
        s.customisation.add_field("small", "one", "text")
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_field("small", "two", "text")

    assert {"object.small": "no_space"} == reasons(refused)


@pytest.mark.capability("REC-08", "REC-17")
def test_changes_are_written_into_an_operation_log(office: Office) -> None:
    """One record of the log for each write, with what changed, in the same transaction."""
    with office.session("admin") as s:
        s.customisation.add_object("journal", label="Log", data_type="operation_log")
        s.customisation.add_object("order_file", label="Order", log_object="journal")
        s.customisation.add_field("order_file", "size", "integer")
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_object("bad", label="Bad", log_object="order_file")
    with office.session() as s:
        made = s.create("order_file", name="A", size=1)
        s.update(made, size=2)
    with office.session() as s, pytest.raises(ValidationError):
        s.update(s.get("order_file", made.id), size="many")
    with office.session() as s:
        about = F.subject == Ref("order_file", made.id)
        logs = s.find("journal", about, order_by=[F.subject_version])

    assert {"object.bad.log_object": "not_a_log"} == reasons(refused)
    assert ["created", "updated"] == [log["name"] for log in logs.items]
    assert [{"field": "size", "old": 1, "new": 2}] == logs.items[1]["changes"]


@pytest.mark.capability("REC-17")
def test_an_object_may_be_closed_to_activities(projects: Office) -> None:
    """Tasks and notes are refused for records of an object without that switch."""
    with projects.session("admin") as s:
        s.customisation.add_object("part", label="Part", switches=["history"])
    schema = projects.crm.schema()
    project, part = (schema.entity(name).record_class for name in ("project", "part"))
    with projects.session() as s:
        open_to, closed = s.create(project(), name="A"), s.create(part(), name="B")
        s.create(Task(subject="Call", related_to=Ref.to(open_to)))
        with pytest.raises(ValidationError) as caught:
            s.create(Task(subject="Call", related_to=Ref.to(closed)))
        assert {"related_to": "no_activities"} == reasons(caught)
