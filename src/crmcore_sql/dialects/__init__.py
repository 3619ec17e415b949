"""All that database servers differ in: one class for each kind of server.

Takes the storage forms and primitive tests of the core; returns column types, values,
expressions, session statements and errors of one server.
Never knows entities or units of work.
Neighbours: ``compile`` and ``tables`` build with it, ``connections`` runs with it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from crmcore.errors import StoreRefused
from crmcore_sql.dialects.base import Dialect

__all__ = ["Dialect", "dialect_for"]

_PLACES = {
    "sqlite": ("crmcore_sql.dialects.sqlite", "SQLite"),
    "postgresql": ("crmcore_sql.dialects.postgresql", "PostgreSQL"),
    "mysql": ("crmcore_sql.dialects.mysql", "MySQL"),
    "mariadb": ("crmcore_sql.dialects.mysql", "MySQL"),
}


def dialect_for(name: str) -> Callable[..., Dialect]:
    """Return the class of a kind of server by SQLAlchemy's name of it.

    Its driver is imported now; raises MissingExtra where it is not installed.
    """
    place = _PLACES.get(name)
    if place is None:
        raise StoreRefused(problem=f"{name} is not a supported kind of database")
    module, attribute = place
    made: Callable[..., Dialect] = getattr(import_module(module), attribute)
    return made
