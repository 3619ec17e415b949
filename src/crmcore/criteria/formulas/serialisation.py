"""Formulas as JSON data and back; conditions have the form of criteria.

::

    {"op": "*", "left": {"field": "amount"}, "right": {"value": 2}}
    {"call": "if", "arguments": [
        {"condition": {"field": "stage", "op": "==", "value": "won"}}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from crmcore.criteria.expressions import And, Compare, Criteria, Not, Or
from crmcore.criteria.formulas.lexing import MAXIMUM_DIGITS, MAXIMUM_TEXT
from crmcore.criteria.formulas.parsing import BINDING
from crmcore.criteria.formulas.tree import (
    MAXIMUM_DEPTH,
    Call,
    Compared,
    Condition,
    FieldValue,
    Formula,
    Holds,
    Literal,
    Negative,
    Node,
    Operation,
    bounded,
)
from crmcore.errors import ValidationError

__all__ = ["formula_from_json", "formula_to_json"]


def formula_to_json(formula: Formula) -> dict[str, Any]:
    """Return a formula as JSON data."""
    return _to_json(bounded(formula).root)


def _to_json(node: Node) -> dict[str, Any]:
    if isinstance(node, Literal):
        return {"value": _value_to_json(node.value)}
    if isinstance(node, FieldValue):
        return {"field": ".".join(node.path)}
    if isinstance(node, Negative):
        return {"negative": _to_json(node.part)}
    if isinstance(node, Operation):
        left, right = _to_json(node.left), _to_json(node.right)
        return {"op": node.symbol, "left": left, "right": right}
    if isinstance(node, Call):
        return {"call": node.name, "arguments": [_to_json(a) for a in node.arguments]}
    assert isinstance(node, Condition)
    return {"condition": _criteria_to_json(node.criteria)}


def _criteria_to_json(criteria: Criteria) -> dict[str, Any]:
    if isinstance(criteria, And):
        return {"and": [_criteria_to_json(part) for part in criteria.parts]}
    if isinstance(criteria, Or):
        return {"or": [_criteria_to_json(part) for part in criteria.parts]}
    if isinstance(criteria, Not):
        return {"not": _criteria_to_json(criteria.part)}
    if isinstance(criteria, Holds):
        return {"holds": _to_json(criteria.part)}
    if isinstance(criteria, Compared):
        left, right = _to_json(criteria.left), _to_json(criteria.right)
        return {"compare": criteria.symbol, "left": left, "right": right}
    if not isinstance(criteria, Compare):
        raise ValidationError.of("formula", "malformed")
    value: Any = criteria.value
    if isinstance(value, tuple):
        value = [_value_to_json(item) for item in value]
    else:
        value = _value_to_json(value)
    return {"field": ".".join(criteria.path), "op": criteria.operator, "value": value}


def _value_to_json(value: Any) -> Any:
    return {"number": format(value, "f")} if isinstance(value, Decimal) else value


# -- back ------------------------------------------------------------------------------


def formula_from_json(data: Any) -> Formula:
    """Return the formula of JSON data.

    Raises ValidationError for anything that is not exactly of the documented form.
    """
    return bounded(Formula(_from_json(data, 0)))


def _malformed() -> ValidationError:
    return ValidationError.of("formula", "malformed")


def _from_json(data: Any, depth: int) -> Node:
    if depth > MAXIMUM_DEPTH:
        raise ValidationError.of("formula", "too_deep")
    if not isinstance(data, Mapping):
        raise _malformed()
    match dict(data):
        case {"value": value, **rest} if not rest:
            return Literal(_value_from_json(value))
        case {"field": field, **rest} if not rest:
            return FieldValue(_path(field))
        case {"negative": part, **rest} if not rest:
            return Negative(_from_json(part, depth + 1))
        case {"op": symbol, "left": left, "right": right, **rest} if not rest:
            if not isinstance(symbol, str) or symbol not in BINDING:
                raise _malformed()
            sides = (_from_json(left, depth + 1), _from_json(right, depth + 1))
            return Operation(symbol, *sides)
        case {"call": str(name), "arguments": list(given), **rest} if not rest:
            return Call(name[:60], tuple(_from_json(a, depth + 1) for a in given))
        case {"condition": criteria, **rest} if not rest:
            return Condition(_criteria_from_json(criteria, depth + 1))
    raise _malformed()


def _criteria_from_json(data: Any, depth: int) -> Criteria:
    if depth > MAXIMUM_DEPTH:
        raise ValidationError.of("formula", "too_deep")
    if not isinstance(data, Mapping):
        raise _malformed()
    match dict(data):
        case {"and": list(parts), **rest} if not rest and parts:
            return And(tuple(_criteria_from_json(p, depth + 1) for p in parts))
        case {"or": list(parts), **rest} if not rest and parts:
            return Or(tuple(_criteria_from_json(p, depth + 1) for p in parts))
        case {"not": part, **rest} if not rest:
            return Not(_criteria_from_json(part, depth + 1))
        case {"holds": part, **rest} if not rest:
            return Holds(_from_json(part, depth + 1))
        case {"compare": symbol, "left": left, "right": right, **rest} if not rest:
            if symbol not in _COMPARED:
                raise _malformed()
            first, second = _from_json(left, depth + 1), _from_json(right, depth + 1)
            return Compared(first, symbol, second)
        case {"field": field, "op": str(operator), "value": value, **rest} if not rest:
            return _compare(_path(field), operator, value)
    raise _malformed()


_COMPARED = ("==", "!=", "<", "<=", ">", ">=")


def _compare(path: tuple[str, ...], operator: str, value: Any) -> Criteria:
    if operator == "in":
        if not isinstance(value, list) or not value:
            raise _malformed()
        return Compare(path, operator, tuple(map(_value_from_json, value)))
    if operator not in (*_COMPARED, "is_null", "contains", "starts_with"):
        raise _malformed()
    return Compare(path, operator, _value_from_json(value))


def _path(field: Any) -> tuple[str, ...]:
    if not isinstance(field, str) or len(field) > 200:
        raise _malformed()
    return tuple(field.split("."))


def _value_from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        number = value.get("number")
        if set(value) != {"number"} or not isinstance(number, str):
            raise _malformed()
        if len(number) > MAXIMUM_DIGITS + 1:
            raise _malformed()
        try:
            exact = Decimal(number)
        except InvalidOperation:
            raise _malformed() from None
        if not exact.is_finite():
            raise _malformed()
        return exact
    if isinstance(value, str) and len(value) > MAXIMUM_TEXT:
        raise _malformed()
    if isinstance(value, int) and abs(value) >= 10**MAXIMUM_DIGITS:
        raise _malformed()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise _malformed()
