"""Exit codes: what a script learns from a command without reading its words."""

from __future__ import annotations

from enum import IntEnum

from crmcore.errors import (
    Conflict,
    CRMError,
    MissingExtra,
    SchemaOutdated,
    StorageError,
)

__all__ = ["ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    #: A problem was found, or the input was refused in part or as a whole.
    PROBLEM = 1
    USAGE = 2
    #: The store cannot be reached, is full, or cannot be used as it is set up.
    STORE = 3
    #: The schema is missing, older or newer: ``crmcore schema upgrade``.
    SCHEMA = 4
    #: An optional dependency is not installed.
    EXTRA = 5


def exit_code(error: CRMError) -> ExitCode:
    """Return the exit code that stands for an error."""
    if isinstance(error, MissingExtra):
        return ExitCode.EXTRA
    if isinstance(error, SchemaOutdated):
        return ExitCode.SCHEMA
    if isinstance(error, (StorageError, Conflict)):
        return ExitCode.STORE
    return ExitCode.PROBLEM
