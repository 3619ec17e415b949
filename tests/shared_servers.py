"""The servers of a test run: each started once, at its first use, for all workers.

The process that started the test run owns the servers, so that they outlive every
worker. Workers of pytest-xdist ask it for an address through a socket.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Protocol

import attrs

from crmcore.testing import servers

STARTERS: dict[str, Callable[[], servers.Server]] = {
    "postgresql": lambda: servers.postgresql(durable=False),
    "mongodb": servers.mongodb,
    "mariadb": lambda: servers.mariadb(durable=False),
}

#: Servers that a machine may lack; PostgreSQL and MongoDB come as wheels.
OPTIONAL = frozenset({"mariadb"})


@attrs.frozen
class Answer:
    """The address of a server, or why there is none."""

    url: str | None
    reason: str = ""


class Servers(Protocol):
    """Knows the address of each server."""

    def ask(self, name: str) -> Answer:
        """Return the address of the server ``name``; start it at the first call."""
        ...


def required(name: str) -> bool:
    """Tell whether a missing server fails the tests that need it."""
    wanted = os.environ.get("CRMCORE_REQUIRE_SERVERS", "")
    names = {each.strip() for each in wanted.split(",")}
    return name not in OPTIONAL or "all" in names or name in names


class OwnedServers:
    """The servers of this process."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self._locks = {name: threading.Lock() for name in STARTERS}
        self._running = ExitStack()

    def ask(self, name: str) -> Answer:
        with self._locks[name]:
            if name not in self.answers:
                self.answers[name] = self._start(name)
            return self.answers[name]

    def _start(self, name: str) -> Answer:
        try:
            server = STARTERS[name]()
        except servers.Unavailable as unavailable:
            return Answer(None, unavailable.reason)
        self._running.callback(server.stop)
        return Answer(server.url)

    def missing(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each server that could not be started, and why."""
        for name, answer in sorted(self.answers.items()):
            if answer.url is None:
                yield name, answer.reason

    def stop(self) -> None:
        """Stop every server."""
        self._running.close()


class RemoteServers:
    """The servers of the process that started this worker."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self.key = key

    def ask(self, name: str) -> Answer:
        with Client(self.address, "AF_UNIX", self.key.encode()) as connection:
            connection.send(name)
            url, reason = connection.recv()
            return Answer(url, reason)


@attrs.frozen
class Desk:
    """Where workers ask: the socket's path and the key to it."""

    address: str
    key: str


@contextmanager
def desk(owned: OwnedServers) -> Iterator[Desk]:
    """Answer the questions of workers until the block is left."""
    with tempfile.TemporaryDirectory(prefix="crmcore-tests-") as folder:
        place = Desk(str(Path(folder) / "desk"), secrets.token_hex(16))
        with Listener(place.address, "AF_UNIX", authkey=place.key.encode()) as listener:
            thread = threading.Thread(
                target=_serve, args=(listener, owned), daemon=True
            )
            thread.start()
            yield place
            with Client(place.address, "AF_UNIX", place.key.encode()) as connection:
                connection.send(None)
            thread.join()


def _serve(listener: Listener, owned: OwnedServers) -> None:
    # One thread a question: one server may start while another one is.
    while True:
        try:
            connection = listener.accept()
            name = connection.recv()
        except (OSError, EOFError):  # the worker died while it asked
            continue
        if name is None:
            connection.close()
            return
        answer = threading.Thread(
            target=_answer, args=(connection, owned, name), daemon=True
        )
        answer.start()


def _answer(connection: Connection, owned: OwnedServers, name: str) -> None:
    with connection:
        answer = owned.ask(name)
        connection.send((answer.url, answer.reason))
