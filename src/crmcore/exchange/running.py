"""Running an import of any size: batch by batch, each its own unit of work.

The file is read as a stream; what is done stays done. When a run is killed, another run
of the same plan goes on behind the last committed batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from crmcore.errors import (
    Conflict,
    CRMError,
    ImportRejected,
    MissingExtra,
    Problem,
    StaleRecord,
    StorageError,
)
from crmcore.exchange.entities import ImportJob
from crmcore.exchange.jobs import (
    batches,
    finish_job,
    import_rows,
    open_job,
    refuse_row,
    report_of,
)
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.report import ImportReport
from crmcore.exchange.rows import Row

__all__ = ["BATCH_SIZE", "Progress", "run_import"]

#: Rows of one unit of work.
BATCH_SIZE = 500

#: Is told how many rows are done, and about how many there are.
Progress = Callable[[int, int], None]

T = TypeVar("T")


class Runner(Protocol):
    """What is needed of a CRM: to run work as one unit of work, as somebody."""

    def run(self, actor: Any, work: Callable[[Any], T]) -> T:
        """Run ``work(session)`` and commit, again where others interfere."""
        ...


def run_import(
    crm: Runner,
    actor: Any,
    plan: ImportPlan,
    *,
    progress: Progress | None = None,
    batch_size: int = BATCH_SIZE,
) -> ImportReport:
    """Import the file of a plan as ``actor``, and return what became of its rows.

    Memory stays bounded whatever the size of the file. ``progress(done, estimate)`` is
    called after each batch of ``batch_size`` rows. Run again with the same plan after
    an interruption, it goes on without loss and without doubled rows: the report,
    records and history are those of an uninterrupted run (IMP-01, IMP-03).

    Raises ImportRejected where the plan has problems or the file has changed since;
    StoreUnavailable and StorageFull leave what was done so far.
    """
    plan.check()
    _check_unchanged(plan)
    _check_size(batch_size)
    job = crm.run(
        actor, lambda unit: _once(unit, lambda: open_job(unit, plan, batch_size))
    )
    if job.state != "finished":
        for rows in batches(plan, job.checkpoint or 0, job.batch_size or batch_size):
            job = _import_batch(crm, actor, plan, job, rows)
            if progress is not None:
                done = job.rows or 0
                progress(done, max(plan.total_estimate, done))
        last = job
        job = crm.run(actor, lambda unit: _once(unit, lambda: finish_job(unit, last)))
    done_job = job
    return crm.run(actor, lambda unit: report_of(unit, done_job))


def _once(unit: Any, work: Callable[[], ImportJob]) -> ImportJob:
    job: ImportJob = unit.perform("exchange.import", [], work)
    return job


def _check_unchanged(plan: ImportPlan) -> None:
    if plan.source.scan().digest != plan.digest:
        problem = Problem("file", "unreadable", {"problem": "it has changed"})
        raise ImportRejected([problem], problem=problem.message())


def _check_size(batch_size: int) -> None:
    if type(batch_size) is not int or not 1 <= batch_size <= 10_000:
        details = {"minimum": 1, "maximum": 10_000}
        problem = Problem("batch_size", "out_of_range", details)
        raise ImportRejected([problem], problem=problem.message())


#: Failures of the set-up, not of a row: the import stops and can be run again.
_STOPPING = (StorageError, Conflict, MissingExtra)


def _import_batch(
    crm: Runner, actor: Any, plan: ImportPlan, job: ImportJob, rows: Sequence[Row]
) -> ImportJob:
    """Import a batch; where it fails as a whole, row by row, so that most get in."""
    try:
        return _import_rows(crm, actor, plan, job, rows)
    except CRMError as error:
        if isinstance(error, _STOPPING) and not _is_of_a_row(error):
            raise
    for row in rows:
        job = _import_row(crm, actor, plan, job, row)
    return job


def _import_row(
    crm: Runner, actor: Any, plan: ImportPlan, job: ImportJob, row: Row
) -> ImportJob:
    try:
        return _import_rows(crm, actor, plan, job, [row])
    except CRMError as error:
        if isinstance(error, _STOPPING) and not _is_of_a_row(error):
            raise
        problem = error.message()
        return crm.run(
            actor,
            lambda unit: _once(unit, lambda: refuse_row(unit, job, row, problem)),
        )


def _is_of_a_row(error: CRMError) -> bool:
    """Tell whether somebody else changed a record that a row means."""
    stale = isinstance(error, StaleRecord)
    return stale and error.details.get("entity") != "import_job"


def _import_rows(
    crm: Runner, actor: Any, plan: ImportPlan, job: ImportJob, rows: Sequence[Row]
) -> ImportJob:
    return crm.run(
        actor,
        lambda unit: _once(unit, lambda: import_rows(unit, plan, job, rows)),
    )
