"""Operation keys and gapless numbers: one document each, which writers contend for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument

from crmcore.storage import Operation
from crmcore_mongo.indexes import OPERATIONS, SEQUENCES
from crmcore_mongo.values import TENANT, plain
from crmcore_mongo.work import Work

__all__ = ["begin_operation", "current_numbers", "finish_operation", "next_numbers"]


def begin_operation(work: Work, operation: Operation) -> Operation | None:
    """Take an operation key, or return what was done under it; in one statement."""
    present = work.collection(OPERATIONS).find_one_and_update(
        _place(work, operation),
        {"$setOnInsert": _content(operation)},
        upsert=True,
        return_document=ReturnDocument.BEFORE,
        session=work.begin(),
    )
    return None if present is None else _operation(present)


def finish_operation(work: Work, operation: Operation) -> None:
    """Store the journal of an operation."""
    work.collection(OPERATIONS).update_one(
        _place(work, operation),
        {"$set": _content(operation)},
        upsert=True,
        session=work.begin(),
    )


def _place(work: Work, operation: Operation) -> dict[str, Any]:
    return {TENANT: work.tenant, "key": operation.key}


def _content(operation: Operation) -> dict[str, Any]:
    return {
        "at": operation.at,
        "by": operation.by,
        "journal": [dict(verb) for verb in operation.journal],
    }


def _operation(document: Mapping[str, Any]) -> Operation:
    return Operation(
        key=document["key"],
        at=document["at"],
        by=document["by"],
        journal=tuple(plain(verb) for verb in document["journal"]),
    )


def next_numbers(work: Work, sequence: str, count: int) -> int:
    """Take numbers of a sequence and return the first."""
    document: Any = work.collection(SEQUENCES).find_one_and_update(
        {TENANT: work.tenant, "sequence": sequence},
        {"$inc": {"last": count}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=work.begin(),
    )
    return int(document["last"]) - count + 1


def current_numbers(work: Work, sequences: Sequence[str]) -> dict[str, int]:
    """Return the last number of each sequence that was given, or 0."""
    place = {TENANT: work.tenant, "sequence": {"$in": list(sequences)}}
    documents = work.collection(SEQUENCES).find(place, session=work.session)
    found = {document["sequence"]: int(document["last"]) for document in documents}
    return {sequence: found.get(sequence, 0) for sequence in sequences}
