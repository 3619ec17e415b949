"""The one place where errors of the driver become errors of crmcore.

Messages name the kind of failure only: those of the server quote stored values, which
may be personal data. For the same reason the driver's error is not chained.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
)

from crmcore.errors import (
    Conflict,
    CRMError,
    StorageError,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
)

__all__ = [
    "NAMESPACE_EXISTS",
    "NEEDS_REPLICA_SET",
    "TRANSIENT",
    "UNKNOWN_COMMIT",
    "translated",
    "translating",
]

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"

NAMESPACE_EXISTS = 48
_DUPLICATE_KEY = 11000
_OUT_OF_DISK_SPACE = 14031
#: LockTimeout, WriteConflict, ConflictingOperationInProgress, TransactionTooOld,
#: SnapshotTooOld, SnapshotUnavailable, NoSuchTransaction, PreparedTransactionInProgress,
#: TransactionExceededLifetimeLimitSeconds.
_CONFLICTS = frozenset({24, 112, 117, 225, 239, 246, 251, 267, 290, _DUPLICATE_KEY})
#: Unauthorized, AuthenticationFailed.
_FORBIDDEN = frozenset({13, 18})
_ILLEGAL_OPERATION = 20
#: What encoding raises for a value that BSON has no form for.
_UNSTORABLE = (BSONError, OverflowError, UnicodeEncodeError)

NEEDS_REPLICA_SET = (
    "the server is a stand-alone MongoDB, which has no transactions; "
    "start it with --replSet and run rs.initiate(), one node is enough"
)


class _Translation:
    """Context in which errors of the driver come out as errors of crmcore."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, (PyMongoError, *_UNSTORABLE)):
            raise translated(error) from None


_TRANSLATION = _Translation()


def translating() -> _Translation:
    """Return the context that translates errors of the driver; it has no state."""
    return _TRANSLATION


def translated(error: Exception, *, committing: bool = False) -> CRMError:
    """Return the error of crmcore for one of the driver.

    ``committing`` tells that it came from a commit, so that its outcome may be unknown.
    """
    if not isinstance(error, PyMongoError):
        return StorageError(problem="a value has no form that MongoDB can store")
    if committing and error.has_error_label(UNKNOWN_COMMIT):
        problem = "the connection broke while committing"
        return StoreUnavailable(problem=problem, outcome_unknown=True)
    if isinstance(error, OperationFailure):
        return _of_server(error)
    if isinstance(error, ConfigurationError):
        return StoreRefused(problem=_kind(error))
    if isinstance(error, ConnectionFailure) or error.timeout:
        return StoreUnavailable(problem=_kind(error))
    return StorageError(problem=_kind(error))


def _of_server(error: OperationFailure) -> CRMError:
    codes = _codes(error)
    if _OUT_OF_DISK_SPACE in codes:
        return StorageFull()
    if codes & _CONFLICTS or error.has_error_label(TRANSIENT):
        return Conflict()
    if codes & _FORBIDDEN:
        return StoreRefused(problem="the database user lacks the rights")
    if _ILLEGAL_OPERATION in codes and "Transaction numbers" in str(error):
        return StoreRefused(problem=NEEDS_REPLICA_SET)
    if isinstance(error, ExecutionTimeout) or error.timeout:
        return StoreUnavailable(problem=_kind(error))
    return StorageError(problem=_kind(error))


def _codes(error: OperationFailure) -> set[int]:
    details: Any = error.details or {}
    failures = list(details.get("writeErrors", ()))
    failures += details.get("writeConcernErrors", ())
    return {failure["code"] for failure in failures} | {error.code or 0}


def _kind(error: PyMongoError) -> str:
    details: Any = getattr(error, "details", None)
    name = details.get("codeName") if isinstance(details, dict) else None
    return f"{type(error).__name__} {name}" if name else type(error).__name__
