"""From a URL to a store: the adapter is imported only when its URL is used."""

from __future__ import annotations

import crmcore.cli.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import typer

from crmcore.crm import CRM, DEFAULT_TENANT
from crmcore.errors import StoreUnavailable
from crmcore.storage import MemoryStore, Store

__all__ = ["open_crm", "open_store", "shown_url"]

_SQL = frozenset({"sqlite", "postgresql", "postgres", "mysql", "mariadb"})
#: The database of a mongodb:// URL that names none.
_MONGO_DATABASE = "crm"


def open_store(url: str, *, create: bool = False) -> Store:
    """Return the store at ``url``, its adapter imported.

    ``create`` allows a SQLite file that does not exist yet. Third-party stores
    (entry point ``crmcore.stores``) are found by their name as the URL's scheme.

    Raises MissingExtra without the adapter's driver, StoreUnavailable for a file that
    is not there; ends the command for a URL that nothing understands.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme == "memory":
        return MemoryStore()
    if scheme in _SQL:
        _check_file(url, create)
        return _made("crmcore_sql", "SQLStore", url)
    if scheme == "mongodb":
        database = urlsplit(url).path.strip("/") or _MONGO_DATABASE
        return _made("crmcore_mongo", "MongoStore", url, database=database)
    return _third_party(scheme, url)


def _made(package: str, name: str, url: str, **options: Any) -> Store:
    store: Store = getattr(import_module(package), name)(url, **options)
    return store


def _check_file(url: str, create: bool) -> None:
    """Refuse a mistyped file name: SQLite would make an empty file of it."""
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if create or not parts.scheme.startswith("sqlite") or path in ("", ":memory:"):
        return
    if not Path(path).exists():
        raise StoreUnavailable(problem=f"there is no file {path}")


def _third_party(scheme: str, url: str) -> Store:
    for point in entry_points(group="crmcore.stores"):
        if scheme and point.name == scheme:
            store: Store = point.load()(url)
            return store
    message = f"{shown_url(url)!r} is no URL of a store; see --help."
    raise typer.BadParameter(message, param_hint="--store")


@contextmanager
def open_crm(
    url: str,
    tenant: str = DEFAULT_TENANT,
    *,
    install: bool = False,
    verify: bool = True,
) -> Iterator[CRM]:
    """Give the CRM on a store, and close it in the end.

    ``install`` creates or upgrades the schema first; ``verify`` raises SchemaOutdated
    where it is not current. A store in memory is always installed.
    """
    store = open_store(url, create=install)
    try:
        crm = CRM(store).tenant(tenant)
        if install or not store.capabilities.durable:
            crm.install()
        elif verify:
            store.verify(crm.declared_schema)
        yield crm
    finally:
        store.close()


def shown_url(url: str) -> str:
    """Return a URL without its password, to be shown."""
    parts = urlsplit(url)
    name, at, place = parts.netloc.rpartition("@")
    user, colon, _ = name.partition(":")
    shown = f"{user}{':***' if colon else ''}{at}{place}"
    return url if not colon else urlunsplit(parts._replace(netloc=shown))
