"""Conversions of the less usual kind (LEAD-03, LEAD-05)."""

from __future__ import annotations

import pytest

from crmcore import Contact, Create, Lead, Ref, Skip, Task, Use, ValidationError
from crmcore.testing import Factory, Office


@pytest.mark.capability("LEAD-03")
def test_an_unknown_field_of_a_target_is_refused(
    office: Office, factory: Factory
) -> None:
    """Whichever of the three records it was meant for."""
    with office.session() as s:
        lead = s.create(factory.lead())
        for target in ("account", "contact", "opportunity"):
            with pytest.raises(ValidationError) as raised:
                s.leads.convert(lead, **{target: Create({"nonsense": 1})})
            assert ["nonsense"] == [p.field for p in raised.value.problems]
        assert lead == s.get(Lead, lead.id)


@pytest.mark.capability("LEAD-03")
def test_a_contact_without_account_joins_the_new_one(
    office: Office, factory: Factory
) -> None:
    """Its account is an empty field, and empty fields are filled."""
    with office.session() as s:
        contact = s.create(factory.contact())
        done = s.leads.convert(s.create(factory.lead()), contact=Use(contact.id))

    assert done.account is not None
    assert done.contact is not None
    assert (contact.id, done.account.id) == (done.contact.id, done.contact.account_id)


@pytest.mark.capability("LEAD-03")
def test_the_contact_used_may_be_one_of_the_leads(
    office: Office, factory: Factory
) -> None:
    """Linking the lead's contacts does not touch the one that was completed."""
    with office.session() as s:
        lead = s.create(factory.lead(title="CEO"))
        used, other = s.create_many(
            factory.contact(lead_id=lead.id, email=None) for _ in range(2)
        )
        done = s.leads.convert(
            lead, contact=Use(used.id), contacts="link", link_contact_to_account=True
        )
        assert done.account is not None
        assert {used.id, other.id} == {
            contact.id
            for contact in s.find(Contact)
            if contact.account_id == done.account.id
        }
        assert 2 == s.get(Contact, used.id).version


@pytest.mark.capability("REC-08")
def test_history_names_only_what_changed(office: Office, factory: Factory) -> None:
    """Fields that a conversion left as they were are in no entry."""
    with office.session() as s:
        lead = s.create(factory.lead())
        task = s.create(Task(subject="Call", links=(Ref.to(lead),)))
        done = s.leads.convert(lead, opportunity=Skip())
        for record in (done.lead, task):
            last = s.history(record)[-1]
            assert [] == [c.field for c in last.changes if c.old == c.new]
            assert [] != [c.field for c in last.changes]
