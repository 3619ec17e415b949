"""What can be set, of which type, by whom, and what counts where nothing is (TEN-06)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from crmcore.errors import ValidationError
from crmcore.records import (
    AddressBlock,
    Conventions,
    FieldType,
    ImageFile,
    LongText,
    Refused,
    Text,
)

__all__ = [
    "SYSTEM_TENANT",
    "SettingDefinition",
    "TenancySettings",
    "definitions_by_key",
]


#: The operator's own enterprise, in which the register is kept (TEN-01).
SYSTEM_TENANT = "000000"


@attrs.frozen(kw_only=True)
class SettingDefinition:
    """One setting: its key, the type of its value and what counts where none is set.

    With ``personal`` a user may have a value of his own, which wins over the tenant's.
    The tenant's value is set by administrators only.
    """

    key: str
    type: FieldType
    default: Any = None
    label: str = ""
    personal: bool = False

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical value; raises ValidationError that names the setting."""
        if value is None:
            return None
        try:
            return self.type.coerce(value, conventions)
        except Refused as refused:
            raise ValidationError.of(
                self.key, refused.reason, **refused.details
            ) from None


#: What every set-up has: the organisation profile and the usual texts.
STANDARD = (
    SettingDefinition(key="organisation.name", type=Text(maximum=200)),
    SettingDefinition(key="organisation.logo", type=ImageFile()),
    SettingDefinition(key="organisation.billing_address", type=AddressBlock()),
    SettingDefinition(key="invoice.terms", type=LongText()),
    SettingDefinition(key="mail.signature", type=LongText(), personal=True),
)


@attrs.frozen(kw_only=True)
class TenancySettings:
    """How tenants are treated.

    ``registry``: only enterprises in the operator's register may work, and no suspended
    one (TEN-01); without it every name is a tenant. ``system_tenant`` is the operator's
    own, in which the register is kept. ``features`` are always on, for set-ups without a
    register. ``definitions`` are further settings of the host.
    """

    registry: bool = False
    system_tenant: str = SYSTEM_TENANT
    features: frozenset[str] = frozenset()
    definitions: tuple[SettingDefinition, ...] = ()


def definitions_by_key(
    further: Iterable[SettingDefinition],
) -> Mapping[str, SettingDefinition]:
    """Return all definitions by key; those of the host win over the standard ones."""
    return MappingProxyType({one.key: one for one in (*STANDARD, *further)})
