"""Formula fields are worked out with each write and stored, on every store (REC-16)."""

from __future__ import annotations

import pytest

from crmcore import CRM, AccessDenied, F, Lead, MemoryStore, Money, ValidationError
from crmcore.records import Integer, fields
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons


@pytest.fixture
def deals(office: Office) -> Office:
    """The office with a budget, its share and what follows from both."""
    with office.session("admin") as s:
        add = s.customisation.add_field
        add("lead", "budget", "money")
        add("lead", "chance", "percent")
        add("lead", "expected", "money", formula="budget * chance / 100", indexed=True)
        add("lead", "big", "boolean", formula="amount_of(expected) >= 50")
        add("lead", "title_line", "text", formula='upper(last_name) & "!"')
    return office


@pytest.mark.capability("REC-16")
def test_a_formula_follows_its_inputs(deals: Office) -> None:
    """At creation and with each change, also through another formula."""
    with deals.session() as s:
        lead = s.create(Lead(last_name="Li"), budget=100, chance=25)
        assert (lead["expected"], lead["big"]) == (Money(25, "USD"), False)
        assert lead["title_line"] == "LI!"
        lead = s.update(lead, chance=50)
        assert (lead["expected"], lead["big"]) == (Money(50, "USD"), True)
        lead = s.update(lead, budget=None)
        assert (lead["expected"], lead["big"]) == (None, False)
        empty = s.create(Lead(last_name="Wu"))
        assert empty["expected"] is None
    with deals.session() as s:
        stored = s.get(Lead, lead.id)
        changed = {c.field for e in s.history(stored) for c in e.changes}

    assert stored["expected"] is None
    assert {"chance", "expected", "big"} <= changed


@pytest.mark.capability("REC-16")
def test_stores_filter_and_sort_by_formulas(deals: Office) -> None:
    """Like by any stored value."""
    with deals.session() as s:
        for name, budget in (("A", 300), ("B", 100), ("C", 200), ("D", None)):
            s.create(Lead(last_name=name), budget=budget, chance=50)
        found = s.find(Lead, F.expected > 60, order_by=[F.expected.desc()])
        assert s.count(Lead, F.big == True) == 3  # noqa: E712 - a criterion

    assert ["A", "C"] == [lead.last_name for lead in found.items]


@pytest.mark.capability("REC-16")
def test_callers_cannot_set_a_formula(deals: Office) -> None:
    """Neither at creation nor later."""
    with deals.session() as s:
        with pytest.raises(ValidationError) as made:
            s.create(Lead(last_name="A"), expected=5)
        lead = s.create(Lead(last_name="A"))
        with pytest.raises(ValidationError) as changed:
            s.update(lead, expected=5)

    assert {"expected": "read_only"} == reasons(made) == reasons(changed)


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("budget +", "formula_incomplete"),
        ("budget + chance", "kinds_differ"),
        ("ufo * 2", "unknown_field"),
        ("__class__", "unknown_field"),
        ("eval(1)", "unknown_function"),
        ('"text"', "wrong_result"),
        ("owner.name", None),
        ("now()", "grows_stale"),
        ("wrong * 2", "cycle"),
        ("(" * 200 + "1" + ")" * 200, "too_deep"),
    ],
)
def test_a_bad_formula_is_refused(
    deals: Office, formula: str, reason: str | None
) -> None:
    """The error names the field and the reason; nothing is stored."""
    with deals.session("admin") as s:
        before = len(s.customisation.items())
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_field("lead", "wrong", "integer", formula=formula)
        assert len(s.customisation.items()) == before

    assert set(reasons(refused)) == {"field.lead.wrong.formula"}
    assert reason is None or reason in reasons(refused).values()


@pytest.mark.capability("REC-16")
def test_a_circle_is_refused_with_its_path(deals: Office) -> None:
    """Also one that a change of a definition would close."""
    with deals.session("admin") as s:
        s.customisation.add_field("lead", "a", "integer", formula="number_of_employees")
        s.customisation.add_field("lead", "b", "integer", formula="a + 1")
        with pytest.raises(ValidationError) as refused:
            s.customisation.change_field("lead", "a", formula="b + 1")

    (problem,) = refused.value.problems
    assert problem.reason == "cycle"
    assert problem.details["path"] in ("a → b → a", "b → a → b")


@pytest.mark.capability("REC-16", "REC-09")
def test_an_input_is_not_retired(deals: Office) -> None:
    """The error names the formula that reads it."""
    with deals.session("admin") as s, pytest.raises(ValidationError) as refused:
        s.customisation.retire_field("lead", "chance")

    assert {"field.lead.expected.formula": "unknown_field"} == reasons(refused)


@pytest.mark.capability("REC-16")
def test_records_that_were_there_are_recalculated(office: Office) -> None:
    """In batches that can be gone on with; nothing changes the second time."""
    with office.session() as s:
        s.create_many(Lead(last_name=f"L{n}", number_of_employees=n) for n in range(5))
    with office.session("admin") as s:
        s.customisation.add_field(
            "lead", "double", "integer", formula="number_of_employees * 2"
        )
    changed, after = [], None
    while True:
        with office.session("admin") as s:
            step = s.customisation.recalculate("lead", after=after, limit=2)
        changed.append(step.changed)
        after = step.next
        if after is None:
            break
    with office.session("admin") as s:
        assert s.customisation.recalculate(Lead).changed == 0
    with office.session() as s:
        assert s.count(Lead, F.double >= 4) == 3
        with pytest.raises(AccessDenied):
            s.customisation.recalculate(Lead)

    assert [2, 2, 1] == changed


@pytest.mark.capability("REC-16")
def test_a_host_declares_formulas_in_python() -> None:
    """They are checked when the CRM is made."""
    half = fields.custom("half", Integer(), formula="number_of_employees / 2")
    crm = CRM(MemoryStore(), fields={Lead: [half]})
    assert crm.declared_schema.entity(Lead).fields["half"].computed
    with pytest.raises(ValidationError) as refused:
        CRM(
            MemoryStore(),
            fields={Lead: [fields.custom("bad", Integer(), formula="ufo")]},
        )

    assert {"field.lead.bad.formula": "unknown_field"} == reasons(refused)
