"""A store whose process dies at the k-th write, and how to try every k in turn."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs

from crmcore.storage import Store

T = TypeVar("T")

#: The calls that write, as far as a transaction is concerned. A commit counts twice:
#: the process dies right before and right after it.
WRITES = frozenset(
    {"insert", "update", "purge", "claim", "release", "next_numbers", "append"}
    | {"begin_operation", "finish_operation", "take_events", "finish_events"}
)


@attrs.define(eq=False)
class CrashingStore:
    """Ends its own process with SIGKILL before the write number ``at``, from 1."""

    _store: Store
    _at: int
    writes: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def count(self) -> None:
        """Count a write, or die of it."""
        self.writes += 1
        if self.writes == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def transaction(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        wrote = self.writes
        with self._store.transaction(*arguments, **options) as transaction:
            yield CrashingTransaction(self, transaction)
            wrote = self.writes - wrote
            if wrote:
                self.count()
        if wrote:
            self.count()


@attrs.frozen(eq=False)
class CrashingTransaction:
    """Counts the writes of one unit of work."""

    _store: CrashingStore
    _transaction: Any

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._transaction, name)
        return partial(self._counted, found) if name in WRITES else found

    def _counted(self, write: Callable[..., T], *arguments: Any, **options: Any) -> T:
        self._store.count()
        return write(*arguments, **options)


class Crashed(Exception):
    """A process died of SIGKILL."""


def apart(work: Callable[[], T], folder: Path) -> T:
    """Run ``work`` in a forked process and return what it gives; raise Crashed.

    The caller has no threads and no open connections.
    """
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            answer.write_bytes(pickle.dumps(work()))
            status = 0
        except BaseException:  # noqa: BLE001 - nothing may leave the forked process
            traceback.print_exc()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        raise Crashed
    assert status == 0, "a forked process failed: see its traceback on stderr"
    found: T = pickle.loads(answer.read_bytes())
    return found
