"""Enterprises, the numbers they are reached under, configuration rows and settings."""

from __future__ import annotations

from uuid import UUID

from crmcore.records import Option, Picklist, Record, Text, entity, fields

__all__ = ["TENANT_STATE", "AccessNumber", "ConfigEntry", "Setting", "Tenant"]

TENANT_STATE = Picklist(
    "tenant_state",
    (
        Option("active", "Active", "active"),
        Option("suspended", "Suspended", "suspended"),
    ),
)


@entity("tenant", plural="tenants", managed=True)
class Tenant(Record):
    """An enterprise; kept in the system tenant, where only the operator works (TEN-01).

    ``code`` is its identifier of six digits, ``display_number`` one of the registered
    access numbers, ``options`` what was ticked for it.
    """

    code: str | None = fields.text(6, required=True, unique=True, updatable=False)
    name: str | None = fields.text(120, required=True)
    display_number: str | None = fields.text(40, unique=True)
    area_code: str | None = fields.text(12)
    state: str | None = fields.picklist(TENANT_STATE, default="active", required=True)
    options: tuple[str, ...] | None = fields.list_of(Text(maximum=60))

    @property
    def is_active(self) -> bool:
        """Tell whether the enterprise may work."""
        return TENANT_STATE.category(self.state) == "active"


@entity("access_number", plural="access_numbers", display=("number",), managed=True)
class AccessNumber(Record):
    """A number that the platform owns, for an enterprise to show (TEN-01)."""

    number: str | None = fields.text(40, required=True, unique=True)
    note: str | None = fields.text(120)


@entity("config_entry", plural="config_entries", display=("label", "key"), managed=True)
class ConfigEntry(Record):
    """A row of the configuration table: a key and its value in a group (TEN-03)."""

    group_key: str | None = fields.text(60, required=True, indexed=True)
    key: str | None = fields.text(60, required=True)
    value: str | None = fields.text(500)
    label: str | None = fields.text(120)
    identity: str | None = fields.text(
        130, required=True, unique=True, searchable=False
    )


@entity("setting", plural="settings", display=("key",), managed=True)
class Setting(Record):
    """The value of a setting, as JSON: of the tenant, or of one user (TEN-06)."""

    key: str | None = fields.text(80, required=True)
    user_id: UUID | None = fields.reference("user")
    value: str | None = fields.long_text(required=True, searchable=False)
    identity: str | None = fields.text(
        130, required=True, unique=True, searchable=False
    )
