"""Lists, counts, single records and explanations agree with an oracle that walks about."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

import pytest

from crmcore import CRM, SYSTEM, F, Lead, MemoryStore, NotFound, User
from crmcore.access import ACTIONS, AccessPolicy, Department, Profile, Role, UserGroup
from crmcore.criteria import to_json
from crmcore.records import Ref

ALL = {"*": ACTIONS}
SCOPES = ("own", "department", "department_tree", "role_tree", "all")
PROFILES = {
    scope: Profile(
        scope,
        ALL if scope != "own" else {"lead": frozenset({"read", "create"})},
        scopes={"lead": {"read": scope, "edit": "own"}},
    )
    for scope in SCOPES
}
RATINGS = ("hot", "warm", "cold")


class World:
    """A random company with its leads, kept as plain data for the oracle."""

    def __init__(self, store: Any, tenant: str, seed: int) -> None:
        self.random = random = Random(seed)
        policy = AccessPolicy(
            profiles=(*AccessPolicy().profiles, *PROFILES.values()),
            hierarchy_access=random.choice(["edit", "read"]),
            combine_profiles=random.choice(["union", "intersection"]),
        )
        self.policy = policy
        self.crm = CRM(store, policy=policy).tenant(tenant)
        self.departments: list[Department] = []
        self.roles: list[Role] = []
        self.users: list[User] = []
        self.groups: list[UserGroup] = []
        self.rules: list[dict[str, Any]] = []
        self.leads: list[Lead] = []
        with self.crm.session(SYSTEM) as s:
            self._fill(s)
        with self.crm.session(SYSTEM) as s:
            for number, rule in enumerate(self.rules):
                s.customisation.put("sharing_rule", f"r{number}", rule, object=Lead)

    def _fill(self, s: Any) -> None:
        random = self.random
        for n in range(5):
            above = random.choice(self.departments).id if self.departments else None
            self.departments.append(s.create(Department(name=f"D{n}", parent_id=above)))
        for n in range(4):
            above = random.choice([None, *(r.id for r in self.roles)])
            self.roles.append(s.create(Role(name=f"R{n}", parent_id=above)))
        for n in range(9):
            scopes = random.sample(SCOPES, k=2)
            self.users.append(
                s.create(
                    User(
                        username=f"u{n}",
                        profile=scopes[0],
                        further_profiles=random.choice([None, (scopes[1],)]),
                        manager_id=random.choice([None, *(u.id for u in self.users)]),
                        department_id=random.choice(
                            [None, *(d.id for d in self.departments)]
                        ),
                        department_ids=random.choice(
                            [None, (random.choice(self.departments).id,)]
                        ),
                        role_id=random.choice([None, *(r.id for r in self.roles)]),
                    )
                )
            )
        for n, one in enumerate(self.departments):
            heads = tuple(
                u.id for u in random.sample(self.users, k=random.randint(0, 2))
            )
            self.departments[n] = s.update(one, head_ids=heads or None)
        for n in range(4):
            members = [self._principal() for _ in range(random.randint(0, 3))]
            self.groups.append(
                s.create(
                    UserGroup(
                        name=f"G{n}", member_refs=tuple(dict.fromkeys(members)) or None
                    )
                )
            )
        # A group may hold itself, round some corners.
        first, last = self.groups[0], self.groups[-1]
        refs = tuple(dict.fromkeys((*(first.member_refs or ()), Ref.to(last))))
        self.groups[0] = s.update(first, member_refs=refs)
        for _ in range(4):
            rule: dict[str, Any] = {
                "to": [self._text() for _ in range(random.randint(1, 2))],
                "level": random.choice(["read", "edit", "full"]),
            }
            kind = random.randrange(3)
            if kind != 1:
                rule["owners"] = [self._text()]
            if kind != 0:
                rule["when"] = to_json(F.rating == random.choice(RATINGS))
            self.rules.append(rule)
        for n in range(25):
            self.leads.append(
                s.create(
                    Lead(
                        last_name=f"L{n}",
                        owner_id=random.choice([None, *(u.id for u in self.users)]),
                        rating=random.choice([None, *RATINGS]),
                    )
                )
            )

    def _principal(self) -> Ref:
        places: list[Any] = [self.users, self.departments, self.roles, self.groups]
        return Ref.to(self.random.choice(self.random.choice([p for p in places if p])))

    def _text(self) -> str:
        chosen = self._principal()
        return f"{chosen.entity}:{chosen.id}"

    # -- the oracle --------------------------------------------------------------------

    def may(self, user: User, lead: Lead, action: str) -> bool:
        """Tell by walking about whether a user may do something with a lead."""
        names = [user.profile, *(user.further_profiles or ())]
        profiles = [PROFILES[name] for name in dict.fromkeys(names) if name]
        agree = any if self.policy.combine_profiles == "union" else all
        if not agree(self._profile_allows(p, action) for p in profiles):
            return False
        scopes = [p.scopes["lead"].get(action, "own") for p in profiles]
        if self.policy.combine_profiles == "intersection" and len(set(scopes)) > 1:
            scopes = []
        if "all" in scopes:
            return True
        return (
            self._is_below(user, lead.owner_id, action)
            or any(self._in_scope(user, lead.owner_id, scope) for scope in scopes)
            or any(self._is_shared(rule, user, lead, action) for rule in self.rules)
        )

    def _profile_allows(self, profile: Profile, action: str) -> bool:
        return action in profile.actions.get("lead", profile.actions.get("*", ()))

    def _is_below(self, user: User, owner: UUID | None, action: str) -> bool:
        if owner is None:
            return False
        if owner == user.id:
            return True
        if action == "edit" and self.policy.hierarchy_access == "read":
            return False
        above = self._user(owner).manager_id
        while above is not None:
            if above == user.id:
                return True
            above = self._user(above).manager_id
        return any(
            user.id in (unit.head_ids or ())
            for place in self._departments_of(self._user(owner))
            for unit in self._up(self.departments, place)
        )

    def _in_scope(self, user: User, owner: UUID | None, scope: str) -> bool:
        if owner is None:
            return False
        theirs = self._departments_of(self._user(owner))
        mine = self._departments_of(user)
        if scope == "department":
            return bool(set(theirs) & set(mine))
        if scope == "department_tree":
            return any(
                u.id in mine for t in theirs for u in self._up(self.departments, t)
            )
        if scope == "role_tree":
            role = self._user(owner).role_id
            chain = [] if role is None else self._up(self.roles, role)[1:]
            return user.role_id is not None and user.role_id in [r.id for r in chain]
        return False

    def _is_shared(
        self, rule: dict[str, Any], user: User, lead: Lead, action: str
    ) -> bool:
        if action == "edit" and rule["level"] == "read":
            return False
        if not any(self._stands_for(text, user.id, set()) for text in rule["to"]):
            return False
        if "owners" in rule and (
            lead.owner_id is None
            or not any(
                self._stands_for(t, lead.owner_id, set()) for t in rule["owners"]
            )
        ):
            return False
        return "when" not in rule or lead.rating == rule["when"]["value"]

    def _stands_for(self, text: str, user_id: UUID, seen: set[str]) -> bool:
        kind, _, identity = text.partition(":")
        user = self._user(user_id)
        if text in seen:
            return False
        seen.add(text)
        if kind == "user":
            return str(user_id) == identity
        if kind == "role":
            return str(user.role_id) == identity
        if kind == "department":
            return any(
                str(unit.id) == identity
                for place in self._departments_of(user)
                for unit in self._up(self.departments, place)
            )
        (group,) = [g for g in self.groups if str(g.id) == identity]
        return any(
            self._stands_for(f"{ref.entity}:{ref.id}", user_id, seen)
            for ref in group.member_refs or ()
        )

    def _user(self, identity: UUID) -> User:
        return next(user for user in self.users if user.id == identity)

    def _departments_of(self, user: User) -> list[UUID]:
        main = [] if user.department_id is None else [user.department_id]
        return [*main, *(user.department_ids or ())]

    def _up(self, units: list[Any], identity: UUID) -> list[Any]:
        """Return a unit and all above it."""
        found = []
        place: UUID | None = identity
        while place is not None:
            unit = next(one for one in units if one.id == place)
            found.append(unit)
            place = unit.parent_id
        return found


def disagreements(world: World) -> list[str]:
    """Return where the library and the oracle differ, on every path."""
    wrong: list[str] = []
    for user in world.users:
        assert user.username
        expected = {
            lead.last_name for lead in world.leads if world.may(user, lead, "read")
        }
        with world.crm.session(user.username) as s:
            listed = {lead.last_name for lead in s.find(Lead, limit=100)}
            streamed = {lead.last_name for lead in s.stream(Lead)}
            counted = s.count(Lead)
            if not listed == streamed == expected or counted != len(expected):
                wrong.append(f"{user.username} lists {listed ^ expected}")
            for lead in world.leads:
                try:
                    s.get(Lead, lead.id)
                    seen = True
                except NotFound:
                    seen = False
                if seen != (lead.last_name in expected):
                    wrong.append(f"{user.username} gets {lead.last_name}")
        with world.crm.session(SYSTEM) as s:
            for lead in world.leads:
                for action in ("read", "edit"):
                    told = bool(s.access.explain(user, lead, action))
                    if told != world.may(user, lead, action):
                        wrong.append(f"{user.username} {action} {lead.last_name}")
    return wrong


@pytest.mark.capability("ACC-07", "ACC-10", "ACC-11", "ACC-12", "ACC-15")
@pytest.mark.parametrize("seed", range(3))
def test_every_store_agrees_with_the_oracle(store: Any, tenant: str, seed: int) -> None:
    """Random organisations, profiles, groups and sharing rules."""
    assert [] == disagreements(World(store, tenant, seed))


@pytest.mark.capability("ACC-10", "ACC-12")
def test_many_worlds_agree_in_memory() -> None:
    """The same for many more."""
    for seed in range(100, 150):
        assert [] == disagreements(World(MemoryStore(), "t", seed)), seed


@pytest.mark.capability("ACC-10")
def test_the_control_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that forgets the sharing rules disagrees."""
    monkeypatch.setattr("crmcore.access.Decisions._shared", lambda *_: iter(()))
    found = [len(disagreements(World(MemoryStore(), "t", seed))) for seed in range(5)]
    assert any(found)
