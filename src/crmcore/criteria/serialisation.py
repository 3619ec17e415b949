"""Criteria as JSON data and back, for saved views, rules and requests.

::

    {"and": [{"field": "status", "op": "==", "value": "new"},
             {"not": {"field": "account.industry", "op": "is_null", "value": true}}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmcore.criteria.binding import MAXIMUM_DEPTH
from crmcore.criteria.expressions import (
    OPERATORS,
    And,
    Compare,
    Criteria,
    Everything,
    Not,
    Or,
)
from crmcore.criteria.periods import Period
from crmcore.errors import ValidationError
from crmcore.records import (
    NOT_APPLICABLE,
    ContactPoint,
    FileReference,
    Geolocation,
    Money,
    Position,
    Record,
    Ref,
)

__all__ = ["from_json", "to_json"]


def to_json(criteria: Criteria) -> dict[str, Any]:
    """Return ``criteria`` as JSON data.

    Raises ValidationError for what is no criteria, or nested too deeply.
    """
    return _to_json(criteria, 0)


def _to_json(criteria: Criteria, depth: int) -> dict[str, Any]:
    if depth > MAXIMUM_DEPTH:
        raise ValidationError.of("criteria", "too_deep")
    if isinstance(criteria, Compare):
        return {
            "field": ".".join(criteria.path),
            "op": criteria.operator,
            "value": _value_to_json(criteria.value),
        }
    if isinstance(criteria, Not):
        return {"not": _to_json(criteria.part, depth + 1)}
    if isinstance(criteria, And):
        return {"and": [_to_json(part, depth + 1) for part in criteria.parts]}
    if isinstance(criteria, Or):
        return {"or": [_to_json(part, depth + 1) for part in criteria.parts]}
    if isinstance(criteria, Everything):
        return {"and": []}
    raise ValidationError.of("criteria", "malformed")


def _value_to_json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_value_to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_value_to_json(item) for item in value), key=repr)
    if isinstance(value, Period):
        return {"period": value.name, "days": value.days}
    if isinstance(value, Money):
        return {"amount": format(value.amount, "f"), "currency": value.currency}
    if isinstance(value, Ref):
        return {"entity": value.entity, "id": str(value.id)}
    if isinstance(value, ContactPoint):
        return {"value": value.value, "kind": value.kind}
    if isinstance(value, Position):
        return Geolocation().to_json(value)
    if isinstance(value, FileReference):
        return attrs.asdict(value)
    if value is NOT_APPLICABLE:
        return {"not_applicable": True}
    if isinstance(value, Record):
        return str(value.id)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool, dict)):
        return value
    if attrs.has(type(value)):
        # A value of a host's own field type, which reads the same mapping back.
        parts = attrs.asdict(value, recurse=False)
        return {name: _value_to_json(part) for name, part in parts.items()}
    raise ValidationError.of("criteria", "malformed")


def from_json(data: Any) -> Criteria:
    """Return the criteria of JSON data.

    Raises ValidationError for anything that is not exactly of the documented form.
    """
    return _parse(data, 0)


def _parse(data: Any, depth: int) -> Criteria:
    if depth > MAXIMUM_DEPTH:
        raise ValidationError.of("criteria", "too_deep")
    if not isinstance(data, Mapping):
        raise ValidationError.of("criteria", "malformed")
    keys = set(data)
    if keys == {"field", "op", "value"}:
        return _parse_compare(data)
    if keys == {"not"}:
        return Not(_parse(data["not"], depth + 1))
    if keys in ({"and"}, {"or"}):
        (word,) = keys
        if not isinstance(data[word], (list, tuple)):
            raise ValidationError.of("criteria", "malformed")
        parts = tuple(_parse(part, depth + 1) for part in data[word])
        if word == "or":
            return Or(parts)
        return And(parts) if parts else Everything()
    raise ValidationError.of("criteria", "malformed")


def _parse_compare(data: Mapping[str, Any]) -> Criteria:
    field, operator, value = data["field"], data["op"], data["value"]
    if not isinstance(field, str) or not isinstance(operator, str):
        raise ValidationError.of("criteria", "malformed")
    if operator not in OPERATORS:
        raise ValidationError.of(field[:80], "unknown_operator", operator=operator[:20])
    if operator == "during":
        value = _parse_period(field, value)
    elif isinstance(value, list):
        value = tuple(value)
    return Compare(tuple(field.split(".")), operator, value)


def _parse_period(field: str, value: Any) -> Period:
    if isinstance(value, str):
        return Period(value)
    if not isinstance(value, Mapping) or not {"period"} <= set(value) <= {
        "period",
        "days",
    }:
        raise ValidationError.of(field[:80], "malformed")
    return Period(value["period"], value.get("days", 0))
