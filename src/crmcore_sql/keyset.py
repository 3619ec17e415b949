"""Pages without offsets: which rows come behind a boundary.

Missing values are smallest, so that a boundary on a descending key has two parts behind
it: smaller values, and rows without a value. An index serves each part but not both, so
that each is a statement of its own; the second runs only where the first gave too few.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import Any

import sqlalchemy as sa

from crmcore.criteria import BoundSort, Query
from crmcore_sql.compile import Compiler, may_be_missing
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import Expression

__all__ = ["Segment", "boundary_values", "condition", "segments", "shape"]


class Segment(Enum):
    """A part of a list: all of it, behind the boundary, or rows without first key."""

    ALL = "all"
    BEHIND = "behind"
    MISSING = "missing"


def segments(query: Query) -> tuple[Segment, ...]:
    """Return the parts of a list in which rows behind the boundary lie, in order."""
    if query.after is None:
        return (Segment.ALL,)
    first = query.order[0]
    if first.descending and may_be_missing(first.target) and query.after[0] is not None:
        return (Segment.BEHIND, Segment.MISSING)
    return (Segment.BEHIND,)


def shape(query: Query, segment: Segment) -> Hashable:
    """Return what the boundary's condition depends on beside the order."""
    if query.after is None or segment is not Segment.BEHIND:
        return segment
    return (segment, *[value is None for value in query.after])


def boundary_values(query: Query, segment: Segment, dialect: Dialect) -> list[Any]:
    """Return the boundary as the statement takes it."""
    if query.after is None or segment is not Segment.BEHIND:
        return []
    return [
        dialect.to_database(sort.target.column, value)
        for sort, value in zip(query.order, query.after, strict=True)
        if value is not None
    ]


def condition(
    query: Query, segment: Segment, compiler: Compiler, dialect: Dialect
) -> Expression | None:
    """Return the condition of a segment; it takes the slots of the boundary."""
    if segment is Segment.ALL:
        return None
    first = compiler.column(query.order[0].target)
    if segment is Segment.MISSING:
        return first.is_(None)
    assert query.after is not None
    slots = [None if v is None else compiler.slots.take() for v in query.after]
    keys = [compiler.column(sort.target) for sort in query.order]
    if dialect.row_values and _is_row_value(query.order, query.after):
        left, right = sa.tuple_(*keys), sa.tuple_(*[s for s in slots if s is not None])
        descending = query.order[0].descending
        behind: Expression = left < right if descending else left > right
        return behind
    return _expanded(query.order, keys, slots)


def _is_row_value(order: Sequence[BoundSort], after: Sequence[Any]) -> bool:
    """Tell whether comparing rows as a whole gives the same answer."""
    if any(value is None for value in after) or len(order) < 2:
        return False
    descending = order[0].descending
    if any(sort.descending != descending for sort in order):
        return False
    return not descending or not any(may_be_missing(s.target) for s in order[1:])


def _expanded(
    order: Sequence[BoundSort], keys: Sequence[Expression], slots: Sequence[Any]
) -> Expression:
    """Return the boundary as alternatives, bounded by the first key for the index."""
    alternatives = []
    for position, sort in enumerate(order):
        same = [_same(keys[i], slots[i]) for i in range(position)]
        # Rows without the first key are a segment of their own.
        missing = position > 0 and may_be_missing(sort.target)
        behind = _behind(keys[position], slots[position], sort.descending, missing)
        if behind is not None:
            alternatives.append(sa.and_(sa.true(), *same, behind))
    return sa.and_(
        _bound(keys[0], slots[0], order[0].descending),
        sa.or_(sa.false(), *alternatives),
    )


def _same(key: Expression, slot: Any) -> Expression:
    return key.is_(None) if slot is None else key == slot


def _behind(
    key: Expression, slot: Any, descending: bool, missing: bool
) -> Expression | None:
    if descending:
        if slot is None:
            return None
        return sa.or_(key < slot, key.is_(None)) if missing else key < slot
    return key.is_not(None) if slot is None else key > slot


def _bound(key: Expression, slot: Any, descending: bool) -> Expression:
    if slot is None:
        return key.is_(None) if descending else sa.true()
    bounded: Expression = key <= slot if descending else key >= slot
    return bounded
