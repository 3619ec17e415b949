"""What only MongoDB can get wrong: its guarantees, sessions, errors and indexes."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import attrs
import pytest
from pymongo import MongoClient, client_session, monitoring
from pymongo.write_concern import WriteConcern

from crmcore.criteria import (
    Binder,
    Bound,
    BoundConstant,
    F,
    Operator,
    Query,
    Sort,
    Test,
)
from crmcore.criteria.evaluation import reader
from crmcore.errors import (
    Conflict,
    CRMError,
    SchemaOutdated,
    StaleRecord,
    StorageError,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
)
from crmcore.ports import UUID7Factory
from crmcore.records import Conventions, Integer, Record, Schema, entity, fields
from crmcore.storage import Claim, Event, HistoryEntry, Insertion, Operation, Update
from crmcore.testing import servers
from crmcore.testing.servers._place import HOST, Place, free_port
from crmcore.testing.servers._server import Program
from crmcore.testing.servers.mongodb import MongoDB, _find_mongod, _problem
from crmcore_mongo import MongoStore

Client = MongoClient[dict[str, Any]]

ids = UUID7Factory()
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVERYTHING = BoundConstant(value=True)


@entity("person", plural="people")
class Person(Record):
    name: str | None = fields.text(80)
    rank: int | None = fields.integer(indexed=True)


SCHEMA = Schema.of([Person.__entity__])
PERSON = SCHEMA.entity("person")


def person(**values: Any) -> Any:
    return Person(id=ids.new(), version=1, **values)


def inserted(*records: Person) -> list[Insertion]:
    return [Insertion(record) for record in records]


def bound(criteria: Any) -> Bound:
    return Binder(SCHEMA, Conventions(), NOW).criteria(PERSON, criteria)


def listed(*order: Sort, **rules: Any) -> Query:
    bound_order = Binder(SCHEMA, Conventions(), NOW).order(PERSON, order)
    rules.setdefault("where", EVERYTHING)
    return Query(entity=PERSON, order=bound_order, **rules)


@pytest.fixture(scope="module")
def server() -> Iterator[MongoDB]:
    parameters = {"enableTestCommands": "1"}
    with servers.mongodb(owned=True, parameters=parameters) as started:
        yield started


@pytest.fixture(scope="module")
def client(server: MongoDB) -> Iterator[Client]:
    with Client(server.url, uuidRepresentation="standard") as opened:
        yield opened


@pytest.fixture
def database() -> str:
    return f"t_{secrets.token_hex(6)}"


@pytest.fixture
def mongo(client: Client, database: str) -> Iterator[MongoStore]:
    store = MongoStore(client, database=database)
    store.install(SCHEMA)
    yield store
    client.drop_database(database)


def stored(store: MongoStore, tenant: str) -> list[Record]:
    with store.transaction(tenant, SCHEMA) as transaction:
        return transaction.select(listed(F.rank.asc()))


def keep(store: MongoStore, tenant: str, *records: Person) -> None:
    with store.transaction(tenant, SCHEMA) as transaction:
        transaction.insert(PERSON, inserted(*records))


@contextmanager
def failing(client: Client, times: Any, **how: Any) -> Iterator[None]:
    """Make the server fail commands, as its own tests do."""
    fail = {"configureFailPoint": "failCommand"}
    client.admin.command({**fail, "mode": times, "data": how})
    try:
        yield
    finally:
        client.admin.command({**fail, "mode": "off"})


# -- guarantees ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        "w=0",
        "w=1",
        "w=2",
        "journal=false",
        "w=majority&journal=false",
        "readConcernLevel=local",
        "retryWrites=false",
    ],
)
def test_weaker_client_is_refused(server: MongoDB, options: str) -> None:
    """A client set to less than majority, journal and retries is refused at once."""
    with pytest.raises(StoreRefused, match="client"):
        MongoStore(f"{server.url}&{options}")
    with (
        Client(f"{server.url}&{options}") as weak,
        pytest.raises(StoreRefused, match="client"),
    ):
        MongoStore(weak)


def test_strong_client_is_taken(server: MongoDB, database: str) -> None:
    """A client that names our own guarantees is taken, and stays open when handed in."""
    strong = f"{server.url}&w=majority&journal=true&readConcernLevel=majority"
    with Client(strong) as client:
        store = MongoStore(client, database=database)
        store.install(SCHEMA)
        store.close()
        assert client.admin.command("ping")["ok"] == 1
        client.drop_database(database)


def test_what_is_no_client_is_refused() -> None:
    """Anything but an address or a client is refused with a clear error."""
    with pytest.raises(StoreRefused, match=r"pymongo\.MongoClient"):
        MongoStore(42)  # type: ignore[arg-type]
    with pytest.raises(StoreRefused):
        MongoStore("mongodb://")


@pytest.fixture(scope="module")
def lonely_url() -> Iterator[str]:
    place, port = Place.make("mongodb"), free_port()
    data = place.directory / "data"
    data.mkdir()
    command = (str(_find_mongod()), "--dbpath", str(data), "--port", str(port))
    program = Program(
        server="MongoDB",
        command=(*command, "--bind_ip", HOST, "--nounixsocket", "--quiet"),
        place=place,
        log=place.directory / "log",
        problem=lambda: _problem(port),
    )
    program.start()
    yield f"mongodb://{HOST}:{port}/"
    program.kill()
    place.leave()


def use_install(store: MongoStore) -> None:
    store.install(SCHEMA)


def use_verify(store: MongoStore) -> None:
    store.verify(SCHEMA)


def use_transaction(store: MongoStore) -> None:
    with store.transaction("t", SCHEMA) as transaction:
        transaction.count(PERSON, EVERYTHING)


@pytest.mark.parametrize("use", [use_install, use_verify, use_transaction])
def test_stand_alone_server_is_refused(
    lonely_url: str, use: Callable[[MongoStore], None]
) -> None:
    """A stand-alone server is refused at the first use, and told what is missing."""
    store = MongoStore(lonely_url)
    with pytest.raises(StoreRefused, match="--replSet"):
        use(store)
    assert any("--replSet" in problem for problem in store.health(SCHEMA).problems)
    store.close()


def test_writes_are_majority_and_journalled(server: MongoDB, database: str) -> None:
    """What goes over the wire asks for snapshot reads and a journalled majority."""

    class Listener(monitoring.CommandListener):
        def __init__(self) -> None:
            self.sent: list[Any] = []

        def started(self, event: Any) -> None:
            self.sent.append(event.command)

        def succeeded(self, event: Any) -> None:
            pass

        def failed(self, event: Any) -> None:
            pass

    listener = Listener()
    store = MongoStore(server.url, database=database, event_listeners=[listener])
    store.install(SCHEMA)
    listener.sent.clear()
    with store.transaction("t", SCHEMA) as transaction:
        transaction.count(PERSON, EVERYTHING)
        transaction.insert(PERSON, inserted(person()))
    store.close()
    sent = [c for c in listener.sent if "endSessions" not in c and "hello" not in c]
    names = [next(iter(command)) for command in sent]
    assert names == ["aggregate", "insert", "commitTransaction"]
    read, write, commit = sent
    assert read["readConcern"]["level"] == "majority"
    assert write["readConcern"]["level"] == "snapshot"
    assert commit["writeConcern"]["w"] == "majority"
    assert commit["writeConcern"]["j"] is True


# -- installation --------------------------------------------------------------------


def test_concurrent_installs_agree(server: MongoDB, database: str) -> None:
    """Several processes may install at once: each index exists once, all can work."""
    stores = [MongoStore(server.url, database=database) for _ in range(6)]
    start = threading.Barrier(len(stores))

    def install(store: MongoStore) -> None:
        start.wait()
        store.install(SCHEMA)
        store.verify(SCHEMA)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(install, stores))
    with Client(server.url) as client:
        found = client[database]["crm_people"].index_information()
        assert len(found) == 6  # _id, id, created_at, owner_id, match_keys, rank
        assert [e["_id"] for e in client[database]["crm_schema_steps"].find()] == [
            1,
            "indexes",
        ]
        client.drop_database(database)
    for store in stores:
        store.close()


def test_schema_state_is_told(client: Client, database: str) -> None:
    """Verify tells a missing, an older and a newer schema; install mends the first two."""
    store = MongoStore(client, database=database)
    with pytest.raises(SchemaOutdated, match="missing"):
        store.verify(SCHEMA)
    store.install(SCHEMA)
    store.verify(SCHEMA)
    wider = SCHEMA.extended("person", [fields.custom("b", Integer(), indexed=True)])
    with pytest.raises(SchemaOutdated, match="older"):
        store.verify(wider)
    store.install(wider)
    store.verify(wider)
    store.verify(SCHEMA)
    assert "tenant__custom.b__id" in client[database]["crm_people"].index_information()
    client[database]["crm_schema_steps"].insert_one({"_id": 999})
    for call in (store.verify, store.install):
        with pytest.raises(SchemaOutdated, match="newer"):
            call(SCHEMA)
    client.drop_database(database)


def test_install_keeps_data(mongo: MongoStore, tenant: str) -> None:
    """Installing again changes nothing that is stored."""
    ada = person(name="Ada")
    keep(mongo, tenant, ada)
    mongo.install(SCHEMA)
    assert stored(mongo, tenant) == [ada]


# -- the host's transaction ----------------------------------------------------------


def test_host_commits_both(
    mongo: MongoStore, client: Client, database: str, tenant: str
) -> None:
    """Records and the host's own documents become visible by the host's commit."""
    orders, ada = client[database]["orders"], person(name="Ada")
    with client.start_session() as session, session.start_transaction():
        orders.insert_one({"number": 1}, session=session)
        with mongo.transaction(tenant, SCHEMA, within=session) as transaction:
            transaction.insert(PERSON, inserted(ada))
            assert transaction.count(PERSON, EVERYTHING) == 1
        assert stored(mongo, tenant) == []
    assert stored(mongo, tenant) == [ada]
    assert orders.count_documents({}) == 1


def test_host_aborts_both(
    mongo: MongoStore, client: Client, database: str, tenant: str
) -> None:
    """When the host aborts, neither its documents nor our records stay."""
    orders = client[database]["orders"]
    with client.start_session() as session:
        session.start_transaction()
        orders.insert_one({"number": 1}, session=session)
        with mongo.transaction(tenant, SCHEMA, within=session) as transaction:
            transaction.insert(PERSON, inserted(person()))
            transaction.append([], [event()])
        session.abort_transaction()
    assert stored(mongo, tenant) == []
    assert orders.count_documents({}) == 0


def test_host_session_of_another_client(
    mongo: MongoStore, server: MongoDB, tenant: str
) -> None:
    """The host's own client may differ from the store's: its session is what counts."""
    ada = person(name="Ada")
    with (
        Client(server.url) as other,
        other.start_session() as session,
        session.start_transaction(),
        mongo.transaction(tenant, SCHEMA, within=session) as transaction,
    ):
        transaction.insert(PERSON, inserted(ada))
    assert stored(mongo, tenant) == [ada]


def test_host_session_needs_a_transaction(
    mongo: MongoStore, client: Client, tenant: str
) -> None:
    """A session without a transaction, a weak one, or something else is refused."""
    with (
        client.start_session() as session,
        pytest.raises(StoreRefused, match="start_transaction"),
        mongo.transaction(tenant, SCHEMA, within=session),
    ):
        pass
    with (
        pytest.raises(StoreRefused, match="ClientSession"),
        mongo.transaction(tenant, SCHEMA, within=client),
    ):
        pass


# -- errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"errorCode": 112, "errorLabels": ["TransientTransactionError"]}, Conflict),
        ({"errorCode": 251, "errorLabels": ["TransientTransactionError"]}, Conflict),
        ({"errorCode": 24}, Conflict),
        ({"errorCode": 14031}, StorageFull),
        ({"errorCode": 13}, StoreRefused),
        ({"errorCode": 50}, StoreUnavailable),
        ({"closeConnection": True}, StoreUnavailable),
        ({"errorCode": 8}, StorageError),
    ],
)
def test_driver_errors_are_translated(
    mongo: MongoStore,
    client: Client,
    tenant: str,
    failure: dict[str, Any],
    expected: type[CRMError],
) -> None:
    """Each failure of a write comes out as one of our errors; nothing is stored."""
    with (
        failing(client, {"times": 1}, failCommands=["insert"], **failure),
        pytest.raises(expected) as caught,
        mongo.transaction(tenant, SCHEMA) as transaction,
    ):
        transaction.insert(PERSON, inserted(person(name="Ada")))
    assert type(caught.value) is expected
    assert not caught.value.details.get("outcome_unknown")
    assert stored(mongo, tenant) == []


def test_lost_commit_answer_is_asked_for_again(
    mongo: MongoStore, client: Client, tenant: str
) -> None:
    """When the answer of a commit is lost, the commit is sent again and counts once."""
    ada = person(name="Ada")
    failure = {"failCommands": ["commitTransaction"], "closeConnection": True}
    with failing(client, {"times": 3}, **failure):
        keep(mongo, tenant, ada)
    assert stored(mongo, tenant) == [ada]


def test_unknown_outcome_is_told(
    mongo: MongoStore, client: Client, tenant: str
) -> None:
    """When no majority ever confirms a commit, the error says that it may have worked."""
    ada = person(name="Ada")
    timed_out = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "timed out"}
    failure = {"failCommands": ["commitTransaction"], "writeConcernError": timed_out}
    with (
        failing(client, "alwaysOn", **failure),
        pytest.raises(StoreUnavailable) as caught,
    ):
        keep(mongo, tenant, ada)
    assert caught.value.outcome_unknown
    with mongo.transaction(tenant, SCHEMA) as transaction:
        # A majority may lag behind here; a new transaction sees the commit at once.
        transaction.begin_writing()
        assert transaction.select(listed()) == [ada]


def test_refused_commit_stores_nothing(
    mongo: MongoStore, client: Client, tenant: str
) -> None:
    """A transaction that the server gave up is a Conflict, and nothing is stored."""

    def work() -> None:
        with mongo.transaction(tenant, SCHEMA) as transaction:
            transaction.insert(PERSON, inserted(person()))
            client.admin.command("killAllSessions", [])

    with pytest.raises(Conflict):
        work()
    assert stored(mongo, tenant) == []


def test_duplicate_id_is_a_conflict_without_data(
    mongo: MongoStore, tenant: str
) -> None:
    """An id that exists is a Conflict, and no stored value stands in the error."""
    ada = person(name="Ada")
    keep(mongo, tenant, ada)
    with pytest.raises(Conflict) as caught:
        keep(mongo, tenant, ada)
    assert caught.value.__suppress_context__
    assert tenant not in str(caught.value)


def test_unreachable_server(tenant: str) -> None:
    """A server that is away is StoreUnavailable, and health says so without raising."""
    away = MongoStore(f"mongodb://{HOST}:{free_port()}/", serverSelectionTimeoutMS=100)
    with (
        pytest.raises(StoreUnavailable) as caught,
        away.transaction(tenant, SCHEMA) as transaction,
    ):
        transaction.count(PERSON, EVERYTHING)
    assert not caught.value.outcome_unknown
    report = away.health(SCHEMA)
    assert len(report.problems) == 1
    assert report.facts["write concern"] == "w=majority, j=true"
    away.close()


def test_text_that_bson_cannot_hold(mongo: MongoStore, tenant: str) -> None:
    """A lone surrogate that reaches the store is an error of ours, not the driver's."""
    with pytest.raises(StorageError):
        keep(mongo, tenant, person(name="\ud800"))


def test_store_recovers_from_a_crash(
    server: MongoDB, database: str, tenant: str
) -> None:
    """After a crash and restart of the server the same store works, nothing is lost."""
    store = MongoStore(server.url, database=database)
    store.install(SCHEMA)
    ada, bob = person(name="Ada", rank=1), person(name="Bob", rank=2)
    keep(store, tenant, ada)
    server.kill()
    server.restart()
    store.retrying(lambda: keep(store, tenant, bob), Random(1))
    assert stored(store, tenant) == [ada, bob]
    store.close()


# -- concurrency ---------------------------------------------------------------------


def test_writer_of_the_same_record_conflicts(mongo: MongoStore, tenant: str) -> None:
    """Of two open transactions that change one record, the second is refused."""
    ada = person(name="Ada")
    keep(mongo, tenant, ada)
    newer = attrs.evolve(ada, version=2, name="Ada L.")
    with mongo.transaction(tenant, SCHEMA) as first:
        first.update(PERSON, [Update(ada, newer)])
        with (
            pytest.raises(Conflict) as caught,
            mongo.transaction(tenant, SCHEMA) as second,
        ):
            second.update(PERSON, [Update(ada, newer)])
        assert type(caught.value) is Conflict
    assert stored(mongo, tenant) == [newer]


def test_stale_record_is_named(mongo: MongoStore, tenant: str) -> None:
    """Of a batch, the stale record is named, and nothing of the batch is stored."""
    people = [person(name=name, rank=n) for n, name in enumerate(["Ada", "Bob", "Cyd"])]
    keep(mongo, tenant, *people)
    bob = attrs.evolve(people[1], version=2, name="Bo")
    with mongo.transaction(tenant, SCHEMA) as transaction:
        transaction.update(PERSON, [Update(people[1], bob)])
    batch = [Update(p, attrs.evolve(p, version=2, name="X")) for p in people]
    with (
        pytest.raises(StaleRecord) as caught,
        mongo.transaction(tenant, SCHEMA) as transaction,
    ):
        transaction.update(PERSON, batch)
    assert caught.value.details["id"] == bob.id
    assert stored(mongo, tenant) == [people[0], bob, people[2]]


def test_one_of_two_claims_commits(mongo: MongoStore, tenant: str) -> None:
    """Of two transactions that claim one value at once, one is refused."""
    one, other = (Claim("account.name", "acme", ids.new()) for _ in range(2))
    with mongo.transaction(tenant, SCHEMA) as first:
        assert first.claim([one]) == []
        with pytest.raises(Conflict), mongo.transaction(tenant, SCHEMA) as second:
            second.claim([other])
    with mongo.transaction(tenant, SCHEMA) as third:
        assert third.holders([(one.scope, "free"), (one.scope, one.key)]) == [one]
        assert third.claim([other]) == [one]
        assert third.claim([one]) == []


def test_claim_committed_meanwhile_conflicts(mongo: MongoStore, tenant: str) -> None:
    """A value that was taken after our snapshot began is refused as well."""
    one, other = (Claim("account.name", "acme", ids.new()) for _ in range(2))

    def work() -> None:
        with mongo.transaction(tenant, SCHEMA) as slow:
            slow.begin_writing()
            slow.count(PERSON, EVERYTHING)
            with mongo.transaction(tenant, SCHEMA) as fast:
                fast.claim([one])
            slow.claim([other])

    with pytest.raises(Conflict):
        work()


def test_operation_is_done_once(mongo: MongoStore, tenant: str) -> None:
    """Of several that begin one operation key at once, one does the work."""
    done: list[int] = []

    def work(number: int) -> Operation | None:
        operation = Operation("import-1", NOW, None)
        with mongo.transaction(tenant, SCHEMA) as transaction:
            found = transaction.begin_operation(operation)
            if found is None:
                journal = ({"verb": "create", "worker": number},)
                transaction.finish_operation(attrs.evolve(operation, journal=journal))
        if found is None:
            done.append(number)
        return found

    def patiently(number: int) -> Operation | None:
        return mongo.retrying(lambda: work(number), Random(number))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(patiently, range(4)))
    assert len(done) == 1
    journals = [operation.journal for operation in found if operation]
    assert journals == [({"verb": "create", "worker": done[0]},)] * 3


def test_numbers_are_gapless(mongo: MongoStore, tenant: str) -> None:
    """Numbers drawn at once by several writers have neither gaps nor doubles."""

    def draw(number: int) -> int:
        def work() -> int:
            with mongo.transaction(tenant, SCHEMA) as transaction:
                return transaction.next_numbers("quote", 2)

        return mongo.retrying(work, Random(number))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(draw, range(20))) == list(range(1, 41, 2))
    with mongo.transaction(tenant, SCHEMA) as transaction:
        assert transaction.current_number("quote") == 40
        assert transaction.current_number("order") == 0


def event() -> Event:
    return Event(ids.new(), "person.created", "person", ids.new(), 1, NOW, None)


def test_events_are_leased_once(mongo: MongoStore, tenant: str) -> None:
    """Two that take events at once get different ones; leases end by time."""
    events = [event() for _ in range(4)]
    with mongo.transaction(tenant, SCHEMA) as transaction:
        transaction.append([], events)
    later = NOW + timedelta(minutes=1)
    with mongo.transaction(tenant, SCHEMA) as first:
        assert first.take_events(2, NOW, later) == events[:2]
        with pytest.raises(Conflict), mongo.transaction(tenant, SCHEMA) as second:
            second.take_events(2, NOW, later)
    with mongo.transaction(tenant, SCHEMA) as third:
        assert third.take_events(9, NOW, later) == events[2:]
    with mongo.transaction(tenant, SCHEMA) as fourth:
        fourth.finish_events([events[0].id])
        assert fourth.take_events(9, later, later) == events[1:]


def test_tenants_do_not_meet(mongo: MongoStore, tenant: str) -> None:
    """The same ids in two tenants are two records: none learns of the other."""
    ada, other = person(name="Ada"), f"{tenant}-other"
    for each in (tenant, other):
        with mongo.transaction(each, SCHEMA) as transaction:
            transaction.insert(PERSON, inserted(ada))
            transaction.append(
                [HistoryEntry("person", ada.id, 1, "create", NOW, None)], []
            )
    with mongo.transaction(other, SCHEMA) as transaction:
        transaction.purge(PERSON, [ada.id])
    assert stored(mongo, tenant) == [ada]
    assert stored(mongo, other) == []


# -- documents and queries -----------------------------------------------------------


def test_values_of_fields_unknown_to_the_schema_stay(
    mongo: MongoStore, client: Client, database: str, tenant: str
) -> None:
    """Updating a custom value keeps those that this schema does not know."""
    old = SCHEMA.extended("person", [fields.custom("a", Integer())])
    new = SCHEMA.extended("person", [fields.custom("b", Integer())])
    ada = person(custom={"a": 1})
    with mongo.transaction(tenant, old) as transaction:
        transaction.insert(old.entity("person"), inserted(ada))
    target = new.entity("person")
    with mongo.transaction(tenant, new) as transaction:
        found: Any = transaction.load(target, [ada.id])[ada.id]
        changed = attrs.evolve(found, version=2, custom={"b": 2})
        transaction.update(target, [Update(found, changed)])
    document: Any = client[database]["crm_people"].find_one({"tenant": tenant})
    assert document["custom"] == {"a": 1, "b": 2}


def test_missing_values_have_no_key(
    mongo: MongoStore, client: Client, database: str, tenant: str
) -> None:
    """A missing value is no key, also after it was emptied; numbers are 64 bits."""
    ada = person(name="Ada", rank=1)
    keep(mongo, tenant, ada)
    people = client[database]["crm_people"]
    assert people.count_documents({"rank": {"$type": "long"}}) == 1
    with mongo.transaction(tenant, SCHEMA) as transaction:
        transaction.update(
            PERSON, [Update(ada, attrs.evolve(ada, version=2, name=None, rank=None))]
        )
    document: Any = people.find_one({"tenant": tenant})
    assert set(document) == {"_id", "id", "tenant", "version", "folded"}
    assert document["folded"] == {}


def test_very_long_lists_of_values(mongo: MongoStore, tenant: str) -> None:
    """A list of tens of thousands of owners, as a manager has, works."""
    owners = [ids.new() for _ in range(30_000)]
    ada = person(owner_id=owners[-1])
    keep(mongo, tenant, ada, person(owner_id=ids.new()))
    owner = bound(F.owner_id == owners[0])
    assert isinstance(owner, Test)
    where = Test(owner.target, Operator.IN, tuple(owners))
    with mongo.transaction(tenant, SCHEMA) as transaction:
        assert transaction.select(listed(where=where)) == [ada]
        assert transaction.count(PERSON, where) == 1


def test_keys_that_many_share_are_cut_off(mongo: MongoStore, tenant: str) -> None:
    """A key that many records share gives its first few; rare keys give all."""
    people = [person(rank=n) for n in range(40)]
    batch = [
        Insertion(p, frozenset({"common", f"half:{n % 2}", f"own:{n}"}))
        for n, p in enumerate(people)
    ]
    with mongo.transaction(tenant, SCHEMA) as transaction:
        transaction.insert(PERSON, batch)
        hits = transaction.match(PERSON, ["own:7", "common", "half:1", "none"], 3)
    found: list[tuple[str, UUID]] = [(hit.key, hit.record_id) for hit in hits]
    assert found == [
        ("own:7", people[7].id),
        *(("common", people[n].id) for n in (0, 1, 2)),
        *(("half:1", people[n].id) for n in (1, 3, 5)),
    ]


@pytest.mark.parametrize("descending", [False, True])
def test_page_far_behind_reads_only_itself(
    mongo: MongoStore,
    client: Client,
    database: str,
    tenant: str,
    descending: bool,
) -> None:
    """A page deep in a list reads as many index keys as it has records, about."""
    people = [person(created_at=NOW + timedelta(seconds=n // 3)) for n in range(600)]
    keep(mongo, tenant, *people)
    order = F.created_at.desc() if descending else F.created_at.asc()
    first = listed(order)
    last = people[100] if descending else people[-100]
    after = tuple(reader(sort.target)(last) for sort in first.order)
    page = attrs.evolve(first, limit=10, after=after)
    client[database].command({"profile": 2})
    with mongo.transaction(tenant, SCHEMA) as transaction:
        assert len(transaction.select(page)) == 10
    client[database].command({"profile": 0})
    profiled: Any = client[database]["system.profile"].find_one({"op": "query"})
    assert profiled["planSummary"] == "IXSCAN { tenant: 1, created_at: 1, id: 1 }"
    assert not profiled.get("hasSortStage")
    assert profiled["keysExamined"] <= 20


def test_health_tells_facts(mongo: MongoStore, client: Client) -> None:
    """Health names server, replica set, write concern and the state of the schema."""
    report = mongo.health(SCHEMA)
    assert report.problems == ()
    assert report.facts["replica set"] == "crmcore"
    assert report.facts["schema"] == "current"
    assert report.facts["server version"].count(".") == 2
    other = MongoStore(client, database=f"t_{secrets.token_hex(6)}")
    assert [p for p in other.health(SCHEMA).problems if "install()" in p]


def test_missing_capability_has_a_reason() -> None:
    """MongoDB has no savepoints, and says why."""
    assert not MongoStore.capabilities.savepoints
    assert MongoStore.capabilities.reasons["savepoints"]


def test_weak_host_session_is_refused(
    mongo: MongoStore, client: Client, tenant: str
) -> None:
    """A host session whose transactions are set to less is refused."""
    weak = client_session.TransactionOptions(  # type: ignore[attr-defined]
        write_concern=WriteConcern(1)
    )
    with (
        client.start_session(default_transaction_options=weak) as session,
        session.start_transaction(),
        pytest.raises(StoreRefused, match="majority"),
        mongo.transaction(tenant, SCHEMA, within=session),
    ):
        pass
