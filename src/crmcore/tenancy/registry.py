"""The register of enterprises as a value: who may work, and what is offered to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property

import attrs

from crmcore.tenancy.entities import ConfigEntry, Tenant
from crmcore.tenancy.setting_definitions import SYSTEM_TENANT

__all__ = ["Option", "Registry", "code_problem"]

#: The group of configuration rows that are options of enterprises (TEN-03).
OPTIONS_GROUP = "corpConf"
#: Rows with this value are ticked for new enterprises; all others have to be.
TICKED = "on"

_CODE = re.compile("[0-9]{6}")


def code_problem(code: object) -> str | None:
    """Return what is wrong with an identifier, None for one of exactly six digits."""
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        return "not_six_digits"
    return "reserved_key" if code == SYSTEM_TENANT else None


@attrs.frozen
class Option:
    """What can be ticked for an enterprise; ``default``: ticked for new ones."""

    key: str
    label: str
    default: bool = False


@attrs.frozen(slots=False, eq=False)
class Registry:
    """All enterprises and offered options at one moment; ``version`` tells others apart."""

    tenants: tuple[Tenant, ...]
    entries: tuple[ConfigEntry, ...]
    version: int = 0

    @cached_property
    def by_code(self) -> Mapping[str, Tenant]:
        """Return the enterprises by their identifier."""
        return {tenant.code: tenant for tenant in self.tenants if tenant.code}

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """Return what is offered to all: the operator's own rows of the options' group."""
        return tuple(options_among(self.entries))

    def has(self, code: str, option: str) -> bool:
        """Tell whether an option is offered, and ticked for an enterprise."""
        tenant = self.by_code.get(code)
        offered = {one.key for one in self.options}
        ticked = (tenant.options or ()) if tenant is not None else ()
        return option in offered and option in ticked


def options_among(entries: Iterable[ConfigEntry]) -> Iterable[Option]:
    """Yield the options that configuration rows offer, by key."""
    for entry in sorted(entries, key=lambda one: one.key or ""):
        if entry.group_key == OPTIONS_GROUP:
            key = entry.key or ""
            yield Option(key, entry.label or key, entry.value == TICKED)
