"""The one place where errors of drivers become errors of crmcore.

Messages carry the driver's error code, never its text: texts quote stored values.
"""

from __future__ import annotations

from types import TracebackType

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crmcore.errors import CRMError, StorageError, StoreUnavailable
from crmcore_sql.dialects.base import Dialect

__all__ = ["DriverErrors", "translate"]


class DriverErrors:
    """A context that turns driver errors into errors of crmcore; used again and again.

    ``committing`` is true for the context around a commit: a connection that breaks
    there leaves the outcome unknown.
    """

    def __init__(self, dialect: Dialect, *, committing: bool = False) -> None:
        self._dialect = dialect
        self._committing = committing

    def __enter__(self) -> None:
        """Watch the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, CRMError):
            translated = translate(error, self._dialect, committing=self._committing)
            if translated is not None:
                raise translated from None


def translate(
    error: Exception, dialect: Dialect, *, committing: bool = False
) -> CRMError | None:
    """Return the error of crmcore for a driver's error; None for any other error."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(problem="no connection of the pool is free")
    original: BaseException | None = error
    if isinstance(error, DBAPIError):
        original = error.orig
    if not isinstance(original, dialect.driver_error):
        is_sqlalchemy = isinstance(error, SQLAlchemyError)
        return StorageError(problem=type(error).__name__) if is_sqlalchemy else None
    translated = dialect.error(original)
    if committing and isinstance(translated, StoreUnavailable):
        return StoreUnavailable(**translated.details, outcome_unknown=True)
    return translated
