"""Formulas of any shape: written and read back, and worked out like by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import CRM, MemoryStore, Opportunity
from crmcore.criteria.expressions import And, Criteria, Not, Or
from crmcore.criteria.formulas import (
    Formula,
    compiled,
    evaluate,
    formula_from_json,
    formula_to_json,
    parse,
    text_of,
)
from crmcore.criteria.formulas.parsing import called
from crmcore.criteria.formulas.tree import (
    Compared,
    Condition,
    FieldValue,
    Literal,
    Negative,
    Node,
    Operation,
    comparison,
    condition_of,
)

SCHEMA = CRM(MemoryStore()).declared_schema
ENTITY = SCHEMA.entity(Opportunity)
PROBABILITY = FieldValue(("probability",))
SYMBOLS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])

numbers = st.integers(0, 100).map(Literal) | st.just(PROBABILITY)


def conditions(values: st.SearchStrategy[Node]) -> st.SearchStrategy[Criteria]:
    base = st.builds(comparison, values, SYMBOLS, values)
    return st.recursive(
        base,
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=2, max_size=3).map(tuple).map(And)
            | st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or)
        ),
        max_leaves=4,
    )


def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    chosen = st.tuples(conditions(numbers).map(Condition), inner, inner)
    return (
        st.builds(Operation, st.sampled_from("+-*/"), inner, inner)
        | inner.filter(lambda node: not isinstance(node, Literal)).map(Negative)
        | chosen.map(lambda arguments: called("if", arguments))
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda several: called("coalesce", tuple(several))
        )
    )


nodes = st.recursive(numbers, larger, max_leaves=12)


@pytest.mark.capability("REC-16")
@given(nodes)
def test_what_is_written_is_read_back_the_same(node: Node) -> None:
    """Neither the text nor the JSON data of a formula lose anything."""
    formula = Formula(node)

    assert formula == parse(text_of(formula))
    assert formula == formula_from_json(formula_to_json(formula))


def by_hand(node: Node, probability: Fraction | None) -> Fraction | None:
    """Work a formula out with fractions, independently of the library's evaluator."""
    match node:
        case Literal(value=int(number)):
            return Fraction(number)
        case FieldValue():
            return probability
        case Negative(part=part):
            value = by_hand(part, probability)
            return None if value is None else -value
        case Operation(symbol=symbol, left=left, right=right):
            one, other = by_hand(left, probability), by_hand(right, probability)
            if one is None or other is None or (symbol == "/" and other == 0):
                return None
            return {
                "+": lambda: one + other,
                "-": lambda: one - other,
                "*": lambda: one * other,
                "/": lambda: one / other,
            }[symbol]()
    raise AssertionError(node)


plain = st.recursive(
    numbers,
    lambda inner: (
        st.builds(Operation, st.sampled_from("+-*/"), inner, inner)
        | inner.map(Negative)
    ),
    max_leaves=8,
)


@pytest.mark.capability("REC-16")
@given(plain, st.none() | st.integers(0, 100))
def test_arithmetic_is_exact(node: Node, probability: int | None) -> None:
    """Results are those of fractions, to 40 digits and more."""
    record = Opportunity(
        probability=None if probability is None else Decimal(probability)
    )
    given_value = None if record.probability is None else Fraction(probability or 0)

    found = evaluate(compiled(Formula(node), SCHEMA, ENTITY), record, lambda *_: None)
    expected = by_hand(node, given_value)

    if expected is None or found is None:
        # A difference that is 0 in fractions may be a tiny number after rounding.
        assert expected is found or "/" in text_of(Formula(node))
    else:
        near = abs(Fraction(found) - expected)
        assert near <= max(abs(expected), Fraction(1)) * Fraction(1, 10**30)


@pytest.mark.capability("REC-16")
@given(conditions(numbers), st.none() | st.integers(0, 100))
def test_not_is_the_exact_complement(
    criteria: Criteria, probability: int | None
) -> None:
    """For every record either a condition holds or its negation."""
    record = Opportunity(
        probability=None if probability is None else Decimal(probability)
    )

    def holds(asked: Criteria) -> bool:
        program = compiled(Formula(Condition(asked)), SCHEMA, ENTITY)
        return bool(evaluate(program, record, lambda *_: None))

    assert holds(criteria) is not holds(Not(criteria))
    assert holds(criteria) is holds(condition_of(Condition(criteria)))
    assert isinstance(Compared(PROBABILITY, "==", PROBABILITY), Criteria)
