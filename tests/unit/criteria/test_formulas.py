"""The language of formulas: what is read, refused, written and worked out (REC-16)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from crmcore import CRM, Account, F, MemoryStore, Money, Opportunity, ValidationError
from crmcore.criteria.expressions import And, Compare
from crmcore.criteria.formulas import (
    Formula,
    check,
    compiled,
    dependencies,
    evaluate,
    formula_from_json,
    formula_to_json,
    order,
    parse,
    text_of,
)
from crmcore.criteria.formulas.tree import Condition
from crmcore.records import Record

SCHEMA = CRM(MemoryStore()).declared_schema
ENTITY = SCHEMA.entity(Opportunity)
ACCOUNT = Account(id=uuid4(), name="深圳 Ltd", annual_revenue=Money(10, "EUR"))
DEAL = Opportunity(
    name="Big deal",
    account_id=ACCOUNT.id,
    amount=Money("1000.50", "EUR"),
    actual_cost=Money(300, "USD"),
    probability=Decimal("25.00"),
    stage="won",
    stage_category="won",
    committed=False,
    created_at=datetime(2026, 1, 30, 23, 30, tzinfo=UTC),
    close_date=date(2026, 3, 1),
)


def follow(entity: str, identity: Any) -> Record | None:
    return ACCOUNT if (entity, identity) == ("account", ACCOUNT.id) else None


def value(text: str, record: Opportunity = DEAL) -> Any:
    return evaluate(compiled(parse(text), SCHEMA, ENTITY), record, follow)


def problem(text: str) -> tuple[str, str, Any]:
    with pytest.raises(ValidationError) as caught:
        check(parse(text), SCHEMA, ENTITY)
    (found,) = caught.value.problems
    return found.field, found.reason, found.details.get("position")


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 / 2", Decimal(5)),
        ("-(2 - 5) * 0.1", Decimal("0.3")),
        ("probability / 3 * 3 > 24", True),
        ("amount * probability / 100", Money("250.125", "EUR")),
        ("2 * amount - amount", Money("1000.50", "EUR")),
        ("amount / amount", Decimal(1)),
        ("amount + actual_cost", None),
        ("amount / actual_cost", None),
        ("probability / 0", None),
        ("amount_of(actual_cost) + 1", Decimal(301)),
        ('if(stage == "won", amount, null)', Money("1000.50", "EUR")),
        ("if(committed, 1)", None),
        ("if(not committed and probability in (25, 50), 1, 2)", Decimal(1)),
        ('name & " / " & probability & product', "Big deal / 25"),
        ("coalesce(product, name)", "Big deal"),
        ("default(next_step, product)", None),
        ("min(probability, 3, 9)", Decimal(3)),
        ("max(amount, amount * 2)", Money("2001.00", "EUR")),
        ("max(amount, actual_cost)", None),
        ("round(2.5)", Decimal(2)),
        ("round(amount, 1)", Money("1000.5", "EUR")),
        ("floor(-1.5) + ceiling(-1.5) + abs(-7)", Decimal(4)),
        ("length(name) + length(trim(product))", None),
        ("upper(left(name, 3)) & lower(right(name, 4)) & right(name, 0)", "BIGdeal"),
        ("concat(committed, amount, close_date)", "false1000.5 EUR2026-03-01"),
        ('contains(name, "BIG")', True),
        ("contains(name, stage)", False),
        ('starts_with(name & "", "big")', True),
        ("contains(product, name)", False),
        ("year(close_date) * 100 + month(close_date) + day(created_at)", 202633),
        ("days_between(created_at, close_date)", Decimal(30)),
        ('date_add(close_date, -1, "months")', date(2026, 2, 1)),
        ('date_add(date_add(close_date, -2), 1, "years")', date(2027, 2, 27)),
        ("date_add(close_date, 99999999)", None),
        ("is_blank(product) and is_blank(product & next_step)", True),
        ("category(stage_category)", "won"),
        ("account.annual_revenue", Money(10, "EUR")),
        ('account.name == "深圳 Ltd"', True),
        ("product == null and name != null", True),
        ("product & next_step == null", True),
        ("probability + null", None),
        ('"won" == stage', True),
        ("25 < probability", False),
        ("product != stage", True),
        ("product == next_step", False),
        ('close_date > "2026-02-28"', True),
        ("(probability > 1) == (probability > 2)", True),
    ],
)
def test_a_formula_gives_its_value(text: str, expected: Any) -> None:
    """Numbers and money are exact; what is missing, mixed or divided by 0 is missing."""
    assert value(text) == expected


@pytest.mark.capability("REC-16")
def test_the_currencies_of_a_result_are_those_of_its_inputs() -> None:
    """An amount without an account to follow to is missing, not an error."""
    assert value("account.annual_revenue", DEAL.evolved(account_id=None)) is None


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("formula", "required", None)),
        ("1 +", ("formula", "formula_incomplete", 4)),
        ("(1", ("formula", "formula_incomplete", 3)),
        ("1 2", ("formula", "formula_unexpected", 3)),
        ("1 < 2 < 3", ("formula", "formula_unexpected", 7)),
        ("name == 'x'", ("formula", "formula_unexpected", 9)),
        ("name = 1", ("formula", "formula_unexpected", 6)),
        ("name; drop", ("formula", "formula_unexpected", 5)),
        ("$where", ("formula", "formula_unexpected", 1)),
        ("😀", ("formula", "formula_unexpected", 1)),
        ("\u202ename", ("formula", "formula_unexpected", 1)),
        ('"open', ("formula", "formula_unexpected", 1)),
        ("stage in (name)", ("formula", "formula_unexpected", 11)),
        ("9" * 31, ("formula", "number_too_long", 1)),
        ("a\0", ("formula", "null_character", None)),
        ("\ud800", ("formula", "invalid_unicode", None)),
        ("x" * 4_001, ("formula", "too_long", None)),
        ("(" * 100 + "1" + ")" * 100, ("formula", "too_deep", None)),
        ("+".join("1" * 100), ("formula", "too_deep", None)),
        (f"max({', '.join(['1'] * 600)})", ("formula", "too_large", None)),
        ("1 + nothing_here", ("nothing_here", "unknown_field", 5)),
        ("__class__", ("__class__", "unknown_field", 1)),
        ("name.__class__", ("name.__class__", "unknown_field", 1)),
        ("__import__(name)", ("formula", "unknown_function", 1)),
        ("eval(name)", ("formula", "unknown_function", 1)),
        ("today()", ("formula", "grows_stale", 1)),
        ("now()", ("formula", "grows_stale", 1)),
        ("owner.name", ("formula", "not_followed", 1)),
        ("deleted_at", ("formula", "not_in_formulas", 1)),
        ("account_id", ("formula", "not_in_formulas", 1)),
        ("length()", ("formula", "wrong_arguments", 1)),
        ("abs(1, 2)", ("formula", "wrong_arguments", 1)),
        ("if(name, 1, 2)", ("name", "not_text", None)),
        ("if(1, 1, 2)", ("formula", "wrong_kind", None)),
        ("abs(name)", ("formula", "wrong_kind", 1)),
        ("-name", ("formula", "wrong_kind", None)),
        ("name + 1", ("formula", "kinds_differ", None)),
        ("amount + 1", ("formula", "kinds_differ", None)),
        ("coalesce(name, 1)", ("formula", "kinds_differ", None)),
        ("amount * 2 > 1", ("formula", "kinds_differ", None)),
        ("category(name)", ("formula", "not_a_picklist", 1)),
        ("category(1)", ("formula", "not_a_picklist", 1)),
        ('probability > "x"', ("probability", "not_number", None)),
    ],
)
def test_a_bad_formula_is_refused(text: str, expected: Any) -> None:
    """The error names what is wrong and where; nothing hostile is more than a name."""
    found = problem(text)

    assert expected == (*found[:2], found[2] if expected[2] else None)


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize("text", [None, 1, b"1", ["1"]])
def test_a_formula_is_text(text: Any) -> None:
    """What is no text is refused."""
    with pytest.raises(ValidationError):
        parse(text)


@pytest.mark.capability("REC-16")
def test_conditions_are_criteria() -> None:
    """A formula's condition and a filter are one and the same expression."""
    formula = parse('stage == "won" and contains(name, "x") and product != null')

    written = (F.stage == "won") & F.name.contains("x") & F.product.is_null(False)

    assert Formula(Condition(written)) == formula
    assert parse("committed") != Formula(Condition(Compare(("committed",), "==", True)))
    assert Formula(
        Condition(
            And((Compare(("committed",), "==", True), Compare(("stage",), "==", "x")))
        )
    ) == parse('committed and "x" == stage')


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    "text",
    [
        "1 - (2 - 3)",
        "(1 + 2) * 3",
        'not (stage == "a" or (committed == true and probability > 1.5))',
        "-(-3) + -probability",
        '"quoted \\" and \\\\" & name',
        "if(is_blank(name), 1, 2)",
        'stage in ("a", "b", null)',
        "name & stage == product",
    ],
)
def test_a_formula_is_written_as_it_is_read(text: str) -> None:
    """Text and JSON data lead back to the same formula."""
    formula = parse(text)

    assert text == text_of(formula)
    assert formula == formula_from_json(formula_to_json(formula))


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"value": 1.5},
        {"value": {"number": "x"}},
        {"value": {"number": "NaN"}},
        {"value": 10**40},
        {"field": 1},
        {"field": "a", "more": 1},
        {"op": "**", "left": {"value": 1}, "right": {"value": 2}},
        {"call": "abs", "arguments": 1},
        {"condition": {"field": "a", "op": "$where", "value": 1}},
        {"condition": {"and": []}},
        {"condition": {"field": "a", "op": "in", "value": []}},
        {"condition": {"compare": "in", "left": {"value": 1}, "right": {"value": 1}}},
        {"negative": {"negative": []}},
    ],
)
def test_data_of_another_form_are_refused(data: Any) -> None:
    """JSON data are a formula only where they have exactly its form."""
    with pytest.raises(ValidationError):
        formula_from_json(data)


@pytest.mark.capability("REC-16")
def test_data_nested_without_end_are_refused() -> None:
    """The depth of JSON data is bounded as well."""
    data: Any = {"value": 1}
    for _ in range(2_000):
        data = {"negative": data}

    with pytest.raises(ValidationError):
        formula_from_json(data)


@pytest.mark.capability("REC-16")
def test_dependencies_are_all_paths_that_are_read() -> None:
    """Fields of conditions count like all others."""
    formula = parse('if(stage == "won" and account.name != null, amount, probability)')

    assert {("stage",), ("account", "name"), ("amount",), ("probability",)} == (
        dependencies(formula)
    )


@pytest.mark.capability("REC-16")
def test_formulas_are_ordered_by_what_they_read() -> None:
    """A formula over formulas comes behind them; a circle is refused with its path."""
    assert ("a", "b", "c") == order(
        {"c": parse("a + b"), "b": parse("a * 2"), "a": parse("probability")}
    )
    with pytest.raises(ValidationError) as caught:
        order({"a": parse("b + 1"), "b": parse("c"), "c": parse("a")})
    assert {"path": "a → b → c → a"} == caught.value.problems[0].details
