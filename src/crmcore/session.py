"""A session: one unit of work as one actor, with the verbs of every area."""

from __future__ import annotations

from typing import Any

from crmcore.customisation import CustomisationService
from crmcore.exchange import ExchangeService
from crmcore.leads import LeadService
from crmcore.organisation import OrganisationService
from crmcore.parties import PartyService
from crmcore.reporting import ReportingService
from crmcore.sales import SalesService
from crmcore.tags import TagService
from crmcore.templates import TemplateService
from crmcore.tenancy import TenancyService
from crmcore.unit import UnitOfWork
from crmcore.unit.templates import template_service

__all__ = ["Session"]


class Session(UnitOfWork):
    """One unit of work: reads and writes as one actor, committed as a whole.

    Opened by ``crm.session(actor)``. The generic verbs work on every entity; the areas
    add theirs under their own names.
    """

    @property
    def leads(self) -> LeadService:
        """Return the verbs of leads: plan_conversion, convert."""
        return LeadService(self)

    @property
    def parties(self) -> PartyService:
        """Return the verbs of accounts and contacts."""
        return PartyService(self)

    @property
    def sales(self) -> SalesService:
        """Return the verbs of opportunities: move, win, lose, reopen."""
        return SalesService(self)

    @property
    def exchange(self) -> ExchangeService:
        """Return the verbs of import."""
        return ExchangeService(self)

    @property
    def customisation(self) -> CustomisationService:
        """Return the verbs of administrators: fields, objects, picklists, rules ..."""
        return CustomisationService(self)

    @property
    def tags(self) -> TagService:
        """Return the verbs of tags: tag, untag, create, counts ... (REC-23)."""
        return TagService(self)

    @property
    def organisation(self) -> OrganisationService:
        """Return the verbs by which people's records are handed over (ACC-19)."""
        return OrganisationService(self)

    @property
    def tenancy(self) -> TenancyService:
        """Return the verbs of operators and of settings (TEN-01, TEN-03, TEN-06)."""
        return TenancyService(self)

    def feature(self, name: str) -> bool:
        """Tell whether an option is on for this tenant (TEN-03)."""
        return self.tenancy.feature(name)

    @property
    def templates(self) -> TemplateService:
        """Return the verbs of stored templates: render, preview, choose (REC-24)."""
        return template_service(self)

    @property
    def reporting(self) -> ReportingService:
        """Return the verbs of reports: funnel."""
        return ReportingService(self)

    def __getattr__(self, name: str) -> Any:
        """Return the service of a registered area that has no property of its own."""
        if not name.startswith("_"):
            for area in self.environment.areas:
                if area.name == name and area.service is not None:
                    return area.service(self)
        msg = f"a session has no {name!r}"
        raise AttributeError(msg)
