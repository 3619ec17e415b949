"""Compiling aggregates: groups, periods in UTC, and sums that are exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from bson.decimal128 import Decimal128

from crmcore.criteria import AggregateQuery, BoundColumn, BoundGroup, BoundMeasure
from crmcore.records import Storage
from crmcore_mongo.conditions import bound_path, columns_in, conditions, joins
from crmcore_mongo.values import decoder

__all__ = ["pipeline", "rows"]

Stage = dict[str, Any]
Expression = Any


def pipeline(tenant: str, query: AggregateQuery) -> list[Stage]:
    """Return the stages that compute an aggregate."""
    near, far = conditions(tenant, query.where)
    targets = [group.target for group in query.groups]
    targets += [m.target for m in query.measures if m.target is not None]
    stages: list[Stage] = [{"$match": near}]
    stages += joins(tenant, (*columns_in(query.where), *targets))
    if far:
        stages.append({"$match": far})
    stages.append({"$group": _group_stage(query)})
    return stages


def _group_stage(query: AggregateQuery) -> Stage:
    keys = {f"g{n}": _key(group) for n, group in enumerate(query.groups)}
    stage: Stage = {"_id": keys or None}
    for number, measure in enumerate(query.measures):
        stage[f"m{number}"] = _measure(measure)
        # A sum over no value is missing, not nothing: it takes the number of values.
        if measure.function == "sum":
            stage[f"n{number}"] = {"$sum": _filled(measure.target)}
    return stage


def _path(target: BoundColumn | None) -> str:
    return f"${bound_path(cast('BoundColumn', target))}"


def _filled(target: BoundColumn | None) -> Expression:
    # Every value sorts behind null, an absent one before it.
    return {"$cond": [{"$gt": [_path(target), None]}, 1, 0]}


def _measure(measure: BoundMeasure) -> Expression:
    if measure.function == "count":
        return {"$sum": 1}
    if measure.function == "count_values":
        return {"$sum": _filled(measure.target)}
    if measure.function == "sum":
        return {"$sum": {"$toDecimal": _path(measure.target)}}
    return {f"${measure.function}": _path(measure.target)}


# -- periods ---------------------------------------------------------------------------


def _key(group: BoundGroup) -> Expression:
    path = _path(group.target)
    if group.unit is None:
        return {"$ifNull": [path, None]}
    first_day = _UNITS[group.unit](_day(group.target))
    return {"$cond": [{"$gt": [path, None]}, first_day, None]}


def _day(target: BoundColumn) -> Expression:
    """Return the ISO text of the UTC day; custom times are ISO text in UTC already."""
    path = _path(target)
    if target.column.storage is Storage.DATETIME and not target.column.is_custom:
        return {"$dateToString": {"date": path, "format": "%Y-%m-%d"}}
    return {"$substrBytes": [path, 0, 10]}


def _week(day: Expression) -> Expression:
    date = {"$dateFromString": {"dateString": day, "format": "%Y-%m-%d"}}
    monday = {"$dateTrunc": {"date": date, "unit": "week", "startOfWeek": "monday"}}
    return {"$dateToString": {"date": monday, "format": "%Y-%m-%d"}}


def _month(day: Expression) -> Expression:
    return {"$concat": [{"$substrBytes": [day, 0, 7]}, "-01"]}


def _quarter(day: Expression) -> Expression:
    month = {"$substrBytes": [day, 5, 2]}
    cases = (("04", "01"), ("07", "04"), ("10", "07"))
    branches = [
        {"case": {"$lt": [month, following]}, "then": f"-{first}-01"}
        for following, first in cases
    ]
    ending = {"$switch": {"branches": branches, "default": "-10-01"}}
    return {"$concat": [{"$substrBytes": [day, 0, 4]}, ending]}


def _year(day: Expression) -> Expression:
    return {"$concat": [{"$substrBytes": [day, 0, 4]}, "-01-01"]}


_UNITS: dict[str, Callable[[Expression], Expression]] = {
    "day": lambda day: day,
    "week": _week,
    "month": _month,
    "quarter": _quarter,
    "year": _year,
}


# -- answers ---------------------------------------------------------------------------

Read = Callable[[Mapping[str, Any]], Any]


def rows(
    query: AggregateQuery, found: Iterable[Mapping[str, Any]]
) -> list[tuple[Any, ...]]:
    """Return the tuples of the documents that the server answered."""
    readers = [_key_reader(n, group) for n, group in enumerate(query.groups)]
    readers += [_measure_reader(n, m) for n, m in enumerate(query.measures)]
    answered = [tuple(read(document) for read in readers) for document in found]
    if not query.groups and not answered:
        answered.append(tuple(_over_nothing(m) for m in query.measures))
    return answered


def _over_nothing(measure: BoundMeasure) -> int | None:
    return 0 if measure.function in ("count", "count_values") else None


def _key_reader(number: int, group: BoundGroup) -> Read:
    name = f"g{number}"
    decode = decoder(group.target.column) if group.unit is None else str

    def read(document: Mapping[str, Any]) -> Any:
        value = document["_id"].get(name)
        return None if value is None else decode(value)

    return read


def _measure_reader(number: int, measure: BoundMeasure) -> Read:
    name = f"m{number}"
    if measure.function in ("count", "count_values"):
        return lambda document: int(document[name])
    if measure.function == "sum":
        return _sum_reader(number)
    decode = decoder(cast("BoundColumn", measure.target).column)

    def read(document: Mapping[str, Any]) -> Any:
        value = document[name]
        return None if value is None else decode(value)

    return read


def _sum_reader(number: int) -> Read:
    def read(document: Mapping[str, Any]) -> int | None:
        if not document[f"n{number}"]:
            return None
        total: Decimal128 = document[f"m{number}"]
        return int(total.to_decimal())

    return read
