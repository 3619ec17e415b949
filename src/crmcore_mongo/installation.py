"""Creating and upgrading collections and indexes; what was done stands in a ledger.

Steps are numbered and may run twice: two processes that install at once do the same
things and find them done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from pymongo.database import Database
from pymongo.errors import OperationFailure

from crmcore.errors import SchemaOutdated
from crmcore.records import Schema
from crmcore.storage import MissingIndex
from crmcore_mongo.conditions import collection_name
from crmcore_mongo.errors import NAMESPACE_EXISTS
from crmcore_mongo.indexes import SERVICE, Index, of_schema

__all__ = ["LEDGER", "STEPS", "Step", "install", "state", "verify"]

LEDGER = "crm_schema_steps"
_INDEXES = "indexes"

Data = Database[dict[str, Any]]


@attrs.frozen
class Step:
    """One change of what is stored; it may run again, and beside itself."""

    number: int
    name: str
    run: Callable[[Data], None]


def _create_service_collections(database: Data) -> None:
    _create(database, SERVICE)


#: Everything that has to be done once for a database, in order.
STEPS: tuple[Step, ...] = (
    Step(1, "collections for all entities", _create_service_collections),
)


def install(database: Data, schema: Schema) -> None:
    """Run the steps that are missing, then create what the schema asks for.

    Indexes are only ever added: another tenant's schema may need those that this one
    does not name.
    """
    done = _ledger(database)
    _refuse_newer(done)
    for step in STEPS:
        if step.number not in done:
            step.run(database)
            _note(database, step.number, {"$set": {"name": step.name}})
    _create_missing(database, of_schema(schema))


def extend(database: Data, schema: Schema) -> None:
    """Create the collections of custom objects with their indexes, where missing."""
    objects = {e.name: e for e in schema.entities.values() if e.custom_object}
    if objects:
        wanted = of_schema(attrs.evolve(schema, entities=objects))
        _create_missing(database, wanted)


def build_indexes(database: Data, schema: Schema) -> tuple[str, ...]:
    """Build what the schema's entities lack and return the names of the indexes."""
    lacking = _lacking(database, schema)
    _create(database, lacking)
    names = [n for name, indexes in lacking.items() for n in _names(name, indexes)]
    if names:
        _note(database, _INDEXES, {"$addToSet": {"names": {"$each": names}}})
    return tuple(names)


def missing_indexes(database: Data, schema: Schema) -> tuple[MissingIndex, ...]:
    """Return the indexes that the schema asks for and that are not there."""
    entities = {collection_name(e): e.name for e in schema.entities.values()}
    return tuple(
        MissingIndex(f"{name}:{index.name}", entities[name])
        for name, indexes in _lacking(database, schema).items()
        for index in indexes
    )


def _lacking(database: Data, schema: Schema) -> dict[str, tuple[Index, ...]]:
    """Return what the server itself does not name; another process may have built it."""
    lacking = {}
    for name, indexes in of_schema(schema).items():
        there = {found["name"] for found in database[name].list_indexes()}
        left = tuple(index for index in indexes if index.name not in there)
        if left:
            lacking[name] = left
    return lacking


def _missing(
    done: Mapping[Any, dict[str, Any]], wanted: Mapping[str, tuple[Index, ...]]
) -> dict[str, tuple[Index, ...]]:
    created = set(done.get(_INDEXES, {}).get("names", ()))
    return {
        name: indexes
        for name, indexes in wanted.items()
        if not created.issuperset(_names(name, indexes))
    }


def _create_missing(
    database: Data, wanted: Mapping[str, tuple[Index, ...]]
) -> list[str]:
    done = _ledger(database)
    missing = _missing(done, wanted)
    _create(database, missing)
    names = [n for name, indexes in missing.items() for n in _names(name, indexes)]
    if names:
        _note(database, _INDEXES, {"$addToSet": {"names": {"$each": names}}})
    created = set(done.get(_INDEXES, {}).get("names", ()))
    return [name for name in names if name not in created]


def _create(database: Data, wanted: Mapping[str, Sequence[Index]]) -> None:
    for name, indexes in wanted.items():
        _create_collection(database, name)
        database[name].create_indexes([index.model() for index in indexes])


def _create_collection(database: Data, name: str) -> None:
    try:
        database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise


def _note(database: Data, key: Any, change: dict[str, Any]) -> None:
    database[LEDGER].update_one({"_id": key}, change, upsert=True)


def _ledger(database: Data) -> dict[Any, dict[str, Any]]:
    return {entry["_id"]: entry for entry in database[LEDGER].find({})}


def _names(collection: str, indexes: Sequence[Index]) -> list[str]:
    return [f"{collection}:{index.name}" for index in indexes]


def _refuse_newer(done: Mapping[Any, Any]) -> None:
    known = {step.number for step in STEPS}
    if any(isinstance(key, int) and key not in known for key in done):
        raise SchemaOutdated(state="newer than this library")


def state(database: Data, schema: Schema) -> str:
    """Return "current", or what is wrong with what is installed."""
    done = _ledger(database)
    if not done:
        return "missing"
    try:
        _refuse_newer(done)
    except SchemaOutdated as outdated:
        return str(outdated.details["state"])
    created = set(done.get(_INDEXES, {}).get("names", ()))
    wanted = of_schema(schema).items()
    indexed = all(created.issuperset(_names(*entry)) for entry in wanted)
    stepped = all(step.number in done for step in STEPS)
    return "current" if indexed and stepped else "older than this library"


def verify(database: Data, schema: Schema) -> None:
    """Raise SchemaOutdated unless everything is installed for ``schema``."""
    found = state(database, schema)
    if found != "current":
        raise SchemaOutdated(state=found)
