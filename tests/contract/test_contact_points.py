"""Phones, e-mails and addresses of parties, and what ties an opportunity to them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmcore import (
    Account,
    Address,
    Contact,
    ContactPoint,
    F,
    Lead,
    Money,
    Opportunity,
    ValidationError,
)
from crmcore.testing import Factory, Office


@pytest.mark.capability("PTY-05")
def test_a_party_has_phones_and_addresses_of_several_kinds(office: Office) -> None:
    """They come back in normal form with their kinds, and are found by each value."""
    phones = [ContactPoint("+86 755 1234 5678", "work"), ContactPoint("+447911123456")]
    with office.session() as s:
        made = s.create(
            Account(
                name="Acme",
                phones=(*phones[:1], ContactPoint(phones[1].value, "mobile")),
                billing_address=Address(street="1 High St", po_box="7", city="Leeds"),
                delivery_address=Address(city="York", country="UK"),
            )
        )
        s.create(Lead(last_name="Lee", email="a@b.example.com"))
        found = s.find(Account, F.phones.any_of(["+44 7911 123456"])).items
        in_leeds = s.count(Account, F.billing_address.city == "Leeds")
        elsewhere = s.count(Account, F.billing_address.city == "York")

    assert made.phones is not None
    assert (made,) == found
    assert ("+8675512345678", "work") == (made.phones[0].value, made.phones[0].kind)
    assert Address(city="York", country="UK") == made.delivery_address
    assert (1, 0) == (in_leeds, elsewhere)


@pytest.mark.capability("PTY-05")
def test_a_contact_point_of_an_unknown_kind_is_refused(office: Office) -> None:
    """Kinds come from a closed list, and no point is stored twice."""
    for phones in (
        [ContactPoint("+8675512345678", "pager")],
        [ContactPoint("+8675512345678")] * 2,
    ):
        with pytest.raises(ValidationError) as caught, office.session() as s:
            s.create(Contact(last_name="Lee", phones=tuple(phones)))
        assert ["phones"] == [p.field for p in caught.value.problems]


@pytest.mark.capability("SAL-01")
def test_an_opportunity_has_one_account_and_many_contacts(
    office: Office, factory: Factory
) -> None:
    """It is found by its account and by each contact, and weighs its amount."""
    with office.session() as s:
        account = s.create(factory.account())
        people = s.create_many([factory.contact(), factory.contact()])
        deal = s.create(
            Opportunity(
                name="Pumps",
                account_id=account.id,
                contact_ids=tuple(person.id for person in people),
                amount=Money(Decimal(500), "EUR"),
            )
        )
        for person in people:
            assert (deal,) == s.find(
                Opportunity, F.contact_ids.any_of([person.id])
            ).items
        assert 1 == s.count(Opportunity, F.account_id == account.id)

    assert Money(Decimal(50), "EUR") == deal.weighted_amount


@pytest.mark.capability("SAL-01")
def test_an_opportunity_with_a_bad_amount_or_contact_is_refused(
    office: Office, factory: Factory
) -> None:
    """An amount is not negative, and contacts and accounts exist."""
    with office.session() as s:
        lead = s.create(factory.lead())
    with pytest.raises(ValidationError) as caught, office.session() as s:
        s.create(
            Opportunity(
                name="Pumps",
                account_id=lead.id,
                contact_ids=(lead.id,),
                amount=Money(Decimal(-1), "EUR"),
            )
        )

    assert {
        ("account_id", "not_found"),
        ("contact_ids", "not_found"),
        ("amount", "too_small"),
    } == {(p.field, p.reason) for p in caught.value.problems}


def test_a_connection_that_lay_idle_is_used_again(
    office: Office, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking whether the server is still there leaves the connection usable."""
    monkeypatch.setattr("crmcore_sql.connections.IDLE_SECONDS", -1.0)
    for _ in range(3):
        with office.session() as s:
            s.create(factory.lead())
    with office.session() as s:
        assert 3 == s.count(Lead)
