"""Reporting: numbers and pictures of what was sold and what may be.

Takes groups that the store has counted; returns figures as values, charts as SVG.
Offers ``session.reporting``: funnel.
Never counts what the actor may not see, and never adds two currencies up.
Neighbours: ``sales`` says what a stage means, ``cli`` shows the figures.
"""

from crmcore.reporting.funnel import Funnel, FunnelRow, StageFigure, StageGroup
from crmcore.reporting.service import ReportingService
from crmcore.unit import Area

__all__ = [
    "AREA",
    "Funnel",
    "FunnelRow",
    "ReportingService",
    "StageFigure",
    "StageGroup",
]

AREA = Area(name="reporting", service=ReportingService)
