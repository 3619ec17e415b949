"""Protocols of the outside world, each with the default that production uses.

The core never reads the wall clock, makes an id or draws a random number by itself: it
asks these. Tests hand in fixed ones (:mod:`crmcore.testing`).
"""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime
from random import SystemRandom
from typing import Protocol
from uuid import UUID

import attrs

__all__ = ["Cipher", "Clock", "IdFactory", "Randomness", "SystemClock", "UUID7Factory"]


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time, cut to milliseconds."""
        ...


class IdFactory(Protocol):
    """Makes ids for new records."""

    def new(self) -> UUID:
        """Return an id that was never returned before, greater than the last."""
        ...


class Randomness(Protocol):
    """Draws random numbers (retry jitter, weighted choices)."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...


class Cipher(Protocol):
    """Encrypts the values of encrypted fields, with keys that the host keeps."""

    def encrypt(self, text: str) -> str:
        """Return a text that only :meth:`decrypt` reads."""
        ...

    def decrypt(self, text: str) -> str:
        """Return the text that was encrypted, with whichever key of the host."""
        ...


@attrs.frozen
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present in UTC, cut to milliseconds."""
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)


class UUID7Factory:
    """Makes time-ordered ids (UUID version 7), increasing within a process.

    Later ids sort after earlier ones, so that new rows land at the end of an index.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> UUID:
        """Return the next id."""
        millisecond = time.time_ns() // 1_000_000
        candidate = (millisecond << 74) | secrets.randbits(74)
        with self._lock:
            if candidate <= self._last:
                candidate = self._last + 1 + secrets.randbits(32)
            self._last = candidate
        return _uuid7(candidate)


def _uuid7(counter: int) -> UUID:
    """Lay 48 bits of time and 74 bits of rest out as RFC 9562 asks."""
    time_part = counter >> 74
    first_rest = (counter >> 62) & 0xFFF
    last_rest = counter & 0x3FFF_FFFF_FFFF_FFFF
    value = (time_part << 80) | (7 << 76) | (first_rest << 64)
    return UUID(int=value | (0b10 << 62) | last_rest)


def default_randomness() -> Randomness:
    """Return the operating system's randomness, for jitter."""
    return SystemRandom()
