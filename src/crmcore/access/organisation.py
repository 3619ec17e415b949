"""Who belongs where and is above whom, as one immutable value (ACC-07, ACC-08)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any
from uuid import UUID

import attrs

from crmcore.access.entities import (
    USER_STATUS,
    Department,
    Role,
    User,
    UserGroup,
)
from crmcore.records import Record, identity_key

__all__ = ["Organisation", "departments_of"]


#: A user, department, role or group, by entity and id.
Principal = tuple[str, UUID]


@attrs.frozen(slots=False, eq=False)
class Organisation:
    """All users and units of a tenant at one moment; ``version`` tells others apart."""

    users: dict[UUID, User]
    version: int = 0
    departments: dict[UUID, Department] = attrs.field(factory=dict)
    roles: dict[UUID, Role] = attrs.field(factory=dict)
    groups: dict[UUID, UserGroup] = attrs.field(factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], version: int = 0) -> Organisation:
        """Make the organisation of some users, departments, roles and groups."""
        return cls({}).with_records(records, version)

    def with_records(self, changed: Iterable[Record], version: int) -> Organisation:
        """Return the organisation after some were written; deleted ones leave."""
        made = Organisation(
            dict(self.users),
            version,
            dict(self.departments),
            dict(self.roles),
            dict(self.groups),
        )
        for record in changed:
            kept: dict[UUID, Any] = made._kept[record.entity_name()]
            if record.deleted_at is None:
                kept[record.id] = record
            else:
                kept.pop(record.id, None)
        return made

    @property
    def _kept(self) -> dict[str, dict[UUID, Any]]:
        return {
            "user": self.users,
            "department": self.departments,
            "role": self.roles,
            "user_group": self.groups,
        }

    @cached_property
    def decided(self) -> dict[UUID, Any]:
        """Hold what was decided for each user; gone with this version."""
        return {}

    # -- departments, roles, groups ----------------------------------------------------

    @cached_property
    def _below(self) -> dict[Principal, list[UUID]]:
        """Hold the children of each department and each role."""
        below: dict[Principal, list[UUID]] = {}
        for kind, units in (("department", self.departments), ("role", self.roles)):
            for unit in units.values():
                if unit.parent_id is not None:
                    below.setdefault((kind, unit.parent_id), []).append(unit.id)
        return below

    def tree(self, kind: str, unit_id: UUID) -> frozenset[UUID]:
        """Return a department or role with all below it."""
        found, waiting = {unit_id}, [unit_id]
        while waiting:
            for child in self._below.get((kind, waiting.pop()), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return frozenset(found)

    @cached_property
    def _members(self) -> dict[Principal, set[UUID]]:
        """Hold the users of each department, main or further, and of each role."""
        members: dict[Principal, set[UUID]] = {}
        for user in self.users.values():
            units = {("department", one) for one in departments_of(user)}
            if user.role_id is not None:
                units.add(("role", user.role_id))
            for unit in units:
                members.setdefault(unit, set()).add(user.id)
        return members

    def members(self, kind: str, identity: UUID) -> frozenset[UUID]:
        """Return the users that a principal stands for, however nested.

        A department stands for all in it and below it, a role for those who have it.
        """
        found: set[UUID] = set()
        seen: set[Principal] = set()
        waiting: list[Principal] = [(kind, identity)]
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            name, one = place
            if name == "user" and one in self.users:
                found.add(one)
            elif name == "department":
                for unit in self.tree("department", one):
                    found |= self._members.get(("department", unit), set())
            elif name == "role":
                found |= self._members.get(place, set())
            elif name == "user_group" and one in self.groups:
                refs = self.groups[one].member_refs or ()
                waiting += [(ref.entity, ref.id) for ref in refs]
        return frozenset(found)

    def headed_by(self, user_id: UUID) -> tuple[Department, ...]:
        """Return the departments of which a user is a head."""
        return tuple(
            one for one in self.departments.values() if user_id in (one.head_ids or ())
        )

    @cached_property
    def _by_username(self) -> dict[str, User]:
        return {identity_key(u.username): u for u in self.users.values() if u.username}

    @cached_property
    def _reports(self) -> dict[UUID, list[UUID]]:
        reports: dict[UUID, list[UUID]] = {}
        for user in self.users.values():
            if user.manager_id is not None:
                reports.setdefault(user.manager_id, []).append(user.id)
        return reports

    @cached_property
    def _subordinates(self) -> dict[UUID, frozenset[UUID]]:
        return {}

    def named(self, username: str) -> User | None:
        """Return the user with this user name, whatever its case."""
        return self._by_username.get(identity_key(username))

    def is_active(self, user_id: UUID) -> bool:
        """Tell whether a user may act and own records."""
        user = self.users.get(user_id)
        return user is not None and USER_STATUS.category(user.status) == "active"

    def subordinates(self, user_id: UUID) -> frozenset[UUID]:
        """Return everybody below a user, however deep; never the user."""
        known = self._subordinates.get(user_id)
        if known is None:
            known = frozenset(self._walk_down(user_id)) - {user_id}
            self._subordinates[user_id] = known
        return known

    def _walk_down(self, user_id: UUID) -> Iterator[UUID]:
        seen = {user_id}
        waiting = [user_id]
        while waiting:
            for report in self._reports.get(waiting.pop(), ()):
                if report not in seen:
                    seen.add(report)
                    waiting.append(report)
                    yield report

    def superiors(self, user_id: UUID) -> tuple[UUID, ...]:
        """Return the chain of superiors, nearest first."""
        chain: list[UUID] = []
        user = self.users.get(user_id)
        while user is not None and user.manager_id is not None:
            if user.manager_id in chain or user.manager_id == user_id:
                break
            chain.append(user.manager_id)
            user = self.users.get(user.manager_id)
        return tuple(chain)

    def cycle(self, user_id: UUID, manager_id: UUID) -> tuple[UUID, ...]:
        """Return the circle that a new superior would close, empty where none."""
        if manager_id == user_id:
            return (user_id, user_id)
        chain = (manager_id, *self.superiors(manager_id))
        if user_id not in chain:
            return ()
        return (user_id, *chain[: chain.index(user_id) + 1])


def departments_of(user: User) -> tuple[UUID, ...]:
    """Return the departments of a user, the main one first."""
    further = user.department_ids or ()
    main = () if user.department_id is None else (user.department_id,)
    return tuple(dict.fromkeys((*main, *further)))
