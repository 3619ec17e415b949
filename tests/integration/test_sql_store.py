"""The SQL store on real servers: set-up, joins, errors, recovery and plans."""

from __future__ import annotations

import itertools
import multiprocessing
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import attrs
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from crmcore.criteria import F, Query, reader
from crmcore.criteria.binding import Binder
from crmcore.errors import (
    Conflict,
    SchemaOutdated,
    StaleRecord,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
)
from crmcore.ports import UUID7Factory
from crmcore.records import (
    Conventions,
    Integer,
    Record,
    Reference,
    Schema,
    entity,
    fields,
)
from crmcore.storage import Claim, Event, Insertion, MatchHit, Operation, Update
from crmcore.testing import servers
from crmcore_sql import SQLStore, keyset
from crmcore_sql.dialects.base import Dialect
from crmcore_sql.migrations import VERSION_TABLE
from crmcore_sql.tables import infrastructure
from tests.conftest import Databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = UUID7Factory()
SERVERS = ("postgresql", "mariadb")
#: Only stores with a server of their own; only those that index expressions.
on_servers = pytest.mark.parametrize("url", SERVERS, indirect=True)
with_expressions = pytest.mark.parametrize(
    "url", ["sqlite", "postgresql"], indirect=True
)


@entity("lead", plural="leads", display=("last_name",))
class Lead(Record):
    last_name: str | None = fields.text(80)
    rating: int | None = fields.integer()


@entity("lead", plural="leads", display=("last_name",))
class LongerLead(Record):
    last_name: str | None = fields.text(80)
    rating: int | None = fields.integer()
    city: str | None = fields.text(80, indexed=True)


SCHEMA = Schema.of([Lead.__entity__])
LEAD = SCHEMA.entity("lead")


def new_lead(name: str = "Wang", **values: Any) -> Lead:
    return Lead(
        **{
            "id": IDS.new(),
            "version": 1,
            "last_name": name,
            "created_at": NOW,
            **values,
        }
    )


def next_version(lead: Any, **values: Any) -> Update:
    return Update(lead, attrs.evolve(lead, version=lead.version + 1, **values))


def insert(store: SQLStore, *leads: Record, schema: Schema = SCHEMA) -> None:
    with store.transaction("t", schema) as unit:
        unit.insert(schema.entity("lead"), [Insertion(lead) for lead in leads])


def stored(store: SQLStore, *leads: Record, tenant: str = "t") -> list[Record]:
    with store.transaction(tenant, SCHEMA) as unit:
        return list(unit.load(LEAD, [lead.id for lead in leads]).values())


def query(criteria: Any, *order: Any, schema: Schema = SCHEMA, **rest: Any) -> Query:
    binder = Binder(schema, Conventions(), NOW)
    lead = schema.entity("lead")
    return Query(
        entity=lead,
        where=binder.criteria(lead, criteria),
        order=binder.order(lead, order),
        **rest,
    )


@pytest.fixture(params=["sqlite", *SERVERS])
def url(
    request: pytest.FixtureRequest, module_databases: Databases, tmp_path: Any
) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crm.db'}"
    return module_databases.new(request.param)


@pytest.fixture
def empty(url: str) -> Iterator[SQLStore]:
    store = SQLStore(url)
    yield store
    store.close()


@pytest.fixture
def store(empty: SQLStore) -> SQLStore:
    empty.install(SCHEMA)
    return empty


@pytest.fixture
def host(url: str, store: SQLStore) -> Iterator[sa.Engine]:
    address = url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE host_order (number integer)"))
    yield engine
    engine.dispose()


def order_now(connection: sa.Connection, number: int) -> None:
    connection.execute(sa.text("INSERT INTO host_order VALUES (:n)"), {"n": number})


def orders(host: sa.Engine) -> list[int]:
    with host.connect() as connection:
        statement = sa.text("SELECT number FROM host_order ORDER BY number")
        return list(connection.execute(statement).scalars())


# -- installing ----------------------------------------------------------------------


def test_verify_tells_a_missing_schema(empty: SQLStore) -> None:
    """Before the installation, verify says that the schema is missing."""
    with pytest.raises(SchemaOutdated) as caught:
        empty.verify(SCHEMA)
    assert caught.value.details == {"state": "missing"}
    assert empty.health(SCHEMA).facts["schema"] == "missing"
    with pytest.raises(SchemaOutdated):
        insert(empty, new_lead())


def test_install_is_repeatable(store: SQLStore) -> None:
    """A second installation changes nothing and keeps the data."""
    lead = new_lead()
    insert(store, lead)
    store.install(SCHEMA)
    store.verify(SCHEMA)
    assert stored(store, lead) == [lead]


def test_install_adds_columns_and_indexes(store: SQLStore) -> None:
    """A new field becomes a new column with its index; old rows have no value."""
    lead = new_lead()
    insert(store, lead)
    longer = Schema.of([LongerLead.__entity__])
    with pytest.raises(SchemaOutdated) as caught:
        store.verify(longer)
    assert caught.value.details == {"state": "older"}
    store.install(longer)
    store.verify(longer)
    store.verify(SCHEMA)
    newer = LongerLead(id=IDS.new(), version=1, city="深圳")
    insert(store, newer, schema=longer)
    with store.transaction("t", longer) as unit:
        cities = {
            record["city"]
            for record in unit.load(longer.entity("lead"), [lead.id, newer.id]).values()
        }
    assert cities == {None, "深圳"}
    names = {i["name"] for i in sa.inspect(store.engine).get_indexes("crm_leads")}
    assert "ix_crm_leads_city" in names


def test_a_newer_database_is_refused(store: SQLStore) -> None:
    """A schema that a newer library made is neither used nor touched."""
    with store.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for use in (store.verify, store.install):
        with pytest.raises(SchemaOutdated) as caught:
            use(SCHEMA)
        assert caught.value.details == {"state": "newer"}


def install_at_once(url: str, barrier: Any) -> None:
    store = SQLStore(url)
    barrier.wait(60)
    store.install(SCHEMA)
    store.verify(SCHEMA)
    store.close()


def test_eight_processes_may_install_at_once(url: str) -> None:
    """Concurrent installations wait for each other and all succeed."""
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(8)
    processes = [
        spawn.Process(target=install_at_once, args=(url, barrier)) for _ in range(8)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 8


def test_revisions_and_tables_agree(store: SQLStore) -> None:
    """The revisions create exactly the tables that the statements are built for."""
    metadata = infrastructure(store._dialect).metadata
    with store.engine.connect() as connection:
        options = {
            "include_name": lambda name, kind, _: (
                kind != "table" or name in metadata.tables
            )
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


@with_expressions
def test_indexed_custom_fields_have_an_index(store: SQLStore) -> None:
    """A filter on an indexed custom field is answered by an index of its own."""
    budget = fields.custom("budget", Integer(), indexed=True)
    schema = SCHEMA.extended("lead", [budget])
    store.install(schema)
    store.install(schema)
    insert(store, *[new_lead(custom={"budget": n}) for n in range(500)], schema=schema)
    store.install(schema)
    assert "ix_crm_leads_custom_budget" in plan(
        store, query(F.budget == 7, F.budget.asc(), schema=schema, limit=5), schema
    )


# -- plans ---------------------------------------------------------------------------


def plan(store: SQLStore, asked: Query, schema: Schema = SCHEMA) -> str:
    """Return how the server answers a list, without sequential scans."""
    with store.transaction("t", schema) as unit:
        unit.select(asked)
        segment = keyset.segments(asked)[0]
        statement, arguments = unit._queries.select("t", asked, segment, asked.limit)
        link: Any = unit._link
        raw = link._taken.dbapi_connection.cursor()
        if store.name == "postgresql":
            raw.execute("SET enable_seqscan = off")
            raw.execute("ANALYZE crm_leads")
        words = "EXPLAIN QUERY PLAN " if store.name == "sqlite" else "EXPLAIN "
        raw.execute(words + statement.text, arguments)
        answer = "\n".join(str(row) for row in raw.fetchall())
        if store.name == "postgresql":
            raw.execute("RESET enable_seqscan")
        return answer


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("paged", [False, True])
def test_pages_walk_an_index(store: SQLStore, direction: str, paged: bool) -> None:
    """A page in order of creation reads an index from the boundary on; nothing sorts."""
    leads = [
        new_lead(created_at=NOW + timedelta(seconds=n), rating=n) for n in range(2_000)
    ]
    insert(store, *leads)
    store.install(SCHEMA)
    order = getattr(F.created_at, direction)()
    middle = leads[1_000]
    after = (middle.created_at, middle.id) if paged else None
    answer = plan(store, query(F.rating >= 0, order, limit=20, after=after))
    assert "ix_crm_leads_created_at" in answer
    for word in ("Sort", "TEMP B-TREE", "filesort"):
        assert word not in answer


def test_lists_of_thirty_thousand_values(store: SQLStore) -> None:
    """A visibility scope may name tens of thousands of owners."""
    owners = [IDS.new() for _ in range(30_000)]
    seen = [new_lead(str(n), owner_id=owners[n * 1_000]) for n in range(30)]
    insert(store, *seen, new_lead("hidden", owner_id=IDS.new()))
    binder = Binder(SCHEMA, Conventions(), NOW)
    parts = [owners[:15_000], owners[15_000:]]
    where = F.owner_id.in_(parts[0]) | F.owner_id.in_(parts[1])
    with store.transaction("t", SCHEMA) as unit:
        bound = binder.criteria(LEAD, where)
        assert unit.count(LEAD, bound) == 30
        assert len(unit.load(LEAD, [*owners, seen[0].id, seen[1].id])) == 2


def test_a_walk_over_missing_values_meets_each_record_once(store: SQLStore) -> None:
    """Pages over a field with gaps and ties leave nothing out and repeat nothing."""
    leads = [new_lead(rating=[None, 1, 2][n % 3], created_at=None) for n in range(60)]
    insert(store, *leads)
    for order in itertools.product(
        (F.rating.asc(), F.rating.desc()), (F.id.asc(), F.id.desc())
    ):
        seen: list[UUID] = []
        after = None
        while True:
            asked = query(F.version == 1, *order, limit=7, after=after)
            with store.transaction("t", SCHEMA) as unit:
                page = unit.select(asked)
            if not page:
                break
            seen += [lead.id for lead in page]
            after = tuple(reader(s.target)(page[-1]) for s in asked.order)
        assert len(seen) == 60
        assert set(seen) == {lead.id for lead in leads}


def test_custom_references_are_followed(store: SQLStore) -> None:
    """A condition one hop away works through a custom reference as well."""
    schema = SCHEMA.extended(
        "lead", [fields.custom("pal_id", Reference(entity="lead"))]
    )
    pal = new_lead("Pal")
    insert(store, pal, schema=schema)
    insert(store, new_lead("Wang", custom={"pal_id": pal.id}), schema=schema)
    with store.transaction("t", schema) as unit:
        found = unit.select(query(F.pal.last_name == "Pal", schema=schema))
    assert [lead.display_name for lead in found] == ["Wang"]


# -- writing -------------------------------------------------------------------------


def test_a_stale_record_is_named(store: SQLStore) -> None:
    """Of a batch with one stale record, that one is named and nothing is written."""
    leads = [new_lead(str(n)) for n in range(3)]
    insert(store, *leads)
    with store.transaction("t", SCHEMA) as unit:
        unit.update(LEAD, [next_version(leads[1], rating=1)])
    with (
        pytest.raises(StaleRecord) as caught,
        store.transaction("t", SCHEMA) as unit,
    ):
        unit.update(LEAD, [next_version(lead, last_name="x") for lead in leads])
    assert caught.value.details["id"] == leads[1].id
    assert [r["last_name"] for r in stored(store, *leads)] == ["0", "1", "2"]


def test_an_id_is_taken_once(store: SQLStore) -> None:
    """Storing two records under one id is a conflict that quotes no value."""
    lead = new_lead("秘密")
    insert(store, lead)
    with pytest.raises(Conflict) as caught:
        insert(store, lead)
    assert "秘密" not in str(caught.value)
    assert str(lead.id) not in str(caught.value)
    assert caught.value.__cause__ is None


def test_concurrent_increments_are_all_kept(store: SQLStore) -> None:
    """Eight threads that add to one record with retries lose no addition."""
    lead = new_lead(rating=0)
    insert(store, lead)

    def add() -> None:
        with store.transaction("t", SCHEMA) as unit:
            unit.begin_writing()
            present: Any = unit.load(LEAD, [lead.id], lock=True)[lead.id]
            unit.update(LEAD, [next_version(present, rating=present.rating + 1)])

    def work(seed: int) -> None:
        for _ in range(10):
            store.retrying(add, Random(seed))

    run_threads(8, work)
    assert [record["rating"] for record in stored(store, lead)] == [80]


def run_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_numbers_have_no_gaps(store: SQLStore) -> None:
    """Concurrent units of work take numbers without gaps and without doubles."""
    taken: list[int] = []

    def take(_: int) -> None:
        for _n in range(10):
            with store.transaction("t", SCHEMA) as unit:
                taken.append(unit.next_numbers("invoice", 2))

    run_threads(4, take)
    assert sorted(taken) == list(range(1, 81, 2))


def test_one_of_two_claims_wins(store: SQLStore) -> None:
    """Of eight units of work that claim one value at once, exactly one gets it."""
    won: list[UUID] = []
    barrier = threading.Barrier(8)

    def take(_: int) -> None:
        claim = Claim("account.name", "acme", IDS.new())
        barrier.wait(30)
        with store.transaction("t", SCHEMA) as unit:
            held = unit.claim([claim])
            if not held:
                won.append(claim.record_id)

    run_threads(8, take)
    assert len(won) == 1
    with store.transaction("t", SCHEMA) as unit:
        (held,) = unit.claim([Claim("account.name", "acme", IDS.new())])
    assert held == Claim("account.name", "acme", won[0])


def test_long_keys_are_told_apart(store: SQLStore) -> None:
    """Keys longer than an index allows stay different and come back as given."""
    one, other = "李" * 5_000 + "1", "李" * 5_000 + "2"
    first, second = new_lead(), new_lead()
    with store.transaction("t", SCHEMA) as unit:
        keys = [frozenset({one}), frozenset({other})]
        unit.insert(LEAD, [Insertion(first, keys[0]), Insertion(second, keys[1])])
        assert unit.match(LEAD, [one], 5) == [MatchHit(one, first.id)]
        assert (
            unit.claim([Claim("s", one, first.id), Claim("s", other, second.id)]) == []
        )
        taken = unit.claim([Claim("s", one, second.id)])
    assert taken == [Claim("s", one, first.id)]


def test_crowds_under_one_key_are_cut_off(store: SQLStore) -> None:
    """A match key that thousands share gives its first few holders."""
    leads = sorted((new_lead() for _ in range(3_000)), key=lambda lead: lead.id)
    rare = new_lead()
    with store.transaction("t", SCHEMA) as unit:
        unit.insert(LEAD, [Insertion(lead, frozenset({"crowd"})) for lead in leads])
        unit.insert(LEAD, [Insertion(rare, frozenset({"rare"}))])
        hits = unit.match(LEAD, ["crowd", "rare", "none"], 3)
    assert hits == [
        *[MatchHit("crowd", lead.id) for lead in leads[:3]],
        MatchHit("rare", rare.id),
    ]


def test_leased_events_are_not_given_twice(store: SQLStore) -> None:
    """Two relays at work at the same time never get the same event."""
    events = [
        Event(IDS.new(), "lead.created", "lead", IDS.new(), 1, NOW, None)
        for _ in range(20)
    ]
    with store.transaction("t", SCHEMA) as unit:
        unit.append([], events)
    later = NOW + timedelta(minutes=1)
    taken: list[list[Event]] = []
    with store.transaction("t", SCHEMA) as unit:
        taken.append(unit.take_events(12, NOW, later))
        if store.name != "sqlite":
            with store.transaction("t", SCHEMA) as second:
                taken.append(second.take_events(12, NOW, later))
    if store.name == "sqlite":
        with store.transaction("t", SCHEMA) as second:
            taken.append(second.take_events(12, NOW, later))
    assert taken == [events[:12], events[12:]]
    with store.transaction("t", SCHEMA) as unit:
        unit.finish_events([event.id for event in events[:5]])
        assert unit.take_events(50, later, later) == events[5:]


def test_the_same_operation_is_done_once(store: SQLStore) -> None:
    """Of two units of work under one key, the second gets what the first did."""
    done: list[Operation | None] = []
    barrier = threading.Barrier(2)

    def work(_: int) -> None:
        barrier.wait(30)
        with store.transaction("t", SCHEMA) as unit:
            before = unit.begin_operation(Operation("import-1", NOW, None))
            if before is None:
                journal = ({"created": "李"},)
                unit.finish_operation(Operation("import-1", NOW, None, journal))
            done.append(before)

    run_threads(2, work)
    assert None in done
    assert Operation("import-1", NOW, None, ({"created": "李"},)) in done


def test_a_savepoint_undoes_its_part(store: SQLStore) -> None:
    """What is done before and after a failed savepoint is kept."""
    first, second, third = new_lead("1"), new_lead("2"), new_lead("3")
    with store.transaction("t", SCHEMA) as unit:
        unit.insert(LEAD, [Insertion(first)])
        with pytest.raises(Conflict), unit.savepoint():  # noqa: PT012
            unit.insert(LEAD, [Insertion(second)])
            unit.insert(LEAD, [Insertion(first)])
        unit.insert(LEAD, [Insertion(third)])
    assert stored(store, first, second, third) == [first, third]


def test_reads_before_the_first_write_see_new_commits(store: SQLStore) -> None:
    """A unit of work that only reads sees what others commit meanwhile."""
    lead = new_lead()
    with store.transaction("t", SCHEMA) as unit:
        assert unit.load(LEAD, [lead.id]) == {}
        insert(store, lead)
        assert unit.load(LEAD, [lead.id]) == {lead.id: lead}


def test_tenants_share_nothing(store: SQLStore) -> None:
    """Records of another tenant are neither found nor changed."""
    lead = new_lead()
    insert(store, lead)
    assert stored(store, lead, tenant="other") == []
    with store.transaction("other", SCHEMA) as unit:
        unit.insert(LEAD, [Insertion(lead)])
        unit.purge(LEAD, [lead.id])
    assert stored(store, lead) == [lead]


# -- the host's transaction ----------------------------------------------------------


def test_the_host_commits_both(host: sa.Engine, store: SQLStore) -> None:
    """Within the host's transaction, one commit keeps the host's rows and ours."""
    lead = new_lead()
    with host.begin() as connection:
        order_now(connection, 1)
        with store.transaction("t", SCHEMA, within=connection) as unit:
            unit.insert(LEAD, [Insertion(lead)])
            assert unit.load(LEAD, [lead.id]) == {lead.id: lead}
        order_now(connection, 2)
    assert orders(host) == [1, 2]
    assert stored(store, lead) == [lead]


@pytest.mark.parametrize("host_writes_first", [True, False])
def test_the_host_rolls_both_back(
    host: sa.Engine, store: SQLStore, host_writes_first: bool
) -> None:
    """When the host rolls back, nothing of ours is kept, whoever wrote first."""
    lead = new_lead()
    with host.connect() as connection:
        if host_writes_first:
            order_now(connection, 1)
        with store.transaction("t", SCHEMA, within=connection) as unit:
            unit.insert(LEAD, [Insertion(lead)])
        connection.rollback()
    assert orders(host) == []
    assert stored(store, lead) == []


def test_our_failure_leaves_the_hosts_work(host: sa.Engine, store: SQLStore) -> None:
    """An error in our unit of work undoes ours alone; the host may go on."""
    lead = new_lead()
    with host.begin() as connection:
        order_now(connection, 1)
        with (  # noqa: PT012 -- the second insert is the one that fails
            pytest.raises(Conflict),
            store.transaction("t", SCHEMA, within=connection) as unit,
        ):
            unit.insert(LEAD, [Insertion(lead)])
            unit.insert(LEAD, [Insertion(lead)])
        order_now(connection, 2)
    assert orders(host) == [1, 2]
    assert stored(store, lead) == []


def test_units_of_work_nest_in_the_hosts(host: sa.Engine, store: SQLStore) -> None:
    """A second unit of work within the same connection can fail by itself."""
    first, second = new_lead(), new_lead()
    with (
        host.begin() as connection,
        store.transaction("t", SCHEMA, within=connection) as unit,
    ):
        unit.insert(LEAD, [Insertion(first)])
        with (  # noqa: PT012 -- the second insert is the one that fails
            pytest.raises(Conflict),
            store.transaction("t", SCHEMA, within=connection) as inner,
        ):
            inner.insert(LEAD, [Insertion(second)])
            inner.insert(LEAD, [Insertion(first)])
    assert stored(store, first, second) == [first]


def test_a_host_that_began_nothing_commits_ours(
    host: sa.Engine, store: SQLStore
) -> None:
    """The host's commit keeps our work even where the host had not begun."""
    lead = new_lead()
    with host.connect() as connection:
        with store.transaction("t", SCHEMA, within=connection) as unit:
            unit.insert(LEAD, [Insertion(lead)])
        connection.commit()
    assert stored(store, lead) == [lead]


@on_servers
def test_an_autocommit_connection_cannot_be_joined(
    host: sa.Engine, store: SQLStore
) -> None:
    """A connection that commits each statement has no transaction to join."""
    with host.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        with (
            pytest.raises(StoreRefused),
            store.transaction("t", SCHEMA, within=connection) as unit,
        ):
            unit.insert(LEAD, [Insertion(new_lead())])


def test_the_hosts_engine_is_left_as_it_was(host: sa.Engine, store: SQLStore) -> None:
    """A store on the host's engine gives its connections back in their own mode."""
    own = SQLStore(host)
    lead = new_lead()
    insert(own, lead)
    assert stored(own, lead) == [lead]
    with host.connect() as connection:
        order_now(connection, 1)
        connection.rollback()
    assert orders(host) == []
    own.close()
    assert orders(host) == []


def test_times_are_utc_whatever_the_hosts_zone(postgresql_url: str) -> None:
    """On a connection with another time zone, times still come back in UTC."""
    address = postgresql_url.replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(
        address, connect_args={"options": "-c TimeZone=Asia/Tokyo"}
    )
    store = SQLStore(engine)
    store.install(SCHEMA)
    lead = new_lead()
    insert(store, lead)
    (found,) = stored(store, lead)
    assert found.created_at is not None
    assert found.created_at.utcoffset() == timedelta(0)
    assert found == lead
    engine.dispose()


# -- errors and recovery -------------------------------------------------------------


def sever(store: SQLStore) -> None:
    """Let the server end every connection of the store, as a restart does."""
    other = sa.create_engine(store.engine.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        if store.name == "postgresql":
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        else:
            mine = connection.execute(sa.text("SELECT connection_id()")).scalar()
            listed = connection.execute(
                sa.text(
                    "SELECT id FROM information_schema.processlist "
                    "WHERE db = database()"
                )
            ).scalars()
            for number in list(listed):
                if number != mine:
                    connection.execute(sa.text(f"KILL CONNECTION {int(number)}"))
    other.dispose()


@on_servers
def test_a_lost_connection_is_replaced(store: SQLStore) -> None:
    """After the server ended all connections, the next try works."""
    lead = new_lead()
    with (
        store.transaction("t", SCHEMA) as one,
        store.transaction("t", SCHEMA) as two,
    ):
        one.load(LEAD, [lead.id])
        two.load(LEAD, [lead.id])
    sever(store)
    store.retrying(lambda: insert(store, lead), Random(1))
    assert stored(store, lead) == [lead]


@on_servers
def test_a_connection_lost_before_the_commit_is_safe_to_retry(
    store: SQLStore,
) -> None:
    """A break before the commit leaves no doubt: nothing was written."""
    lead = new_lead()
    with (  # noqa: PT012 -- the last read is the one that fails
        pytest.raises(StoreUnavailable) as caught,
        store.transaction("t", SCHEMA) as unit,
    ):
        unit.insert(LEAD, [Insertion(lead)])
        sever(store)
        unit.load(LEAD, [lead.id])
    assert not caught.value.outcome_unknown
    assert stored(store, lead) == []


@on_servers
def test_a_connection_lost_at_the_commit_leaves_doubt(store: SQLStore) -> None:
    """A break during the commit says that the outcome is unknown, and is not retried."""
    attempts = []

    def work() -> None:
        attempts.append(1)
        with store.transaction("t", SCHEMA) as unit:
            unit.insert(LEAD, [Insertion(new_lead())])
            sever(store)

    with pytest.raises(StoreUnavailable) as caught:
        store.retrying(work, Random(1))
    assert caught.value.outcome_unknown
    assert len(attempts) == 1


@on_servers
def test_a_deadlock_is_a_conflict(store: SQLStore) -> None:
    """Of two units of work that wait for each other, one gets Conflict, and retries."""
    leads = [new_lead(rating=0), new_lead(rating=0)]
    insert(store, *leads)
    barrier = threading.Barrier(2)
    conflicts: list[Conflict] = []

    def work(turn: int) -> None:
        try:
            with store.transaction("t", SCHEMA) as unit:
                unit.load(LEAD, [leads[turn].id], lock=True)
                barrier.wait(30)
                unit.load(LEAD, [leads[1 - turn].id], lock=True)
        except Conflict as conflict:
            conflicts.append(conflict)

    run_threads(2, work)
    assert len(conflicts) == 1
    assert conflicts[0].retryable


def test_a_server_that_is_away_is_unavailable() -> None:
    """Nobody at the address: StoreUnavailable, and health says so without raising."""
    store = SQLStore("postgresql://nobody@127.0.0.1:1/crm")
    with pytest.raises(StoreUnavailable), store.transaction("t", SCHEMA) as unit:
        unit.load(LEAD, [IDS.new()])
    report = store.health(SCHEMA)
    assert report.problems
    store.close()


def test_a_busy_database_is_a_conflict(tmp_path: Any) -> None:
    """A writer that waits too long for another one gets Conflict."""
    store = SQLStore(f"sqlite:///{tmp_path / 'crm.db'}", busy_timeout=0.05)
    store.install(SCHEMA)
    with store.transaction("t", SCHEMA) as unit:
        unit.begin_writing()
        with pytest.raises(Conflict):
            insert(store, new_lead())
    store.close()


def test_a_full_disk_is_told_and_undone(tmp_path: Any) -> None:
    """No space left: StorageFull, nothing of the unit of work is kept."""
    store = SQLStore(f"sqlite:///{tmp_path / 'crm.db'}", pool_size=1, max_overflow=0)
    store.install(SCHEMA)
    with store.engine.connect() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {used}")
    leads = [new_lead("x" * 80) for _ in range(2_000)]
    with pytest.raises(StorageFull):
        insert(store, *leads)
    assert stored(store, *leads) == []
    store.close()


def test_readers_go_on_while_somebody_writes(tmp_path: Any) -> None:
    """On SQLite, reads are answered while another unit of work is writing."""
    store = SQLStore(f"sqlite:///{tmp_path / 'crm.db'}", synchronous="FULL")
    store.install(SCHEMA)
    lead = new_lead()
    with store.transaction("t", SCHEMA) as unit:
        unit.insert(LEAD, [Insertion(lead)])
        assert stored(store, lead) == []
    assert stored(store, lead) == [lead]
    assert store.health(SCHEMA).facts["synchronous"] == "full"
    store.close()


def test_a_database_in_memory_serves_threads() -> None:
    """``sqlite://`` keeps one database for all threads; writers take turns."""
    store = SQLStore("sqlite://")
    store.install(SCHEMA)
    lead = new_lead(rating=0)
    insert(store, lead)

    def add(_: int) -> None:
        for _n in range(25):
            with store.transaction("t", SCHEMA) as unit:
                unit.begin_writing()
                present: Any = unit.load(LEAD, [lead.id])[lead.id]
                unit.update(LEAD, [next_version(present, rating=present.rating + 1)])
            stored(store, lead)

    run_threads(4, add)
    assert [record["rating"] for record in stored(store, lead)] == [100]
    with store.transaction("t", SCHEMA) as unit:
        unit.begin_writing()
        with pytest.raises(Conflict), store.transaction("t", SCHEMA) as nested:
            nested.begin_writing()
    assert not store.capabilities.durable
    store.close()


# -- set-up --------------------------------------------------------------------------


def test_health_names_server_and_schema(store: SQLStore) -> None:
    """Health shows the server, its set-up and that the schema is current."""
    report = store.health(SCHEMA)
    assert report.facts["schema"] == "current"
    assert report.facts["server"]
    if store.name == "sqlite":
        assert report.facts["journal_mode"] == "wal"
        assert report.problems == ()
    else:
        assert "read committed" in report.facts["isolation"]


def test_the_kind_of_server_is_found_out(mariadb_url: str) -> None:
    """MariaDB is told from MySQL by the server's answer, not by the address."""
    for address in (mariadb_url, mariadb_url.replace("mysql+pymysql", "mariadb")):
        store = SQLStore(address)
        assert store.name == "mariadb"
        store.close()


@pytest.mark.parametrize(
    "address",
    ["oracle://scott@host/db", "postgresql+asyncpg://host/db", "no address"],
)
def test_other_databases_are_refused(address: str) -> None:
    """A database or driver that is not supported is refused at once."""
    with pytest.raises(StoreRefused):
        SQLStore(address)


def test_within_takes_an_sqlalchemy_connection(tmp_path: Any) -> None:
    """Anything but an SQLAlchemy connection is refused, a driver's one as well."""
    store = SQLStore(f"sqlite:///{tmp_path / 'crm.db'}")
    connection: Any = sqlite3.connect(":memory:")
    with (
        pytest.raises(StoreRefused),
        store.transaction("t", SCHEMA, within=connection),
    ):
        pass
    connection.close()
    store.close()


def test_a_stopped_server_comes_back() -> None:
    """When the server restarts, the store works again without being opened anew."""
    try:
        server = servers.postgresql(owned=True)
    except servers.Unavailable as unavailable:
        pytest.fail(unavailable.reason, pytrace=False)
    with server:
        store = SQLStore(server.url)
        store.install(SCHEMA)
        lead = new_lead()
        insert(store, lead)
        server.kill()
        with pytest.raises(StoreUnavailable):
            stored(store, lead)
        server.restart()
        assert store.retrying(lambda: stored(store, lead), Random(1)) == [lead]
        store.close()


def test_every_dialect_has_a_word_for_each_step() -> None:
    """Dialects are complete: none can be made that leaves a step out."""
    with pytest.raises(TypeError):
        Dialect()  # type: ignore[abstract]
