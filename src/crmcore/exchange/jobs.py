"""The record of an import: how far it has come, and what was said of its rows.

Each batch writes its records, its remarks and the new checkpoint in one unit of work,
so that an interrupted import goes on exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from crmcore.criteria import F
from crmcore.errors import ImportRejected, NotFound, Problem, StaleRecord
from crmcore.exchange.batch import Batch, BatchResult
from crmcore.exchange.entities import ImportIssue, ImportJob
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.reading import RowReader
from crmcore.exchange.report import (
    MOST_ISSUES,
    Counts,
    ImportReport,
    RowIssue,
    counts_of,
    issue_of,
    issue_record,
)
from crmcore.exchange.rows import Row, read_rows
from crmcore.storage import Insertion, Update
from crmcore.unit import Changes, Draft, UnitOfWork

__all__ = [
    "batches",
    "finish_job",
    "import_rows",
    "issues_of",
    "known_job",
    "open_job",
    "refuse_row",
    "report_of",
]


def batches(plan: ImportPlan, done: int, size: int) -> Iterator[list[Row]]:
    """Yield the rows of the file behind the checkpoint ``done``, ``size`` at a time."""
    start = max(done, int(plan.has_header))
    batch: list[Row] = []
    with plan.source.text(plan.encoding) as text:
        for row in read_rows(text, plan.delimiter):
            if row.number <= start:
                continue
            batch.append(row)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def known_job(unit: UnitOfWork, key: str) -> ImportJob:
    """Return a job by its key; raises NotFound for none, or somebody else's."""
    job = _held_job(unit, key)
    entity = unit.schema.entity(ImportJob)
    if job is None or not unit.visible(entity, job):
        raise NotFound(entity=entity.name, id=key)
    return job


def _held_job(unit: UnitOfWork, key: str) -> ImportJob | None:
    held = unit.holder_of("import_job.key", key)
    return held if isinstance(held, ImportJob) else None


def open_job(unit: UnitOfWork, plan: ImportPlan, batch_size: int) -> ImportJob:
    """Return the job of a plan: the one that was begun, or a new one.

    Raises ImportRejected where a job of this key imports something else.
    """
    plan.check()
    if _held_job(unit, plan.job_id) is None:
        return _new_job(unit, plan, batch_size)
    job = known_job(unit, plan.job_id)
    if (job.digest, job.mapping) != (plan.digest, plan.fingerprint()):
        problem = Problem("job_id", "unique")
        raise ImportRejected([problem], problem=problem.message())
    return job


def _new_job(unit: UnitOfWork, plan: ImportPlan, batch_size: int) -> ImportJob:
    wanted = ImportJob(
        key=plan.job_id,
        entity=plan.entity,
        file_name=plan.file_name[:255],
        digest=plan.digest,
        mapping=plan.fingerprint(),
        mode=plan.mode,
        duplicates=plan.duplicates,
        batch_size=batch_size,
        checkpoint=int(plan.has_header),
    )
    changes = unit.changes()
    drafts = unit.drafts_of_new([(wanted, {})], managed=True)
    (job,) = unit.plan_creation(drafts, changes)
    unit.apply(changes)
    assert isinstance(job, ImportJob)
    return job


def import_rows(
    unit: UnitOfWork,
    plan: ImportPlan,
    job: ImportJob,
    rows: Sequence[Row],
    reader: RowReader | None = None,
) -> ImportJob:
    """Import the next rows and move the checkpoint, all in this unit of work.

    Returns the job as it is then. Does nothing where the rows were done already.
    Raises StaleRecord where somebody else goes on with the same job.
    """
    current = _locked(unit, job)
    if (current.checkpoint or 0) >= rows[-1].number:
        return current
    if current.version != job.version:
        raise StaleRecord(entity="import_job", id=job.id, expected=job.version)
    result = Batch(unit, plan, reader).run(rows)
    return _advance(unit, current, result, rows[-1].number)


def refuse_row(unit: UnitOfWork, job: ImportJob, row: Row, problem: str) -> ImportJob:
    """Note that a row was refused as a whole, and move the checkpoint behind it."""
    current = _locked(unit, job)
    details = {"problem": problem[:500]}
    issue = RowIssue(row.line, "failed", None, None, "refused", details)
    result = BatchResult(Counts(rows=1, failed=1), (issue,))
    return _advance(unit, current, result, row.number)


def _locked(unit: UnitOfWork, job: ImportJob) -> ImportJob:
    entity = unit.schema.entity(ImportJob)
    found = unit.transaction.load(entity, [job.id], lock=True).get(job.id)
    if not isinstance(found, ImportJob):
        raise NotFound(entity=entity.name, id=job.id)
    return found


def _advance(
    unit: UnitOfWork, job: ImportJob, result: BatchResult, checkpoint: int
) -> ImportJob:
    """Write the remarks and the checkpoint; both are a log themselves, without one."""
    total = counts_of(job) + result.counts
    moved: ImportJob = attrs.evolve(  # type: ignore[misc]
        job,
        **attrs.asdict(total),
        checkpoint=checkpoint,
        issues=(job.issues or 0) + len(result.issues),
        version=job.version + 1,
        updated_at=unit.context.now,
        updated_by=unit.actor.id,
    )
    changes = unit.changes()
    changes.updates["import_job"].append(Update(job, moved))
    _log_issues(unit, job, result.issues, changes)
    unit.apply(changes)
    return moved


def _log_issues(
    unit: UnitOfWork, job: ImportJob, issues: Sequence[RowIssue], changes: Changes
) -> None:
    stamps: dict[str, Any] = {
        "version": 1,
        "created_at": unit.context.now,
        "created_by": unit.actor.id,
        "updated_at": unit.context.now,
        "updated_by": unit.actor.id,
    }
    for number, issue in enumerate(issues, start=job.issues or 0):
        identity = unit.context.ids.new()
        record = issue_record(job, number, issue, id=identity, **stamps)
        changes.insertions["import_issue"].append(Insertion(record))


def finish_job(unit: UnitOfWork, job: ImportJob) -> ImportJob:
    """Mark a job as finished; one that is finished stays as it is."""
    current = _locked(unit, job)
    if current.state == "finished":
        return current
    changes = unit.changes()
    values = {"state": "finished", "finished_at": unit.context.now}
    draft = Draft(unit.schema.entity(ImportJob), unit.context, current, values)
    finished = changes.update(draft)
    unit.apply(changes)
    assert isinstance(finished, ImportJob)
    return finished


def issues_of(unit: UnitOfWork, job: ImportJob) -> Iterator[RowIssue]:
    """Yield all remarks of a job, in the order of the file."""
    records = unit.stream(ImportIssue, F.job_id == job.id, order_by=[F.number.asc()])
    for record in records:
        yield issue_of(record)


def report_of(unit: UnitOfWork, job: ImportJob) -> ImportReport:
    """Return what became of a job's rows so far."""
    issues: list[RowIssue] = []
    after = None
    while len(issues) < MOST_ISSUES:
        page = unit.find(
            ImportIssue,
            F.job_id == job.id,
            order_by=[F.number.asc()],
            limit=1_000,
            after=after,
        )
        issues.extend(issue_of(record) for record in page)
        after = page.next
        if after is None:
            break
    return ImportReport(
        counts=counts_of(job),
        issues=tuple(issues[:MOST_ISSUES]),
        issue_count=job.issues or 0,
        job_id=job.key,
        finished=job.state == "finished",
        locale=unit.context.conventions.locale,
    )
