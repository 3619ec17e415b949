"""Exchange: getting records in from files, whatever wrote them.

Takes a file and an entity; returns a plan, and applied, a report on every row.
Offers ``session.exchange``; :func:`run_import` imports files of any size in batches.
One bad row never stops the others; an interrupted import goes on where it stopped.
Neighbours: ``unit`` writes the records, ``matching`` tells which exist already.
"""

from crmcore.exchange.columns import Column, ColumnMapping
from crmcore.exchange.entities import ImportIssue, ImportJob, ImportMapping
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.report import Counts, ImportReport, RowIssue
from crmcore.exchange.running import run_import
from crmcore.exchange.service import ExchangeService
from crmcore.unit import Area

__all__ = [
    "AREA",
    "Column",
    "ColumnMapping",
    "Counts",
    "ExchangeService",
    "ImportIssue",
    "ImportJob",
    "ImportMapping",
    "ImportPlan",
    "ImportReport",
    "RowIssue",
    "run_import",
]

AREA = Area(
    name="exchange",
    entities=(ImportMapping, ImportJob, ImportIssue),
    service=ExchangeService,
)
