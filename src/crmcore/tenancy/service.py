"""``session.tenancy``: what operators and administrators do with tenants and settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from crmcore.criteria import Everything, F
from crmcore.errors import AccessDenied, NotFound, Problem, ValidationError
from crmcore.records import Record
from crmcore.tenancy.entities import AccessNumber, ConfigEntry, Tenant
from crmcore.tenancy.gate import REGISTRY_SEQUENCE, registry_of
from crmcore.tenancy.readiness import missing_in
from crmcore.tenancy.registry import Option, code_problem, options_among
from crmcore.tenancy.setting_definitions import TenancySettings
from crmcore.tenancy.setting_verbs import SettingVerbs
from crmcore.unit.drafts import update_draft

__all__ = ["TenancyService"]

R = TypeVar("R", bound=Record)


class TenancyService(SettingVerbs):
    """What a session offers as ``session.tenancy``.

    The register is the operator's: an administrator of the system tenant ``000000``.
    """

    # -- the register ------------------------------------------------------------------

    def create_tenant(
        self,
        code: str,
        name: str,
        *,
        display_number: str | None = None,
        area_code: str | None = None,
    ) -> Tenant:
        """Register an enterprise (TEN-01); options that are on by default are ticked.

        ``code`` are exactly six digits, ``display_number`` is a registered access
        number that no other enterprise shows. Raises ValidationError, UniqueViolation,
        AccessDenied to all but the operator.
        """
        values = {
            "code": code,
            "name": name,
            "display_number": display_number,
            "area_code": area_code,
        }
        return self._registering("create_tenant", values, lambda: self._create(values))

    def _create(self, values: dict[str, Any]) -> Tenant:
        problem = code_problem(values["code"])
        if problem is not None:
            shown = str(values["code"])[:20]
            raise ValidationError.of("code", problem, key=shown)
        self._check_number(values["display_number"])
        ticked = tuple(one.key for one in self.options() if one.default)
        return self._make(Tenant(), {**values, "options": ticked or None})

    def change_tenant(self, tenant: Tenant, **values: Any) -> Tenant:
        """Change name, numbers or ticked ``options`` of an enterprise.

        Raises ValidationError for the code, which stays, and for what is not offered.
        """
        return self._registering(
            "change_tenant", [tenant, values], lambda: self._change(tenant, values)
        )

    def _change(self, tenant: Tenant, values: dict[str, Any]) -> Tenant:
        for name in values:
            if name not in ("name", "display_number", "area_code", "options"):
                raise ValidationError.of(str(name)[:80], "read_only")
        if "display_number" in values:
            self._check_number(values["display_number"])
        offered = {option.key for option in self.options()}
        for key in values.get("options") or ():
            if key not in offered:
                raise ValidationError.of(
                    "options", "not_an_option", value=str(key)[:60]
                )
        return self._write(tenant, values)

    def suspend_tenant(self, tenant: Tenant) -> Tenant:
        """Let an enterprise work no more; its data stay (TEN-01)."""
        return self._registering(
            "suspend_tenant",
            [tenant],
            lambda: self._write(tenant, {"state": "suspended"}),
        )

    def resume_tenant(self, tenant: Tenant) -> Tenant:
        """Let a suspended enterprise work again; nothing was lost."""
        return self._registering(
            "resume_tenant", [tenant], lambda: self._write(tenant, {"state": "active"})
        )

    def tenant(self, code: str) -> Tenant:
        """Return an enterprise by its identifier; raises NotFound."""
        self._require_operator("read")
        (found,) = self._unit.all_of(Tenant, F.code == code) or (None,)
        if found is None:
            raise NotFound(entity="tenant", id=code)
        return found

    def tenants(self) -> tuple[Tenant, ...]:
        """Return all enterprises, oldest first."""
        self._require_operator("read")
        return self._unit.all_of(Tenant, Everything())

    # -- access numbers ----------------------------------------------------------------

    def add_access_number(self, number: str, note: str | None = None) -> AccessNumber:
        """Register a number that enterprises may show; raises UniqueViolation."""
        values = {"number": number, "note": note}
        return self._registering(
            "add_access_number", values, lambda: self._make(AccessNumber(), values)
        )

    def access_numbers(self) -> tuple[AccessNumber, ...]:
        """Return all registered access numbers, oldest first."""
        self._require_operator("read")
        return self._unit.all_of(AccessNumber, Everything())

    def _check_number(self, number: str | None) -> None:
        if number is None:
            return
        known = self._unit.all_of(AccessNumber, F.number == number)
        if not known:
            raise ValidationError.of("display_number", "not_registered")

    # -- options and configuration -----------------------------------------------------

    def options(self) -> tuple[Option, ...]:
        """Return what the operator offers to all enterprises (TEN-03)."""
        if self._is_operators:
            return tuple(self._offered())
        return registry_of(self._unit.environment).options

    def feature(self, name: str) -> bool:
        """Tell whether an option is on for this tenant (TEN-03).

        It is offered, and ticked; or always on in ``TenancySettings(features=...)``.
        """
        settings = self._unit.settings(TenancySettings)
        if name in settings.features:
            return True
        if not settings.registry:
            return False
        return registry_of(self._unit.environment).has(self._unit.context.tenant, name)

    def put_config(
        self, group_key: str, key: str, value: str, label: str | None = None
    ) -> ConfigEntry:
        """Store a row of this tenant's configuration table; administrators only.

        In the system tenant a row of the group ``corpConf`` is an option that is
        offered to all enterprises; with the value ``on`` new ones have it ticked.
        """
        self._unit.decisions.require_administrator("edit", "config_entry")
        values = {"group_key": group_key, "key": key, "value": value, "label": label}
        return self._unit.perform(
            "tenancy.put_config", values, lambda: self._put_config(values)
        )

    def _put_config(self, values: dict[str, Any]) -> ConfigEntry:
        identity = f"{values['group_key']}|{values['key']}"
        found = self._unit.all_of(ConfigEntry, F.identity == identity)
        if found:
            stored = self._write(found[0], values)
        else:
            stored = self._make(ConfigEntry(), {**values, "identity": identity})
        self._note_change()
        return stored

    def remove_config(self, group_key: str, key: str) -> None:
        """Remove a row of this tenant's configuration table; administrators only."""
        self._unit.decisions.require_administrator("delete", "config_entry")
        self._unit.perform(
            "tenancy.remove_config",
            [group_key, key],
            lambda: self._remove_config(group_key, key),
        )

    def _remove_config(self, group_key: str, key: str) -> None:
        found = self._unit.all_of(ConfigEntry, F.identity == f"{group_key}|{key}")
        if not found:
            raise NotFound(entity="config_entry", id=f"{group_key}|{key}")
        self._withdraw(found)
        self._note_change()

    def config(self, group_key: str) -> dict[str, str | None]:
        """Return the rows of a group of this tenant's configuration table, by key."""
        rows = self._unit.all_of(ConfigEntry, F.group_key == group_key)
        return {row.key or "": row.value for row in rows}

    def check_ready(self) -> tuple[Problem, ...]:
        """Return what this tenant lacks to begin to work; nothing is missing: ()."""
        return tuple(missing_in(self._unit.schema))

    # -- the operator ------------------------------------------------------------------

    @property
    def _is_operators(self) -> bool:
        settings = self._unit.settings(TenancySettings)
        return self._unit.context.tenant == settings.system_tenant

    def _offered(self) -> Iterable[Option]:
        return options_among(self._unit.all_of(ConfigEntry, Everything()))

    def _registering(self, verb: str, payload: Any, work: Callable[[], R]) -> R:
        self._require_operator("edit")

        def registered() -> R:
            answer = work()
            self._note_change()
            return answer

        return self._unit.perform(f"tenancy.{verb}", payload, registered)

    def _require_operator(self, action: str) -> None:
        """Raise AccessDenied to all but administrators of the system tenant (TEN-02)."""
        if not self._is_operators:
            raise AccessDenied(action=action, entity="tenant")
        self._unit.decisions.require_administrator(action, "tenant")

    def _note_change(self) -> None:
        """Have all processes read the register anew after the commit."""
        if self._is_operators:
            self._unit.transaction.next_numbers(REGISTRY_SEQUENCE, 1)

    def _write(self, record: R, values: dict[str, Any]) -> R:
        unit = self._unit
        (stored,) = unit.load_current([record])
        entity = unit.schema.entity(stored)
        draft = update_draft(entity, stored, values, unit.context)
        changes = unit.changes()
        (changed,) = unit.plan_updates([draft], changes)
        unit.apply(changes)
        return cast(R, changed)
