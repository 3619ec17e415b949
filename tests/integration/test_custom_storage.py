"""Custom objects and indexes of custom fields in SQL databases, on real servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from crmcore.criteria import Criteria, Everything, F, Query, Sort
from crmcore.criteria.binding import Binder
from crmcore.ports import UUID7Factory
from crmcore.records import (
    Conventions,
    FieldDef,
    Integer,
    ListOf,
    LongText,
    Record,
    Schema,
    Text,
    entity,
    fields,
)
from crmcore.records.record import envelope_fields
from crmcore.storage import Insertion, MissingIndex
from crmcore.testing.storage_suite.workbench import race
from crmcore_sql import SQLStore, keyset
from tests.conftest import Databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = UUID7Factory()
ROWS = 3_000
EVERYTHING = Everything()


@entity("lead", plural="leads", display=("last_name",))
class Lead(Record):
    last_name: str | None = fields.text(80)


SCHEMA = Schema.of([Lead.__entity__])
RANK = fields.custom("rank", Integer(), indexed=True)
CODE = fields.custom("code", Text(maximum=80), indexed=True)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def store(
    request: pytest.FixtureRequest, module_databases: Databases
) -> Iterator[SQLStore]:
    """Give a store with the plain schema in a database of its own."""
    if request.param == "sqlite":
        folder = request.getfixturevalue("tmp_path")
        opened = SQLStore(f"sqlite:///{folder / 'crm.db'}", busy_timeout=60)
    else:
        opened = SQLStore(module_databases.new(request.param))
    opened.install(SCHEMA)
    yield opened
    opened.close()


def with_fields(*added: FieldDef) -> Schema:
    return SCHEMA.extended("lead", added)


def insert(
    store: SQLStore, tenant: str, schema: Schema, *custom: dict[str, Any]
) -> None:
    batch = [
        Insertion(Lead(id=IDS.new(), version=1, created_at=NOW, custom=values))
        for values in custom
    ]
    with store.transaction(tenant, schema) as unit:
        unit.insert(schema.entity("lead"), batch)


def query(
    schema: Schema,
    criteria: Criteria = EVERYTHING,
    *sorts: Sort,
    **options: Any,
) -> Query:
    binder, lead = Binder(schema, Conventions(), NOW), schema.entity("lead")
    where, order = binder.criteria(lead, criteria), binder.order(lead, sorts)
    return Query(entity=lead, where=where, order=order, **options)


def values(store: SQLStore, tenant: str, asked: Query, name: str) -> list[Any]:
    with store.transaction(tenant, SCHEMA) as unit:
        return [record.custom.get(name) for record in unit.select(asked)]


def plan(store: SQLStore, tenant: str, asked: Query) -> str:
    """Return the server's plan of the first statement of a list, with its values."""
    (segment, *_) = keyset.segments(asked)
    queries = store.transaction(tenant, SCHEMA)
    with queries as unit:
        statement, arguments = unit._queries.select(tenant, asked, segment, asked.limit)
    words = "EXPLAIN QUERY PLAN " if store.name == "sqlite" else "EXPLAIN "
    with store.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(words + statement.text, arguments)
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.fixture
def filled(store: SQLStore) -> SQLStore:
    """Give a store with many leads of one tenant and the indexes of two fields."""
    schema = with_fields(RANK, CODE)
    store.build_indexes(schema)
    many = [{"rank": n, "code": f"Code {n:05d}"} for n in range(ROWS)]
    insert(store, "t", schema, *many)
    with store.engine.connect() as connection:
        table = "ANALYZE TABLE crm_leads" if store.name == "mariadb" else "ANALYZE"
        connection.exec_driver_sql(table)
        connection.commit()
    return store


@pytest.mark.parametrize("owned", [True, False])
def test_statements_see_new_commits_after_a_build(store: SQLStore, owned: bool) -> None:
    """A transaction counts what others committed while it was open, as roll-ups must."""
    if store.name == "sqlite":
        pytest.skip("one writer at a time: nobody can commit meanwhile")
    single: dict[str, Any] = {"pool_size": 1, "max_overflow": 0}
    engine = sa.create_engine(store.engine.url, **single)
    narrow = SQLStore(store.engine.url, **single) if owned else SQLStore(engine)
    schema = with_fields(RANK)
    insert(narrow, "t", schema, {"rank": 1})
    narrow.build_indexes(schema)

    asked = query(schema)
    with narrow.transaction("t", SCHEMA) as unit:
        unit.begin_writing()
        assert unit.count(asked.entity, asked.where) == 1
        insert(store, "t", schema, {"rank": 2})
        assert unit.count(asked.entity, asked.where) == 2

    narrow.close()
    engine.dispose()


ASKED: dict[str, tuple[Criteria, tuple[Sort, ...], dict[str, Any], str]] = {
    "equal": (F.rank == 77, (), {"limit": 50}, "rank"),
    "text": (F.code == "Code 00077", (), {"limit": 50}, "code"),
    "range": (F.rank.between(70, 90), (F.rank.asc(),), {"limit": 50}, "rank"),
    "begins": (
        F.code.starts_with("code 0007"),
        (F.code.asc(),),
        {"limit": 50},
        "folded",
    ),
    "order": (EVERYTHING, (F.rank.asc(),), {"limit": 50}, "rank"),
    "newest": (EVERYTHING, (F.rank.desc(),), {"limit": 50}, "rank"),
}


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize("name", list(ASKED))
def test_filters_and_orders_use_the_index(filled: SQLStore, name: str) -> None:
    """Equality, ranges, beginnings and orders of a custom field walk its own index."""
    criteria, sorts, options, index = ASKED[name]
    asked = query(with_fields(RANK, CODE), criteria, *sorts, **options)
    field = "rank" if index == "rank" else "code"
    kind = {"rank": "integer", "folded": "folded"}.get(index)
    wanted = f"ix_crm_leads_custom_{field}_{kind or 'text'}"
    assert wanted in plan(filled, "t", asked)
    with filled.transaction("t", SCHEMA) as unit:
        told = unit.explain(asked)
    assert told.uses_index
    assert any(name.startswith(wanted) for name in told.indexes)


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize(
    "criteria", [F.last_name == "Wang", F.code.contains("0077"), F.plain == 5]
)
def test_a_filter_without_an_index_scans(filled: SQLStore, criteria: Criteria) -> None:
    """It is told when a list has to look at all records of the tenant."""
    plain = fields.custom("plain", Integer())
    asked = query(with_fields(RANK, CODE, plain), criteria, limit=50)
    with filled.transaction("t", SCHEMA) as unit:
        told = unit.explain(asked)
    assert told.scans
    assert not told.uses_index
    assert told.text


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize("descending", [False, True])
def test_pages_behind_a_boundary_use_the_index(
    filled: SQLStore, descending: bool
) -> None:
    """A far page of a list ordered by a custom field starts at its boundary."""
    schema = with_fields(RANK, CODE)
    sort = F.rank.desc() if descending else F.rank.asc()
    asked = query(schema, EVERYTHING, sort, limit=50)
    last = values(filled, "t", attrs.evolve(asked, limit=1_000), "rank")[-1]
    paged = attrs.evolve(asked, after=(last, IDS.new()))
    assert "ix_crm_leads_custom_rank_integer" in plan(filled, "t", paged)
    step = -1 if descending else 1
    found = values(filled, "t", paged, "rank")
    start = last if descending else last + 1
    assert [start + step * n for n in range(50)] == found or found[0] in {
        last,
        last + step,
    }


@pytest.mark.capability("REC-09")
@pytest.mark.parametrize(
    "other",
    ["text", "9" * 40, "", "x" * 9_000, 1.5, 10**30, True, None, [1], {"a": 1}],
)
def test_tenants_may_keep_other_forms_under_one_key(
    store: SQLStore, other: Any
) -> None:
    """Whatever one tenant keeps under a key, another one's index stands it."""
    mine = with_fields(RANK)
    theirs = with_fields(fields.custom("rank", Text(maximum=80), indexed=True))
    store.build_indexes(mine)
    store.build_indexes(theirs)
    insert(
        store, "mine", mine, {"rank": 1}, {"rank": 2**63 - 1}, {"rank": -(2**63) + 1}
    )
    insert(store, "theirs", theirs, {"rank": "one"})
    with store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE crm_leads SET custom = :custom WHERE tenant = 'theirs'"),
            {"custom": json.dumps({"rank": other})},
        )
    assert [2**63 - 1] == values(store, "mine", query(mine, F.rank > 1), "rank")
    ordered = query(mine, EVERYTHING, F.rank.asc(), limit=10)
    assert [-(2**63) + 1, 1, 2**63 - 1] == values(store, "mine", ordered, "rank")
    assert () == store.missing_indexes(mine)


@pytest.mark.capability("REC-09")
def test_a_changed_form_has_another_index(store: SQLStore) -> None:
    """The form is a part of the name, so that a changed type is indexed anew."""
    first = store.build_indexes(with_fields(RANK))
    second = store.build_indexes(
        with_fields(fields.custom("rank", Text(maximum=80), indexed=True))
    )
    assert first
    assert second
    assert not set(first) & set(second)
    assert () == store.build_indexes(with_fields(RANK))


@pytest.mark.capability("REC-09")
def test_what_no_index_can_hold_is_told(store: SQLStore) -> None:
    """Long texts, and lists where the server cannot, are named with the reason."""
    story = fields.custom("story", LongText(), indexed=True, searchable=False)
    tags = fields.custom("tags", ListOf(item=Text(maximum=60)), indexed=True)
    schema = with_fields(story, tags)
    store.build_indexes(schema)
    missing = {m.field: m.reason for m in store.missing_indexes(schema)}
    lists = set() if store.name == "postgresql" else {"lead.tags"}
    assert {"lead.story"} | lists == set(missing)
    assert all(missing.values())
    insert(store, "t", schema, {"story": "x" * 9_000, "tags": ("a", "b")})
    assert [("a", "b")] == values(
        store, "t", query(schema, F.tags.any_of(["b"])), "tags"
    )


@pytest.mark.capability("REC-09")
def test_texts_are_found_by_any_beginning(store: SQLStore) -> None:
    """Beginnings longer than what is indexed and the greatest characters count too."""
    schema = with_fields(fields.custom("code", Text(maximum=500), indexed=True))
    store.build_indexes(schema)
    greatest = chr(0x10FFFF)
    texts = [
        "a" * 300,
        "a" * 299 + "b",
        "a" * 190,
        "\ud7ff1",
        "\ue0001",
        f"{greatest}1",
    ]
    insert(store, "t", schema, *({"code": text} for text in texts))

    def begins(start: str) -> set[str]:
        asked = query(schema, F.code.starts_with(start))
        return set(values(store, "t", asked, "code"))

    assert {"a" * 300} == begins("a" * 300)
    assert {"a" * 300, "a" * 299 + "b"} == begins("A" * 250)
    assert {"a" * 300, "a" * 299 + "b", "a" * 190} == begins("a" * 190)
    assert {"\ud7ff1"} == begins("\ud7ff")


@pytest.mark.capability("REC-09")
def test_a_broken_index_is_built_again(module_databases: Databases) -> None:
    """What an interrupted build left in PostgreSQL is missing, and is replaced."""
    store = SQLStore(module_databases.new("postgresql"))
    schema = with_fields(RANK)
    store.install(schema)
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid ="
            " 'ix_crm_leads_custom_rank_integer'::regclass"
        )
    name = "ix_crm_leads_custom_rank_integer"
    assert (MissingIndex(name, "lead.rank"),) == store.missing_indexes(schema)
    assert (name,) == store.build_indexes(schema)
    assert () == store.missing_indexes(schema)
    store.close()


@pytest.mark.capability("REC-17")
def test_builders_and_writers_meet(store: SQLStore) -> None:
    """Eight builders and extenders beside two writers: nothing is lost or refused."""
    thing = attrs.evolve(
        Lead.__entity__,
        name="thing",
        plural="x_0123456789_" + "thing" * 12,
        fields={**envelope_fields(), "rank": RANK},
        custom_object=True,
    )
    schema = with_fields(RANK, CODE).with_entity(thing)
    done = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not done.is_set() and len(written) < 2_000:
            insert(store, "t", schema, {"rank": len(written), "code": "c"})
            written.append(1)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    outcomes = race(
        *[lambda: store.extend(schema) for _ in range(4)],
        *[lambda: store.build_indexes(schema) for _ in range(4)],
    )
    done.set()
    for writer in writers:
        writer.join()

    assert [] == [one for one in outcomes if isinstance(one, BaseException)]
    assert () == store.missing_indexes(schema)
    assert len(written) == len(values(store, "t", query(schema), "rank"))
    found = sa.inspect(store.engine).get_table_names()
    assert 1 == len([name for name in found if name.startswith("crm_x_")])
