"""Values that no rule allows are refused, wherever they are put in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Conflict,
    F,
    Lead,
    MemoryStore,
    Money,
    Opportunity,
    User,
    ValidationError,
)
from crmcore.records import Choices, EntityDef, Option, Picklist, fields
from crmcore.session import Session
from crmcore.testing import Factory, Office, small_organisation

COLOURS = Choices.of(
    Picklist("colour", (Option("red", "Red"), Option("old", "Old", active=False)))
)


@pytest.mark.parametrize(
    "amount", ["1.00000000000000000000000000000000001", Decimal("0.12345"), "1e99"]
)
def test_amounts_are_never_rounded(office: Office, amount: Any) -> None:
    """More digits than are kept are refused, however many there are."""
    with office.session() as s, pytest.raises(ValidationError):
        s.create(Opportunity(name="X", amount=Money(amount, "USD")))


def test_many_zeros_are_no_digits(office: Office) -> None:
    """Zeros behind the point say nothing, so that they are taken."""
    with office.session() as s:
        amount = Money("12." + "50" + "0" * 60, "USD")
        made = s.create(Opportunity(name="X", amount=amount))

    assert Money("12.5000", "USD") == made.amount


def test_inactive_options_are_not_chosen_again(tenant: str) -> None:
    """An option of several that is no longer used stays, but is not added."""
    custom = {Lead: [fields.custom("colours", COLOURS)]}
    crm = CRM(MemoryStore(), fields=custom).tenant(tenant)
    small_organisation(crm)
    with crm.session("alice") as s:
        for colours in (["old"], ["red", "old"]):
            with pytest.raises(ValidationError) as raised:
                s.create(Lead(last_name="Li"), colours=colours)
            assert "inactive_option" == raised.value.problems[0].reason


def test_custom_values_are_those_of_custom_fields(office: Office) -> None:
    """A declared field in ``custom`` is refused, not dropped."""
    with office.session() as s, pytest.raises(ValidationError) as raised:
        s.create(Lead(last_name="Li", custom={"title": "CEO"}))

    assert ["title"] == [p.field for p in raised.value.problems]


@pytest.mark.parametrize("zone", ["America", "Nowhere/City", "../UTC", "/etc/passwd"])
def test_time_zones_are_real(office: Office, zone: str) -> None:
    """A user whose time zone cannot be read is not stored."""
    with office.crm.session(SYSTEM) as s, pytest.raises(ValidationError) as raised:
        s.create(User(username="li", timezone=zone))

    assert [("timezone", "not_an_option")] == [
        (p.field, p.reason) for p in raised.value.problems
    ]


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.count(Lead, reduce(or_, [F.title == str(n) for n in range(801)])),
        lambda s: s.count(
            Opportunity, F.amount.in_([Money(n, "USD") for n in range(401)])
        ),
        lambda s: s.count(
            Opportunity, F.tag_ids.all_of([UUID(int=n) for n in range(801)])
        ),
        lambda s: s.find(Lead, order_by=[F.title] * 21),
        lambda s: s.find(Lead, total=10**30),
        lambda s: s.find(Lead, total=True),
        lambda s: next(s.stream(Lead, chunk=0)),
    ],
)
def test_questions_without_end_are_refused(
    office: Office, ask: Callable[[Any], Any]
) -> None:
    """What a server could not answer never reaches it."""
    with office.session() as s, pytest.raises(ValidationError):
        ask(s)


@pytest.mark.parametrize(
    "criteria",
    [
        reduce(or_, [F.title == str(n) for n in range(790)]),
        F.amount.in_([Money(n, "USD") for n in range(395)]),
        F.tag_ids.all_of([UUID(int=n) for n in range(790)]),
    ],
    ids=["or", "in", "all_of"],
)
def test_the_longest_questions_are_answered(office: Office, criteria: Any) -> None:
    """Whatever is let in, every store can answer."""
    kind = Lead if "title" in str(criteria) else Opportunity
    with office.session() as s:
        assert 0 == s.count(kind, criteria)


def test_a_conflict_while_reading_dooms_the_whole(
    office: Office, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may have ended the transaction: who goes on anyway commits nothing."""
    with office.session() as s:
        lead = s.create(factory.lead())

    def deadlock(self: Any, entity: EntityDef, ids: Any, *, lock: bool = False) -> Any:
        raise Conflict

    def go_on_anyway(s: Session) -> None:
        s.create(Account(name="Acme"))
        with monkeypatch.context() as patch:
            patch.setattr(type(s.transaction), "load", deadlock)
            with pytest.raises(Conflict):
                s.update(lead, title="x")
        with pytest.raises(Conflict):
            s.create(Account(name="Other"))

    with pytest.raises(Conflict), office.session() as s:
        go_on_anyway(s)

    with office.session() as s:
        assert 0 == s.count(Account)
        assert lead == s.get(Lead, lead.id)
