"""Tenancy: the operator's register of enterprises, their options, and settings.

Takes what an operator or administrator decides; returns tenants, options and settings.
Knows who may work at all: a suspended enterprise is refused before anything is read.
Nothing of one tenant is ever read for another, but what the operator offers to all.
Neighbours: ``unit`` asks the gate, ``customisation`` shapes what is in a tenant.
"""

from crmcore.tenancy.entities import AccessNumber, ConfigEntry, Setting, Tenant
from crmcore.tenancy.gate import check_tenant
from crmcore.tenancy.profile import OrganisationProfile
from crmcore.tenancy.registry import Option
from crmcore.tenancy.service import TenancyService
from crmcore.tenancy.setting_definitions import (
    SYSTEM_TENANT,
    SettingDefinition,
    TenancySettings,
)
from crmcore.unit import Area

__all__ = [
    "AREA",
    "SYSTEM_TENANT",
    "AccessNumber",
    "ConfigEntry",
    "Option",
    "OrganisationProfile",
    "Setting",
    "SettingDefinition",
    "TenancyService",
    "TenancySettings",
    "Tenant",
]

AREA = Area(
    name="tenancy",
    entities=(Tenant, AccessNumber, ConfigEntry, Setting),
    service=TenancyService,
    gate=check_tenant,
)
