"""Values that follow from others: kept up write by write, they are what a rebuild gives."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    F,
    MemoryStore,
    Money,
    Opportunity,
    Session,
    User,
)
from crmcore.records import Boolean, DateOnly, Integer, MoneyAmount, RollUp, fields

WON = {"field": "stage_category", "op": "==", "value": "won"}


def over(function: str, field: str | None = None, **more: Any) -> RollUp:
    return RollUp(
        child="opportunity",
        relation="account_id",
        function=function,
        field=field,
        **more,
    )


SHAPE = {
    Account: [
        fields.custom("factor", Integer()),
        fields.custom("deals", Integer(), roll_up=over("count")),
        fields.custom("won", Integer(), roll_up=over("count", where=WON)),
        fields.custom("total", MoneyAmount(), roll_up=over("sum", "worth")),
        fields.custom("least", MoneyAmount(), roll_up=over("min", "amount")),
        fields.custom("last", DateOnly(), roll_up=over("max", "close_date")),
        fields.custom("mean", MoneyAmount(), roll_up=over("average", "amount")),
        fields.custom("busy", Boolean(), formula="deals > 2"),
    ],
    Opportunity: [
        fields.custom("worth", MoneyAmount(), formula="amount * account.factor"),
        fields.custom("hot", Boolean(), formula="account.busy and worth != null"),
    ],
}
OPERATIONS = 40


def play(store: Any, tenant: str, seed: int) -> CRM:
    """Do random things with a few accounts and their deals."""
    random = Random(seed)
    crm = CRM(store, fields=SHAPE).tenant(tenant)
    with crm.session(SYSTEM) as s:
        s.create(User(username="ann", profile="administrator"))
    with crm.session("ann") as s:
        for n in range(3):
            s.create(Account(name=f"Account {n}"), factor=n)
    for _ in range(OPERATIONS):
        with crm.session("ann") as s:
            step(s, random)
    return crm


def step(s: Session, random: Random) -> None:
    accounts = list(s.stream(Account, order_by=F.name))
    deals = list(s.stream(Opportunity, order_by=F.id))
    owner = random.choice([*accounts, None])
    owner_id = owner.id if owner else None
    deal = random.choice(deals) if deals else None
    kind = random.randrange(9)
    if kind < 3 or deal is None:
        s.create_many(
            Opportunity(
                name="Deal",
                account_id=owner_id,
                amount=amount(random),
                close_date=date(2026, random.randint(1, 9), 1),
            )
            for _ in range(random.randint(1, 3))
        )
    elif kind == 3 and deal.stage_category == "open":
        s.update(deal, amount=amount(random))
    elif kind == 4 and deal.stage_category == "open":
        s.update(deal, account_id=owner_id)
    elif kind == 5:
        s.update(random.choice(accounts), factor=random.choice([None, 1, 2, -3]))
    elif kind == 6:
        removed = s.delete(deal)
        if random.random() < 0.5:
            s.restore(removed)
        elif random.random() < 0.5:
            s.purge(removed)
    elif kind == 7:
        s.mass_update(Opportunity, ~F.name.is_null(), {"amount": amount(random)})
    elif deal.stage_category == "open":
        s.sales.win(deal)


def amount(random: Random) -> Money | None:
    currency = random.choice(["EUR", "EUR", "EUR", "USD"])
    return random.choice([None, Money(random.randint(0, 50), currency)])


def rebuilt(crm: CRM) -> int:
    """Work everything out anew and return how many values were different."""
    with crm.session("ann") as s:
        return sum(
            s.customisation.recalculate(kind).changed
            for kind in (Account, Opportunity, Account)
        )


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize("seed", range(6))
def test_a_rebuild_changes_nothing(store: Any, tenant: str, seed: int) -> None:
    """On every store, after any sequence of writes."""
    assert 0 == rebuilt(play(store, tenant, seed))


@pytest.mark.capability("REC-16")
def test_a_rebuild_changes_nothing_in_many_histories() -> None:
    """The same for many more sequences, in memory."""
    for seed in range(100, 160):
        assert 0 == rebuilt(play(MemoryStore(), "t", seed)), seed


@pytest.mark.capability("REC-16")
def test_the_control_sees_values_that_are_not_kept_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nothing is maintained, a rebuild has much to mend."""
    monkeypatch.setattr("crmcore.unit.writing.maintain", lambda unit, changes: None)
    assert rebuilt(play(MemoryStore(), "t", 1)) > 3
