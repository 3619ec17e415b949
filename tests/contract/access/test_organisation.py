"""Departments, roles, groups and sharing rules on every store (ACC-07, 11, 12, 15)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Account,
    F,
    Lead,
    MemoryStore,
    NotFound,
    User,
    ValidationError,
)
from crmcore.access import ACTIONS, AccessPolicy, Department, Profile, Role, UserGroup
from crmcore.criteria import to_json
from crmcore.records import Ref
from tests.contract.customisation.reasons import reasons

ALL = {"*": ACTIONS}
PROFILES = (
    *AccessPolicy().profiles,
    Profile("team", ALL, scopes={"lead": {"read": "department"}}),
    Profile("tree", ALL, scopes={"lead": {"*": "department_tree"}}),
    Profile("roles", ALL, scopes={"*": {"read": "role_tree"}}),
    Profile("board", ALL, scopes={"lead": {"read": "all"}}),
)


class Company:
    """A CRM whose leads are named after their owners."""

    def __init__(self, store: Any, tenant: str) -> None:
        self.crm = CRM(store, policy=AccessPolicy(profiles=PROFILES)).tenant(tenant)
        self.ids: dict[str, UUID] = {}
        self.leads: dict[str, Lead] = {}
        with self.crm.session(SYSTEM) as s:
            root = s.create(Department(name="Company"))
            north = s.create(Department(name="North", parent_id=root.id))
            south = s.create(Department(name="South", parent_id=root.id))
            depot = s.create(Department(name="Depot", parent_id=north.id))
            chief = s.create(Role(name="Chief"))
            rep = s.create(Role(name="Rep", parent_id=chief.id))
            for unit in (root, north, south, depot, chief, rep):
                self.ids[unit.name or ""] = unit.id
        self.hire("admin", "administrator")

    def hire(self, name: str, profile: str = "sales", **places: Any) -> None:
        with self.crm.session(SYSTEM) as s:
            user = s.create(User(username=name, profile=profile, **places))
            self.ids[name] = user.id
            self.leads[name] = s.create(Lead(last_name=name, owner_id=user.id))

    def sees(self, name: str, criteria: Any = None) -> set[str]:
        """Return whose leads somebody sees, asked as a list and one by one."""
        with self.crm.session(name) as s:
            wanted = ~F.id.is_null() if criteria is None else criteria
            listed = {lead.last_name for lead in s.find(Lead, wanted, limit=200)}
            single = set()
            for owner, lead in self.leads.items():
                try:
                    single.add(s.get(Lead, lead.id).last_name)
                except NotFound:
                    continue
                assert s.access.explain(name, lead), owner
            assert criteria is not None or listed == single
        return {str(one) for one in listed}


@pytest.fixture
def company(store: Any, tenant: str) -> Company:
    return Company(store, tenant)


@pytest.mark.capability("ACC-07")
def test_heads_see_their_department_and_all_below(company: Company) -> None:
    """Main and further memberships count; a move counts at once."""
    ids = company.ids
    company.hire("ann", department_id=ids["North"])
    company.hire("bob", department_id=ids["Depot"])
    company.hire("cat", department_id=ids["South"], department_ids=(ids["Depot"],))
    company.hire("dan", department_id=ids["South"])
    company.hire("eve")
    with company.crm.session(SYSTEM) as s:
        north = s.get(Department, ids["North"])
        s.update(north, head_ids=(ids["eve"],))
    assert {"eve", "ann", "bob", "cat"} == company.sees("eve")
    assert {"ann"} == company.sees("ann")
    with company.crm.session("eve") as s:
        cause = s.access.explain("eve", company.leads["bob"]).causes[0]
        assert ("department_head", ("North",)) == (cause.kind, cause.via)
        assert "x" == s.update(company.leads["bob"], title="x").title

    with company.crm.session(SYSTEM) as s:
        depot = s.get(Department, ids["Depot"])
        s.update(depot, parent_id=ids["South"])
    assert {"eve", "ann"} == company.sees("eve")


@pytest.mark.capability("ACC-07")
def test_departments_make_one_tree(company: Company) -> None:
    """One root, names unique among siblings, no circle, no deletion while in use."""
    ids = company.ids
    company.hire("ann", department_id=ids["Depot"])
    with company.crm.session("admin") as s:
        for wrong, expected in (
            (Department(name="Other"), {"parent_id": "second_root"}),
            (
                Department(name="NORTH", parent_id=ids["Company"]),
                {"name": "unique"},
            ),
        ):
            with pytest.raises(ValidationError) as caught:
                s.create(wrong)
            assert expected == reasons(caught)
        s.create(Department(name="North", parent_id=ids["South"]))
        north = s.get(Department, ids["North"])
        with pytest.raises(ValidationError) as caught:
            s.update(north, parent_id=ids["Depot"])
        assert {"parent_id": "cycle"} == reasons(caught)
        for name in ("North", "Depot"):
            with pytest.raises(ValidationError) as caught:
                s.delete(s.get(Department, ids[name]))
            assert {"id": "referred_to"} == reasons(caught)
        with pytest.raises(ValidationError):
            s.delete(s.get(Role, ids["Chief"]))


@pytest.mark.capability("ACC-07", "ACC-15")
def test_only_administrators_write_the_organisation(company: Company) -> None:
    """Everybody may look at it."""
    company.hire("ann")
    new = (Department(name="X"), Role(name="X"), UserGroup(name="X"))
    with company.crm.session("ann") as s:
        assert 4 == s.count(Department)
        for record in new:
            with pytest.raises(AccessDenied):
                s.create(record)
        with pytest.raises(AccessDenied):
            s.update(s.get(Role, company.ids["Rep"]), name="Boss")
    with company.crm.session("admin") as s:
        s.create(UserGroup(name="X"))


@pytest.mark.capability("ACC-15")
@pytest.mark.parametrize(
    ("profile", "seen"),
    [
        ("sales", {"me"}),
        ("team", {"me", "peer"}),
        ("tree", {"me", "peer", "below"}),
        ("roles", {"me", "below", "far"}),
        ("board", {"me", "peer", "below", "far", "top", "admin"}),
    ],
)
def test_scopes_widen_whose_records_are_seen(
    company: Company, profile: str, seen: set[str]
) -> None:
    """Own, department, department and below, roles below, all: the widest counts."""
    ids = company.ids
    company.hire("me", profile, department_id=ids["North"], role_id=ids["Chief"])
    company.hire("peer", department_id=ids["North"], role_id=ids["Chief"])
    company.hire("below", department_id=ids["Depot"], role_id=ids["Rep"])
    company.hire("far", department_id=ids["South"], role_id=ids["Rep"])
    company.hire("top", department_id=ids["Company"])
    assert seen == company.sees("me")


@pytest.mark.capability("ACC-15")
def test_a_scope_speaks_of_its_action_only(company: Company) -> None:
    """Seeing the department's records is not editing them."""
    ids = company.ids
    company.hire("me", "team", department_id=ids["North"])
    company.hire("peer", department_id=ids["North"])
    with company.crm.session("me") as s:
        with pytest.raises(AccessDenied):
            s.update(s.get(Lead, company.leads["peer"].id), title="x")
        assert 0 == s.count(Account)
    with company.crm.session("admin") as s:
        definition = {
            "actions": {"*": ["read", "edit"]},
            "scopes": {"*": {"edit": "department"}},
        }
        s.customisation.put("profile", "editors", definition)
        for scopes, place in (
            ({"lead": {"fly": "all"}}, "profile.p.scopes.lead"),
            ({"lead": {"read": "world"}}, "profile.p.scopes.lead.read"),
            ({"martian": {}}, "profile.p.scopes.martian"),
        ):
            with pytest.raises(ValidationError) as caught:
                s.customisation.put("profile", "p", {"scopes": scopes})
            assert [place] == list(reasons(caught))


# -- sharing rules -----------------------------------------------------------------------


def share(company: Company, key: str, **definition: Any) -> None:
    with company.crm.session("admin") as s:
        s.customisation.put("sharing_rule", key, definition, object=Lead)


@pytest.mark.capability("ACC-12", "ACC-11")
def test_records_are_shared_with_groups_roles_and_departments(
    company: Company,
) -> None:
    """By owner, nested groups included; membership counts at once, removal too."""
    ids = company.ids
    company.hire("ann", department_id=ids["North"])
    company.hire("bob", role_id=ids["Rep"])
    company.hire("cat")
    company.hire("dan")
    with company.crm.session("admin") as s:
        inner = s.create(
            UserGroup(name="Inner", member_refs=(Ref("role", ids["Rep"]),))
        )
        outer = s.create(
            UserGroup(
                name="Outer",
                member_refs=(Ref("user_group", inner.id), Ref("user", ids["cat"])),
            )
        )
        s.update(
            inner, member_refs=(*(inner.member_refs or ()), Ref("user_group", outer.id))
        )
    share(
        company,
        "north",
        owners=[f"department:{ids['North']}"],
        to=[f"user_group:{outer.id}"],
    )
    assert {"bob", "ann"} == company.sees("bob")
    assert {"cat", "ann"} == company.sees("cat")
    assert {"dan"} == company.sees("dan")
    with company.crm.session("bob") as s:
        found = s.get(Lead, company.leads["ann"].id)
        with pytest.raises(AccessDenied):
            s.update(found, title="x")
        (cause,) = s.access.explain("bob", found).causes
        assert ("sharing_rule", ("north",)) == (cause.kind, cause.via)

    share(
        company,
        "north",
        owners=[f"department:{ids['North']}"],
        to=[f"user_group:{outer.id}"],
        level="edit",
    )
    with company.crm.session("bob") as s:
        s.update(s.get(Lead, company.leads["ann"].id), title="x")
        with pytest.raises(AccessDenied):
            s.delete(s.get(Lead, company.leads["ann"].id))
    with company.crm.session("admin") as s:
        s.customisation.remove("sharing_rule", "north", object=Lead)
    assert {"bob"} == company.sees("bob")


@pytest.mark.capability("ACC-12")
def test_records_are_shared_by_criteria(company: Company) -> None:
    """A record comes and goes with its values; filters narrow what is shared."""
    company.hire("ann")
    company.hire("bob")
    share(
        company,
        "hot",
        when=to_json(F.rating == "hot"),
        to=[f"user:{company.ids['bob']}"],
    )
    assert {"bob"} == company.sees("bob")
    with company.crm.session("ann") as s:
        lead = s.update(company.leads["ann"], rating="hot")
    assert {"bob", "ann"} == company.sees("bob")
    assert {"ann"} == company.sees("bob", F.rating == "hot")
    with company.crm.session("bob") as s:
        assert 2 == s.count(Lead)
        assert 1 == s.count(Lead, F.owner_id == company.ids["ann"])
    with company.crm.session("ann") as s:
        s.update(lead, rating="cold")
    assert {"bob"} == company.sees("bob")


@pytest.mark.capability("ACC-12")
@pytest.mark.parametrize(
    ("definition", "place", "reason"),
    [
        ({"to": ["user:x"], "owners": [f"user:{uuid4()}"]}, ".to", "not_a_principal"),
        ({"to": [f"robot:{uuid4()}"], "owners": []}, "", "empty_rule"),
        ({"owners": [f"user:{uuid4()}"], "to": []}, ".to", "required"),
        (
            {
                "to": [f"user:{uuid4()}"],
                "owners": [f"user:{uuid4()}"],
                "level": "own",
            },
            ".level",
            "not_an_option",
        ),
        (
            {
                "to": [f"user:{uuid4()}"],
                "when": {"field": "owner.name", "op": "==", "value": "x"},
            },
            ".when",
            "only_own_fields",
        ),
        (
            {
                "to": [f"user:{uuid4()}"],
                "when": {"field": "$where", "op": "==", "value": "x"},
            },
            ".when.$where",
            "unknown_field",
        ),
    ],
)
def test_a_bad_sharing_rule_is_refused(
    definition: dict[str, Any], place: str, reason: str
) -> None:
    """Place and rule are named, and nothing is shared."""
    crm = CRM(MemoryStore())
    with crm.session(SYSTEM) as s, pytest.raises(ValidationError) as caught:
        s.customisation.put("sharing_rule", "bad", definition, object=Lead)
    assert reason == reasons(caught).get(f"sharing_rule.lead.bad{place}"), reasons(
        caught
    )


# -- who may, and how two differ ---------------------------------------------------------


@pytest.mark.capability("ACC-10", "ACC-12")
def test_who_can_names_everybody_with_the_causes(company: Company) -> None:
    """By user name, in pages; who left or never had the right is not among them."""
    ids = company.ids
    company.hire("ann", manager_id=ids["admin"])
    company.hire("bob", "board")
    company.hire("cat")
    company.hire("dan", "board")
    with company.crm.session(SYSTEM) as s:
        s.update(s.get(User, ids["dan"]), status="inactive")
    with company.crm.session("bob") as s:
        lead = s.get(Lead, company.leads["ann"].id)
        found = s.access.who_can(lead)
        assert [
            ("admin", {"profile_sees_all", "superior"}),
            ("ann", {"owner"}),
            ("bob", {"scope"}),
        ] == [
            (one.user.username, {cause.kind for cause in one.causes})
            for one in found.users
        ]
        assert ["admin", "ann"] == [
            one.user.username for one in s.access.who_can(lead, "edit").users
        ]
        names: list[Any] = []
        after = None
        while not names or after is not None:
            page = s.access.who_can(lead, limit=1, after=after)
            names += [one.user.username for one in page.users]
            after = page.next
        assert ["admin", "ann", "bob"] == names
        assert {"read", "export"} >= set(s.access.actions(lead)) >= {"read"}
    with company.crm.session("cat") as s:
        for ask in (s.access.who_can, s.access.actions):
            with pytest.raises(NotFound):
                ask(lead)
    with company.crm.session("ann") as s:
        limits: list[Any] = [0, 1_001, "1"]
        for limit in limits:
            with pytest.raises(ValidationError):
                s.access.who_can(lead, limit=limit)
        with pytest.raises(ValidationError) as caught:
            s.access.who_can(lead, "fly")
        assert {"action": "not_an_option"} == reasons(caught)


@pytest.mark.capability("ACC-15", "ACC-16")
def test_two_actors_are_compared(company: Company) -> None:
    """Only where they differ is told, and only to administrators."""
    ids = company.ids
    company.hire("ann", department_id=ids["North"])
    company.hire("bob", "team", department_id=ids["North"])
    with company.crm.session("admin") as s:
        told = {
            (d.entity, d.action): (d.left, d.right)
            for d in s.access.compare("ann", "bob")
        }
        assert ("1", "2") == told["lead", "read"]
        assert ("none", "1") == told["lead", "purge"]
        assert ("lead", "edit") not in told
        assert () == s.access.compare("ann", "ann")
    with company.crm.session("ann") as s, pytest.raises(AccessDenied):
        s.access.compare("ann", "bob")
