"""Leads: from the first contact to the conversion into customers.

Takes leads; returns conversion plans and what a conversion made.
Offers ``session.leads``: plan_conversion, convert.
A conversion is one unit of work: nothing is left half done.
Neighbours: ``parties`` and ``sales`` own what a conversion makes.
"""

from crmcore.leads.conversion import (
    ConversionPlan,
    ConversionResult,
    ConversionSettings,
    Create,
    Obstacle,
    Skip,
    TargetPlan,
    Use,
)
from crmcore.leads.entities import LEAD_STATUS, Lead
from crmcore.leads.lifecycle import guard_conversion
from crmcore.leads.matching import LEAD_KEYS
from crmcore.leads.service import LeadService
from crmcore.unit import Area

__all__ = [
    "AREA",
    "LEAD_STATUS",
    "ConversionPlan",
    "ConversionResult",
    "ConversionSettings",
    "Create",
    "Lead",
    "LeadService",
    "Obstacle",
    "Skip",
    "TargetPlan",
    "Use",
]

AREA = Area(
    name="leads",
    entities=(Lead,),
    rules={"lead": (guard_conversion,)},
    keys={"lead": LEAD_KEYS},
    service=LeadService,
)
