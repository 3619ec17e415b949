"""Where the processes of a fault test meet: one database, one tenant, one set-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import attrs

from crmcore import CRM, Account, Note
from crmcore.records import FieldDef, Integer, Record
from crmcore.storage import Store

FIELDS: dict[type[Record] | str, list[FieldDef]] = {
    Account: [FieldDef(name="counter", type=Integer(), label="Counter")],
    Note: [FieldDef(name="serial", type=Integer(), label="Serial")],
}


@attrs.frozen
class Place:
    """A database by its address, and the tenant of the test in it."""

    kind: str
    url: str
    tenant: str

    @contextmanager
    def crm(self, wrap: Any = None, **ports: Any) -> Iterator[CRM]:
        """Open the store, wrapped in a faulty one where asked, and close it.

        ``ports`` are a clock or ids other than the machine's own.
        """
        store = open_store(self.kind, self.url)
        crm = CRM(store if wrap is None else wrap(store), fields=FIELDS, **ports)
        try:
            yield crm.tenant(self.tenant)
        finally:
            store.close()


def open_store(kind: str, url: str) -> Store:
    """Open the store of an address as the fixtures of this project give it."""
    opened: Store
    if kind != "mongodb":
        opened = import_module("crmcore_sql").SQLStore(url)
        return opened
    server, _, options = url.partition("?")
    address, _, database = server.rpartition("/")
    make = import_module("crmcore_mongo").MongoStore
    opened = make(f"{address}/?{options}", database=database)
    return opened


def install(kind: str, url: str) -> None:
    """Install the schema of :data:`FIELDS`."""
    with Place(kind, url, "default").crm() as crm:
        crm.install()
