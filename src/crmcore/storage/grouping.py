"""Aggregates over records in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from crmcore.criteria import AggregateQuery, BoundGroup, BoundMeasure, reader
from crmcore.criteria.evaluation import Follow
from crmcore.criteria.periods import period_start
from crmcore.records import Record

__all__ = ["aggregate"]


def aggregate(
    query: AggregateQuery, records: Iterable[Record], follow: Follow
) -> list[tuple[Any, ...]]:
    """Return one tuple per group: keys, then measures, in stored form."""
    key_readers = [_key_reader(group, follow) for group in query.groups]
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        key = tuple(read(record) for read in key_readers)
        groups.setdefault(key, []).append(record)
    if not query.groups and not groups:
        groups[()] = []
    return [
        (*key, *(_measure(measure, members, follow) for measure in query.measures))
        for key, members in groups.items()
    ]


def _key_reader(group: BoundGroup, follow: Follow) -> Callable[[Record], Any]:
    read, unit = reader(group.target, follow), group.unit
    if unit is None:
        return read

    def read_period(record: Record) -> str | None:
        value: date | None = read(record)
        if value is None:
            return None
        day = value.date() if isinstance(value, datetime) else value
        return period_start(unit, day).isoformat()

    return read_period


_FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "count_values": len,
    "sum": lambda values: sum(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
}


def _measure(measure: BoundMeasure, members: list[Record], follow: Follow) -> Any:
    if measure.target is None:
        return len(members)
    read = reader(measure.target, follow)
    values = [v for v in map(read, members) if v is not None]
    return _FUNCTIONS[measure.function](values)
