"""Sales: opportunities and the pipelines they move through.

Takes opportunities and stages; returns the new version and logs every step.
Offers ``session.sales``: move, win, lose, reopen, stage history.
Logic reads the category of a stage, never its label.
Neighbours: ``leads`` makes opportunities, ``reporting`` counts them.
"""

from crmcore.sales.entities import LOST_REASON, Opportunity, StageChange
from crmcore.sales.pipelines import (
    DEFAULT_PIPELINE,
    HUBSPOT_PIPELINE,
    SALESFORCE_PIPELINE,
    Pipeline,
    SalesSettings,
    Stage,
)
from crmcore.sales.service import SalesService
from crmcore.sales.stages import set_initial_stage
from crmcore.unit import Area

__all__ = [
    "AREA",
    "DEFAULT_PIPELINE",
    "HUBSPOT_PIPELINE",
    "LOST_REASON",
    "SALESFORCE_PIPELINE",
    "Opportunity",
    "Pipeline",
    "SalesService",
    "SalesSettings",
    "Stage",
    "StageChange",
]

AREA = Area(
    name="sales",
    entities=(Opportunity, StageChange),
    rules={"opportunity": (set_initial_stage,)},
    service=SalesService,
)
