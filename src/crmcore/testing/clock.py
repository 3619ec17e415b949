"""A clock that stands still until it is told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FixedClock"]

#: The moment at which a fixed clock stands where none is given: a Saturday.
START = datetime(2026, 3, 14, 9, 26, 53, 589_000, tzinfo=UTC)


class FixedClock:
    """Tells the time it was set to.

    ``moment`` is an aware time, ``step`` how far the clock moves on after each look
    at it.
    """

    def __init__(
        self, moment: datetime = START, *, step: timedelta = timedelta(0)
    ) -> None:
        if moment.tzinfo is None:
            msg = "a clock needs a time with a time zone"
            raise ValueError(msg)
        self._moment = moment.astimezone(UTC)
        self._step = step

    def now(self) -> datetime:
        """Return the time in UTC, cut to milliseconds, and move one step on."""
        present = self._moment
        self._moment = present + self._step
        return present.replace(microsecond=present.microsecond // 1000 * 1000)

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the clock on and return the new time.

        ``by`` is how far; or ``parts`` are those of a timedelta: ``days=2, hours=1``.
        """
        self._moment += timedelta(**parts) if by is None else by
        return self._moment

    def set(self, moment: datetime) -> None:
        """Set the clock to an aware time."""
        self._moment = moment.astimezone(UTC)
