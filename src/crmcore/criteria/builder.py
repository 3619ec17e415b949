"""``F``: writing criteria as Python expressions.

::

    (F.status == "in_process") & F.company_name.contains("深圳")
    F.account.industry == "finance"
    F.created_at.during("this_month")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmcore.criteria.aggregates import Bucket, Measure
from crmcore.criteria.expressions import Compare, Criteria
from crmcore.criteria.ordering import Sort
from crmcore.criteria.periods import Period

__all__ = ["F", "FieldExpression"]


class FieldExpression:
    """A field, or a field of a referenced record, about to be tested.

    A field whose name is also a method here is written ``F["contains"]``.
    """

    __slots__ = ("_path",)

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path

    def __getattr__(self, name: str) -> FieldExpression:
        if name.startswith("__"):
            raise AttributeError(name)
        return FieldExpression((*self._path, name))

    def __getitem__(self, name: str) -> FieldExpression:
        return FieldExpression((*self._path, name))

    def __repr__(self) -> str:
        return "F." + ".".join(self._path)

    __hash__ = None  # type: ignore[assignment]

    def _compare(self, operator: str, value: Any) -> Criteria:
        return Compare(self._path, operator, value)

    def __eq__(self, value: object) -> Criteria:  # type: ignore[override]
        return self._compare("==", value)

    def __ne__(self, value: object) -> Criteria:  # type: ignore[override]
        return self._compare("!=", value)

    def __lt__(self, value: Any) -> Criteria:
        return self._compare("<", value)

    def __le__(self, value: Any) -> Criteria:
        return self._compare("<=", value)

    def __gt__(self, value: Any) -> Criteria:
        return self._compare(">", value)

    def __ge__(self, value: Any) -> Criteria:
        return self._compare(">=", value)

    def in_(self, values: Iterable[Any]) -> Criteria:
        """Match one of ``values``."""
        return self._compare("in", tuple(values))

    def contains(self, part: str) -> Criteria:
        """Match text that holds ``part``, whatever its case and width."""
        return self._compare("contains", part)

    def starts_with(self, prefix: str) -> Criteria:
        """Match text that begins with ``prefix``, whatever its case and width."""
        return self._compare("starts_with", prefix)

    def is_null(self, missing: bool = True) -> Criteria:
        """Match records without a value, or with one where ``missing`` is false."""
        return self._compare("is_null", missing)

    def between(self, low: Any, high: Any) -> Criteria:
        """Match values from ``low`` to ``high``, both included."""
        return self._compare("between", (low, high))

    def any_of(self, values: Iterable[Any]) -> Criteria:
        """Match lists that hold at least one of ``values``."""
        return self._compare("any_of", tuple(values))

    def all_of(self, values: Iterable[Any]) -> Criteria:
        """Match lists that hold all of ``values``."""
        return self._compare("all_of", tuple(values))

    def during(self, period: Period | str) -> Criteria:
        """Match dates in a period relative to today, such as ``"this_month"``."""
        chosen = Period(period) if isinstance(period, str) else period
        return self._compare("during", chosen)

    def asc(self) -> Sort:
        """Sort upwards; missing values come first."""
        return Sort(self._path, descending=False)

    def desc(self) -> Sort:
        """Sort downwards; missing values come last."""
        return Sort(self._path, descending=True)

    def by(self, unit: str) -> Bucket:
        """Group by day, week (from Monday), month, quarter or year, in UTC."""
        return Bucket(self._path, unit)

    def sum(self) -> Measure:
        """Add the values of a group up."""
        return Measure("sum", self._path)

    def min(self) -> Measure:
        """Take the smallest value of a group."""
        return Measure("min", self._path)

    def max(self) -> Measure:
        """Take the greatest value of a group."""
        return Measure("max", self._path)

    def average(self) -> Measure:
        """Take the mean of the values of a group; missing ones do not count."""
        return Measure("average", self._path)


def path_of(expression: FieldExpression) -> tuple[str, ...]:
    """Return the names from the record to the field of an expression."""
    return expression._path  # noqa: SLF001 - a public name would hide a field


class _Fields:
    """Gives a :class:`FieldExpression` for any field name."""

    def __getattr__(self, name: str) -> FieldExpression:
        if name.startswith("__"):
            raise AttributeError(name)
        return FieldExpression((name,))

    def __getitem__(self, name: str) -> FieldExpression:
        return FieldExpression((name,))


F = _Fields()
