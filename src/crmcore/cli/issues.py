"""What an import says of single rows: as a table, as data, as a file."""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from crmcore.cli.output import Heading, table
from crmcore.exchange import ImportReport, RowIssue

__all__ = ["issue_data", "issue_table", "write_issue_file"]

_STYLES = {"failed": "red", "skipped": "yellow", "flagged": "yellow", "merged": "cyan"}


def issue_table(
    issues: Iterable[RowIssue], locale: str = "en", title: str | None = None
) -> Table:
    """Return remarks as a table: line, outcome where it differs, field, value, reason."""
    given = list(issues)
    mixed = len({issue.outcome for issue in given}) > 1
    outcome: list[Heading] = ["outcome"] if mixed else []
    rows = []
    for issue in given:
        became = Text(issue.outcome, style=_STYLES.get(issue.outcome, ""))
        words = (issue.field, _short(issue.value), issue.message(locale))
        rows.append((issue.line, *((became,) if mixed else ()), *words))
    columns = (("line", "right"), *outcome, "field", "value", "reason")
    return table(columns, rows, title)


def _short(value: str | None, longest: int = 22) -> str:
    text = value or ""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def issue_data(issue: RowIssue, locale: str = "en") -> dict[str, Any]:
    """Return a remark as data."""
    return {
        "line": issue.line,
        "outcome": issue.outcome,
        "field": issue.field,
        "value": issue.value,
        "reason": issue.reason,
        "message": issue.message(locale),
    }


def write_issue_file(report: ImportReport, path: Path) -> None:
    """Write the remarks as CSV, with a mark that spreadsheet programs know UTF-8 by."""
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        report.write_csv(target)
