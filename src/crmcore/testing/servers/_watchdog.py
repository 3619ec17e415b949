"""The program that cleans up after a test process, however that one ends.

Run as a file of its own: ``python _watchdog.py DIRECTORY``. It reads lines from its
standard input, ``watch PID SIGNAL`` and ``forget PID``. When the input ends, since the
test process closed it or died, it ends the watched programs and removes the directory.
A signal handler could not do this: nothing runs in a process that gets SIGKILL.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

#: How long a program may take to follow its signal before SIGKILL, in seconds.
PATIENCE = 5.0


def follow(lines: Iterable[str]) -> dict[int, int]:
    """Read orders until they end; return the programs still watched, PID -> signal."""
    watched: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["watch", pid, number]:
                watched[int(pid)] = int(number)
            case ["forget", pid]:
                watched.pop(int(pid), None)
    return watched


def end(watched: dict[int, int]) -> None:
    """Signal every watched program, and kill what has not ended in time."""
    for pid, number in watched.items():
        _send(pid, number)
    deadline = time.monotonic() + PATIENCE
    while any(_alive(pid) for pid in watched) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in watched:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _alive(pid: int) -> bool:
    return _send(pid, 0)


def remove(directory: str) -> None:
    """Remove the directory; a dying program may still be adding files to it."""
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):  # noqa: PTH110 - pathlib is slow to import
            return
        time.sleep(0.05)


if __name__ == "__main__":
    end(follow(sys.stdin))
    remove(sys.argv[1])
