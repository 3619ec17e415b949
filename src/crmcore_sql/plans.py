"""Reading what servers say of their plans: which indexes, and what is read in vain.

The tenant leads every index: one that is entered by the tenant alone reads all records
of the tenant, which is a scan unless the list wants them in just this order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from crmcore.criteria import Query
from crmcore.storage import QueryPlan

__all__ = ["EXPLAIN", "read_plan"]

#: What is put before a statement, by kind of server.
EXPLAIN = {
    "sqlite": "EXPLAIN QUERY PLAN ",
    "postgresql": "EXPLAIN (FORMAT JSON) ",
    "mariadb": "EXPLAIN ",
    "mysql": "EXPLAIN ",
}

_SEARCH = re.compile(r"USING (?:COVERING )?INDEX (\S+)(?: \((.*)\))?")


def read_plan(server: str, query: Query, rows: Sequence[Any]) -> QueryPlan:
    """Return what the rows of an explained list say."""
    read = {"sqlite": _sqlite, "postgresql": _postgresql}.get(server, _mysql)
    steps, sorts, text = read(rows)
    scans = any(not bounded and (query.filters or sorts) for _, bounded in steps)
    return QueryPlan(tuple(name for name, _ in steps if name), scans, text)


#: Index, or nothing, and whether more than the tenant leads into it.
Steps = list[tuple[str, bool]]


def _sqlite(rows: Sequence[Any]) -> tuple[Steps, bool, str]:
    lines = [str(row[3]) for row in rows]
    steps: Steps = []
    for line in lines:
        found = _SEARCH.search(line)
        if found is not None:
            steps.append((found[1], " AND " in (found[2] or "")))
        elif line.startswith("SCAN"):
            steps.append(("", False))
    sorts = any("TEMP B-TREE FOR ORDER BY" in line for line in lines)
    return steps, sorts, "\n".join(lines)


def _postgresql(rows: Sequence[Any]) -> tuple[Steps, bool, str]:
    told = rows[0][0]
    (plan,) = json.loads(told) if isinstance(told, str) else told
    nodes = list(_nodes(plan["Plan"]))
    steps: Steps = []
    for node in nodes:
        if "Index Name" in node:
            entered = node.get("Index Cond", "")
            # An index of the items of lists has no tenant.
            bounded = " AND " in entered or "@>" in entered
            steps.append((node["Index Name"], bounded))
        elif node["Node Type"] == "Seq Scan":
            steps.append(("", False))
    sorts = any("Sort" in node["Node Type"] for node in nodes)
    return steps, sorts, json.dumps(plan, indent=1)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _mysql(rows: Sequence[Any]) -> tuple[Steps, bool, str]:
    steps: Steps = []
    sorts = False
    for row in rows:
        # The last ones are always: type, possible keys, key, length, ref, rows, extra.
        values = [str(value or "") for value in row]
        kind, name, entered = values[3], values[5], values[7]
        bounded = kind == "range" or "," in entered or kind in {"const", "eq_ref"}
        steps.append((name, bounded))
        sorts = sorts or "filesort" in values[-1]
    return steps, sorts, "\n".join(" | ".join(map(str, row)) for row in rows)
