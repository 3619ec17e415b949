"""Blocks of numbers taken ahead, so that concurrent creators do not wait for each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import attrs

__all__ = ["NumberBlocks"]

#: A process, a tenant and a sequence: what one block serves.
Place = tuple[int, str, str]


@attrs.define(eq=False)
class NumberBlocks:
    """The numbers that this process leased and did not give yet.

    Each number is handed out once; those that nobody asks for are lost with the process.
    """

    size: int = 50
    _left: dict[Place, range] = attrs.field(factory=dict)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def take(
        self, tenant: str, sequence: str, count: int, lease: Callable[[int], int]
    ) -> list[int]:
        """Return ``count`` numbers; ``lease(n)`` takes n more and returns the first."""
        # A forked child must not give the numbers of its parent a second time.
        place = (os.getpid(), tenant, sequence)
        with self._lock:
            left = self._left.get(place, range(0))
            taken = list(left[:count])
            left = left[count:]
            missing = count - len(taken)
            if missing:
                leased = max(missing, self.size)
                first = lease(leased)
                taken += range(first, first + missing)
                left = range(first + missing, first + leased)
            self._left[place] = left
            return taken
