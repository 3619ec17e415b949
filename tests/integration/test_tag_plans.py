"""Records are found by their tags with an index, where the server can have one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from crmcore import CRM, Contact, F, Store
from crmcore.criteria import Query
from crmcore.criteria.binding import Binder
from crmcore.ports import UUID7Factory
from crmcore.records import Conventions
from crmcore.storage import Insertion
from crmcore_mongo import MongoStore
from crmcore_sql import SQLStore
from tests.conftest import Databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = UUID7Factory()
TAGS = [UUID(int=number) for number in range(400)]


@pytest.fixture(params=["postgresql", "mongodb"])
def store(
    request: pytest.FixtureRequest, module_databases: Databases
) -> Iterator[Store]:
    """Give a store with some thousand contacts, ten of each tag."""
    opened: SQLStore | MongoStore
    if request.param == "mongodb":
        url = request.getfixturevalue("mongodb_url")
        opened = MongoStore(url, database=f"tags_{secrets.token_hex(4)}")
    else:
        opened = SQLStore(module_databases.new(request.param))
    crm = CRM(opened)
    crm.install()
    batch = [
        Insertion(Contact(id=IDS.new(), version=1, created_at=NOW, tag_ids=(tag,)))
        for tag in TAGS * 10
    ]
    schema = crm.declared_schema
    with opened.transaction("t", schema) as unit:
        unit.insert(schema.entity(Contact), batch)
    if isinstance(opened, SQLStore):
        with opened.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE crm_contacts")
            connection.commit()
    yield opened
    opened.close()


@pytest.mark.capability("REC-23")
def test_tags_are_found_by_an_index(store: Store) -> None:
    """The plan of the server names the index of the items."""
    schema = CRM(store).declared_schema
    contact = schema.entity(Contact)
    binder = Binder(schema, Conventions(), NOW)
    asked = Query(
        entity=contact,
        where=binder.criteria(contact, F.tag_ids.any_of(TAGS[7:9])),
        order=binder.order(contact, ()),
        limit=50,
    )
    with store.transaction("t", schema) as unit:
        told = unit.explain(asked)
        assert len(unit.select(asked)) == 20

    assert told.uses_index, told.text
    assert any("tag_ids" in name for name in told.indexes)
