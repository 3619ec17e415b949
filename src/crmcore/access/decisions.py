"""Access decisions: pure functions of actor, organisation and policy.

Lists and single records are answered by the same scope, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from uuid import UUID

import attrs

from crmcore.access.entities import ORGANISATION, User
from crmcore.access.field_rights import FREE, FieldRights, rights_of
from crmcore.access.organisation import Organisation, departments_of
from crmcore.access.policy import AccessPolicy, Actor
from crmcore.access.profiles import Profiles
from crmcore.access.sharing import SharingRule
from crmcore.criteria import Criteria, Everything, F, from_json
from crmcore.errors import AccessDenied
from crmcore.records import EntityDef, Record, Schema

__all__ = ["Cause", "Decisions", "Explanation"]

#: What superiors may do where they may only read.
_LOOKING = frozenset({"read", "export"})
#: What everybody may do with records that are open to all (ACC-13).
_OPEN_TO_ALL = {"read": _LOOKING, "edit": _LOOKING | {"edit", "convert"}}


@attrs.frozen
class Cause:
    """One reason for a decision: ``kind`` is stable, ``via`` names who or what."""

    kind: str
    via: tuple[str, ...] = ()


@attrs.frozen
class Explanation:
    """Why an actor may or may not do something with a record."""

    allowed: bool
    action: str
    entity: str
    causes: tuple[Cause, ...]

    def __bool__(self) -> bool:
        return self.allowed

    def __str__(self) -> str:
        causes = ", ".join(" ".join((c.kind, *c.via)) for c in self.causes)
        return f"{'allowed' if self.allowed else 'denied'}: {causes}"


#: Tells whether a record of an entity meets criteria.
Holds = Callable[[EntityDef, Criteria, Record], bool]


_Place = tuple[str, str]


@attrs.frozen(eq=False)
class _Decided:
    """What one user may do, as far as it was asked, by entity and action."""

    user: User | None
    policy: AccessPolicy
    sharing: Mapping[str, tuple[SharingRule, ...]]
    profiles: Profiles | None
    allowed: dict[_Place, bool] = attrs.field(factory=dict)
    open_to_all: dict[_Place, bool] = attrs.field(factory=dict)
    owners: dict[_Place, frozenset[UUID]] = attrs.field(factory=dict)


@attrs.frozen(slots=False)
class Decisions:
    """Answers what one actor may do."""

    actor: Actor
    policy: AccessPolicy
    organisation: Organisation
    #: Sharing rules by entity, and what tells whether a record meets a rule's criteria.
    sharing: Mapping[str, tuple[SharingRule, ...]] = attrs.field(factory=dict)
    holds: Holds | None = None

    @cached_property
    def _decided(self) -> _Decided:
        """Hold what was decided for the actor before, in whichever unit of work.

        It is kept with the organisation: whatever changes there makes another one.
        """
        user = self.actor.user
        if user is None:
            return _Decided(None, self.policy, self.sharing, None)
        kept: _Decided | None = self.organisation.decided.get(user.id)
        if (
            kept is None
            or kept.user is not user
            or kept.policy is not self.policy
            or kept.sharing is not self.sharing
        ):
            profiles = self.policy.profiles_of(user)
            kept = _Decided(user, self.policy, self.sharing, profiles)
            self.organisation.decided[user.id] = kept
        return kept

    @property
    def _profile(self) -> Profiles | None:
        return self._decided.profiles

    @cached_property
    def hides_fields(self) -> bool:
        """Tell whether some field may be hidden from the actor, or closed."""
        return self._profile is not None and self._profile.speak_of_fields

    def field_rights(self, schema: Schema, entity: EntityDef) -> FieldRights:
        """Return which fields of an entity the actor may read and write (ACC-09)."""
        if self._profile is None or not self.hides_fields:
            # The system does everything; a user without profile sees no record at all.
            return FREE
        return rights_of(schema, self._profile, entity)

    def fixed_by_owner(self, entity: EntityDef, record: Record) -> bool:
        """Tell whether the record's owner is somebody whom the actor reports to.

        Where the policy says so, only fields that ``subordinates_may_edit`` are open.
        """
        user = self.actor.user
        if user is None or entity.name not in self.policy.superior_fields:
            return False
        return not self.sees_all(entity, "purge") and (
            record.owner_id in self.organisation.superiors(user.id)
        )

    @cached_property
    def _tree(self) -> frozenset[UUID]:
        """Hold the actor and everybody below."""
        user = self.actor.user
        if user is None:
            return frozenset()
        return self.organisation.subordinates(user.id) | {user.id}

    @property
    def administers(self) -> bool:
        """Tell whether the actor may change what administrators change (ACC-18)."""
        if self.actor.user is None:
            return True
        return self._profile is not None and self._profile.administers

    def require_administrator(self, action: str, entity: str) -> None:
        """Raise AccessDenied unless the actor is an administrator."""
        if not self.administers:
            raise AccessDenied(action=action, entity=entity)

    def allows(self, entity: EntityDef, action: str) -> bool:
        """Tell whether the actor's profile allows the action on the entity at all.

        Users are written by those who administer only (ACC-02).
        """
        place = (entity.name, action)
        allowed = self._decided.allowed
        known = allowed.get(place)
        if known is None:
            known = allowed[place] = self._allows(entity, action)
        return known

    def _allows(self, entity: EntityDef, action: str) -> bool:
        if self.actor.user is None:
            return True
        profile = self._profile
        if profile is None or not profile.allows(entity.name, action):
            return False
        if entity.open_to and not profile.administers:
            return not entity.open_to.isdisjoint(profile.names)
        mine = entity.name not in ORGANISATION or action in _LOOKING
        return mine or profile.administers

    def require(self, entity: EntityDef, action: str) -> None:
        """Raise AccessDenied unless the actor's profile allows the action."""
        if not self.allows(entity, action):
            raise AccessDenied(action=action, entity=entity.name)

    def sees_all(self, entity: EntityDef, action: str) -> bool:
        """Tell whether ownership does not matter for this actor and action."""
        place = (entity.name, action)
        open_to_all = self._decided.open_to_all
        known = open_to_all.get(place)
        if known is None:
            known = open_to_all[place] = self._sees_all(entity, action)
        return known

    def _sees_all(self, entity: EntityDef, action: str) -> bool:
        if self.actor.user is None:
            return True
        if self._profile is not None and self._profile.sees_all:
            return True
        profile = self._profile
        if profile is not None and "all" in profile.scopes(entity.name, action):
            return True
        default = self.policy.default_access.get(entity.name, "private")
        return action in _OPEN_TO_ALL.get(default, ())

    def owners(self, entity: EntityDef, action: str) -> frozenset[UUID]:
        """Return whose records the actor may treat so: the own ones and those below.

        Those below are subordinates, the people of departments that the actor heads,
        and whom the scopes of the profiles add.
        """
        owners = self._decided.owners
        kept = owners.get((entity.name, action))
        if kept is None:
            kept = frozenset().union(*(ids for _, ids in self._reach(entity, action)))
            owners[entity.name, action] = kept
        return kept

    def _reach(
        self, entity: EntityDef, action: str
    ) -> Iterator[tuple[Cause, frozenset[UUID]]]:
        """Yield by which causes the records of which owners are reached."""
        user = self.actor.user
        if user is None:
            return
        yield Cause("owner"), frozenset({user.id})
        if action in _LOOKING or self.policy.hierarchy_access != "read":
            yield Cause("superior"), self._tree
            for headed in self.organisation.headed_by(user.id):
                ids = self.organisation.members("department", headed.id)
                yield Cause("department_head", (headed.name or "",)), ids
        assert self._profile is not None
        for scope in sorted(self._profile.scopes(entity.name, action) - {"all"}):
            ids = self._in_scope(user, scope)
            if ids:
                yield Cause("scope", (scope,)), ids

    def _in_scope(self, user: User, scope: str) -> frozenset[UUID]:
        known = self.organisation
        mine = departments_of(user)
        if scope == "department":
            same = (
                u.id
                for u in known.users.values()
                if not set(mine).isdisjoint(departments_of(u))
            )
            return frozenset(same)
        if scope == "department_tree":
            return frozenset().union(*(known.members("department", d) for d in mine))
        if scope == "role_tree" and user.role_id is not None:
            below = known.tree("role", user.role_id) - {user.role_id}
            return frozenset().union(*(known.members("role", r) for r in below))
        return frozenset()

    def _shared(
        self, entity: EntityDef, action: str
    ) -> Iterator[tuple[SharingRule, Criteria]]:
        """Yield the sharing rules that reach the actor, with what they share."""
        user = self.actor.user
        if user is None:
            return
        for rule in self.sharing.get(entity.name, ()):
            if rule.allows(action) and rule.reaches(user.id, self.organisation):
                shared: Criteria = Everything()
                if rule.owners:
                    shared &= F.owner_id.in_(rule.owner_ids(self.organisation))
                if rule.when is not None:
                    shared &= from_json(rule.when)
                yield rule, shared

    def scope(self, entity: EntityDef, action: str = "read") -> Criteria:
        """Return the condition that a record must meet for the actor (ACC-10)."""
        if not self.allows(entity, action):
            return ~Everything()
        if self.sees_all(entity, action):
            return Everything()
        scope: Criteria = F.owner_id.in_(self.owners(entity, action))
        for _, shared in self._shared(entity, action):
            scope |= shared
        return scope

    def covers(self, entity: EntityDef, record: Record, action: str = "read") -> bool:
        """Tell whether ``record`` lies in the actor's scope."""
        if not self.allows(entity, action):
            return False
        if self.sees_all(entity, action):
            return True
        if record.owner_id in self.owners(entity, action):
            return True
        return any(
            self._holds(entity, s, record) for _, s in self._shared(entity, action)
        )

    def _holds(self, entity: EntityDef, criteria: Criteria, record: Record) -> bool:
        return self.holds is not None and self.holds(entity, criteria, record)

    def explain(self, entity: EntityDef, record: Record, action: str) -> Explanation:
        """Return the decision on one record with its causes."""
        causes = tuple(self._causes(entity, record, action))
        allowed = self.covers(entity, record, action)
        return Explanation(allowed, action, entity.name, causes)

    def _causes(self, entity: EntityDef, record: Record, action: str) -> list[Cause]:
        user = self.actor.user
        if user is None:
            return [Cause("system")]
        if not self.allows(entity, action):
            names = self._profile.names if self._profile else ("no profile",)
            return [Cause("profile_denies", names)]
        profile = self._profile
        causes = []
        if profile is not None and profile.sees_all:
            causes.append(Cause("profile_sees_all", profile.names))
        elif profile is not None and "all" in profile.scopes(entity.name, action):
            causes.append(Cause("scope", ("all",)))
        elif self.sees_all(entity, action):
            causes.append(Cause("default_access", (entity.name,)))
        for cause, ids in self._reach(entity, action):
            if record.owner_id not in ids:
                continue
            if cause.kind != "superior":
                causes.append(cause)
            elif record.owner_id != user.id:
                causes.append(Cause("superior", self._chain(record.owner_id)))
        causes += [
            Cause("sharing_rule", (rule.key,))
            for rule, shared in self._shared(entity, action)
            if self._holds(entity, shared, record)
        ]
        return causes or [Cause("not_in_scope")]

    def _chain(self, owner_id: UUID | None) -> tuple[str, ...]:
        """Return the user names from the record's owner up to the actor."""
        assert owner_id is not None
        chain = (owner_id, *self.organisation.superiors(owner_id))
        names = []
        for identity in chain:
            names.append(self.organisation.users[identity].username or str(identity))
            if identity == self.actor.id:
                break
        return tuple(names)
