"""Saved mappings, import jobs and what was reported of their rows (IMP-01, IMP-02)."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from crmcore.records import Option, Picklist, Record, entity, fields

__all__ = ["IMPORT_STATE", "ROW_OUTCOME", "ImportIssue", "ImportJob", "ImportMapping"]

IMPORT_STATE = Picklist(
    "import_state",
    (Option("running", "Running", "open"), Option("finished", "Finished", "closed")),
)

ROW_OUTCOME = Picklist(
    "row_outcome",
    (
        Option("failed", "Failed"),
        Option("skipped", "Skipped"),
        Option("merged", "Merged"),
        Option("flagged", "Flagged"),
    ),
)


@entity("import_mapping", plural="import_mappings")
class ImportMapping(Record):
    """Which column fills which field, saved under a name to be chosen again (IMP-02).

    ``columns`` is JSON: header, or number from 1, -> target, default, values.
    """

    name: str | None = fields.text(120, required=True, unique=True)
    entity: str | None = fields.text(60, required=True)
    columns: str | None = fields.long_text(required=True, searchable=False)


@entity("import_job", plural="import_jobs", display=("file_name",), managed=True)
class ImportJob(Record):
    """One import: what is imported how, and how far it has come (IMP-01).

    ``checkpoint`` counts the rows of the file that are done for good. ``digest`` is
    that of the file, ``mapping`` that of columns and options.
    """

    key: str | None = fields.text(60, required=True, unique=True)
    entity: str | None = fields.text(60, required=True)
    file_name: str | None = fields.text(255)
    digest: str | None = fields.text(80, required=True, indexed=True)
    mapping: str | None = fields.text(80, required=True)
    mode: str | None = fields.text(20)
    duplicates: str | None = fields.text(20)
    state: str | None = fields.picklist(IMPORT_STATE, default="running")
    batch_size: int | None = fields.integer(minimum=1)
    checkpoint: int | None = fields.integer(default=0, minimum=0)
    rows: int | None = fields.integer(default=0, minimum=0)
    created: int | None = fields.integer(default=0, minimum=0)
    updated: int | None = fields.integer(default=0, minimum=0)
    unchanged: int | None = fields.integer(default=0, minimum=0)
    merged: int | None = fields.integer(default=0, minimum=0)
    skipped: int | None = fields.integer(default=0, minimum=0)
    failed: int | None = fields.integer(default=0, minimum=0)
    issues: int | None = fields.integer(default=0, minimum=0)
    finished_at: dt.datetime | None = fields.datetime()


_ORDER = (("job_id", "number"),)


@entity(
    "import_issue",
    plural="import_issues",
    display=("reason",),
    indexes=_ORDER,
    managed=True,
)
class ImportIssue(Record):
    """One remark on one row: line, field, value, reason (IMP-03)."""

    job_id: UUID | None = fields.reference("import_job", required=True, indexed=False)
    number: int | None = fields.integer(minimum=0)
    line: int | None = fields.integer(minimum=0)
    outcome: str | None = fields.picklist(ROW_OUTCOME)
    field: str | None = fields.text(120)
    value: str | None = fields.text(255, sensitive=True)
    reason: str | None = fields.text(60)
    details: str | None = fields.long_text(searchable=False)
