from __future__ import annotations

import csv
import io

import pytest

from crmcore.exchange.report import RowIssue, safe_cell, write_issues

pytestmark = pytest.mark.capability("IMP-03")

FORMULAS = ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_report_is_a_formula(text):
    """What a spreadsheet would take for a formula is marked as text."""
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", FORMULAS)
def test_hostile_values_are_written_as_text(text):
    """A report of a hostile row is safe to open."""
    target = io.StringIO(newline="")
    issue = RowIssue(3, "failed", "email", text, "not_email")
    write_issues([issue], target, "en")
    rows = list(csv.reader(io.StringIO(target.getvalue(), newline="")))
    assert rows[1] == [
        "3",
        "Failed",
        "email",
        f"'{text}",
        "is not a valid e-mail address",
    ]


def test_reasons_are_in_the_language_of_the_reader():
    """The same remark is read in English or Chinese."""
    issue = RowIssue(3, "failed", "email", "x", "not_email")
    assert issue.message("en") == "is not a valid e-mail address"
    assert issue.message("zh_CN") != issue.message("en")
