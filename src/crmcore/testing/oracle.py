"""An independent, deliberately naive answer to every query, to compare stores with.

Written from the documented meaning of criteria, not from their implementation: it works
on plain dictionaries and on criteria in their JSON form, record by record, value by
value, and knows neither bound criteria nor record classes. Slow and obvious.

- Two-valued logic: a missing value satisfies only ``is_null`` and ``!=``.
- Text is equal character by character; ``contains`` and ``starts_with`` compare after
  NFKC and casefold.
- Missing is the smallest value; text is ordered by code point.
- An amount with a currency compares only within that currency, a bare number with the
  amount in any currency.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from typing import Any
from uuid import UUID

__all__ = ["Oracle"]

Row = Mapping[str, Any]
Table = Mapping[Any, Row]


class Oracle:
    """Answers queries over plain rows.

    ``kinds`` gives for each entity the kind of each field: ``text``, ``integer``,
    ``decimal``, ``money``, ``boolean``, ``date``, ``datetime``, ``id``, ``list``,
    ``points``, ``address``, ``any_reference``, or ``reference:ENTITY``. ``tables`` gives
    for each entity the rows by id; money is ``{"amount": Decimal, "currency": str}``,
    lists are lists, addresses dictionaries. ``today`` is the day of relative dates.
    """

    def __init__(
        self,
        kinds: Mapping[str, Mapping[str, str]],
        tables: Mapping[str, Table],
        today: date,
    ) -> None:
        self.kinds = kinds
        self.tables = tables
        self.today = today

    def find(
        self,
        entity: str,
        criteria: Mapping[str, Any],
        order: Iterable[tuple[str, bool]] = (),
    ) -> list[Any]:
        """Return the ids of the rows that match, in order.

        ``order`` holds dotted fields, each with whether it goes downwards; ties are
        broken by the id in the direction of the last key.
        """
        keys = list(order)
        if "id" not in [name for name, _ in keys]:
            keys.append(("id", keys[-1][1] if keys else False))
        rows = [
            r for r in self.tables[entity].values() if self.matches(entity, r, criteria)
        ]

        def compare(left: Row, right: Row) -> int:
            for name, downwards in keys:
                one, other = (
                    self._main(entity, left, name),
                    self._main(entity, right, name),
                )
                if one != other:
                    return -_sign(one, other) if downwards else _sign(one, other)
            return 0

        return [row["id"] for row in sorted(rows, key=cmp_to_key(compare))]

    def aggregate(
        self,
        entity: str,
        criteria: Mapping[str, Any],
        function: str,
        field: str | None,
        group_by: Sequence[tuple[str, str | None]] = (),
    ) -> dict[tuple[Any, ...], Any]:
        """Return one number per group; ``group_by`` holds fields with their period."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.tables[entity].values():
            if self.matches(entity, row, criteria):
                key = tuple(
                    _period(self._main(entity, row, name), unit)
                    for name, unit in group_by
                )
                groups.setdefault(key, []).append(row)
        if not group_by:
            groups.setdefault((), [])
        return {
            k: self._number(entity, rows, function, field) for k, rows in groups.items()
        }

    def _number(
        self, entity: str, rows: list[Row], function: str, field: str | None
    ) -> Any:
        if field is None:
            return len(rows)
        found = [self._main(entity, row, field) for row in rows]
        values = [value for value in found if value is not None]
        if not values:
            return None
        if function == "average":
            return Fraction(sum(map(Fraction, values)), len(values))
        return {"sum": sum, "min": min, "max": max}[function](values)  # type: ignore[operator]

    # -- criteria ----------------------------------------------------------------------

    def matches(self, entity: str, row: Row, criteria: Mapping[str, Any]) -> bool:
        """Tell whether a row satisfies criteria in their JSON form."""
        if "not" in criteria:
            return not self.matches(entity, row, criteria["not"])
        if "and" in criteria:
            return all(self.matches(entity, row, part) for part in criteria["and"])
        if "or" in criteria:
            return any(self.matches(entity, row, part) for part in criteria["or"])
        kind, value = self._look_up(entity, row, criteria["field"])
        return self._test(kind, value, criteria["op"], criteria["value"])

    def _look_up(self, entity: str, row: Row, path: str) -> tuple[str, Any]:
        """Return kind and value of a dotted field, through at most one reference."""
        name, *rest = path.split(".")
        kinds = self.kinds[entity]
        if name not in kinds:
            target = kinds[f"{name}_id"].removeprefix("reference:")
            referenced = self.tables[target].get(row.get(f"{name}_id"), {})
            return self._look_up(target, referenced, ".".join(rest))
        kind, value = kinds[name], row.get(name)
        if not rest:
            return kind, value
        return "text", None if value is None else value.get(rest[0])

    def _main(self, entity: str, row: Row, path: str) -> Any:
        """Return the value by which a field is ordered and reckoned."""
        kind, value = self._look_up(entity, row, path)
        if kind == "money" and value is not None:
            return value["amount"]
        return value

    def _test(self, kind: str, value: Any, operator: str, given: Any) -> bool:
        if operator == "is_null":
            return bool((value is None) == given)
        if operator == "!=":
            return not self._test(kind, value, "==", given)
        if operator == "==" and given is None:
            return value is None
        if operator == "in":
            return any(self._test(kind, value, "==", each) for each in given)
        if operator == "between":
            low, high = given
            return self._test(kind, value, ">=", low) and self._test(
                kind, value, "<=", high
            )
        if operator in ("any_of", "all_of"):
            return _test_list(kind, value, operator, given)
        if operator in ("contains", "starts_with"):
            return _test_text(value, operator, given)
        if operator == "during":
            return self._during(kind, value, given)
        return _compare(kind, value, operator, given)

    def _during(self, kind: str, value: Any, given: Any) -> bool:
        name, days = given["period"], given["days"]
        if value is None:
            return False
        day = value.astimezone(UTC).date() if kind == "datetime" else value
        return day in _Days(self.today, name, days)


def _sign(one: Any, other: Any) -> int:
    if one is None:
        return -1
    if other is None:
        return 1
    return -1 if one < other else 1


def _fold(text: str) -> str:
    wide = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", wide.casefold())


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _test_text(value: str | None, operator: str, given: str) -> bool:
    if value is None:
        return False
    text, part = _fold(value), _fold(_clean(given))
    return text.startswith(part) if operator == "starts_with" else part in text


def _test_list(kind: str, value: Any, operator: str, given: list[Any]) -> bool:
    wanted = [_clean(item) for item in given if _clean(item)]
    items = value or []
    held = [item["value"] if kind == "points" else item for item in items]
    if operator == "any_of":
        return any(item in held for item in wanted)
    return all(item in held for item in wanted)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def _compare(kind: str, value: Any, operator: str, given: Any) -> bool:
    if value is None or given is None:
        return False
    if kind == "money":
        if isinstance(given, Mapping):
            if given["currency"] != value["currency"]:
                return False
            given = given["amount"]
        return _COMPARISONS[operator](value["amount"], Decimal(str(given)))
    if kind == "any_reference":
        read = {"entity": given["entity"], "id": UUID(given["id"])}
        return _COMPARISONS[operator](value, read)
    return _COMPARISONS[operator](value, _read(kind, given))


def _read(kind: str, given: Any) -> Any:
    """Return the value that JSON data stand for."""
    if kind == "decimal":
        return Decimal(str(given))
    if kind == "date":
        return date.fromisoformat(given)
    if kind == "datetime":
        moment = datetime.fromisoformat(given).astimezone(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if kind == "id" or kind.startswith("reference:"):
        return UUID(given)
    if kind == "text":
        return _clean(given)
    return given


def _period(value: Any, unit: str | None) -> Any:
    if value is None or unit is None:
        return value
    day = value.astimezone(UTC).date() if isinstance(value, datetime) else value
    return _first_day(day, unit)


def _first_day(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.isoweekday() - 1)
    if unit == "month":
        return date(day.year, day.month, 1)
    if unit == "quarter":
        return date(day.year, (1, 4, 7, 10)[(day.month - 1) // 3], 1)
    return date(day.year, 1, 1) if unit == "year" else day


class _Days:
    """The days of a period relative to today, asked one by one."""

    def __init__(self, today: date, name: str, days: int) -> None:
        self._today, self._name, self._number = today, name, days

    def __contains__(self, day: date) -> bool:
        distance = (day - self._today).days
        if self._name == "last_days":
            return -self._number < distance <= 0
        if self._name == "next_days":
            return 0 <= distance < self._number
        shift = {"yesterday": -1, "today": 0, "tomorrow": 1}.get(self._name)
        if shift is not None:
            return distance == shift
        word, unit = self._name.split("_")
        steps = {"last": -1, "this": 0, "next": 1}[word]
        return _number_of(day, unit) == _number_of(self._today, unit) + steps


def _number_of(day: date, unit: str) -> int:
    """Return the running number of the week, month, quarter or year of a day."""
    if unit == "week":
        return (day.toordinal() - 1) // 7
    if unit == "month":
        return day.year * 12 + day.month - 1
    return day.year * 4 + (day.month - 1) // 3 if unit == "quarter" else day.year
