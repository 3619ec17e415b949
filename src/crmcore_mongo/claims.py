"""Unique values: one document for each value that a record holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import attrs
from pymongo import DeleteOne

from crmcore.storage import Claim
from crmcore_mongo.indexes import CLAIMS
from crmcore_mongo.values import TENANT
from crmcore_mongo.work import Work

__all__ = ["claim", "holders", "purge_claims", "release"]

Place = tuple[str, str]


def claim(work: Work, claims: Sequence[Claim]) -> list[Claim]:
    """Take values; return those that others hold.

    Reading first keeps a taken value from aborting the transaction, as a duplicate key
    would. Two that take one value at once collide in the unique index: a Conflict.
    """
    if not claims:
        return []
    work.begin()
    held = _holders(work, [(c.scope, c.key) for c in claims])
    taken: list[Claim] = []
    new: list[Claim] = []
    for wanted in claims:
        place = (wanted.scope, wanted.key)
        if place not in held:
            held[place] = wanted.record_id
            new.append(wanted)
        elif held[place] != wanted.record_id:
            taken.append(attrs.evolve(wanted, record_id=held[place]))
    _store(work, new)
    return taken


def holders(work: Work, wanted: Sequence[Place]) -> list[Claim]:
    """Return who holds values, in the order they are asked for."""
    if not wanted:
        return []
    held = _holders(work, wanted)
    return [Claim(*place, held[place]) for place in wanted if place in held]


def _holders(work: Work, places: Sequence[Place]) -> dict[Place, UUID]:
    keys: dict[str, list[str]] = defaultdict(list)
    for scope, key in places:
        keys[scope].append(key)
    scopes = [{"scope": s, "key": {"$in": found}} for s, found in keys.items()]
    condition = {TENANT: work.tenant, "$or": scopes}
    found = work.collection(CLAIMS).find(
        condition, session=work.session, batch_size=len(places) + 1
    )
    return {(held["scope"], held["key"]): held["record_id"] for held in found}


def _store(work: Work, claims: Collection[Claim]) -> None:
    documents: list[dict[str, Any]] = [
        {TENANT: work.tenant, "scope": c.scope, "key": c.key, "record_id": c.record_id}
        for c in claims
    ]
    if documents:
        work.collection(CLAIMS).insert_many(documents, session=work.begin())


def release(work: Work, claims: Sequence[Claim]) -> None:
    """Give values back that the records hold."""
    if not claims:
        return
    deletions = [
        DeleteOne(
            {
                TENANT: work.tenant,
                "scope": c.scope,
                "key": c.key,
                "record_id": c.record_id,
            }
        )
        for c in claims
    ]
    work.collection(CLAIMS).bulk_write(deletions, session=work.begin())


def purge_claims(work: Work, ids: Collection[UUID]) -> None:
    """Give back everything that records hold."""
    condition = {TENANT: work.tenant, "record_id": {"$in": list(ids)}}
    work.collection(CLAIMS).delete_many(condition, session=work.begin())
