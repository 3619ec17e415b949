"""What is to be known of a MongoDB server and of what is installed on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from crmcore.errors import CRMError
from crmcore.records import Schema
from crmcore.storage import HealthReport
from crmcore_mongo.errors import translated
from crmcore_mongo.guarantees import check_server
from crmcore_mongo.installation import state

__all__ = ["report"]

Data = Database[dict[str, Any]]

#: How long the server may take to answer, in seconds.
_PATIENCE = 5.0


def report(database: Data, schema: Schema) -> HealthReport:
    """Return facts and problems; never raises for what it finds."""
    facts = {
        "pymongo": pymongo.version,
        "database": database.name,
        "write concern": "w=majority, j=true",
    }
    problems: list[str] = []
    try:
        with pymongo.timeout(_patience(database)):
            problems += _examine(database, schema, facts)
    except PyMongoError as error:
        problems.append(str(translated(error)))
    except CRMError as error:
        problems.append(str(error))
    return HealthReport(facts, tuple(problems))


def _patience(database: Data) -> float:
    return min(_PATIENCE, database.client.options.server_selection_timeout)


def _examine(database: Data, schema: Schema, facts: dict[str, str]) -> Iterator[str]:
    hello = database.client.admin.command("hello")
    facts["server version"] = str(database.client.server_info()["version"])
    facts["replica set"] = str(hello.get("setName", hello.get("msg", "none")))
    facts["primary"] = str(hello.get("primary", "unknown"))
    check_server(database.client)
    yield from _members(database, facts)
    facts["schema"] = state(database, schema)
    if facts["schema"] != "current":
        yield f"The schema is {facts['schema']}. Run install()."


def _members(database: Data, facts: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with the members, as far as the user may ask."""
    try:
        status = database.client.admin.command("replSetGetStatus")
    except OperationFailure:
        facts["members"] = "unknown: the database user may not ask"
        return
    members = status["members"]
    facts["members"] = str(len(members))
    majority = status.get("writeMajorityCount", 0)
    healthy = sum(1 for member in members if member.get("health") == 1)
    if healthy < majority:
        yield f"Only {healthy} of {len(members)} members are up: writes will wait."
    elif healthy < len(members):
        yield f"{len(members) - healthy} of {len(members)} members are down."
