"""Writing formulas: the text that is read back as the same formula."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crmcore.criteria.expressions import And, Compare, Criteria, Everything, Not, Or
from crmcore.criteria.formulas.lexing import quoted
from crmcore.criteria.formulas.parsing import BINDING
from crmcore.criteria.formulas.tree import (
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
)
from crmcore.errors import ValidationError

__all__ = ["text_of"]

#: How firmly what is no operator between two values binds.
_CONDITION, _SIGNED, _PRIMARY = 0, 4, 5


def text_of(formula: Formula) -> str:
    """Return the text of a formula, with parentheses only where they are needed."""
    return _node(formula.root)[0]


def _node(node: Node) -> tuple[str, int]:
    """Return the text of a node and how firmly it holds together."""
    if isinstance(node, Literal):
        return literal_text(node.value), _firmness(node.value)
    if isinstance(node, FieldValue):
        return ".".join(node.path), _PRIMARY
    if isinstance(node, Negative):
        part = _within(node.part, _PRIMARY)
        # A sign before a number would be read as part of it.
        return (f"-({part})" if part[0].isdigit() else f"-{part}"), _SIGNED
    if isinstance(node, Operation):
        own = BINDING[node.symbol]
        left, right = _within(node.left, own), _within(node.right, own + 1)
        return f"{left} {node.symbol} {right}", own
    if isinstance(node, Call):
        given = ", ".join(_node(argument)[0] for argument in node.arguments)
        return f"{node.name}({given})", _PRIMARY
    assert isinstance(node, Condition)
    return _criteria(node.criteria)


def _within(node: Node, least: int) -> str:
    text, firmness = _node(node)
    return text if firmness >= least else f"({text})"


def _criteria(criteria: Criteria) -> tuple[str, int]:
    if isinstance(criteria, (And, Or)):
        word = " and " if isinstance(criteria, And) else " or "
        return word.join(map(_part, criteria.parts)), _CONDITION
    if isinstance(criteria, Not):
        return f"not {_part(criteria.part)}", _CONDITION
    if isinstance(criteria, Holds):
        return _node(criteria.part)
    if isinstance(criteria, Compared):
        left, right = _within(criteria.left, 1), _within(criteria.right, 1)
        return f"{left} {criteria.symbol} {right}", _CONDITION
    if isinstance(criteria, Compare):
        return _compare(criteria)
    if isinstance(criteria, Everything):
        return "true", _PRIMARY
    raise ValidationError.of("formula", "malformed")


def _part(criteria: Criteria) -> str:
    """Return a part of a larger condition; only comparisons stand without parentheses."""
    text, firmness = _criteria(criteria)
    plain = isinstance(criteria, (Compare, Compared)) or firmness > _CONDITION
    return text if plain else f"({text})"


def _compare(compare: Compare) -> tuple[str, int]:
    path, operator, value = ".".join(compare.path), compare.operator, compare.value
    if operator in ("contains", "starts_with"):
        return f"{operator}({path}, {literal_text(value)})", _PRIMARY
    if operator == "is_null":
        if value:
            return f"is_blank({path})", _PRIMARY
        return f"{path} != null", _CONDITION
    if operator == "in":
        items = ", ".join(map(literal_text, value))
        return f"{path} in ({items})", _CONDITION
    return f"{path} {operator} {literal_text(value)}", _CONDITION


def literal_text(value: Any) -> str:
    """Return a fixed value as formulas write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _firmness(value: Any) -> int:
    negative = not isinstance(value, (str, bool)) and value is not None and value < 0
    return _SIGNED if negative else _PRIMARY
