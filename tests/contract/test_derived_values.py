"""Formulas over parents, and values that follow from each other (REC-16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    F,
    MemoryStore,
    Money,
    Opportunity,
    Ref,
    Task,
    User,
    ValidationError,
)
from crmcore.parties import account_figures
from crmcore.records import (
    Boolean,
    Integer,
    MoneyAmount,
    RollUp,
    Text,
    fields,
)
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons

LINE = fields.custom("line", Text(), formula='account.name & ": " & last_name')
WORTH = fields.custom("worth", MoneyAmount(), formula="amount * account.factor")
FACTOR = fields.custom("factor", Integer())
TOTAL = fields.custom(
    "total",
    MoneyAmount(),
    roll_up=RollUp(
        child="opportunity", relation="account_id", function="sum", field="worth"
    ),
)
BIG = fields.custom("big", Boolean(), formula="amount_of(total) >= 100")
SIZE = fields.custom("of_big", Text(), formula='if(account.big, "big", "small")')
FIELDS = {Account: [FACTOR, TOTAL, BIG], Opportunity: [WORTH], Contact: [LINE, SIZE]}


def eur(amount: Any) -> Money:
    return Money(amount, "EUR")


def crm_on(store: Any, tenant: str, **options: Any) -> CRM:
    made = CRM(store, fields=FIELDS, **options).tenant(tenant)
    with made.session(SYSTEM) as s:
        s.create(User(username="ann", profile="administrator"))
    return made


@pytest.mark.capability("REC-16")
def test_a_formula_reads_the_record_that_it_refers_to(store: Any, tenant: str) -> None:
    """At creation, when the reference changes, and when the parent does."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one, other = s.create(Account(name="One")), s.create(Account(name="Two"))
        contact = s.create(Contact(last_name="Wu", account_id=one.id))
        assert "One: Wu" == contact["line"]
        assert s.create(Contact(last_name="Li"))["line"] == ": Li"
        contact = s.update(contact, account_id=other.id)
        assert "Two: Wu" == contact["line"]
        contact = s.update(contact, last_name="Wang")
        assert "Two: Wang" == contact["line"]
    with crm.session("ann") as s:
        s.update(other, name="Second")
        now = s.get(Contact, contact.id)
        # Whoever edits the contact meanwhile is not disturbed.
        assert ("Second: Wang", contact.version) == (now["line"], now.version)
        found = s.find(Contact, F.line.starts_with("second"), order_by=F.line)
        assert [contact.id] == [one.id for one in found]
        assert "Second: Ma" == s.update(contact, last_name="Ma")["line"]


@pytest.mark.capability("REC-16")
def test_values_follow_through_several_records(store: Any, tenant: str) -> None:
    """Parent, child, roll-up, own formula, and the formula of another child."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        account = s.create(Account(name="One"), factor=1)
        contact = s.create(Contact(last_name="Wu", account_id=account.id))
        deal = s.create(Opportunity(name="A", account_id=account.id, amount=eur(40)))
        s.create(Opportunity(name="B", account_id=account.id, amount=eur(5)))
        assert ("small", eur(45)) == told(s, account, contact)

        account = s.update(s.get(Account, account.id), factor=3)
        assert eur(120) == s.get(Opportunity, deal.id)["worth"]
        assert ("big", eur(135)) == told(s, account, contact)

        s.update(s.get(Opportunity, deal.id), amount=eur(1))
        assert ("small", eur(18)) == told(s, account, contact)


def told(s: Any, account: Account, contact: Contact) -> tuple[Any, Any]:
    return s.get(Contact, contact.id)["of_big"], s.get(Account, account.id)["total"]


@pytest.mark.capability("REC-16")
def test_concurrent_writers_leave_no_stale_formula(store: Any, tenant: str) -> None:
    """A child that comes while its parent is renamed has the new name in the end."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        account = s.create(Account(name="Name 0"))

    def rename(number: int) -> None:
        crm.run(
            "ann",
            lambda s: s.update(s.get(Account, account.id), name=f"Name {number}"),
        )

    def add(number: int) -> None:
        new = Contact(last_name=str(number), account_id=account.id)
        crm.run("ann", lambda s: s.create(new))

    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(rename, n) for n in range(1, 5)]
        works += [pool.submit(add, n) for n in range(8)]
        for work in works:
            work.result()

    with crm.session("ann") as s:
        name = s.get(Account, account.id).name
        lines = {contact["line"] for contact in s.stream(Contact)}
    assert {f"{name}: {number}" for number in range(8)} == lines


@pytest.mark.capability("REC-16")
def test_too_many_children_are_refused(
    store: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half done."""
    monkeypatch.setattr("crmcore.unit.derived_values.MOST_DEPENDENTS", 3)
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        account = s.create(Account(name="One"))
        s.create_many(
            Contact(last_name=str(n), account_id=account.id) for n in range(4)
        )
    with pytest.raises(ValidationError) as caught, crm.session("ann") as s:
        s.update(account, name="Two")
    assert {"account_id": "too_many_dependents"} == reasons(caught)
    with crm.session("ann") as s:
        assert "One" == s.get(Account, account.id).name


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    ("added", "path"),
    [
        (
            {
                Account: [
                    fields.custom(
                        "n",
                        Integer(),
                        roll_up=RollUp(
                            child="contact",
                            relation="account_id",
                            function="sum",
                            field="m",
                        ),
                    )
                ],
                Contact: [fields.custom("m", Integer(), formula="account.n + 1")],
            },
            {"account.n", "contact.m"},
        ),
        (
            {
                Account: [
                    fields.custom("n", Integer(), formula="parent.n + 1"),
                ]
            },
            {"n"},
        ),
    ],
)
def test_circles_through_other_records_are_refused(added: Any, path: set[str]) -> None:
    """With the way round."""
    with pytest.raises(ValidationError) as caught:
        CRM(MemoryStore(), fields=added)
    (problem,) = caught.value.problems
    assert "cycle" == problem.reason
    assert path == set(problem.details["path"].split(" → "))


# -- stored roll-ups ---------------------------------------------------------------------


@pytest.mark.capability("REC-16")
def test_administrators_store_roll_ups(office: Office) -> None:
    """Rebuilt for records that were there, kept up from then on, in the change set."""
    with office.session("admin") as s:
        account = s.create(Account(name="Acme"))
        s.create(Opportunity(name="A", account_id=account.id, amount=eur(10)))
        won = {"field": "stage_category", "op": "==", "value": "won"}
        s.customisation.add_field(
            "account",
            "volume",
            "money",
            roll_up={
                "child": "opportunity",
                "relation": "account_id",
                "function": "sum",
                "field": "amount",
            },
        )
        s.customisation.add_field(
            "account",
            "wins",
            "integer",
            roll_up={"child": "opportunity", "relation": "account_id", "where": won},
        )
        s.customisation.add_field(
            "account", "per_win", "money", formula="volume / wins"
        )
    with office.session("admin") as s:
        assert s.get(Account, account.id)["volume"] is None
        assert 2 == s.customisation.recalculate("account").changed
        assert eur(10) == s.get(Account, account.id)["volume"]
        deal = s.create(Opportunity(name="B", account_id=account.id, amount=eur(5)))
        s.sales.win(deal)
        now = s.get(Account, account.id)
        assert (eur(15), 1, eur(15)) == (now["volume"], now["wins"], now["per_win"])
        assert 1 == s.count(Account, F.volume > eur(12))
        with pytest.raises(ValidationError) as caught:
            s.update(now, volume=eur(1))
        assert {"volume": "read_only"} == reasons(caught)
        text = s.customisation.export().to_text()
    assert '"relation": "account_id"' in text


@pytest.mark.capability("REC-16", "REC-09")
@pytest.mark.parametrize(
    ("kind", "roll_up", "place", "reason"),
    [
        ("integer", {"child": "martian", "relation": "x"}, "", "unknown_entity"),
        ("integer", {"child": "contact", "relation": "x"}, "", "unknown_field_in"),
        ("integer", {"child": "contact"}, ".relation", "required"),
        ("integer", {"child": 1, "relation": "x"}, ".child", "malformed"),
        (
            "integer",
            {"child": "contact", "relation": "account_id", "spam": 1},
            ".spam",
            "unknown_setting",
        ),
        (
            "integer",
            {"child": "contact", "relation": "account_id", "function": "median"},
            "",
            "malformed",
        ),
        (
            "text",
            {"child": "contact", "relation": "account_id"},
            "",
            "wrong_result",
        ),
    ],
)
def test_a_bad_stored_roll_up_is_refused(
    kind: str, roll_up: dict[str, Any], place: str, reason: str
) -> None:
    """Field and rule are named, and nothing is stored."""
    crm = CRM(MemoryStore())
    with crm.session(SYSTEM) as s:
        with pytest.raises(ValidationError) as caught:
            s.customisation.add_field("account", "bad", kind, roll_up=roll_up)
        assert not s.customisation.items()
    assert {f"field.account.bad.roll_up{place}": reason} == reasons(caught)


@pytest.mark.capability("REC-16", "REC-09")
def test_a_field_that_a_roll_up_reads_is_kept(office: Office) -> None:
    """Its removal is refused while the roll-up is there."""
    with office.session("admin") as s:
        s.customisation.add_field("contact", "points", "integer")
        s.customisation.add_field(
            "account",
            "points",
            "integer",
            roll_up={
                "child": "contact",
                "relation": "account_id",
                "function": "sum",
                "field": "points",
            },
        )
        with pytest.raises(ValidationError) as caught:
            s.customisation.retire_field("contact", "points")
    assert {"field.account.points.roll_up": "unknown_field"} == reasons(caught)


@pytest.mark.capability("REC-16")
def test_the_usual_figures_of_a_customer_are_ready_made(
    store: Any, tenant: str
) -> None:
    """Latest task, tasks done, open and won deals with their volume."""
    crm = CRM(store, fields={Account: account_figures()}).tenant(tenant)
    with crm.session(SYSTEM) as s:
        account = s.create(Account(name="One"))
        s.create(Opportunity(name="A", account_id=account.id, amount=eur(5)))
        deal = s.create(Opportunity(name="B", account_id=account.id, amount=eur(7)))
        s.sales.win(deal)
        done = s.create(
            Task(subject="Call", related_to=Ref.to(account), status="completed")
        )
        s.create(Task(subject="Visit", related_to=Ref.to(account)))
        now = s.get(Account, account.id)
    figures = ("open_deals", "won_deals", "open_volume", "won_volume", "tasks_done")
    assert (1, 1, eur(5), eur(7), 1) == tuple(now[name] for name in figures)
    assert done.completed_at == now["latest_task_at"]
