"""The store on MongoDB; obligations stand in ``crmcore.storage.Store``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pymongo import MongoClient
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from crmcore.errors import Conflict, StoreUnavailable
from crmcore.ports import Randomness, default_randomness
from crmcore.records import Schema
from crmcore.storage import Capabilities, HealthReport, MissingIndex
from crmcore_mongo import installation
from crmcore_mongo.errors import translating
from crmcore_mongo.guarantees import (
    Client,
    check_client,
    check_host_session,
    check_server,
    handle,
)
from crmcore_mongo.health import report
from crmcore_mongo.transaction import MongoTransaction
from crmcore_mongo.work import Handles, HostWork, OwnWork

__all__ = ["MongoStore"]

T = TypeVar("T")

#: How often a unit of work is tried.
_TRIES = 16
#: Bounds of the random wait before the second and before the last try, in seconds.
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 1.0


class MongoStore:
    """Keeps records in a MongoDB replica set (5.0 or newer).

    ``uri_or_client`` is a connection string or a ``pymongo.MongoClient``, which stays
    the caller's; ``options`` are further options of a client that is made here.
    ``commit_seconds`` is how long the server may take to commit. ``randomness`` draws
    the waits of a first write that meets another writer.

    Every unit of work writes in a transaction with write concern majority and journal
    and reads a snapshot; before its first write it reads majority-committed data from
    the primary. Raises StoreRefused for a client that is set to less, and at the first
    use for a stand-alone server or one older than 5.0.
    """

    name = "mongodb"
    capabilities = Capabilities(
        savepoints=False,
        reasons={"savepoints": "MongoDB cannot undo a part of a transaction"},
    )

    def __init__(
        self,
        uri_or_client: str | Client,
        database: str = "crm",
        *,
        commit_seconds: float = 15.0,
        randomness: Randomness | None = None,
        **options: Any,
    ) -> None:
        self._owns_client = isinstance(uri_or_client, str)
        with translating():
            if isinstance(uri_or_client, str):
                self._client: Client = MongoClient(uri_or_client, **options)
            else:
                self._client = uri_or_client
            self._check_client()
            self._handles = Handles(handle(self._client, database))
        self._commit_seconds = commit_seconds
        self._randomness = randomness or default_randomness()
        self._server_checked = False
        #: Collections of custom objects that are known to be there.
        self._extended: set[str] = set()

    def _check_client(self) -> None:
        try:
            check_client(self._client)
        except BaseException:
            if self._owns_client:
                self._client.close()
            raise

    def _check_server(self) -> None:
        if not self._server_checked:
            with translating():
                check_server(self._client)
            self._server_checked = True

    def install(self, schema: Schema) -> None:
        self._check_server()
        with translating():
            installation.install(self._handles.database, schema)

    def extend(self, schema: Schema) -> None:
        self._check_server()
        wanted = {
            e.plural for e in schema.entities.values() if e.custom_object
        } - self._extended
        if wanted:
            with translating():
                installation.extend(self._handles.database, schema)
            self._extended |= wanted

    def build_indexes(self, schema: Schema) -> tuple[str, ...]:
        self._check_server()
        with translating():
            return installation.build_indexes(self._handles.database, schema)

    def missing_indexes(self, schema: Schema) -> tuple[MissingIndex, ...]:
        self._check_server()
        with translating():
            return installation.missing_indexes(self._handles.database, schema)

    def verify(self, schema: Schema) -> None:
        self._check_server()
        with translating():
            installation.verify(self._handles.database, schema)

    @contextmanager
    def transaction(
        self,
        tenant: str,
        schema: Schema,
        *,
        within: Any = None,
    ) -> Iterator[MongoTransaction]:
        """Give a unit of work; see :class:`crmcore.storage.Store`.

        ``within`` is a ``ClientSession`` with an open transaction. Its own client is
        used, which must be connected to the same servers.
        """
        self._check_server()
        if within is not None:
            check_host_session(within)
            yield MongoTransaction(self._host_work(tenant, within))
            return
        work = OwnWork(
            tenant=tenant,
            handles=self._handles,
            commit_seconds=self._commit_seconds,
            randomness=self._randomness,
        )
        try:
            yield MongoTransaction(work)
        except BaseException:
            work.roll_back()
            raise
        work.commit()

    def _host_work(self, tenant: str, within: Any) -> HostWork:
        handles = self._handles
        if within.client is not self._client:
            handles = Handles(handle(within.client, handles.database.name))
        return HostWork(tenant=tenant, session=within, handles=handles)

    def retrying(self, work: Callable[[], T], randomness: Randomness) -> T:
        def wait(state: RetryCallState) -> float:
            bound = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**state.attempt_number)
            return randomness.random() * bound

        attempts = Retrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait,
            retry=retry_if_exception(_is_worth_a_retry),
            reraise=True,
        )
        return attempts(work)

    def health(self, schema: Schema) -> HealthReport:
        return report(self._handles.database, schema)

    def close(self) -> None:
        """Close the client where it was made here; a client handed in stays open."""
        if self._owns_client:
            self._client.close()


def _is_worth_a_retry(error: BaseException) -> bool:
    if isinstance(error, StoreUnavailable):
        return not error.outcome_unknown
    return isinstance(error, Conflict) and error.retryable
