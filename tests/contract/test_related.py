"""Related lists lead both ways along every reference, on every store (REC-20)."""

from __future__ import annotations

import pytest

from crmcore import (
    Account,
    Contact,
    F,
    Lead,
    NotFound,
    Opportunity,
    Ref,
    Task,
    User,
    ValidationError,
)
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons


@pytest.mark.capability("REC-20")
def test_the_sales_chain_is_followed_both_ways(office: Office) -> None:
    """Account, contacts, opportunities, tasks; pages, filters and order as in lists."""
    with office.session() as s:
        acme, other = s.create(Account(name="Acme")), s.create(Account(name="Other"))
        for name in ("B", "A", "C"):
            s.create(Contact(last_name=name), parent=acme)
        s.create(Contact(last_name="X"), parent=other)
        deal = s.create(Opportunity(name="Pumps"), parent=acme)
        task = s.create(Task(subject="Call"), parent=deal)
        page = s.related(acme, Contact, order_by=[F.last_name], limit=2)
        rest = s.related(
            acme, Contact, order_by=[F.last_name], limit=2, after=page.next
        )
        assert ["A", "B", "C"] == [c.last_name for c in (*page.items, *rest.items)]
        some = s.related(acme, Contact, F.last_name == "C")
        assert ["C"] == [c.last_name for c in some.items]
        assert s.related(acme, Opportunity).items == (deal,)
        assert s.related(deal, Task).items == (task,)

    assert task.related_to == Ref("opportunity", deal.id)
    assert deal.account_id == acme.id


@pytest.mark.capability("REC-20", "ACC-10")
def test_related_lists_show_only_what_the_actor_may_see(office: Office) -> None:
    """Neither hidden records nor those of a hidden one."""
    with office.session("admin") as s:
        acme = s.create(Account(name="Acme", owner_id=office.people.alice.id))
        s.create(Contact(last_name="A", owner_id=office.people.alice.id), parent=acme)
        s.create(Contact(last_name="B", owner_id=office.people.carol.id), parent=acme)
    with office.session("alice") as s:
        assert ["A"] == [c.last_name for c in s.related(acme, Contact).items]
    with office.session("carol") as s, pytest.raises(NotFound):
        s.related(acme, Contact)


@pytest.mark.capability("REC-20", "REC-17")
def test_custom_objects_have_related_lists(office: Office) -> None:
    """A reference that an administrator added leads both ways as well."""
    with office.session("admin") as s:
        s.customisation.add_object("project", label="Project")
        for key in ("origin_id", "twin_id"):
            s.customisation.add_field(
                "project", key, "reference", options={"entity": "lead"}
            )
    with office.session() as s:
        lead = s.create(Lead(last_name="Li"))
        made = s.create("project", name="A", origin_id=lead.id)
        s.create("project", name="B", twin_id=lead.id)
        with pytest.raises(ValidationError) as several:
            s.related(lead, "project")
        found = s.related(lead, "project", through="origin_id")
        with pytest.raises(ValidationError) as unclear:
            s.create("project", name="C", parent=lead)

    assert found.items == (made,)
    assert {"parent": "several_relations"} == reasons(several) == reasons(unclear)


@pytest.mark.capability("REC-20")
def test_where_nothing_leads_is_refused(office: Office) -> None:
    """The error names both ends."""
    with office.session() as s:
        lead = s.create(Lead(last_name="Li"))
        with pytest.raises(ValidationError) as none:
            s.related(lead, User)
        with pytest.raises(ValidationError) as unknown:
            s.related(lead, Contact, through="__class__")

    assert {"parent": "no_relation"} == reasons(none)
    assert {"__class__": "no_relation"} == reasons(unknown)
