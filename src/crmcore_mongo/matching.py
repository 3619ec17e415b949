"""Finding records by match keys: by index only, and bounded for keys that many share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from crmcore.records import EntityDef
from crmcore.storage import MatchHit
from crmcore_mongo.conditions import collection_name
from crmcore_mongo.values import ID, MATCH_KEYS, TENANT
from crmcore_mongo.work import Work

__all__ = ["match"]

Holders = dict[str, list[UUID]]

#: Keys that are looked up by one statement.
_TOGETHER = 1_000
_FIELDS = {"_id": 0, ID: 1, MATCH_KEYS: 1}


def match(
    work: Work, entity: EntityDef, keys: Collection[str], limit: int
) -> list[MatchHit]:
    """Return at most ``limit`` records for each key, in the order of keys and ids."""
    wanted = list(dict.fromkeys(keys))
    if limit < 1:
        return []
    holders: Holders = {}
    for some in _portions(wanted, _TOGETHER):
        holders.update(_holders(work, entity, some, limit))
    return [
        MatchHit(key, identity)
        for key in wanted
        for identity in sorted(holders.get(key, ()))[:limit]
    ]


def _portions(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _holders(work: Work, entity: EntityDef, keys: Sequence[str], limit: int) -> Holders:
    """Return all holders; where that would be too many, the first of each key."""
    bound = len(keys) * limit
    found = list(
        work.collection(collection_name(entity)).find(
            {TENANT: work.tenant, MATCH_KEYS: {"$in": list(keys)}},
            _FIELDS,
            limit=bound + 1,
            batch_size=bound + 2,
            session=work.session,
        )
    )
    if len(found) <= bound:
        return _by_key(found, frozenset(keys))
    return _first_holders(work, entity, keys, limit)


def _by_key(found: list[dict[str, Any]], keys: frozenset[str]) -> Holders:
    holders: Holders = defaultdict(list)
    for document in found:
        for key in keys.intersection(document[MATCH_KEYS]):
            holders[key].append(document[ID])
    return holders


def _first_holders(
    work: Work, entity: EntityDef, keys: Sequence[str], limit: int
) -> Holders:
    """Return the first holders of each key, in one statement.

    Keys are joined with their records: unions are not allowed in transactions.
    """
    name = collection_name(entity)
    first = [
        {"$match": {TENANT: work.tenant}},
        {"$sort": {ID: 1}},
        {"$limit": limit},
        {"$project": {"_id": 0, ID: 1}},
    ]
    stages: list[dict[str, Any]] = [
        {"$match": {TENANT: work.tenant}},
        {"$limit": 1},
        {"$project": {"_id": 0, "key": {"$literal": list(keys)}}},
        {"$unwind": "$key"},
        {
            "$lookup": {
                "from": name,
                "localField": "key",
                "foreignField": MATCH_KEYS,
                "pipeline": first,
                "as": "holders",
            }
        },
    ]
    found = work.collection(name).aggregate(stages, session=work.session)
    return {
        document["key"]: [holder[ID] for holder in document["holders"]]
        for document in found
    }
