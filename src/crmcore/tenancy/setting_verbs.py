"""Settings: typed values that are read and changed without code (TEN-06)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from crmcore.criteria import F
from crmcore.errors import ValidationError
from crmcore.records import Record, Refused
from crmcore.tenancy.entities import Setting
from crmcore.tenancy.profile import OrganisationProfile
from crmcore.tenancy.setting_definitions import (
    SettingDefinition,
    TenancySettings,
    definitions_by_key,
)
from crmcore.unit import Draft, UnitOfWork

__all__ = ["SettingVerbs"]

R = TypeVar("R", bound=Record)


class SettingVerbs:
    """Reading and changing settings, and the organisation profile."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    @property
    def _definitions(self) -> Mapping[str, SettingDefinition]:
        return definitions_by_key(self._unit.settings(TenancySettings).definitions)

    def setting(self, key: str) -> Any:
        """Return what counts for the actor: the own value, the tenant's, the default.

        Raises ValidationError for a setting that there is not.
        """
        return self.settings([key])[key]

    def settings(self, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """Return what counts for the actor, of all settings or of some, by key."""
        definitions = self._definitions
        wanted = list(definitions if keys is None else keys)
        for key in wanted:
            self._definition(key)
        stored = self._stored(wanted)
        values = {}
        for key in wanted:
            definition = definitions[key]
            places = [f"{key}|{self._unit.actor.id}"] if definition.personal else []
            found = [stored[p] for p in (*places, f"{key}|") if p in stored]
            values[key] = (
                self._value(definition, found[0]) if found else definition.default
            )
        return values

    def set_setting(self, key: str, value: Any, *, own: bool = False) -> Any:
        """Give a setting a value, of the tenant or the actor's ``own``; return it.

        None takes the value back: the next wider one counts again. The history of the
        setting's record tells who changed it. Raises ValidationError that names the
        setting; AccessDenied where the tenant's is set by others than administrators.
        """
        definition = self._definition(key)
        if own and not (definition.personal and self._unit.actor.id):
            raise ValidationError.of(key[:80], "not_personal")
        if not own:
            self._unit.decisions.require_administrator("edit", "setting")
        conventions = self._unit.context.conventions
        coerced = definition.coerce(value, conventions)
        data = None
        if coerced is not None:
            data = json.dumps(definition.type.to_json(coerced), sort_keys=True)
        self._unit.perform(
            "tenancy.set_setting",
            [key, data, own],
            lambda: self._set(key, data, own),
        )
        return coerced

    def organisation_profile(self) -> OrganisationProfile:
        """Return name, logo and billing address of the tenant's own organisation."""
        found = self.settings(f"organisation.{name}" for name in _PROFILE)
        return OrganisationProfile(**{n: found[f"organisation.{n}"] for n in _PROFILE})

    def change_organisation_profile(self, **values: Any) -> OrganisationProfile:
        """Change parts of the organisation profile; administrators only (TEN-06)."""
        for name in values:
            if name not in _PROFILE:
                raise ValidationError.of(str(name)[:80], "unknown_setting")
        for name, value in values.items():
            self.set_setting(f"organisation.{name}", value)
        return self.organisation_profile()

    def _definition(self, key: str) -> SettingDefinition:
        found = self._definitions.get(key)
        if found is None:
            raise ValidationError.of(str(key)[:80], "unknown_setting")
        return found

    def _value(self, definition: SettingDefinition, data: str) -> Any:
        """Return a stored value; one that no longer fits its type counts as not set."""
        try:
            conventions = self._unit.context.conventions
            return definition.type.from_json(json.loads(data), conventions)
        except Refused:
            return definition.default

    def _stored(self, keys: Iterable[str]) -> dict[str, str]:
        rows = self._unit.all_of(Setting, F.key.in_(list(keys)))
        return {row.identity or "": row.value or "null" for row in rows}

    def _set(self, key: str, data: str | None, own: bool) -> None:
        user_id = self._unit.actor.id if own else None
        identity = f"{key}|{user_id or ''}"
        found = self._unit.all_of(Setting, F.identity == identity)
        if data is None:
            self._withdraw(found)
        elif found:
            (stored,) = self._unit.load_current(found)
            changes = self._unit.changes()
            entity = self._unit.schema.entity(Setting)
            draft = Draft(entity, self._unit.context, stored, {"value": data})
            changes.update(draft)
            self._unit.apply(changes)
        else:
            values = {
                "key": key,
                "user_id": user_id,
                "value": data,
                "identity": identity,
            }
            self._make(Setting(), values)

    def _make(self, record: R, values: dict[str, Any]) -> R:
        unit = self._unit
        changes = unit.changes()
        drafts = unit.drafts_of_new([(record, values)], managed=True)
        (made,) = unit.plan_creation(drafts, changes)
        unit.apply(changes)
        return cast(R, changes.stored(made))

    def _withdraw(self, records: Iterable[Record]) -> None:
        unit = self._unit
        changes = unit.changes()
        stamps = {"deleted_at": unit.context.now, "deleted_by": unit.actor.id}
        for stored in unit.load_current(list(records)):
            entity = unit.schema.entity(stored)
            changes.update(Draft(entity, unit.context, stored, {}), "deleted", **stamps)
        unit.apply(changes)


_PROFILE = ("name", "logo", "billing_address")
