"""Criteria after checking: what stores compile and what the evaluator runs.

Binding turns the public language into few primitive tests on stored parts, with values
already in stored form. An adapter needs to compile exactly these. Every test is true or
false, never unknown: on a missing value only ``NULL`` is true.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs

from crmcore.records import Column, EntityDef, FieldDef

__all__ = [
    "AggregateQuery",
    "Bound",
    "BoundAnd",
    "BoundColumn",
    "BoundConstant",
    "BoundGroup",
    "BoundMeasure",
    "BoundNot",
    "BoundOr",
    "BoundSort",
    "Operator",
    "Query",
    "Test",
]


class Operator(StrEnum):
    """The primitive tests of a stored part."""

    EQUAL = "eq"
    LESS = "lt"
    LESS_OR_EQUAL = "le"
    GREATER = "gt"
    GREATER_OR_EQUAL = "ge"
    #: The value is a tuple in stored form, without None, never empty.
    IN = "in"
    NULL = "null"
    #: On the folded text of the field; the value is folded and never empty.
    CONTAINS = "contains"
    PREFIX = "prefix"
    #: On a JSON list; the value is a tuple of item keys, never empty.
    ANY_OF = "any_of"


@attrs.frozen(eq=False)
class BoundColumn:
    """A stored part of the record, or of the record that ``hop`` refers to."""

    column: Column
    entity: EntityDef
    hop: FieldDef | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies the column within a query."""
        return (self.hop.name if self.hop else "", self.column.name)


@attrs.frozen(eq=False)
class Bound:
    """A checked condition."""


@attrs.frozen(eq=False)
class BoundConstant(Bound):
    """Always or never."""

    value: bool


@attrs.frozen(eq=False)
class Test(Bound):
    """One primitive test."""

    __test__ = False  # not a test case for pytest

    target: BoundColumn
    operator: Operator
    value: Any = None


@attrs.frozen(eq=False)
class BoundAnd(Bound):
    """All parts hold."""

    parts: tuple[Bound, ...]


@attrs.frozen(eq=False)
class BoundOr(Bound):
    """At least one part holds."""

    parts: tuple[Bound, ...]


@attrs.frozen(eq=False)
class BoundNot(Bound):
    """The exact complement of the part."""

    part: Bound


@attrs.frozen(eq=False)
class BoundSort:
    """One sort key on a stored part."""

    target: BoundColumn
    descending: bool


@attrs.frozen(kw_only=True, eq=False)
class Query:
    """One list: filter, order, boundary and limit.

    ``order`` always ends with the id, so that it is total. ``after`` holds the stored
    values of the order's keys of the last record seen; only records behind it are
    wanted. ``lock`` asks for the rows to be locked until the transaction ends.
    """

    entity: EntityDef
    where: Bound
    order: tuple[BoundSort, ...]
    limit: int | None = None
    after: tuple[Any, ...] | None = None
    lock: bool = False

    @property
    def filters(self) -> bool:
        """Tell whether the list leaves any record out."""
        return not _is_always(self.where)


@attrs.frozen(eq=False)
class BoundGroup:
    """A group key: a stored part, or the period it falls into."""

    name: str
    target: BoundColumn
    unit: str | None = None


@attrs.frozen(eq=False)
class BoundMeasure:
    """A number per group; ``target`` is none for ``count``.

    Functions here are ``count`` (records), ``count_values``, ``sum``, ``min``, ``max``.
    """

    function: str
    target: BoundColumn | None = None


@attrs.frozen(kw_only=True, eq=False)
class AggregateQuery:
    """Numbers over groups of the records that match.

    A store answers one tuple per group: the keys in stored form (a period as the ISO
    text of its first day), then the measures in stored form, sums exact.
    """

    entity: EntityDef
    where: Bound
    groups: tuple[BoundGroup, ...]
    measures: tuple[BoundMeasure, ...]


def _is_always(where: Bound) -> bool:
    if isinstance(where, BoundAnd):
        return all(_is_always(part) for part in where.parts)
    return isinstance(where, BoundConstant) and where.value
