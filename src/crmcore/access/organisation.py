"""The tree of superiors, as one immutable value (ACC-08)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from uuid import UUID

import attrs

from crmcore.access.entities import USER_STATUS, User
from crmcore.records import identity_key

__all__ = ["Organisation"]


@attrs.frozen(slots=False, eq=False)
class Organisation:
    """All users of a tenant at one moment; ``version`` changes with every user write."""

    users: dict[UUID, User]
    version: int = 0

    @classmethod
    def of(cls, users: Iterable[User], version: int = 0) -> Organisation:
        """Make the organisation of some users."""
        return cls({user.id: user for user in users}, version)

    def with_users(self, changed: Iterable[User], version: int) -> Organisation:
        """Return the organisation after some users were written; deleted ones leave."""
        users = dict(self.users)
        for user in changed:
            if user.deleted_at is None:
                users[user.id] = user
            else:
                users.pop(user.id, None)
        return Organisation(users, version)

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
