"""What a session asks its store for, and whose transaction it works in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from crmcore import (
    CRM,
    Lead,
)
from crmcore.testing import (
    Factory,
    Office,
    small_organisation,
)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, store: Any) -> list[str]:
    """What an SQL store asks its server, in order, by the way it asks."""
    if "sql" not in type(store).__name__.lower():
        pytest.skip(f"statements are counted on SQL stores, {store.name} is none")
    from crmcore_sql.connections import Link

    seen: list[str] = []

    def counted(name: str) -> Any:
        ask = getattr(Link, name)

        def note(*given: Any, **options: Any) -> Any:
            seen.append(name)
            return ask(*given, **options)

        return note

    for name in ("fetch", "run", "run_many", "insert_many", "update_each"):
        monkeypatch.setattr(Link, name, counted(name))
    return seen


def test_statements_per_use_case_are_constant(
    office: Office, factory: Factory, statements: list[str]
) -> None:
    """Writing forty records takes as many statements as writing two."""

    def asked(work: Any) -> int:
        statements.clear()
        with office.session() as s:
            work(s)
        return len(statements)

    with office.session() as s:
        few = s.create_many(factory.lead() for _ in range(2))
        many = s.create_many(factory.lead() for _ in range(40))
    created = {
        asked(lambda s, n=n: s.create_many(factory.lead() for _ in range(n)))
        for n in (2, 40)
    }
    updated = {asked(lambda s, r=r: s.update_many(r, title="CEO")) for r in (few, many)}
    edited = {
        asked(lambda s, r=r: s.mass_update(Lead, r, {"title": "CFO"}))
        for r in (few, many)
    }
    found = {asked(lambda s, n=n: s.find(Lead, limit=n)) for n in (2, 40)}
    matched = asked(lambda s: s.duplicates(many[0]))
    got = asked(lambda s: s.get(Lead, many[0].id))
    converted = asked(lambda s: s.leads.convert(many[0].id and s.get(Lead, many[0].id)))

    assert [1] * 4 == [len(created), len(updated), len(edited), len(found)]
    assert (2, 2) == (got, *found)
    assert created.pop() <= 7
    assert updated.pop() <= 8
    assert matched <= 6
    assert converted <= 40


def test_commands_per_use_case_are_constant(mongodb_url: str, factory: Factory) -> None:
    """On MongoDB, too, many records take as many commands as two."""
    from pymongo import MongoClient, monitoring

    from crmcore_mongo import MongoStore

    class Listener(monitoring.CommandListener):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            self.seen.append(event.command_name)

        def succeeded(self, event: Any) -> None:
            """Nothing is counted here."""

        failed = succeeded

    listener = Listener()
    server, _, options = mongodb_url.partition("?")
    address, _, database = server.rpartition("/")
    client: MongoClient[Any] = MongoClient(
        f"{address}/?{options}", event_listeners=[listener]
    )
    try:
        crm = CRM(MongoStore(client, database=database))
        crm.install()
        small_organisation(crm)
        with crm.session("alice") as s:
            s.create_many(factory.lead() for _ in range(2))
        counted = []
        for number in (2, 40):
            listener.seen.clear()
            with crm.session("alice") as s:
                leads = s.create_many(factory.lead() for _ in range(number))
            created = len(listener.seen)
            with crm.session("alice") as s:
                s.update_many(leads, title="CEO")
            counted.append((created, len(listener.seen) - created))
    finally:
        client.close()

    assert counted[0] == counted[1]
    assert max(counted[0]) <= 12


def test_a_session_joins_the_hosts_transaction(store: Any, tenant: str) -> None:
    """What is written within the host's transaction is kept and lost with it."""
    if not store.capabilities.joins_host:
        pytest.skip(store.capabilities.reasons["joins_host"])
    crm = CRM(store).tenant(tenant)
    small_organisation(crm)
    for name, kept in (("Lost", False), ("Kept", True)):
        with host_transaction(store) as (connection, roll_back):
            with crm.session("alice", within=connection) as s:
                s.create(Lead(last_name=name))
                assert [name] == [lead.last_name for lead in s.find(Lead)]
            if not kept:
                roll_back()

    with crm.session("alice") as s:
        assert ["Kept"] == [lead.last_name for lead in s.find(Lead)]


@contextmanager
def host_transaction(store: Any) -> Iterator[tuple[Any, Any]]:
    """The host's own transaction on the same database."""
    if store.name == "mongodb":
        with store._client.start_session() as session, session.start_transaction():
            yield session, session.abort_transaction
        return
    with store.engine.connect() as connection:
        transaction = connection.begin()
        yield connection, transaction.rollback
        if transaction.is_active:
            transaction.commit()
