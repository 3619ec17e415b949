"""Handing records over as a value: which record goes to whom (ACC-19)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import attrs

__all__ = ["Handover", "HandoverPlan", "HandoverReport", "Owned", "distributed"]


@attrs.frozen
class Owned:
    """A record to hand over; ``group``: those of one group may stay with one person."""

    entity: str
    record_id: UUID
    version: int
    group: UUID


@attrs.frozen
class Handover:
    """One record, in the version that was planned, and its new owner."""

    entity: str
    record_id: UUID
    version: int
    to: UUID


@attrs.frozen(kw_only=True)
class HandoverPlan:
    """What happens with a user's records; a value to show, store and apply.

    ``is_complete``: nothing is left to plan, so that applying it also disables the user,
    if that was asked, and gives ``subordinates`` the superior ``successor_id``.
    """

    user_id: UUID
    disable: bool
    is_complete: bool
    moves: tuple[Handover, ...]
    subordinates: tuple[UUID, ...] = ()
    successor_id: UUID | None = None

    def counts(self) -> Mapping[tuple[str, UUID], int]:
        """Return how many records of each entity go to whom."""
        return Counter((move.entity, move.to) for move in self.moves)


@attrs.frozen(kw_only=True)
class HandoverReport:
    """What was moved, and what was changed by others meanwhile and has to be planned anew."""

    moved: tuple[UUID, ...]
    failed: tuple[UUID, ...]
    disabled: bool


def distributed(
    owned: Iterable[Owned], targets: Sequence[UUID], *, together: bool
) -> tuple[Handover, ...]:
    """Return who gets which record: round and round, in the order of the targets.

    With ``together`` all records of a group go to one of them.
    """
    turns: dict[UUID, int] = {}
    moves = []
    for one in owned:
        key = one.group if together else one.record_id
        turn = turns.setdefault(key, len(turns))
        to = targets[turn % len(targets)]
        moves.append(Handover(one.entity, one.record_id, one.version, to))
    return tuple(moves)
