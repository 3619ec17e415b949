"""How MongoDB answers lists of custom fields, on a real server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from crmcore.criteria import Criteria, Everything, F, Query, Sort
from crmcore.criteria.binding import Binder
from crmcore.ports import UUID7Factory
from crmcore.records import (
    Conventions,
    Integer,
    ListOf,
    Record,
    Schema,
    Text,
    entity,
    fields,
)
from crmcore.storage import Insertion, QueryPlan
from crmcore_mongo import MongoStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = UUID7Factory()


@entity("lead", plural="leads", display=("last_name",))
class Lead(Record):
    last_name: str | None = fields.text(80)


SCHEMA = Schema.of([Lead.__entity__]).extended(
    "lead",
    [
        fields.custom("rank", Integer(), indexed=True),
        fields.custom("code", Text(maximum=80), indexed=True),
        fields.custom("tags", ListOf(item=Text(maximum=60)), indexed=True),
        fields.custom("plain", Integer()),
    ],
)
LEAD = SCHEMA.entity("lead")


@pytest.fixture(scope="module")
def store(mongodb_url: str) -> Iterator[MongoStore]:
    """Give a store with some hundred leads of one tenant."""
    opened = MongoStore(mongodb_url, database=f"plans_{secrets.token_hex(4)}")
    opened.install(SCHEMA)
    batch = [Insertion(_lead(n)) for n in range(500)]
    with opened.transaction("t", SCHEMA) as unit:
        unit.insert(LEAD, batch)
    yield opened
    opened.close()


def _lead(number: int) -> Lead:
    custom = {"rank": number, "code": f"Code {number:05d}", "tags": (f"t{number}",)}
    return Lead(id=IDS.new(), version=1, created_at=NOW, custom=custom)


def explained(store: MongoStore, criteria: Criteria, *sorts: Sort) -> QueryPlan:
    binder = Binder(SCHEMA, Conventions(), NOW)
    asked = Query(
        entity=LEAD,
        where=binder.criteria(LEAD, criteria),
        order=binder.order(LEAD, sorts),
        limit=50,
    )
    with store.transaction("t", SCHEMA) as unit:
        return unit.explain(asked)


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize(
    ("criteria", "sorts", "index"),
    [
        (F.rank == 77, (), "tenant__custom.rank__id"),
        (F.rank.between(7, 9), (F.rank.asc(),), "tenant__custom.rank__id"),
        (Everything(), (F.rank.desc(),), "tenant__custom.rank__id"),
        (F.tags.any_of(["t7"]), (), "tenant__custom.tags__id"),
        (F.code.starts_with("code 0007"), (), "tenant__folded.code__id"),
    ],
)
def test_lists_use_the_index(
    store: MongoStore, criteria: Any, sorts: Any, index: str
) -> None:
    """Filters and orders of a custom field walk its own index."""
    told = explained(store, criteria, *sorts)
    assert told.uses_index
    assert index in told.indexes


@pytest.mark.capability("REC-09")
def test_a_filter_without_an_index_scans(store: MongoStore) -> None:
    """It is told when a list has to look at all records of the tenant."""
    told = explained(store, F.plain == 5)
    assert told.scans
    assert not told.uses_index


@pytest.mark.capability("REC-09")
def test_a_dropped_index_is_missing(store: MongoStore) -> None:
    """The server is asked, so that an index that somebody dropped is built again."""
    name = "crm_leads:tenant__custom.rank__id"
    store._handles.database["crm_leads"].drop_index("tenant__custom.rank__id")
    assert [name] == [missing.name for missing in store.missing_indexes(SCHEMA)]
    assert (name,) == store.build_indexes(SCHEMA)
    assert () == store.missing_indexes(SCHEMA)
