"""Units of work that are run again: which errors that cures, and what is locked then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import attrs

from crmcore.errors import Conflict, StaleRecord, StoreUnavailable
from crmcore.unit.work import UnitOfWork

__all__ = ["Attempts"]

T = TypeVar("T")


@attrs.define
class Attempts:
    """The attempts at one unit of work whose reads are part of it.

    ``exactly_once``: it has an operation key, so that a commit whose answer was lost
    may be asked for again.
    """

    exactly_once: bool
    _unit: UnitOfWork | None = None
    _conflicts: int = 0
    _outcome_unknown: bool = False
    _contended: set[tuple[str, UUID]] = attrs.field(factory=set)
    #: The version at which a record was found stale.
    _stale: dict[tuple[str, UUID], int] = attrs.field(factory=dict)

    def begin(self, unit: UnitOfWork) -> None:
        """Lock what earlier attempts wanted to change, before the work reads it again.

        All attempts lock in one order, so that they do not wait for each other in a
        circle.
        """
        self._unit = unit
        if self._conflicts:
            unit.transaction.begin_writing()
        for name, identity in sorted(self._contended):
            entity = unit.schema.entity(name)
            unit.transaction.load(entity, (identity,), lock=True)

    def attempt(self, work: Callable[[], T]) -> T:
        """Run ``work``; mark its error as retryable where another attempt may help."""
        try:
            return work()
        except Conflict as error:
            self._conflicts += 1
            if self._unit is not None:
                self._contended |= self._unit.lock_targets
            if isinstance(error, StaleRecord):
                self._note_stale(error)
            raise
        except StoreUnavailable as error:
            self._outcome_unknown = self._outcome_unknown or error.outcome_unknown
            if self.exactly_once:
                error.details["outcome_unknown"] = False
            raise

    def _note_stale(self, error: StaleRecord) -> None:
        place = (error.details["entity"], error.details["id"])
        version = error.details["expected"]
        # The work reads a newer version next time; where it does not, the record was
        # read before the work, and stays stale.
        error.retryable = self._stale.get(place) != version
        self._stale[place] = version

    def finish(self, run: Callable[[], T]) -> T:
        """Run all attempts; the last error tells of a commit left unknown."""
        try:
            return run()
        except StoreUnavailable as error:
            if self._outcome_unknown:
                error.details["outcome_unknown"] = True
            raise
