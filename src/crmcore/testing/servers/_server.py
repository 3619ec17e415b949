"""What every started server can do, and the program behind it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

import attrs

from crmcore.errors import CRMError
from crmcore.testing.servers._place import Place

if TYPE_CHECKING:
    import psutil

#: How long a server may take until it answers, in seconds.
PATIENCE = 60.0


class Unavailable(CRMError):
    """A server cannot be had; ``details`` holds the ``server`` and the ``reason``."""

    code = "testing.server_unavailable"
    template = "{server} cannot be started: {reason}"

    @property
    def reason(self) -> str:
        """Return why."""
        return str(self.details.get("reason", ""))


@attrs.define(eq=False, kw_only=True)
class Program:
    """One server program: started, watched, ended.

    ``problem`` asks the server whether it is ready: None, or what it waits for.
    ``ends_on`` is the signal that ends it at once, without leaving anything behind.
    """

    server: str
    command: tuple[str, ...]
    place: Place
    log: Path
    problem: Callable[[], str | None]
    ends_on: signal.Signals = signal.SIGKILL
    _process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Tell whether the program runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the running program."""
        if self._process is None:
            raise Unavailable(server=self.server, reason="it is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the program and return when it answers.

        Raises :class:`Unavailable` with the end of its log when it ends instead.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.place.popen_arguments(),
            )
        self.place.watch(self._process.pid, self.ends_on)
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while problem := self.problem():
            if not self.running:
                self._ended()
                raise Unavailable(server=self.server, reason=tail(self.log))
            if time.monotonic() > deadline:
                self.kill()
                raise Unavailable(server=self.server, reason=problem)
            time.sleep(0.03)

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait until the program has ended."""
        if self._process is not None and self.running:
            self._process.send_signal(number)
            self._process.wait()
            self._ended()

    def kill(self) -> None:
        """End the program and its children with SIGKILL."""
        import psutil

        if self._process is None or not self.running:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        while any(map(_lives, children)):
            time.sleep(0.01)
        self._ended()

    def _ended(self) -> None:
        if self._process is not None:
            self.place.forget(self._process.pid)
            self._process = None


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def tail(log: Path, lines: int = 8) -> str:
    """Return the last lines of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "it ended without a word"


@attrs.define(eq=False, kw_only=True)
class Server:
    """A server for tests; leaving its ``with`` block stops it.

    ``url`` is the address that the adapters take. A given server, one that somebody
    else runs, has an address only: it can be neither killed nor restarted.
    """

    name: ClassVar[str] = "server"
    ends_cleanly_on: ClassVar[signal.Signals] = signal.SIGTERM

    url: str
    _place: Place | None = None
    _programs: tuple[Program, ...] = ()

    @property
    def given(self) -> bool:
        """Tell whether somebody else runs the server."""
        return self._place is None

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the programs that run."""
        return tuple(program.pid for program in self._programs if program.running)

    @property
    def directory(self) -> Path:
        """Return the directory of the data and the logs."""
        return self._own_place().directory

    def kill(self) -> None:
        """End every program with SIGKILL, as a crash would; the data stays."""
        self._own_place()
        for program in self._programs:
            program.kill()

    def restart(self) -> None:
        """Shut down cleanly what still runs, start again, return when it answers."""
        self._own_place()
        for program in self._programs:
            program.end(self.ends_cleanly_on)
        for program in self._programs:
            program.start()

    def stop(self) -> None:
        """End the server and remove its data; stopping twice is harmless."""
        for program in self._programs:
            program.end(program.ends_on)
        if self._place is not None:
            self._place.leave()

    def _own_place(self) -> Place:
        if self._place is None:
            raise Unavailable(server=self.name, reason="somebody else runs the server")
        return self._place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
