"""Aggregates across references: a followed record that is invisible counts as missing.

The matching records are divided by whether what they refer to is visible. Each part is
one statement, in which nothing of hidden records is asked for; the groups of the parts
are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import attrs

from crmcore.criteria import (
    AggregateQuery,
    Bound,
    BoundAnd,
    BoundColumn,
    BoundMeasure,
    BoundNot,
)

__all__ = ["aggregate_visible", "columns_in"]

Row = tuple[Any, ...]
Ask = Callable[[AggregateQuery], list[Row]]


def columns_in(query: AggregateQuery) -> Iterator[BoundColumn]:
    """Yield the stored parts that an aggregate groups by and computes with."""
    yield from (group.target for group in query.groups)
    yield from (m.target for m in query.measures if m.target is not None)


def aggregate_visible(
    query: AggregateQuery, visible: Mapping[str, Bound], ask: Ask
) -> list[Row]:
    """Return the rows of an aggregate as an actor may see them.

    ``visible`` says, for each followed reference of which some records are hidden, when
    the record is visible; ``ask`` runs one statement.
    """
    if not visible:
        return ask(query)
    found: dict[Row, list[Any]] = {}
    for choice in product((True, False), repeat=len(visible)):
        seen = dict(zip(visible, choice, strict=True))
        for row in _rows_of_part(query, visible, seen, ask):
            keys, values = row[: len(query.groups)], row[len(query.groups) :]
            present = found.get(keys)
            found[keys] = (
                list(values) if present is None else _added(query, present, values)
            )
    return [(*keys, *values) for keys, values in found.items()]


def _rows_of_part(
    query: AggregateQuery,
    visible: Mapping[str, Bound],
    seen: Mapping[str, bool],
    ask: Ask,
) -> Iterator[Row]:
    """Yield the rows of one part, hidden keys and values filled in as missing."""
    conditions = [c if seen[name] else BoundNot(c) for name, c in visible.items()]
    groups = [g for g in query.groups if _is_seen(g.target, seen)]
    measures = [m for m in query.measures if _is_seen(m.target, seen)]
    part = attrs.evolve(
        query,
        where=BoundAnd((query.where, *conditions)),
        groups=tuple(groups),
        measures=tuple(measures) or (BoundMeasure("count"),),
    )
    for row in ask(part):
        keys = dict(zip(map(id, groups), row, strict=False))
        values = dict(zip(map(id, measures), row[len(groups) :], strict=False))
        yield (
            *(keys.get(id(group)) for group in query.groups),
            *(values.get(id(m), _nothing(m)) for m in query.measures),
        )


def _is_seen(target: BoundColumn | None, seen: Mapping[str, bool]) -> bool:
    return target is None or target.hop is None or seen.get(target.hop.name, True)


def _nothing(measure: BoundMeasure) -> int | None:
    return 0 if measure.function == "count_values" else None


def _added(
    query: AggregateQuery, one: Sequence[Any], other: Sequence[Any]
) -> list[Any]:
    """Return the measures of two parts of one group as those of the whole."""
    return [
        _joined(measure, left, right)
        for measure, left, right in zip(query.measures, one, other, strict=True)
    ]


def _joined(measure: BoundMeasure, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    if measure.function in ("min", "max"):
        return (min if measure.function == "min" else max)(left, right)
    return left + right
