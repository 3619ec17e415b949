"""MariaDB, from the packages of the system."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import attrs

from crmcore.testing.servers._place import HOST, Place, free_port, unprivileged
from crmcore.testing.servers._server import Program, Server, Unavailable

_NAME = "MariaDB"


@attrs.define(eq=False, kw_only=True)
class MariaDB(Server):
    """One MariaDB server; ``url`` names its empty database ``crmcore``."""

    name: ClassVar[str] = _NAME
    ends_cleanly_on: ClassVar[signal.Signals] = signal.SIGTERM


def mariadb(*, durable: bool = True, owned: bool = False) -> MariaDB:
    """Start MariaDB, or hand out the server of ``CRMCORE_MARIADB_URL``.

    ``durable=False`` leaves the flush of each commit to the system: faster, and as safe
    as long as the machine itself keeps running. ``owned=True`` ignores the environment,
    for tests that kill the server. Raises :class:`Unavailable` where it is not
    installed.
    """
    given = os.environ.get("CRMCORE_MARIADB_URL")
    if given and not owned:
        return MariaDB(url=given)
    install, server = _find("mariadb-install-db"), _find("mariadbd")
    place = Place.make("mariadb", unprivileged())
    try:
        return _start(place, install, server, durable=durable)
    except BaseException:
        place.leave()
        raise


def _start(place: Place, install: str, server: str, *, durable: bool) -> MariaDB:
    data = place.directory / "data"
    _initialise(place, install, data)
    port = free_port()
    program = Program(
        server=_NAME,
        command=(server, *_options(place, data, port, durable=durable)),
        place=place,
        log=place.directory / "server.log",
        problem=lambda: _problem(port),
    )
    program.start()
    url = f"mysql+pymysql://root@{HOST}:{port}/crmcore?charset=utf8mb4"
    return MariaDB(url=url, place=place, programs=(program,))


def _options(place: Place, data: Path, port: int, *, durable: bool) -> Iterator[str]:
    # Only the first option may be this one.
    yield "--no-defaults"
    yield f"--datadir={data}"
    yield f"--tmpdir={place.directory}"
    yield f"--socket={place.directory / 'socket'}"
    yield f"--pid-file={place.directory / 'pid'}"
    yield f"--bind-address={HOST}"
    yield f"--port={port}"
    yield "--character-set-server=utf8mb4"
    yield "--innodb-buffer-pool-size=128M"
    yield "--skip-log-bin"
    if not durable:
        yield "--innodb-flush-log-at-trx-commit=2"


def _initialise(place: Place, install: str, data: Path) -> None:
    done = subprocess.run(
        [
            install,
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={place.directory}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        **place.popen_arguments(),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        reason = f"{done.stdout}\n{done.stderr}".strip()
        raise Unavailable(server=_NAME, reason=reason)


def _problem(port: int) -> str | None:
    import pymysql

    try:
        with (
            pymysql.connect(host=HOST, port=port, user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("CREATE DATABASE IF NOT EXISTS crmcore")
    except pymysql.err.OperationalError as error:
        return str(error)
    return None


def _find(program: str) -> str:
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        reason = f"{program} is not installed (package mariadb-server)"
        raise Unavailable(server=_NAME, reason=reason)
    return found
