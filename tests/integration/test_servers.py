"""Servers for tests start, take writes, survive a crash, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pymysql
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from crmcore.testing import servers
from crmcore.testing.servers import Server
from tests.shared_servers import required


def write_postgresql(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE note (body text)")
        connection.execute("INSERT INTO note VALUES ('王总')")


def read_postgresql(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM note")]


def mysql_connection(url: str) -> pymysql.Connection:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        database=parts.path.strip("/"),
        charset="utf8mb4",
        autocommit=True,
    )


def write_mariadb(url: str) -> None:
    with mysql_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE note (body text)")
        cursor.execute("INSERT INTO note VALUES ('王总')")


def read_mariadb(url: str) -> list[str]:
    with mysql_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT body FROM note")
        return [body for (body,) in cursor.fetchall()]


def mongo_client(url: str, **options: Any) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, w="majority", journal=True, **options)


def write_mongodb(url: str) -> None:
    with (
        mongo_client(url) as client,
        client.start_session() as session,
        session.start_transaction(),
    ):
        client.crmcore.note.insert_one({"body": "王总"}, session=session)


def read_mongodb(url: str) -> list[str]:
    with mongo_client(url) as client:
        return [document["body"] for document in client.crmcore.note.find()]


START: dict[str, Callable[[], Server]] = {
    "postgresql": lambda: servers.postgresql(owned=True),
    "mariadb": lambda: servers.mariadb(owned=True),
    "mongodb": lambda: servers.mongodb(owned=True),
}
WRITE = {
    "postgresql": write_postgresql,
    "mariadb": write_mariadb,
    "mongodb": write_mongodb,
}
READ = {"postgresql": read_postgresql, "mariadb": read_mariadb, "mongodb": read_mongodb}
NAMES = [pytest.param(name, marks=pytest.mark.store(name=name)) for name in START]


def start(name: str) -> Server:
    try:
        return START[name]()
    except servers.Unavailable as unavailable:
        if required(name):
            raise
        pytest.skip(unavailable.reason)


@pytest.fixture(params=NAMES)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server]]:
    with start(request.param) as server:
        yield request.param, server


def test_data_survives_a_crash_and_a_clean_restart(running: tuple[str, Server]) -> None:
    """What was committed is there after SIGKILL, and after an orderly restart."""
    name, server = running
    WRITE[name](server.url)

    server.kill()
    assert server.pids == ()
    server.restart()
    assert ["王总"] == READ[name](server.url)

    server.restart()
    assert ["王总"] == READ[name](server.url)


def test_a_killed_server_does_not_answer(running: tuple[str, Server]) -> None:
    """After a kill the address refuses connections until the restart."""
    _, server = running
    server.kill()

    with pytest.raises(ConnectionRefusedError):
        connect(server.url)


def connect(url: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    socket.create_connection((parts.hostname, parts.port or 0)).close()


def test_stopping_removes_the_data(running: tuple[str, Server]) -> None:
    """A stopped server leaves neither a program nor a file, and may be stopped twice."""
    _, server = running
    pids, directory = server.pids, server.directory
    assert pids
    assert directory.exists()

    server.stop()
    server.stop()

    assert not directory.exists()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_database_is_created_and_dropped(running: tuple[str, Server]) -> None:
    """Each database stands alone, and a dropped one can be created anew, empty."""
    name, server = running
    url = servers.create_database(server.url, "one")
    WRITE[name](url)
    servers.drop_database(url)
    if name == "mongodb":
        return

    url = servers.create_database(server.url, "one")
    WRITE[name](url)
    assert ["王总"] == READ[name](url)


ORPHAN = """
import sys, time
from crmcore.testing import servers
server = getattr(servers, sys.argv[1])()
print(server.directory, *server.pids, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_server_dies_with_its_test_process(name: str) -> None:
    """SIGKILL of the test process ends the server and removes its data."""
    start(name).stop()
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, name], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        directory, *pids = process.stdout.readline().split()
        os.kill(process.pid, signal.SIGKILL)

    while Path(directory).exists():
        time.sleep(0.05)
    assert not [pid for pid in pids if runs(int(pid))]


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.store(name="mongodb")
def test_a_replica_set_elects_another_primary() -> None:
    """Of three nodes, one may be killed: another takes over with all data."""
    with servers.mongodb(3, owned=True) as server:
        write_mongodb(server.url)
        first = server.primary()

        server.kill_node(first)
        assert server.primary() != first
        assert ["王总"] == read_mongodb(server.url)

        server.start_node(first)
        server.step_down()
        server.primary()
        assert ["王总"] == read_mongodb(server.url)


@pytest.mark.store(name="mongodb")
def test_fail_points_can_be_set() -> None:
    """Server parameters are passed on, such as the one that allows fail points."""
    with servers.mongodb(parameters={"enableTestCommands": "1"}, owned=True) as server:
        fail = {
            "configureFailPoint": "failCommand",
            "mode": {"times": 1},
            "data": {"failCommands": ["insert"], "errorCode": 11600},
        }
        with mongo_client(server.url, retryWrites=False) as client:
            client.admin.command(fail)
            with pytest.raises(PyMongoError):
                client.crmcore.note.insert_one({})


def test_a_given_server_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a server to use instead, and nobody kills that one."""
    monkeypatch.setenv("CRMCORE_POSTGRES_URL", "postgresql://crm@db.example/crm")

    with servers.postgresql() as server:
        assert server.given
        assert server.url == "postgresql://crm@db.example/crm"
        with pytest.raises(servers.Unavailable):
            server.kill()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A program that ends at once gives the end of its log as the reason."""
    from crmcore.testing.servers._place import Place
    from crmcore.testing.servers._server import Program

    place = Place.make("broken")
    program = Program(
        server="Broken",
        command=("sh", "-c", "echo disk on fire; exit 3"),
        place=place,
        log=tmp_path / "log",
        problem=lambda: "no answer",
    )
    with pytest.raises(servers.Unavailable, match="disk on fire"):
        program.start()
    place.leave()


def test_fixtures_give_databases_of_their_own(
    postgresql_url: str, mongodb_url: str
) -> None:
    """The fixtures hand out empty databases on the servers that the run shares."""
    write_postgresql(postgresql_url)
    write_mongodb(mongodb_url)

    assert ["王总"] == read_postgresql(postgresql_url)


@pytest.mark.store(name="mariadb")
def test_the_mariadb_fixture_gives_a_database(mariadb_url: str) -> None:
    """As for the others, where MariaDB is installed."""
    write_mariadb(mariadb_url)

    assert ["王总"] == read_mariadb(mariadb_url)
