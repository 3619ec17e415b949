"""The criteria language: a small tree of tests, the same for every use and store.

Two-valued logic: a missing value matches only ``is_null`` and ``!=``; ``~`` is the exact
complement of what it negates.
"""

from __future__ import annotations

from typing import Any, NoReturn

import attrs

__all__ = ["And", "Compare", "Criteria", "Everything", "Not", "Or"]

#: Operators of the public language, as they appear in JSON.
OPERATORS = frozenset(
    {
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "contains",
        "starts_with",
        "is_null",
        "between",
        "any_of",
        "all_of",
        "during",
    }
)


@attrs.frozen
class Criteria:
    """A condition on records; combine with ``&``, ``|`` and ``~``."""

    def __and__(self, other: Criteria) -> Criteria:
        """Return the condition that both hold."""
        if isinstance(other, Everything):
            return self
        return And((*_parts(self, And), *_parts(_checked(other), And)))

    def __or__(self, other: Criteria) -> Criteria:
        """Return the condition that one of the two holds."""
        return Or((*_parts(self, Or), *_parts(_checked(other), Or)))

    def __invert__(self) -> Criteria:
        """Return the condition that this one does not hold."""
        return Not(self)

    def __bool__(self) -> NoReturn:
        msg = "combine criteria with & | ~ and parentheses, not with and, or, not"
        raise TypeError(msg)


@attrs.frozen
class Everything(Criteria):
    """Holds for every record."""

    def __and__(self, other: Criteria) -> Criteria:
        """Return the other condition."""
        return _checked(other)


@attrs.frozen
class Compare(Criteria):
    """One test of one field; ``path`` may follow one reference."""

    path: tuple[str, ...]
    operator: str
    value: Any


@attrs.frozen
class And(Criteria):
    """All parts hold."""

    parts: tuple[Criteria, ...]


@attrs.frozen
class Or(Criteria):
    """At least one part holds."""

    parts: tuple[Criteria, ...]


@attrs.frozen
class Not(Criteria):
    """The part does not hold."""

    part: Criteria


def _checked(value: Any) -> Criteria:
    if not isinstance(value, Criteria):
        msg = f"criteria can only be combined with criteria, not {type(value).__name__}"
        raise TypeError(msg)
    return value


def _parts(criteria: Criteria, kind: type[And | Or]) -> tuple[Criteria, ...]:
    return criteria.parts if isinstance(criteria, kind) else (criteria,)
