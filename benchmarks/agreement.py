"""Proof that both ways write the same rows: ids, times and tenants apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from benchmarks.by_library import ByLibrary, convertible_leads
from benchmarks.inputs import lead_values
from crmcore import CRM, SYSTEM, User

__all__ = ["check_agreement", "masked"]

#: All rows of a tenant, by table or collection.
Rows = Callable[[str], dict[str, list[Any]]]
ByHand = Callable[[str, UUID, Iterable[UUID]], Any]

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:\d{3})?(?:\+00:00|Z)?")


def check_agreement(crm: CRM, by_hand: ByHand, rows: Rows) -> None:
    """Do everything once in either way, in two tenants, and compare all rows.

    Raises AssertionError naming the table that differs.
    """
    written = {}
    for tenant in ("agreement-ours", "agreement-hand"):
        mine = crm.tenant(tenant)
        with mine.session(SYSTEM) as session:
            user = session.create(User(username="anna", name="Anna", profile="manager"))
        ours = ByLibrary(mine, user)
        found = convertible_leads(ours, [lead_values(n) for n in range(5)])
        way = ours if tenant.endswith("ours") else by_hand(tenant, user.id, [user.id])
        way.create([lead_values(n) for n in range(5, 65)])
        way.work(found[:3], lead_values(99))
        way.convert(found[4])
        written[tenant] = rows(tenant)
    first, second = written.values()
    for table in first.keys() | second.keys():
        mine, theirs = (
            sorted(map(repr, map(masked, r.get(table, ())))) for r in (first, second)
        )
        for one, other in zip(mine, theirs, strict=False):
            assert one == other, f"{table}:\n{one}\n{other}"
        assert len(mine) == len(theirs), (table, len(mine), len(theirs))


def masked(value: Any) -> Any:
    """Return a value of a row with ids, times and the tenant made alike."""
    if isinstance(value, dict):
        # Match keys are a set, whatever the order in which they are listed.
        kept = {k: sorted(v) if k == "match_keys" else v for k, v in value.items()}
        return {k: masked(v) for k, v in sorted(kept.items()) if k != "_id"}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if isinstance(value, (UUID, datetime)):
        return type(value).__name__
    if isinstance(value, bytes) and len(value) == 16:
        return "UUID"
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return masked(json.loads(value))
    if isinstance(value, str):
        text = _TIME.sub("time", _UUID.sub("UUID", value))
        return text.replace("agreement-ours", "").replace("agreement-hand", "")
    return value
