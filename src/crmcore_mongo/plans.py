"""Reading what MongoDB says of its plans: which indexes, and what is read in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bson import json_util

from crmcore.criteria import Query
from crmcore.storage import QueryPlan
from crmcore_mongo.conditions import collection_name, selection
from crmcore_mongo.values import TENANT
from crmcore_mongo.work import Work

__all__ = ["explained"]

_ALL = ["[MinKey, MaxKey]"]
_ALL_DOWN = ["[MaxKey, MinKey]"]


def explained(work: Work, query: Query) -> QueryPlan:
    """Ask the server for the plan of a list and read it."""
    chosen = selection(work.tenant, query)
    name = collection_name(query.entity)
    if chosen.joins:
        asked: dict[str, Any] = {
            "aggregate": name,
            "pipeline": chosen.pipeline(query.limit),
            "cursor": {},
        }
    else:
        asked = {"find": name, "filter": chosen.filter, "sort": chosen.sort}
        if query.limit:
            asked["limit"] = query.limit
    database = work.collection(name).database
    told = database.command("explain", asked, verbosity="queryPlanner")
    return _read(query, told)


def _read(query: Query, told: dict[str, Any]) -> QueryPlan:
    stages = list(_stages(told))
    steps = [(s["indexName"], _is_bounded(s)) for s in stages if "indexName" in s]
    sorts = any(s["stage"] == "SORT" for s in stages)
    scans = any(s["stage"] == "COLLSCAN" for s in stages) or any(
        not bounded and (query.filters or sorts) for _, bounded in steps
    )
    text = json_util.dumps(stages[:1], indent=1)
    return QueryPlan(tuple(name for name, _ in steps), scans, text)


def _stages(part: Any) -> Iterator[dict[str, Any]]:
    """Yield the stages of the plan that won, from the outside in."""
    if isinstance(part, list):
        for item in part:
            yield from _stages(item)
    elif isinstance(part, dict):
        if "stage" in part:
            yield part
        for key, value in part.items():
            if key not in {"rejectedPlans", "slotBasedPlan", "command"}:
                yield from _stages(value)


def _is_bounded(stage: dict[str, Any]) -> bool:
    """Tell whether more than the tenant leads into the index."""
    bounds = stage.get("indexBounds", {})
    return any(
        bound not in (_ALL, _ALL_DOWN) for key, bound in bounds.items() if key != TENANT
    )
