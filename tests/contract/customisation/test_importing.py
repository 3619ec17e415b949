"""Files are imported into custom fields and custom objects, on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmcore import SYSTEM, F, Lead
from crmcore.exchange import run_import
from crmcore.testing import Office


@pytest.mark.capability("REC-17", "IMP-03")
def test_a_file_fills_the_records_of_a_custom_object(
    office: Office, tmp_path: Path
) -> None:
    """Columns are recognised by key or label; bad rows are named, the others stored."""
    with office.session("admin") as s:
        s.customisation.add_object("project", label="Project")
        s.customisation.add_field("project", "size", "integer", label="Floor area")
        s.customisation.add_field("project", "due", "date")
    file = tmp_path / "projects.csv"
    file.write_text("Name,Floor area,due\nA,7,2026-11-27\nB,many,2026-11-28\nC,9,\n")
    with office.session(SYSTEM) as s:
        plan = s.exchange.plan_import(file, "project")
    report = run_import(office.crm, SYSTEM, plan)
    with office.session(SYSTEM) as s:
        found = s.find("project", F.size > 0, order_by=[F.name])

    assert [("A", 7), ("C", 9)] == [(p["name"], p["size"]) for p in found.items]
    assert ["size"] == [issue.field for issue in report.issues if issue.line == 3]


@pytest.mark.capability("REC-09", "REC-13", "IMP-02")
def test_stored_fields_and_options_are_imported(office: Office, tmp_path: Path) -> None:
    """A picklist value is found by key or label; a stored rule judges each row."""
    with office.session("admin") as s:
        s.customisation.add_picklist("sizes", ["small", "very_large"])
        s.customisation.add_field(
            "lead", "size", "picklist", options={"picklist": "sizes"}
        )
        s.customisation.put(
            "validation_rule", "phone", {"required": ["phone"]}, object="lead"
        )
    file = tmp_path / "leads.csv"
    file.write_text(
        "last name,phone,size\nLi,+8675512345678,small\n"
        "Wu,+8675512345679,Very large\nHo,,small\nXu,+8675512345670,huge\n"
    )
    with office.session(SYSTEM) as s:
        plan = s.exchange.plan_import(file, Lead)
    report = run_import(office.crm, SYSTEM, plan)
    with office.session(SYSTEM) as s:
        found = s.find(Lead, order_by=[F.last_name])

    assert [("Li", "small"), ("Wu", "very_large")] == [
        (lead.last_name, lead["size"]) for lead in found.items
    ]
    bad = {(issue.line, issue.field) for issue in report.issues}
    assert {(4, "phone"), (5, "size")} <= bad
