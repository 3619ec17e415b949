"""Processes of fault tests: started together, killed without warning, always ended.

They come from a fork server, so that each is a process of its own with connections of
its own, and the libraries are loaded only once.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import attrs

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["crmcore.testing", "crmcore_sql.dialects", "crmcore_mongo", "psycopg", "pymysql"]
)

#: How long a process may keep silent, in seconds: only a hanging one takes so long.
PATIENCE = 250.0

Work = Callable[..., Any]


class WorkerFailed(AssertionError):
    """A worker raised an error; the message is its traceback."""


@attrs.define(eq=False)
class Worker:
    """One process at work."""

    work: Work
    arguments: Sequence[Any]
    _process: Any = None
    _channel: Any = None

    def start(self, together: Any = None) -> None:
        """Start the process; ``together`` is a barrier before which it waits."""
        self._channel, far = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_run, args=(far, together, self.work, self.arguments), daemon=True
        )
        self._process.start()
        far.close()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._process.kill()
        self._process.join()

    def result(self) -> Any:
        """Wait for the end of the work and return what came out of it."""
        if not self._channel.poll(PATIENCE):
            raise WorkerFailed("a worker hangs")
        try:
            done, answer = self._channel.recv()
        except EOFError:
            self._process.join()
            raise WorkerFailed(f"a worker died: {self._process.exitcode}") from None
        self._process.join()
        if not done:
            raise WorkerFailed(answer)
        return answer


def _run(channel: Connection, together: Any, work: Work, arguments: Any) -> None:
    try:
        if together is not None:
            together.wait(PATIENCE)
        channel.send((True, work(*arguments)))
    except BaseException:  # noqa: BLE001 - the test shows it
        channel.send((False, traceback.format_exc()))


@contextmanager
def working(work: Work, arguments: Iterable[Sequence[Any]]) -> Iterator[list[Worker]]:
    """Start one process for each list of arguments, all at work at once."""
    workers = [Worker(work, each) for each in arguments]
    together = _CONTEXT.Barrier(len(workers))
    try:
        for worker in workers:
            worker.start(together)
        yield workers
    finally:
        for worker in workers:
            if worker._process is not None:
                worker.kill()


def results_of(work: Work, arguments: Iterable[Sequence[Any]]) -> list[Any]:
    """Return what the processes came back with, one for each list of arguments."""
    with working(work, arguments) as workers:
        return [worker.result() for worker in workers]
