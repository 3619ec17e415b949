"""What became of the rows: counts, and a remark on each row not simply taken (IMP-03).

Also as a CSV that no spreadsheet program takes for formulas.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

import attrs

from crmcore.exchange.entities import ROW_OUTCOME, ImportIssue, ImportJob
from crmcore.exchange.reasons import explain
from crmcore.i18n import translate

__all__ = [
    "COUNTED",
    "Counts",
    "ImportReport",
    "RowIssue",
    "issue_of",
    "issue_record",
    "plain_data",
    "safe_cell",
    "write_issues",
]

#: A report holds at most this many remarks; all of them are read by ``issues``.
MOST_ISSUES = 10_000

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_TITLES = ("Line", "Outcome", "Field", "Value", "Reason")


@attrs.frozen
class RowIssue:
    """One remark: line of the file, outcome of the row, field, value and reason.

    ``outcome`` is ``failed``, ``skipped``, ``merged`` or ``flagged``. ``reason`` is a
    stable key, ``details`` the values named in its message.
    """

    line: int
    outcome: str
    field: str | None
    value: str | None
    reason: str
    details: Mapping[str, Any] = attrs.field(factory=dict)

    def message(self, locale: str = "en") -> str:
        """Return the reason in words, in the language of ``locale``."""
        return explain(self.reason, locale, self.details)


@attrs.frozen
class Counts:
    """How many rows there were and what became of them.

    ``merged`` rows filled fields of an existing record, ``unchanged`` ones brought
    nothing new to the record that they match.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    skipped: int = 0
    failed: int = 0

    def plus(self, outcome: str) -> Counts:
        """Return the counts with one more row of an outcome."""
        changed = {"rows": self.rows + 1, outcome: getattr(self, outcome) + 1}
        return attrs.evolve(self, **changed)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            **{name: getattr(self, name) + getattr(other, name) for name in COUNTED}
        )


COUNTED = tuple(field.name for field in attrs.fields(Counts))


@attrs.frozen
class ImportReport:
    """The result of an import or of a dry run.

    ``issues`` holds the first 10,000 remarks, ``issue_count`` how many there are.
    """

    counts: Counts
    issues: tuple[RowIssue, ...] = ()
    issue_count: int = 0
    job_id: str | None = None
    finished: bool = True
    locale: str = "en"

    @property
    def created(self) -> int:
        """Return how many records were made."""
        return self.counts.created

    @property
    def failed(self) -> int:
        """Return how many rows were refused."""
        return self.counts.failed

    def write_csv(self, target: IO[str]) -> None:
        """Write the remarks as CSV with the titles in the actor's language.

        ``target`` is a text file opened with ``newline=""``.
        """
        write_issues(self.issues, target, self.locale)


def write_issues(issues: Iterable[RowIssue], target: IO[str], locale: str) -> None:
    """Write remarks as CSV, row by row, safe to open in a spreadsheet program."""
    writer = csv.writer(target)
    writer.writerow([translate(title, locale) for title in _TITLES])
    for issue in issues:
        outcome = ROW_OUTCOME.by_key[issue.outcome].label
        cells = (
            str(issue.line),
            translate(outcome, locale),
            issue.field or "",
            issue.value or "",
            issue.message(locale),
        )
        writer.writerow([safe_cell(cell) for cell in cells])


def safe_cell(text: str) -> str:
    """Return ``text``, with a quotation mark before what would be taken for a formula."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def issue_record(
    job: ImportJob, number: int, issue: RowIssue, **system: Any
) -> ImportIssue:
    """Return the record that keeps a remark; ``number`` orders those of one job."""
    return ImportIssue(
        job_id=job.id,
        number=number,
        line=issue.line,
        outcome=issue.outcome,
        field=issue.field,
        value=issue.value,
        reason=issue.reason,
        details=_to_json(issue.details),
        owner_id=job.owner_id,
        **system,
    )


def issue_of(record: ImportIssue) -> RowIssue:
    """Return the remark that a record keeps."""
    assert record.line is not None
    assert record.outcome is not None
    assert record.reason is not None
    details = json.loads(record.details) if record.details else {}
    return RowIssue(
        line=record.line,
        outcome=record.outcome,
        field=record.field,
        value=record.value,
        reason=record.reason,
        details=details,
    )


def plain_data(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of a remark as they are kept: plain JSON data."""
    kept = _to_json(details)
    return dict(json.loads(kept)) if kept else {}


def _to_json(details: Mapping[str, Any]) -> str | None:
    return json.dumps(details, ensure_ascii=False, default=str) if details else None


def counts_of(job: ImportJob) -> Counts:
    """Return the counts that a job has come to."""
    return Counts(**{name: getattr(job, name) or 0 for name in COUNTED})
