"""Ids that come out the same in every run."""

from __future__ import annotations

import threading
from random import Random
from uuid import UUID

__all__ = ["SeededIds"]

#: Milliseconds since 1970 at which the ids of every seed begin (2026-01-01 in UTC).
_BEGIN = 1_767_225_600_000


class SeededIds:
    """Makes increasing ids of the form of UUID version 7; one seed, one sequence.

    Two factories of one seed give the same ids in the same order, those of two seeds
    have none in common for all practical purposes.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable on purpose
        self._millisecond = _BEGIN
        self._lock = threading.Lock()

    def new(self) -> UUID:
        """Return the next id, greater than the last."""
        with self._lock:
            self._millisecond += 1
            rest = self._random.getrandbits(74)
        first, last = rest >> 62, rest & (2**62 - 1)
        value = self._millisecond << 80 | 7 << 76 | first << 64 | 0b10 << 62 | last
        return UUID(int=value)
