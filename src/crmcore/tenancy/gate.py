"""The gate: who is let in before anything of a tenant is read (TEN-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crmcore.criteria import BoundConstant, BoundSort, Query
from crmcore.criteria.binding import Subject
from crmcore.errors import TenantSuspended, UnknownTenant
from crmcore.tenancy.entities import ConfigEntry, Tenant
from crmcore.tenancy.registry import Registry
from crmcore.tenancy.setting_definitions import TenancySettings

if TYPE_CHECKING:
    from crmcore.records import Record
    from crmcore.storage import Transaction
    from crmcore.unit import Environment

__all__ = ["REGISTRY_SEQUENCE", "check_tenant", "registry_of"]

#: The sequence of the system tenant whose last number is the version of the register.
REGISTRY_SEQUENCE = "crmcore.registry"


def check_tenant(environment: Environment, tenant: str) -> None:
    """Raise UnknownTenant or TenantSuspended for whom the register does not let in.

    One statement, in a transaction of its own, where the register is used.
    """
    settings = settings_of(environment)
    if not settings.registry or tenant == settings.system_tenant:
        return
    found = registry_of(environment).by_code.get(tenant)
    if found is None:
        raise UnknownTenant(tenant=tenant)
    if not found.is_active:
        raise TenantSuspended(tenant=tenant)


def settings_of(environment: Environment) -> TenancySettings:
    """Return how this set-up treats tenants."""
    found: TenancySettings | None = environment.settings.get(TenancySettings)
    return TenancySettings() if found is None else found


def registry_of(environment: Environment) -> Registry:
    """Return the register as it is committed now; read only when it changed."""
    kept: Registry | None = environment.shared.get("registry")
    tenant = settings_of(environment).system_tenant
    with environment.store.transaction(tenant, environment.schema) as system:
        version = system.current_number(REGISTRY_SEQUENCE)
        if kept is None or kept.version != version:
            tenants = _all(environment, system, Tenant)
            entries = _all(environment, system, ConfigEntry)
            kept = Registry(
                tuple(one for one in tenants if isinstance(one, Tenant)),
                tuple(one for one in entries if isinstance(one, ConfigEntry)),
                version,
            )
            environment.shared["registry"] = kept
    return kept


def _all(
    environment: Environment, transaction: Transaction, kind: type[Record]
) -> list[Record]:
    entity = environment.schema.entity(kind)
    by_id = Subject(entity.fields["id"], entity, None, None).column()
    query = Query(
        entity=entity, where=BoundConstant(True), order=(BoundSort(by_id, False),)
    )
    return [
        record
        for chunk in transaction.stream(query)
        for record in chunk
        if record.deleted_at is None
    ]
