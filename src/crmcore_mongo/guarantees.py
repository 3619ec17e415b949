"""What the store asks of a client and a server before it trusts them with data."""

from __future__ import annotations

from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from crmcore.errors import StoreRefused
from crmcore_mongo.errors import NEEDS_REPLICA_SET

__all__ = [
    "WRITE_CONCERN",
    "check_client",
    "check_host_session",
    "check_server",
    "handle",
    "start_transaction",
]

Client = MongoClient[dict[str, Any]]
Data = Database[dict[str, Any]]

WRITE_CONCERN = WriteConcern(w="majority", j=True)
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, tz_aware=True
)
#: The wire version of MongoDB 5.0, the first with joins that filter and ``$dateTrunc``.
_OLDEST_WIRE_VERSION = 13


def handle(client: Client, name: str) -> Data:
    """Return the database with our guarantees, whatever the client's defaults are."""
    return client.get_database(
        name,
        codec_options=_CODEC,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WRITE_CONCERN,
        read_concern=ReadConcern("majority"),
    )


def start_transaction(session: ClientSession, commit_seconds: float) -> None:
    """Start a transaction with our guarantees; its commit may take so many seconds."""
    session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=WRITE_CONCERN,
        read_preference=ReadPreference.PRIMARY,
        max_commit_time_ms=int(commit_seconds * 1000),
    )


def check_client(client: Client) -> None:
    """Refuse a client that is set to weaker guarantees than ours.

    We could override them, but the host application's own writes in the same
    transactions and databases could not be relied on.
    """
    if not isinstance(client, MongoClient):
        raise StoreRefused(problem="MongoStore takes a URI or a pymongo.MongoClient")
    concern = client.write_concern.document
    if concern.get("w", "majority") != "majority":
        raise StoreRefused(
            problem="the client's write concern is weaker than w=majority"
        )
    if concern.get("j", True) is not True:
        raise StoreRefused(problem="the client's write concern has no journal (j)")
    if client.read_concern.level in ("local", "available"):
        raise StoreRefused(problem="the client's read concern is weaker than majority")
    if not client.options.retry_writes:
        raise StoreRefused(problem="the client is set to retryWrites=false")


def check_host_session(session: Any) -> None:
    """Refuse what is no open transaction of a client with our guarantees."""
    if not isinstance(session, ClientSession):
        raise StoreRefused(problem="within= takes a pymongo ClientSession")
    if not session.in_transaction:
        raise StoreRefused(
            problem="the session handed in has no open transaction; "
            "call start_transaction() on it first"
        )
    check_client(session.client)
    concern = session.options.default_transaction_options
    if concern is not None and concern.write_concern is not None:
        given = concern.write_concern.document
        if given.get("w", "majority") != "majority" or not given.get("j", True):
            raise StoreRefused(
                problem="the session's write concern is weaker than w=majority"
            )


def check_server(client: Client) -> None:
    """Refuse a stand-alone server and one older than MongoDB 5.0."""
    hello = client.admin.command("hello")
    is_router = hello.get("msg") == "isdbgrid"
    if not is_router and "setName" not in hello:
        raise StoreRefused(problem=NEEDS_REPLICA_SET)
    if hello["maxWireVersion"] < _OLDEST_WIRE_VERSION:
        raise StoreRefused(problem="MongoDB 5.0 or newer is needed")
