"""Compiling bound criteria, orders and page boundaries to filters and pipelines.

Filters are two-valued by nature here: a comparison matches values of its own type only,
so that a missing value matches none of them, and ``$nor`` is the exact complement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import attrs
from bson.regex import Regex

from crmcore.criteria import (
    Bound,
    BoundAnd,
    BoundColumn,
    BoundConstant,
    BoundNot,
    BoundOr,
    BoundSort,
    Operator,
    Query,
    Test,
)
from crmcore.records import EntityDef, FieldDef
from crmcore_mongo.values import (
    HOPS,
    TENANT,
    column_path,
    encoder,
    folded_path,
    hop_path,
    item_path,
    join_path,
)

__all__ = [
    "Filter",
    "Selection",
    "bound_path",
    "collection_name",
    "conditions",
    "joins",
    "selection",
    "sort_of",
]

Filter = dict[str, Any]
Stage = dict[str, Any]

#: Compiled conditions that need no look at the data.
_ALWAYS: Filter = {}
_NEVER: Filter = {"$nor": [{}]}

_COMPARISONS = {
    Operator.EQUAL: "$eq",
    Operator.LESS: "$lt",
    Operator.LESS_OR_EQUAL: "$lte",
    Operator.GREATER: "$gt",
    Operator.GREATER_OR_EQUAL: "$gte",
}


def collection_name(entity: EntityDef) -> str:
    """Return the name of the collection that keeps an entity's records."""
    return f"crm_{entity.plural}"


def bound_path(target: BoundColumn) -> str:
    """Return the path of a part, seen from the base record after its joins."""
    return hop_path(target) + column_path(target.column)


def compiled(bound: Bound) -> Filter:
    """Return the filter of a condition."""
    if isinstance(bound, BoundConstant):
        return _ALWAYS if bound.value else _NEVER
    if isinstance(bound, BoundNot):
        return _negated(compiled(bound.part))
    if isinstance(bound, BoundAnd):
        return all_of(compiled(part) for part in bound.parts)
    if isinstance(bound, BoundOr):
        return any_of(compiled(part) for part in bound.parts)
    return _test(cast("Test", bound))


def _negated(part: Filter) -> Filter:
    if part == _NEVER:
        return _ALWAYS
    return {"$nor": [part]}


def all_of(parts: Iterable[Filter]) -> Filter:
    """Return the filter that all parts hold."""
    needed = [part for part in parts if part != _ALWAYS]
    if _NEVER in needed:
        return _NEVER
    if len(needed) < 2:
        return needed[0] if needed else _ALWAYS
    return {"$and": needed}


def any_of(parts: Iterable[Filter]) -> Filter:
    """Return the filter that at least one part holds."""
    possible = [part for part in parts if part != _NEVER]
    if _ALWAYS in possible:
        return _ALWAYS
    if len(possible) < 2:
        return possible[0] if possible else _NEVER
    return {"$or": possible}


def _test(test: Test) -> Filter:
    target, operator, value = test.target, test.operator, test.value
    column = target.column
    if operator is Operator.NULL:
        return {bound_path(target): {"$eq": None}}
    if operator is Operator.ANY_OF:
        return {hop_path(target) + item_path(column): {"$in": list(value)}}
    if operator in (Operator.CONTAINS, Operator.PREFIX):
        anchor = "^" if operator is Operator.PREFIX else ""
        pattern = Regex(anchor + re.escape(value))
        return {hop_path(target) + folded_path(column.field): {"$regex": pattern}}
    encode = encoder(column)
    if operator is Operator.IN:
        return {bound_path(target): {"$in": [encode(item) for item in value]}}
    return {bound_path(target): {_COMPARISONS[operator]: encode(value)}}


def columns_in(bound: Bound) -> Iterator[BoundColumn]:
    """Yield every part that a condition tests."""
    if isinstance(bound, Test):
        yield bound.target
    elif isinstance(bound, BoundNot):
        yield from columns_in(bound.part)
    elif isinstance(bound, (BoundAnd, BoundOr)):
        for part in bound.parts:
            yield from columns_in(part)


def _conjuncts(bound: Bound) -> tuple[Bound, ...]:
    if not isinstance(bound, BoundAnd):
        return (bound,)
    return tuple(c for part in bound.parts for c in _conjuncts(part))


def _hops(bound: Bound) -> bool:
    return any(target.hop is not None for target in columns_in(bound))


def conditions(tenant: str, where: Bound) -> tuple[Filter, Filter]:
    """Return the filter that needs no join, with the tenant, and the one that does."""
    parts = _conjuncts(where)
    near = (compiled(part) for part in parts if not _hops(part))
    far = (compiled(part) for part in parts if _hops(part))
    return all_of(({TENANT: tenant}, *near)), all_of(far)


# -- joins ---------------------------------------------------------------------------


def joins(tenant: str, targets: Iterable[BoundColumn]) -> Iterator[Stage]:
    """Yield the stages that fetch what is needed of each referenced record."""
    needed: dict[str, tuple[FieldDef, EntityDef, set[str]]] = {}
    for target in targets:
        if target.hop is not None:
            empty: set[str] = set()
            place = needed.setdefault(
                target.hop.name, (target.hop, target.entity, empty)
            )
            place[2].update(_paths(target))
    for reference, entity, paths in needed.values():
        yield from _join(tenant, reference, entity, paths)


def _paths(target: BoundColumn) -> Iterator[str]:
    yield column_path(target.column)
    if target.column.field.searchable and target.column.field.type.textual:
        yield folded_path(target.column.field)


def _join(
    tenant: str, reference: FieldDef, entity: EntityDef, paths: set[str]
) -> Iterator[Stage]:
    place = f"{HOPS}.{reference.name}"
    yield {
        "$lookup": {
            "from": collection_name(entity),
            "localField": join_path(reference),
            "foreignField": "id",
            "pipeline": [
                {"$match": {TENANT: tenant}},
                {"$project": {"_id": 0, **dict.fromkeys(sorted(paths), 1)}},
            ],
            "as": place,
        }
    }
    yield {"$unwind": {"path": f"${place}", "preserveNullAndEmptyArrays": True}}


# -- order and boundary --------------------------------------------------------------


def sort_of(order: Sequence[BoundSort]) -> dict[str, int]:
    """Return the sort document; null and absent sort first, ties are broken by id."""
    keys: dict[str, int] = {}
    for sort in order:
        keys.setdefault(bound_path(sort.target), -1 if sort.descending else 1)
    return keys


def _behind(path: str, value: Any, *, descending: bool, strictly: bool) -> Filter:
    """Return the filter for values behind ``value``, missing ones smallest.

    Downwards it is written as the complement of what lies before: that includes missing
    values, and still is one interval of an index.
    """
    if descending:
        if value is None:
            return _NEVER if strictly else {path: {"$eq": None}}
        return {path: {"$not": {"$gte" if strictly else "$gt": value}}}
    if value is None:
        return {path: {"$ne": None}} if strictly else _ALWAYS
    return {path: {"$gt" if strictly else "$gte": value}}


def behind(order: Sequence[BoundSort], after: Sequence[Any]) -> Filter:
    """Return the filter for what comes strictly behind the boundary.

    One alternative for each key, and a bound on the first key for the index's sake.
    """
    keys: list[tuple[str, Any, bool]] = []
    for sort, stored in zip(order, after, strict=True):
        value = None if stored is None else encoder(sort.target.column)(stored)
        keys.append((bound_path(sort.target), value, sort.descending))
    alternatives = []
    for position, (path, value, down) in enumerate(keys):
        equal: list[Filter] = [{p: {"$eq": v}} for p, v, _ in keys[:position]]
        beyond = _behind(path, value, descending=down, strictly=True)
        alternatives.append(all_of((*equal, beyond)))
    path, value, down = keys[0]
    leading = _behind(path, value, descending=down, strictly=False)
    return all_of((leading, any_of(alternatives)))


# -- whole queries -------------------------------------------------------------------


@attrs.frozen
class Selection:
    """A compiled list: a plain filter, or a pipeline where it needs joins."""

    filter: Filter
    sort: dict[str, int]
    joins: tuple[Stage, ...]
    joined: Filter

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing can match, so that the server need not be asked."""
        return _NEVER in (self.filter, self.joined)

    def pipeline(self, limit: int | None) -> list[Stage]:
        """Return the stages of a list with joins."""
        stages: list[Stage] = [{"$match": self.filter}, *self.joins]
        if self.joined != _ALWAYS:
            stages.append({"$match": self.joined})
        stages.append({"$sort": self.sort})
        if limit is not None:
            stages.append({"$limit": limit})
        return stages


def selection(tenant: str, query: Query) -> Selection:
    """Return the compiled form of a list."""
    near, far = conditions(tenant, query.where)
    ordered = [sort.target for sort in query.order]
    needed = (*columns_in(query.where), *ordered)
    stages = tuple(joins(tenant, needed))
    if query.after is not None:
        boundary = behind(query.order, query.after)
        if any(target.hop is not None for target in ordered):
            far = all_of((far, boundary))
        else:
            near = all_of((near, boundary))
    return Selection(near, sort_of(query.order), stages, far)
