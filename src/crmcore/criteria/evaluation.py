"""Evaluating bound criteria on a record in memory: the reference for every compiler."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any
from uuid import UUID

from crmcore.criteria.bound import (
    Bound,
    BoundAnd,
    BoundColumn,
    BoundConstant,
    BoundNot,
    BoundOr,
    BoundSort,
    Operator,
    Test,
)
from crmcore.records import ListOf, Record, fold

__all__ = ["Follow", "predicate", "reader", "sort_key", "values_after"]

#: Returns the record that a reference points to, or none.
Follow = Callable[[str, UUID], Record | None]
Reader = Callable[[Record], Any]


def _no_follow(entity: str, identity: UUID) -> Record | None:
    return None


def reader(target: BoundColumn, follow: Follow = _no_follow) -> Reader:
    """Return a function that reads a stored part of a record."""
    field, position = target.column.field, target.column.position
    name, split, custom = field.name, field.type.split, field.custom

    def read(record: Record) -> Any:
        value = record.custom.get(name) if custom else getattr(record, name)
        return None if value is None else split(value)[position]

    return _hopping(target, read, follow)


def _hopping(target: BoundColumn, read: Reader, follow: Follow) -> Reader:
    hop = target.hop
    if hop is None:
        return read
    entity = target.entity.name

    def read_referenced(record: Record) -> Any:
        reference = record.custom.get(hop.name) if hop.custom else record[hop.name]
        referenced = None if reference is None else follow(entity, reference)
        return None if referenced is None else read(referenced)

    return read_referenced


def _value_reader(target: BoundColumn, follow: Follow) -> Reader:
    """Return a function that reads a whole value, not its stored form."""
    name, custom = target.column.field.name, target.column.field.custom

    def read(record: Record) -> Any:
        return record.custom.get(name) if custom else getattr(record, name)

    return _hopping(target, read, follow)


def predicate(bound: Bound, follow: Follow = _no_follow) -> Callable[[Record], bool]:
    """Return a function that tells whether a record matches."""
    if isinstance(bound, BoundConstant):
        value = bound.value
        return lambda record: value
    if isinstance(bound, BoundNot):
        inner = predicate(bound.part, follow)
        return lambda record: not inner(record)
    if isinstance(bound, BoundAnd):
        parts = [predicate(part, follow) for part in bound.parts]
        return lambda record: all(part(record) for part in parts)
    if isinstance(bound, BoundOr):
        parts = [predicate(part, follow) for part in bound.parts]
        return lambda record: any(part(record) for part in parts)
    assert isinstance(bound, Test)
    return _test(bound, follow)


_COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: lambda stored, value: bool(stored == value),
    Operator.LESS: lambda stored, value: bool(stored < value),
    Operator.LESS_OR_EQUAL: lambda stored, value: bool(stored <= value),
    Operator.GREATER: lambda stored, value: bool(stored > value),
    Operator.GREATER_OR_EQUAL: lambda stored, value: bool(stored >= value),
    Operator.IN: lambda stored, value: stored in value,
    Operator.CONTAINS: lambda stored, value: value in fold(stored),
    Operator.PREFIX: lambda stored, value: fold(stored).startswith(value),
}


def _test(test: Test, follow: Follow) -> Callable[[Record], bool]:
    if test.operator is Operator.ANY_OF:
        return _any_of(test, follow)
    read = reader(test.target, follow)
    if test.operator is Operator.NULL:
        return lambda record: read(record) is None
    compare = _COMPARISONS[test.operator]
    value = frozenset(test.value) if test.operator is Operator.IN else test.value

    def check(record: Record) -> bool:
        stored = read(record)
        return stored is not None and compare(stored, value)

    return check


def _any_of(test: Test, follow: Follow) -> Callable[[Record], bool]:
    kind = test.target.column.field.type
    assert isinstance(kind, ListOf)
    read, wanted, item_key = (
        _value_reader(test.target, follow),
        frozenset(test.value),
        kind.item_key,
    )

    def check(record: Record) -> bool:
        items = read(record)
        return bool(items) and any(item_key(item) in wanted for item in items)

    return check


def _compare(left: Any, right: Any) -> int:
    if left == right:
        return 0
    if left is None:
        return -1
    return 1 if right is None or left > right else -1


def _compare_keys(
    left: tuple[Any, ...], right: tuple[Any, ...], directions: tuple[bool, ...]
) -> int:
    for one, other, descending in zip(left, right, directions, strict=True):
        result = _compare(one, other)
        if result:
            return -result if descending else result
    return 0


def sort_key(
    order: tuple[BoundSort, ...], follow: Follow = _no_follow
) -> Callable[[Record], Any]:
    """Return a key function that sorts records in ``order``, missing values smallest."""
    readers = [reader(sort.target, follow) for sort in order]
    directions = tuple(sort.descending for sort in order)

    def compare(left: tuple[Any, ...], right: tuple[Any, ...]) -> int:
        return _compare_keys(left, right, directions)

    wrap = cmp_to_key(compare)
    return lambda record: wrap(tuple(read(record) for read in readers))


def values_after(
    order: tuple[BoundSort, ...],
    boundary: tuple[Any, ...],
    follow: Follow = _no_follow,
) -> Callable[[Record], bool]:
    """Return a function that tells whether a record comes behind ``boundary``."""
    readers = [reader(sort.target, follow) for sort in order]
    directions = tuple(sort.descending for sort in order)

    def is_behind(record: Record) -> bool:
        values = tuple(read(record) for read in readers)
        return _compare_keys(values, boundary, directions) > 0

    return is_behind
