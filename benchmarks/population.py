"""A million leads, put into a store by the shortest way there is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
from bson.binary import Binary
from bson.int64 import Int64
from pymongo import IndexModel
from pymongo.database import Database

from benchmarks.by_hand.rows import dumps
from benchmarks.by_hand.sql import LEAD_COLUMNS, insertion
from benchmarks.inputs import owner_position

__all__ = ["identity", "load_mongodb", "load_postgresql", "load_sqlite", "moment"]

START = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=15)
_MILLISECOND = 1_735_689_600_000
_FIXED = {
    "version": 1,
    "title": "Head of purchasing",
    "lead_source": "trade_show",
    "industry": "machinery",
    "annual_revenue": 10_000_000_000,
    "annual_revenue_currency": "CNY",
    "number_of_employees": 80,
    "rating": "warm",
    "mailing_address_city": "深圳",
    "mailing_address_country": "China",
    "record_type": "lead",
    "do_not_call": False,
    "email_opt_out": False,
    "first_name": "Grace",
    "description": "Met at the trade fair, asked for a quote, call back.",
}
_STATUS = ("new", "assigned", "in_process", "nurturing")


def identity(number: int) -> UUID:
    """Return the id of the lead ``number``: time-ordered, as those of the library."""
    return UUID(int=_number(number))


def _number(number: int) -> int:
    milliseconds = _MILLISECOND + number * 15_000
    return (milliseconds << 80) | (7 << 76) | (2 << 62) | number


def moment(number: int) -> datetime:
    """Return when the lead ``number`` was created."""
    return START + number * STEP


def leads(count: int, tenant: str, owners: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the columns of each lead but for its id and times."""
    for number in range(count):
        owner = owners[owner_position(number)]
        name, company = f"Hopper{number}", f"Compilers {number} GmbH"
        phone, email = f"+8610{number:08d}", f"grace{number}@navy.example.com"
        yield {
            **_FIXED,
            "tenant": tenant,
            "owner_id": owner,
            "created_by": owner,
            "updated_by": owner,
            "last_name": name,
            "company_name": company,
            "phone": phone,
            "email": email,
            "website": f"https://compilers{number}.example.com",
            "status": _STATUS[number % 4],
            "folded": {
                "last_name": name.lower(),
                "first_name": "grace",
                "company_name": company.lower(),
                "title": "head of purchasing",
                "phone": phone,
                "email": email,
                "website": f"https://compilers{number}.example.com",
                "description": _FIXED["description"].lower(),  # type: ignore[attr-defined]
            },
        }


def _in_batches(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(rows, size)):
        yield batch


# -- SQLite ------------------------------------------------------------------------------


def load_sqlite(path: str, count: int, tenant: str, owners: list[UUID]) -> None:
    """Load leads into an installed database file."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA cache_size = -500000")
    db.execute("PRAGMA synchronous = OFF")
    indexes = db.execute(
        "SELECT name, sql FROM sqlite_master"
        " WHERE type = 'index' AND tbl_name = 'crm_leads' AND sql IS NOT NULL"
    ).fetchall()
    db.execute("BEGIN IMMEDIATE")
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    statement = insertion("crm_leads", LEAD_COLUMNS, "?")
    stored = [owner.bytes for owner in owners]
    db.executemany(statement, _sqlite_rows(count, tenant, stored))
    for _, definition in indexes:
        db.execute(definition)
    db.execute("COMMIT")
    db.execute("PRAGMA analysis_limit = 1000")
    db.execute("ANALYZE")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _sqlite_rows(
    count: int, tenant: str, owners: list[bytes]
) -> Iterator[tuple[Any, ...]]:
    for number, lead in enumerate(leads(count, tenant, owners)):
        at = moment(number).isoformat("T", "milliseconds")
        lead["id"] = _number(number).to_bytes(16, "big")
        lead["created_at"] = lead["updated_at"] = at
        lead["folded"] = dumps(lead["folded"])
        yield tuple([lead[name] for name in LEAD_COLUMNS])


# -- PostgreSQL --------------------------------------------------------------------------


def load_postgresql(url: str, count: int, tenant: str, owners: list[UUID]) -> None:
    """Load leads into an installed database."""
    with psycopg.connect(url, autocommit=True) as db:
        indexes = db.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'crm_leads'"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ).fetchall()
        db.execute("SET maintenance_work_mem = '512MB'")
        for name, _ in indexes:
            db.execute(f'DROP INDEX "{name}"')  # type: ignore[arg-type]
        names = ", ".join(LEAD_COLUMNS)
        stored = [owner.hex for owner in owners]
        with db.cursor().copy(f"COPY crm_leads ({names}) FROM STDIN") as copy:  # type: ignore[arg-type]
            for row in _postgresql_rows(count, tenant, stored):
                copy.write_row(row)
        for _, definition in indexes:
            db.execute(definition)
        db.execute("VACUUM ANALYZE")


def _postgresql_rows(
    count: int, tenant: str, owners: list[str]
) -> Iterator[tuple[Any, ...]]:
    for number, lead in enumerate(leads(count, tenant, owners)):
        lead["id"] = f"{_number(number):032x}"
        lead["created_at"] = lead["updated_at"] = moment(number)
        lead["folded"] = dumps(lead["folded"])
        yield tuple([lead[name] for name in LEAD_COLUMNS])


# -- MongoDB -----------------------------------------------------------------------------


def load_mongodb(
    data: Database[dict[str, Any]], count: int, tenant: str, owners: list[UUID]
) -> None:
    """Load leads into an installed database."""
    collection = data["crm_leads"]
    indexes = [
        IndexModel(
            list(i["key"].items()), name=i["name"], unique=i.get("unique", False)
        )
        for i in collection.list_indexes()
        if i["name"] != "_id_"
    ]
    collection.drop_indexes()
    stored = [Binary(owner.bytes, 4) for owner in owners]
    for batch in _in_batches(_mongodb_rows(count, tenant, stored), 5_000):
        collection.insert_many(batch, ordered=False)
    collection.create_indexes(indexes)


def _mongodb_rows(
    count: int, tenant: str, owners: list[Binary]
) -> Iterator[dict[str, Any]]:
    for number, lead in enumerate(leads(count, tenant, owners)):
        lead["id"] = Binary(_number(number).to_bytes(16, "big"), 4)
        lead["created_at"] = lead["updated_at"] = moment(number)
        lead["version"] = Int64(1)
        lead["annual_revenue"] = Int64(10_000_000_000)
        lead["number_of_employees"] = Int64(80)
        yield lead
