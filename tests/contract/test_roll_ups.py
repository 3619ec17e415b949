"""Numbers over children, kept up to date on every store (REC-16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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
    Task,
    User,
    ValidationError,
)
from crmcore.criteria import to_json
from crmcore.records import (
    DateTime,
    Integer,
    MoneyAmount,
    Ref,
    RollUp,
    Text,
    fields,
)

WON = {"field": "stage_category", "op": "==", "value": "won"}


def over(function: str, field: str | None = None, **more: Any) -> RollUp:
    return RollUp(
        child="opportunity",
        relation="account_id",
        function=function,
        field=field,
        **more,
    )


FIELDS = (
    fields.custom("deals", Integer(), roll_up=over("count")),
    fields.custom("won_deals", Integer(), roll_up=over("count", where=WON)),
    fields.custom("volume", MoneyAmount(), roll_up=over("sum", "amount")),
    fields.custom("best", MoneyAmount(), roll_up=over("max", "amount")),
    fields.custom("cost", MoneyAmount(), roll_up=over("average", "actual_cost")),
    fields.custom(
        "latest_task_at",
        DateTime(),
        roll_up=RollUp(
            child="task", relation="related_to", function="max", field="completed_at"
        ),
    ),
)


def crm_on(store: Any, tenant: str) -> CRM:
    crm = CRM(store, fields={Account: FIELDS}).tenant(tenant)
    with crm.session(SYSTEM) as s:
        s.create(User(username="ann", name="Ann", profile="administrator"))
    return crm


def numbers(s: Session, account: Account) -> tuple[Any, ...]:
    now = s.get(Account, account.id)
    return tuple(now[one.name] for one in FIELDS[:5])


def deal(account: Account, amount: int, cost: int, **more: Any) -> Opportunity:
    return Opportunity(
        name="Deal",
        account_id=account.id,
        amount=Money(amount, more.pop("currency", "EUR")),
        actual_cost=eur(cost),
        **more,
    )


def eur(amount: Any) -> Money:
    return Money(amount, "EUR")


@pytest.mark.capability("REC-16")
def test_roll_ups_follow_every_write_of_a_child(store: Any, tenant: str) -> None:
    """Created, changed, moved, deleted and restored children all count at once."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one, other = s.create(Account(name="One")), s.create(Account(name="Other"))
        first = s.create(deal(one, 100, 10))
        second = s.create(deal(one, 50, 30))
        assert (2, 0, eur(150), eur(100), eur(20)) == numbers(s, one)

        second = s.update(second, amount=eur(250))
        assert (2, 0, eur(350), eur(250), eur(20)) == numbers(s, one)

        second = s.update(second, account_id=other.id)
        assert (1, 0, eur(100), eur(100), eur(10)) == numbers(s, one)
        assert (1, 0, eur(250), eur(250), eur(30)) == numbers(s, other)

        gone = s.delete(first)
        assert (0, 0, None, None, None) == numbers(s, one)

        s.restore(gone)
        s.sales.win(second)
        assert 1 == s.get(Account, one.id)["deals"]
        assert 1 == s.get(Account, other.id)["won_deals"]


@pytest.mark.capability("REC-16")
def test_a_parent_keeps_its_version_and_is_found_by_its_roll_up(
    store: Any, tenant: str
) -> None:
    """Who edits the parent is not disturbed; lists filter and sort in the database."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one, other = s.create(Account(name="One")), s.create(Account(name="Other"))
        s.create_many([deal(one, 100, 10), deal(one, 5, 10), deal(other, 200, 10)])
    with crm.session("ann") as s:
        s.update(one, region="North")
        found = s.find(Account, F.deals >= 1, order_by=[F.volume.desc()])
        assert ["Other", "One"] == [account.name for account in found]
        assert 2 == s.get(Account, one.id)["deals"]


@pytest.mark.capability("REC-16")
def test_two_currencies_have_no_sum(store: Any, tenant: str) -> None:
    """A sum of two currencies is missing until one of them has gone."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one = s.create(Account(name="One"))
        s.create(deal(one, 100, 10))
        dollars = s.create(deal(one, 7, 10, currency="USD"))
        assert (2, 0, None, None, eur(10)) == numbers(s, one)

        s.delete(dollars)
        assert eur(100) == s.get(Account, one.id)["volume"]


@pytest.mark.capability("REC-16")
def test_children_may_refer_to_records_of_several_entities(
    store: Any, tenant: str
) -> None:
    """The latest activity of an account comes from the tasks that are tied to it."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one = s.create(Account(name="One"))
        task = s.create(
            Task(subject="Visit", related_to=Ref.to(one), status="completed")
        )
        assert task.completed_at is not None
        assert task.completed_at == s.get(Account, one.id)["latest_task_at"]


@pytest.mark.capability("REC-16")
def test_concurrent_writers_of_children_lose_nothing(store: Any, tenant: str) -> None:
    """Whoever comes second counts what the first one wrote."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        one = s.create(Account(name="One"))

    def add(amount: int) -> None:
        crm.run("ann", lambda s: s.create(deal(one, amount, amount)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(1, 9)))

    with crm.session("ann") as s:
        assert (8, 0, eur(36), eur(8), eur("4.5")) == numbers(s, one)


@pytest.mark.capability("REC-16")
def test_callers_cannot_set_a_roll_up() -> None:
    """Its value is the library's alone."""
    crm = crm_on(MemoryStore(), "t")

    with crm.session("ann") as s, pytest.raises(ValidationError) as caught:
        s.create(Account(name="One"), deals=7)

    assert "read_only" in [problem.reason for problem in caught.value.problems]


@pytest.mark.capability("REC-16")
@pytest.mark.parametrize(
    ("kind", "roll_up", "reason"),
    [
        (Integer(), RollUp(child="__class__", relation="x"), "unknown_entity"),
        (Integer(), RollUp(child="opportunity", relation="name"), "unknown_field_in"),
        (Integer(), RollUp(child="opportunity", relation="$x"), "unknown_field_in"),
        (Integer(), over("drop"), "malformed"),
        (Integer(), over("sum"), "unknown_field"),
        (Integer(), over("sum", "name"), "not_aggregable"),
        (Integer(), over("sum", "amount"), "wrong_result"),
        (Text(), over("count"), "wrong_result"),
        (MoneyAmount(), over("count"), "wrong_result"),
        (Integer(), over("count", where={**WON, "field": "spam"}), "unknown_field"),
        (
            Integer(),
            over("count", where={"field": "account.name", "op": "==", "value": "x"}),
            "only_own_fields",
        ),
        (
            Integer(),
            over("count", where=to_json(F.close_date.during("this_month"))),
            "grows_stale",
        ),
    ],
)
def test_a_bad_roll_up_is_refused(kind: Any, roll_up: RollUp, reason: str) -> None:
    """No set-up begins with a roll-up that could not be worked out."""
    with pytest.raises(ValidationError) as caught:
        CRM(
            MemoryStore(),
            fields={Account: [fields.custom("bad", kind, roll_up=roll_up)]},
        )

    assert [reason] == [problem.reason for problem in caught.value.problems]


@pytest.mark.capability("REC-16")
def test_roll_ups_are_rebuilt_for_records_that_were_there(
    store: Any, tenant: str
) -> None:
    """One that was declared later counts everything, and nothing the second time."""
    crm = crm_on(store, tenant)
    plain = CRM(store).tenant(tenant)
    with plain.session(SYSTEM) as s:
        one = s.create(Account(name="One"))
        for amount in (3, 5):
            s.create(deal(one, amount, amount))
    with crm.session(SYSTEM) as s:
        assert s.customisation.recalculate(Account).changed > 0
        assert s.customisation.recalculate(Account).changed == 0
    with crm.session(SYSTEM) as s:
        assert s.get(Account, one.id)["deals"] == 2


@pytest.mark.capability("REC-16")
def test_a_roll_up_cannot_be_unique() -> None:
    """Its value changes with the children, which claim nothing."""
    field = fields.custom("deals", Integer(), roll_up=over("count"), unique=True)
    with pytest.raises(ValidationError) as refused:
        CRM(MemoryStore(), fields={Account: [field]})

    assert ["not_unique_here"] == [p.reason for p in refused.value.problems]
