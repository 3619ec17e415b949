"""Tools for tests: of adapters, of third-party areas, of host applications.

Gives a fixed clock, seeded ids, factories and an in-memory set-up without any extra.
``storage_suite`` proves a store, ``strategies`` and ``oracle`` prove that stores agree,
``servers`` starts real servers; these need the extra ``dev``.
Never imported by the library itself.
Neighbours: everything; tests use only what the other rooms offer to callers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmcore.testing.clock import FixedClock
    from crmcore.testing.crm import Office, People, memory_crm, small_organisation
    from crmcore.testing.factories import (
        Factory,
        make_account,
        make_contact,
        make_lead,
        make_note,
        make_opportunity,
        make_task,
        make_user,
    )
    from crmcore.testing.ids import SeededIds
    from crmcore.testing.oracle import Oracle
    from crmcore.testing.storage_suite import StorageSuite

__all__ = [
    "Factory",
    "FixedClock",
    "Office",
    "Oracle",
    "People",
    "SeededIds",
    "StorageSuite",
    "make_account",
    "make_contact",
    "make_lead",
    "make_note",
    "make_opportunity",
    "make_task",
    "make_user",
    "memory_crm",
    "small_organisation",
]

#: Public name -> the module that holds it; loaded at first use.
_MODULES = {
    "FixedClock": "clock",
    "Office": "crm",
    "Oracle": "oracle",
    "People": "crm",
    "SeededIds": "ids",
    "StorageSuite": "storage_suite",
    "memory_crm": "crm",
    "small_organisation": "crm",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: one tool does not need the libraries of another."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module = import_module(f"{__name__}.{_MODULES.get(name, 'factories')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
