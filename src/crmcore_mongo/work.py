"""The server's side of a unit of work: when its transaction begins and how it ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from crmcore.errors import Conflict
from crmcore.ports import Randomness
from crmcore_mongo.errors import UNKNOWN_COMMIT, translated
from crmcore_mongo.guarantees import start_transaction

__all__ = ["Handles", "HostWork", "OwnWork", "Work"]

Data = Database[dict[str, Any]]
T = TypeVar("T")

#: How often a commit is sent when its answer is lost.
_COMMITS = 3
#: How often the first write is tried when somebody else writes the same document.
_FIRST_WRITES = 5
#: The longest wait between two tries of the first write, in seconds; it doubles.
_FIRST_WAIT = 0.01


class Handles(dict[str, Collection[dict[str, Any]]]):
    """The collections of a database by name, each handle made once."""

    def __init__(self, database: Data) -> None:
        super().__init__()
        self.database = database

    def __missing__(self, name: str) -> Collection[dict[str, Any]]:
        made = self[name] = self.database[name]
        return made


class Work(Protocol):
    """Where a unit of work sends its statements."""

    tenant: str

    @property
    def session(self) -> ClientSession | None:
        """Return the session of the open transaction, or none before it begins."""
        ...

    def begin(self) -> ClientSession:
        """Return the session of the transaction, which begins where it has not."""
        ...

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        """Return a collection with our guarantees."""
        ...

    def first(self, write: Callable[[], T]) -> T:
        """Run a write; as the first of all it may be run again after a conflict."""
        ...


@attrs.define(kw_only=True, eq=False)
class OwnWork:
    """A unit of work with a transaction of its own, begun by its first write."""

    tenant: str
    _handles: Handles
    _commit_seconds: float
    _randomness: Randomness
    _session: ClientSession | None = None

    @property
    def session(self) -> ClientSession | None:
        return self._session

    def begin(self) -> ClientSession:
        if self._session is None:
            # Our own write is the only cause that we would wait for, and a new
            # transaction sees it anyhow.
            session = self._handles.database.client.start_session(
                causal_consistency=False
            )
            start_transaction(session, self._commit_seconds)
            self._session = session
        return self._session

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        return self._handles[name]

    def first(self, write: Callable[[], T]) -> T:
        if self._session is not None:
            return write()
        for attempt in range(1, _FIRST_WRITES):
            try:
                return write()
            except Conflict:
                self.roll_back()
            time.sleep(self._randomness.random() * _FIRST_WAIT * 2**attempt)
        return write()

    def commit(self) -> None:
        """Commit what was written; asks again where the answer was lost."""
        if self._session is None:
            return
        try:
            self._commit(self._session)
        finally:
            self._end()

    def _commit(self, session: ClientSession) -> None:
        for attempt in range(1, _COMMITS + 1):
            try:
                session.commit_transaction()
            except PyMongoError as error:
                unknown = error.has_error_label(UNKNOWN_COMMIT)
                if not unknown or attempt == _COMMITS:
                    raise translated(error, committing=True) from None
            else:
                return

    def roll_back(self) -> None:
        """Undo everything; the server does so by itself where it is out of reach."""
        if self._session is None:
            return
        with contextlib.suppress(PyMongoError):
            if self._session.in_transaction:
                self._session.abort_transaction()
        self._end()

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(PyMongoError):
                session.end_session()


@attrs.define(kw_only=True, eq=False)
class HostWork:
    """A unit of work inside the host's transaction; the host commits."""

    tenant: str
    session: ClientSession
    _handles: Handles

    def begin(self) -> ClientSession:
        return self.session

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        return self._handles[name]

    def first(self, write: Callable[[], T]) -> T:
        return write()
