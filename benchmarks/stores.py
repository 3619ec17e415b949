"""The stores that are measured: each filled, with both ways of using it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import psycopg
from psycopg.rows import dict_row
from pymongo import MongoClient

from benchmarks.by_hand.mongodb import MongoDBByHand
from benchmarks.by_hand.postgresql import PostgreSQLByHand
from benchmarks.by_hand.sqlite import SQLiteByHand
from benchmarks.inputs import Organisation, organisation
from benchmarks.population import load_mongodb, load_postgresql, load_sqlite
from crmcore import CRM
from crmcore.testing import servers
from crmcore_mongo import MongoStore
from crmcore_sql import SQLStore

__all__ = ["STORES", "Measured", "opened"]

TENANT = "default"
_DATABASE = "benchmarks"


@attrs.frozen
class Measured:
    """A store under measurement.

    ``by_hand(tenant, actor, scope)`` opens the other way; ``rows(tenant)`` reads all
    rows by table; ``load(organisation, count)`` fills in the leads.
    """

    name: str
    crm: CRM
    by_hand: Any
    rows: Any
    load: Any

    def organisation(self) -> Organisation:
        return organisation(self.crm)


@contextmanager
def opened(name: str, rows: int) -> Iterator[tuple[Measured, Organisation]]:
    """Give a store with so many leads, and their owners."""
    with (
        tempfile.TemporaryDirectory(prefix="crmcore-benchmarks-") as folder,
        STORES[name](Path(folder), rows) as measured,
    ):
        users = measured.organisation()
        measured.load(users, rows)
        yield measured, users
        measured.crm.close()


# -- SQLite ------------------------------------------------------------------------------


@contextmanager
def sqlite(folder: Path, rows: int) -> Iterator[Measured]:
    path = folder / "crm.db"
    crm = CRM(SQLStore(f"sqlite:///{path}"))
    crm.install()
    crm.close()
    kept = _kept(path, rows)
    if kept.exists():
        shutil.copyfile(kept, path)
    crm = CRM(SQLStore(f"sqlite:///{path}"))

    def load(users: Organisation, count: int) -> None:
        if not kept.exists():
            ids = [user.id for user in users.users]
            load_sqlite(str(path), count, TENANT, ids)
            shutil.copyfile(path, kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)

    def by_hand(tenant: str, actor: UUID, scope: Iterable[UUID]) -> SQLiteByHand:
        return SQLiteByHand(str(path), tenant, actor, scope)

    yield Measured("sqlite", crm, by_hand, lambda t: _sqlite_rows(path, t), load)


def _kept(path: Path, rows: int) -> Path:
    """Return where the filled file is kept for the next run with the same schema."""
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    mark = hashlib.sha256(repr((found, rows)).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / "crmcore-benchmarks"
    folder.mkdir(exist_ok=True)
    return folder / f"{rows}-{mark}.db"


def _sqlite_rows(path: Path, tenant: str) -> dict[str, list[Any]]:
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = {}
    for (table,) in found:
        columns = [each[1] for each in db.execute(f"PRAGMA table_info({table})")]
        if table.startswith("crm_") and "tenant" in columns:
            rows = db.execute(f"SELECT * FROM {table} WHERE tenant = ?", (tenant,))
            tables[table] = [_without_seq(dict(row)) for row in rows]
    db.close()
    return tables


def _without_seq(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "seq"}


# -- PostgreSQL --------------------------------------------------------------------------


@contextmanager
def postgresql(folder: Path, rows: int) -> Iterator[Measured]:
    with servers.postgresql(durable=True) as server:
        url = servers.create_database(server.url, _DATABASE)
        crm = CRM(SQLStore(url))
        crm.install()

        def load(users: Organisation, count: int) -> None:
            load_postgresql(url, count, TENANT, [user.id for user in users.users])

        def by_hand(tenant: str, actor: UUID, scope: Iterable[UUID]) -> Any:
            return PostgreSQLByHand(url, tenant, actor, scope)

        yield Measured("postgresql", crm, by_hand, lambda t: _rows_of(url, t), load)
        crm.close()
        servers.drop_database(url)


def _rows_of(url: str, tenant: str) -> dict[str, list[Any]]:
    with psycopg.connect(url, row_factory=dict_row) as db:
        found = db.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'tenant' AND table_schema = 'public'"
        ).fetchall()
        return {
            table: [
                _without_seq(row)
                for row in db.execute(
                    f"SELECT * FROM {table} WHERE tenant = %s",  # type: ignore[arg-type]
                    (tenant,),
                )
            ]
            for table in (each["table_name"] for each in found)
        }


# -- MongoDB -----------------------------------------------------------------------------


@contextmanager
def mongodb(folder: Path, rows: int) -> Iterator[Measured]:
    with servers.mongodb(cache_gigabytes=2) as server:
        crm = CRM(MongoStore(server.url, database=_DATABASE))
        crm.install()
        client: MongoClient[dict[str, Any]] = MongoClient(server.url, tz_aware=True)
        data = client[_DATABASE]

        def load(users: Organisation, count: int) -> None:
            load_mongodb(data, count, TENANT, [user.id for user in users.users])

        def by_hand(tenant: str, actor: UUID, scope: Iterable[UUID]) -> MongoDBByHand:
            return MongoDBByHand(server.url, _DATABASE, tenant, actor, scope)

        def rows_of(tenant: str) -> dict[str, list[Any]]:
            names = data.list_collection_names()
            return {n: list(data[n].find({"tenant": tenant})) for n in names}

        yield Measured("mongodb", crm, by_hand, rows_of, load)
        client.drop_database(_DATABASE)
        client.close()


STORES = {"sqlite": sqlite, "postgresql": postgresql, "mongodb": mongodb}
