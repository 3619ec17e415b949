"""Chapter: leads are imported from two files; errors and duplicates are explained."""

from __future__ import annotations

from typing import Any

import attrs

from crmcore.access import SYSTEM
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.demo.samples import import_sample
from crmcore.cli.issues import issue_data, issue_table
from crmcore.cli.output import Heading
from crmcore.crm import CRM
from crmcore.exchange import ImportPlan, ImportReport, RowIssue
from crmcore.leads import Lead

__all__ = ["import_leads"]

_FILES = ("leads_gbk.csv", "leads_en.csv")
#: Duplicates that are shown of each file.
_SHOWN = 5

Taken = tuple[str, ImportPlan, ImportReport]


def import_leads(crm: CRM, tell: Narrator) -> dict[str, Any]:
    """Import the sample's leads and show what was not simply taken, and why."""
    tell.chapter("Leads come in")
    taken: list[Taken] = [
        (name, *import_sample(crm, SYSTEM, name, Lead, tell.output, duplicates="skip"))
        for name in _FILES
    ]
    _show_counts(taken, tell)
    for name, _, report in taken:
        failed = [i for i in report.issues if i.outcome == "failed"]
        tell.output.show(issue_table(failed, title=f"{name}: rows refused"))
    _show_duplicates(taken, tell)
    with crm.session(SYSTEM) as session:
        leads = session.count(Lead)
    tell.say(f"{leads} leads are in the store.")
    return {"leads": leads, "files": [_data(*item) for item in taken]}


def _show_counts(taken: list[Taken], tell: Narrator) -> None:
    tell.say("Encoding, delimiter and columns are recognised; nothing was told:")
    places = ("rows", "created", "skipped", "failed")
    numbers: list[Heading] = [(place, "right") for place in places]
    rows = [
        (
            name,
            plan.encoding,
            repr(plan.delimiter),
            *(getattr(report.counts, place) for place in places),
        )
        for name, plan, report in taken
    ]
    tell.table(["file", "encoding", "delimiter", *numbers], rows)


def _show_duplicates(taken: list[Taken], tell: Narrator) -> None:
    rows = [
        (name, issue.line, issue.message())
        for name, _, report in taken
        for issue in _duplicates(report)[:_SHOWN]
    ]
    number = sum(len(_duplicates(report)) for _, _, report in taken)
    tell.table(
        ("file", ("line", "right"), "why the row was skipped"),
        rows,
        f"Duplicates: {len(rows)} of {number}",
    )


def _duplicates(report: ImportReport) -> list[RowIssue]:
    """Return the skipped rows, those like a record of an earlier file first."""
    skipped = [issue for issue in report.issues if issue.outcome == "skipped"]
    return sorted(skipped, key=lambda issue: issue.reason == "duplicate_row")


def _data(name: str, plan: ImportPlan, report: ImportReport) -> dict[str, Any]:
    return {
        "file": name,
        "encoding": plan.encoding,
        "delimiter": plan.delimiter,
        **attrs.asdict(report.counts),
        "issues": [issue_data(issue) for issue in report.issues],
    }
