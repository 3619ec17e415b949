"""Formulas as values: a small tree, whose conditions are criteria like any other."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from crmcore.criteria.expressions import And, Compare, Criteria, Not, Or
from crmcore.errors import ValidationError

__all__ = [
    "MAXIMUM_DEPTH",
    "MAXIMUM_NODES",
    "Call",
    "Compared",
    "Condition",
    "FieldValue",
    "Formula",
    "Holds",
    "Literal",
    "Negative",
    "Node",
    "Operation",
    "comparison",
    "condition_of",
    "paths_in",
]

#: Formulas with more parts, or nested deeper, are refused.
MAXIMUM_NODES = 500
MAXIMUM_DEPTH = 60


@attrs.frozen
class Node:
    """A part of a formula that has a value."""


@attrs.frozen
class Literal(Node):
    """A number, a text, true, false, or null."""

    value: int | Decimal | str | bool | None


@attrs.frozen
class FieldValue(Node):
    """A field of the record, a part of one, or a field of a referenced record."""

    path: tuple[str, ...]
    #: Where it stands in the text, from 1; 0 where there is none.
    position: int = attrs.field(default=0, eq=False)


@attrs.frozen
class Negative(Node):
    """A number or an amount with the other sign."""

    part: Node


@attrs.frozen
class Operation(Node):
    """Two values and one of ``+ - * / &``."""

    symbol: str
    left: Node
    right: Node


@attrs.frozen
class Call(Node):
    """A function and what it is given."""

    name: str
    arguments: tuple[Node, ...]
    position: int = attrs.field(default=0, eq=False)


@attrs.frozen
class Condition(Node):
    """True or false, told by criteria."""

    criteria: Criteria


@attrs.frozen
class Compared(Criteria):
    """A comparison of two expressions, where criteria compare a field with a value."""

    left: Node
    symbol: str
    right: Node


@attrs.frozen
class Holds(Criteria):
    """An expression that is true or false; a missing value does not hold."""

    part: Node


@attrs.frozen
class Formula:
    """A formula that was read; ``text_of`` writes it."""

    root: Node


def condition_of(node: Node) -> Criteria:
    """Return a node that is used as a condition as criteria."""
    if isinstance(node, Condition):
        return node.criteria
    if isinstance(node, FieldValue):
        return Compare(node.path, "==", True)
    return Holds(node)


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def comparison(left: Node, symbol: str, right: Node) -> Criteria:
    """Return a comparison, as plain criteria where a field meets a fixed value."""
    if isinstance(left, Literal) and isinstance(right, FieldValue):
        left, symbol, right = right, _TURNED[symbol], left
    if not isinstance(left, FieldValue) or not isinstance(right, Literal):
        return Compared(left, symbol, right)
    if right.value is None and symbol in ("==", "!="):
        return Compare(left.path, "is_null", symbol == "==")
    return Compare(left.path, symbol, right.value)


def children_of(part: Node | Criteria) -> tuple[Node | Criteria, ...]:
    """Return the parts that a part is made of."""
    if isinstance(part, (Operation, Compared)):
        return (part.left, part.right)
    if isinstance(part, (Negative, Not, Holds)):
        return (part.part,)
    if isinstance(part, Call):
        return part.arguments
    if isinstance(part, (And, Or)):
        return part.parts
    return (part.criteria,) if isinstance(part, Condition) else ()


def parts_of(formula: Formula) -> Iterator[Node | Criteria]:
    """Yield every part of a formula; raises ValidationError for one beyond bounds."""
    waiting: list[tuple[Node | Criteria, int]] = [(formula.root, 1)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if depth > MAXIMUM_DEPTH:
            raise ValidationError.of("formula", "too_deep")
        if seen > MAXIMUM_NODES:
            raise ValidationError.of("formula", "too_large")
        yield part
        waiting.extend((child, depth + 1) for child in children_of(part))


def bounded(formula: Formula) -> Formula:
    """Return a formula that is neither too large nor too deep; refuse any other."""
    for _ in parts_of(formula):
        pass
    return formula


def paths_in(formula: Formula) -> frozenset[tuple[str, ...]]:
    """Return the paths of all fields that a formula reads."""
    return frozenset(
        part.path
        for part in parts_of(formula)
        if isinstance(part, (FieldValue, Compare))
    )
