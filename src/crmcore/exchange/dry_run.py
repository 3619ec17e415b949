"""A dry run: what would become of each row, decided like the import itself."""

from __future__ import annotations

from crmcore.exchange.batch import Batch
from crmcore.exchange.jobs import batches
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.reading import RowReader
from crmcore.exchange.report import MOST_ISSUES, Counts, ImportReport, RowIssue
from crmcore.exchange.running import BATCH_SIZE
from crmcore.exchange.seen import Seen
from crmcore.unit import UnitOfWork

__all__ = ["try_out"]


def try_out(unit: UnitOfWork, plan: ImportPlan) -> ImportReport:
    """Return the report that importing the file now would give; nothing is written."""
    reader, seen = RowReader(unit, plan), Seen()
    counts, issues, remarks = Counts(), list[RowIssue](), 0
    for rows in batches(plan, 0, BATCH_SIZE):
        result = Batch(unit, plan, reader, seen).run(rows)
        counts += result.counts
        remarks += len(result.issues)
        issues.extend(result.issues[: MOST_ISSUES - len(issues)])
    return ImportReport(
        counts=counts,
        issues=tuple(issues),
        issue_count=remarks,
        locale=unit.context.conventions.locale,
    )
