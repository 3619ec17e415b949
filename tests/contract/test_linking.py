"""Relations of many records with many, on every store (REC-20)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Account,
    Contact,
    F,
    Lead,
    ManyToMany,
    MemoryStore,
    NotFound,
    Opportunity,
    RecordLink,
    User,
    ValidationError,
)
from crmcore.testing import Office, small_organisation
from crmcore.testing.storage_suite.workbench import race
from tests.contract.customisation.reasons import reasons

BUYING = ManyToMany(
    key="buying_centre",
    source="opportunity",
    target="contact",
    label="Buying centre",
    roles={"decides": "Decides", "advises": "Advises"},
)
FRIENDS = ManyToMany(key="friends", source="contact", target="contact")


@pytest.fixture
def crm(store: Any, tenant: str) -> CRM:
    made = CRM(store, relations=[BUYING, FRIENDS]).tenant(tenant)
    small_organisation(made)
    return made


@pytest.mark.capability("REC-20")
def test_links_are_followed_from_both_sides(crm: CRM) -> None:
    """Pages, filters and orders are those of lists; each side sees its other ends."""
    with crm.session("alice") as s:
        deal, other = s.create_many([Opportunity(name="A"), Opportunity(name="B")])
        people = s.create_many([Contact(last_name=n) for n in "XZY"])
        s.link(deal, "buying_centre", *people, role="advises")
        s.link(people[0], "buying_centre", other)
        first = s.related(deal, "buying_centre", order_by=[F.last_name], limit=2)
        s.unlink(deal, "buying_centre", people[0])
        rest = s.related(
            deal, "buying_centre", order_by=[F.last_name], limit=2, after=first.next
        )
        some = s.related(deal, "buying_centre", F.last_name == "Z")
        back = s.related(people[1], "buying_centre")
        both = s.related(people[0], "buying_centre")

    assert ["X", "Y"] == [r["last_name"] for r in first]
    assert ["Z"] == [r["last_name"] for r in rest] == [r["last_name"] for r in some]
    assert (deal,) == back.items
    assert (other,) == both.items


@pytest.mark.capability("REC-20")
def test_two_records_have_one_link_with_a_role(crm: CRM) -> None:
    """Linked again, from whichever side, the link stays and gets the new role."""
    with crm.session("alice") as s:
        deal = s.create(Opportunity(name="A"))
        ada, bob = s.create_many([Contact(last_name="Ada"), Contact(last_name="Bob")])
        (link,) = s.link(deal, "buying_centre", ada, role="advises")
        (again,) = s.link(ada, "buying_centre", deal)
        changed, new = s.link(deal, "buying_centre", ada, bob, ada, role="decides")
        linked = s.links(deal, "buying_centre")
        advising = s.links(deal, "buying_centre", role="advises")
        roles = [e.changes[0].new for e in s.history(changed) if e.changes]
        kinds = [event.kind for event in s.events]

    assert again == link
    assert (changed.id, changed.role) == (link.id, "decides")
    assert [(ada, "decides", changed), (bob, "decides", new)] == [
        (one.record, one.role, one.link) for one in linked
    ]
    assert () == advising
    assert ["decides"] == roles
    assert "record_link.created" in kinds


@pytest.mark.capability("REC-20")
def test_linked_by_everybody_at_once_there_is_one_link(crm: CRM) -> None:
    """Whoever comes later finds the link of the first."""
    with crm.session("alice") as s:
        deal, ada = s.create(Opportunity(name="A")), s.create(Contact(last_name="Ada"))

    def linking() -> Any:
        return crm.run("alice", lambda s: s.link(deal, "buying_centre", ada))

    outcomes = race(*[linking] * 4)
    with crm.session("alice") as s:
        (linked,) = s.links(deal, "buying_centre")

    assert [(linked.link,)] * 4 == outcomes


@pytest.mark.capability("REC-20")
def test_a_relation_within_one_entity_has_no_direction(crm: CRM) -> None:
    """Each finds the other, whoever was linked with whom; nobody with oneself."""
    with crm.session("alice") as s:
        ada, bob = s.create_many([Contact(last_name="Ada"), Contact(last_name="Bob")])
        first = s.link(ada, "friends", bob)
        second = s.link(bob, "friends", ada)
        assert (ada,) == s.related(bob, "friends").items
        assert (bob,) == s.related(ada, "friends").items
        with pytest.raises(ValidationError) as oneself:
            s.link(ada, "friends", ada)
        assert s.unlink(bob, "friends", ada) == 1
        assert s.unlink(bob, "friends", ada) == 0
        assert s.related(ada, "friends").items == ()

    assert first == second
    assert {"relation": "same_record"} == reasons(oneself)


@pytest.mark.capability("REC-20", "REC-05")
def test_deleting_an_end_removes_the_link_only(crm: CRM) -> None:
    """The other end stays; what is restored is linked again, what is purged is not."""
    with crm.session(SYSTEM) as s:
        deal = s.create(Opportunity(name="A"))
        ada, bob = s.create_many([Contact(last_name="Ada"), Contact(last_name="Bob")])
        s.link(deal, "buying_centre", ada, bob, role="decides")
    with crm.session(SYSTEM) as s:
        gone = s.delete(ada)
        assert deal == s.get(Opportunity, deal.id)
        assert (bob,) == s.related(deal, "buying_centre").items
        assert ["Bob"] == [
            one.record["last_name"] for one in s.links(deal, "buying_centre")
        ]
    with crm.session(SYSTEM) as s:
        back = s.restore(gone)
        assert {back.id, bob.id} == {r.id for r in s.related(deal, "buying_centre")}
    with crm.session(SYSTEM) as s:
        s.purge(s.delete(back))
        assert (bob,) == s.related(deal, "buying_centre").items
        assert 1 == s.count(RecordLink)


@pytest.mark.capability("REC-20", "ACC-10")
def test_linking_needs_the_right_to_edit_and_to_see(crm: CRM) -> None:
    """Hidden ends are neither linked nor shown; links are written by the verbs only."""
    with crm.session("alice") as s:
        deal = s.create(Opportunity(name="A"))
        mine = s.create(Contact(last_name="Mine"))
    with crm.session("carol") as s:
        hers = s.create(Contact(last_name="Hers"))
        with pytest.raises(NotFound):
            s.link(deal, "buying_centre", hers)
        with pytest.raises(NotFound):
            s.related(deal, "buying_centre")
        with pytest.raises(NotFound):
            s.links(deal, "buying_centre")
    with crm.session("alice") as s:
        with pytest.raises(ValidationError) as hidden:
            s.link(deal, "buying_centre", hers)
        (link,) = s.link(deal, "buying_centre", mine)
        with pytest.raises(AccessDenied):
            s.update(link, role="decides")
        with pytest.raises(AccessDenied):
            s.delete(link)
    with crm.session(SYSTEM) as s:
        s.link(deal, "buying_centre", hers)
    with crm.session("alice") as s:
        assert (mine,) == s.related(deal, "buying_centre").items
        assert [mine] == [one.record for one in s.links(deal, "buying_centre")]

    assert {"target": "not_found"} == reasons(hidden)


@pytest.mark.capability("REC-20")
def test_what_a_relation_does_not_join_is_refused(crm: CRM) -> None:
    """Other entities, unknown relations and roles."""
    with crm.session("alice") as s:
        deal = s.create(Opportunity(name="A"))
        lead, ada = s.create(Lead(last_name="L")), s.create(Contact(last_name="Ada"))
        with pytest.raises(ValidationError) as foreign:
            s.link(deal, "buying_centre", lead)
        with pytest.raises(ValidationError) as same:
            s.link(deal, "buying_centre", deal)
        with pytest.raises(ValidationError) as nowhere:
            s.related(lead, "buying_centre")
        with pytest.raises(ValidationError) as unknown:
            s.link(deal, "__class__", ada)
        with pytest.raises(ValidationError) as role:
            s.link(deal, "buying_centre", ada, role="rules")
        with pytest.raises(ValidationError) as roleless:
            s.link(ada, "friends", s.create(Contact(last_name="B")), role="decides")

    assert {"relation": "not_joined"} == reasons(foreign) == reasons(same)
    assert {"relation": "unknown_relation"} == reasons(nowhere) == reasons(unknown)
    assert {"role": "not_an_option"} == reasons(role) == reasons(roleless)


@pytest.mark.capability("REC-20", "REC-17")
def test_administrators_define_relations(office: Office) -> None:
    """With custom objects as well; one with links is not removed."""
    with office.session("admin") as s:
        s.customisation.add_object("contact_group", label="Contact group")
    with office.session("admin") as s:
        members = {"source": "contact_group", "target": "contact", "label": "Members"}
        s.customisation.put("relation", "members", members)
    with office.session("alice") as s:
        group = s.create("contact_group", name="Board")
        ada = s.create(Contact(last_name="Ada"))
        s.link(group, "members", ada)
        assert (group,) == s.related(ada, "members").items
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as used:
            s.customisation.remove("relation", "members")
        with pytest.raises(ValidationError) as moved:
            s.customisation.put("relation", "members", {**members, "target": "lead"})
        with pytest.raises(ValidationError) as needed:
            s.customisation.remove("object", "contact_group")
    with office.session("alice") as s:
        s.unlink(group, "members", ada)
    with office.session("admin") as s:
        s.customisation.remove("relation", "members")
    with office.session("alice") as s, pytest.raises(ValidationError) as gone:
        s.link(group, "members", ada)

    assert {"relation.members": "in_use"} == reasons(used) == reasons(moved)
    assert "relation.members.source" in reasons(needed)
    assert {"relation": "unknown_relation"} == reasons(gone)


@pytest.mark.capability("REC-20")
@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize(
    ("key", "definition", "expected"),
    [
        ("lead", {}, {"relation.lead": "key_taken"}),
        ("Bad key", {}, {"relation.Bad key": "bad_key"}),
        ("a", {"target": "nothing"}, {"relation.a.target": "unknown_entity"}),
        ("a", {"source": "record_link"}, {"relation.a.source": "unknown_entity"}),
        ("a", {"roles": {"X!": "x"}}, {"relation.a.roles.X!": "bad_key"}),
        ("a", {"other": 1}, {"relation.a.other": "unknown_setting"}),
    ],
)
def test_bad_definitions_are_refused(
    office: Office, key: str, definition: dict[str, Any], expected: dict[str, str]
) -> None:
    """What is wrong is named."""
    good = {"source": "account", "target": "contact"}
    with office.session("admin") as s, pytest.raises(ValidationError) as refused:
        s.customisation.put("relation", key, {**good, **definition})
    assert expected == reasons(refused)


@pytest.mark.capability("REC-20")
def test_bad_declarations_are_refused() -> None:
    """So are two relations of one key."""
    with pytest.raises(ValidationError) as twice:
        CRM(MemoryStore(), relations=[BUYING, BUYING])
    assert {"relation.buying_centre": "key_taken"} == reasons(twice)


@pytest.mark.capability("REC-20")
def test_users_and_accounts_may_be_linked(store: Any, tenant: str) -> None:
    """A team around an account: users are records as well."""
    team = ManyToMany(key="team", source="account", target="user")
    crm = CRM(store, relations=[team]).tenant(tenant)
    people = small_organisation(crm)
    with crm.session("alice") as s:
        account = s.create(Account(name="Acme"))
        s.link(account, "team", people.carol, people.bob)
        found = s.related(account, "team", order_by=[F.username])
        assert all(isinstance(user, User) for user in found)

    assert [people.bob.id, people.carol.id] == [user.id for user in found]
