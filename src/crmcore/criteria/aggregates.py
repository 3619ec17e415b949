"""What can be computed over groups of records, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["UNITS", "Bucket", "Group", "Measure", "count"]

#: Units by which dates and times are grouped.
UNITS = ("day", "week", "month", "quarter", "year")

#: Functions over the values of a group.
FUNCTIONS = ("count", "sum", "min", "max", "average")


@attrs.frozen
class Measure:
    """A number to compute for each group."""

    function: str
    path: tuple[str, ...] = ()


@attrs.frozen
class Bucket:
    """A group key made of the period that a date or time falls into."""

    path: tuple[str, ...]
    unit: str


@attrs.frozen
class Group:
    """One group: its keys and its measures, both by name.

    A period's key is the date of its first day.
    """

    keys: Mapping[str, Any]
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return a key or a measure by its name."""
        return self.keys[name] if name in self.keys else self.values[name]


def count() -> Measure:
    """Count the records of a group."""
    return Measure("count")
