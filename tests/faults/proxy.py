"""A proxy that loses the answers of commits: the server commits, the client is cut off.

It reads the wire protocol of the client's side just far enough to know a commit.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

import attrs
import bson

#: A request for TLS or GSSAPI, and the refusal that stands for the server's.
_POSTGRESQL_ENCRYPTION = {80877103, 80877104}

#: Names commits where the protocol does not: each is asked for once only.
_NUMBERS = count(1)


class Wire(Protocol):
    """Knows the messages of one client connection."""

    def take(self, data: bytearray) -> bytes | None:
        """Cut the next whole message off ``data``; None where more is to come."""
        ...

    def commit(self, message: bytes) -> Hashable | None:
        """Return what names the transaction that a message commits, if it does."""
        ...


@attrs.define
class PostgreSQLWire:
    """Messages with a type and a length; the first has a length only."""

    _started: bool = False

    def take(self, data: bytearray) -> bytes | None:
        head = 1 if self._started else 0
        if len(data) < head + 4:
            return None
        size = head + int.from_bytes(data[head : head + 4], "big")
        message = _cut(data, size)
        if message is not None and not self._started:
            code = int.from_bytes(message[4:8], "big")
            self._started = code not in _POSTGRESQL_ENCRYPTION
        return message

    def commit(self, message: bytes) -> Hashable | None:
        kind, body = message[:1], message[5:]
        statement = body.partition(b"\0")[2] if kind == b"P" else body
        if kind not in {b"Q", b"P"} or statement.rstrip(b"\0;")[:6] != b"COMMIT":
            return None
        return next(_NUMBERS)


class MariaDBWire:
    """Packets with three bytes of length and a number."""

    def take(self, data: bytearray) -> bytes | None:
        if len(data) < 4:
            return None
        return _cut(data, 4 + int.from_bytes(data[:3], "little"))

    def commit(self, message: bytes) -> Hashable | None:
        if message[3] != 0 or message[4:] != b"\x03COMMIT":
            return None
        return next(_NUMBERS)


class MongoDBWire:
    """OP_MSG without compression; a commit names its session and transaction."""

    def take(self, data: bytearray) -> bytes | None:
        if len(data) < 4:
            return None
        return _cut(data, int.from_bytes(data[:4], "little"))

    def commit(self, message: bytes) -> Hashable | None:
        is_command = int.from_bytes(message[12:16], "little") == 2013
        if not is_command or b"commitTransaction" not in message[:60]:
            return None
        command = bson.decode(message[21:])
        return bytes(command["lsid"]["id"]), command["txnNumber"]


def _cut(data: bytearray, size: int) -> bytes | None:
    if len(data) < size:
        return None
    message = bytes(data[:size])
    del data[:size]
    return message


@attrs.define(eq=False)
class Proxy:
    """Stands before a server and loses the answer of every ``nth`` commit.

    A transaction that was chosen loses the answers to all its commits, however often
    the driver asks again. ``lost`` are the transactions chosen.
    """

    upstream: tuple[str, int]
    wire: Callable[[], Wire]
    nth: int = 10
    port: int = 0
    lost: set[Hashable] = attrs.field(factory=set)
    _seen: dict[Hashable, None] = attrs.field(factory=dict)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @contextmanager
    def serving(self) -> Iterator[Proxy]:
        """Accept connections until the block is left."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
            yield self

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.upstream)
                for end in (client, server):
                    # Messages are passed on one by one, and none may wait for more.
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Link(self, client, server).start()

    def is_lost(self, transaction: Hashable) -> bool:
        """Tell whether the answer to a transaction's commit is to be lost."""
        with self._lock:
            if transaction not in self._seen:
                self._seen[transaction] = None
                if len(self._seen) % self.nth == 0:
                    self.lost.add(transaction)
            return transaction in self.lost


@attrs.define(eq=False)
class Link:
    """One client's connection with the server's behind it."""

    proxy: Proxy
    client: socket.socket
    server: socket.socket
    _losing: bool = False

    def start(self) -> None:
        """Carry bytes in both directions until one side ends."""
        for pump in (self._requests, self._answers):
            threading.Thread(target=self._until_end, args=(pump,), daemon=True).start()

    def _until_end(self, pump: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            pump()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _requests(self) -> None:
        wire, data = self.proxy.wire(), bytearray()
        while received := self.client.recv(65536):
            data += received
            while (message := wire.take(data)) is not None:
                transaction = wire.commit(message)
                if transaction is not None and self.proxy.is_lost(transaction):
                    self._losing = True
                self.server.sendall(message)

    def _answers(self) -> None:
        while received := self.server.recv(65536):
            # The server has answered: what was to be committed is committed.
            if self._losing:
                return
            self.client.sendall(received)
