"""Organisation: what administrators do with people as a whole: hand their records over.

Takes users and who follows them; returns plans and reports.
Every record keeps an owner, whatever breaks off in between.
Neighbours: ``access`` says who sees what, ``unit`` writes.
"""

from crmcore.organisation.handover import Handover, HandoverPlan, HandoverReport
from crmcore.organisation.service import OrganisationService

__all__ = ["Handover", "HandoverPlan", "HandoverReport", "OrganisationService"]
