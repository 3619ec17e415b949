"""``session.access``: who may do what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import attrs

from crmcore.access.decisions import Cause, Decisions, Explanation
from crmcore.access.entities import User
from crmcore.access.organisation import Organisation
from crmcore.access.policy import Actor
from crmcore.access.profiles import ACTIONS
from crmcore.errors import ValidationError
from crmcore.records import EntityDef, Record, Schema

__all__ = ["AccessService", "Allowed", "Difference", "WhoCan"]

Who = Actor | User | UUID | str
#: Principals of one answer at most.
LARGEST_ANSWER = 1_000


@attrs.frozen
class Allowed:
    """Somebody who may do something with a record, and why."""

    user: User
    causes: tuple[Cause, ...]


@attrs.frozen
class WhoCan:
    """Some of those who may, by user name; ``next`` goes on behind the last of them."""

    users: tuple[Allowed, ...]
    next: str | None


@attrs.frozen
class Difference:
    """An action on an entity that two actors may not do alike.

    ``left`` and ``right`` say whose records each of them reaches: ``all``, the number of
    owners, or ``none``.
    """

    entity: str
    action: str
    left: str
    right: str


class AccessService:
    """Explains access decisions."""

    def __init__(
        self,
        schema: Schema,
        decisions_of: Callable[[Who], Decisions],
        reload: Callable[[EntityDef, UUID], Record],
        organisation: Organisation,
        own: Decisions,
    ) -> None:
        self._schema = schema
        self._decisions_of = decisions_of
        self._reload = reload
        self._organisation = organisation
        self._own = own

    def explain(self, actor: Who, record: Record, action: str = "read") -> Explanation:
        """Return whether and why ``actor`` may do ``action`` with ``record``.

        ``record`` must be visible to the session's own actor, else NotFound.
        """
        entity, stored = self._stored(record, action)
        return self._decisions_of(actor).explain(entity, stored, action)

    def who_can(
        self,
        record: Record,
        action: str = "read",
        *,
        limit: int = 50,
        after: str | None = None,
    ) -> WhoCan:
        """Return the active users who may do ``action`` with a record, with the causes.

        By user name, ``limit`` at once; ``after`` takes the ``next`` of an answer.
        Raises NotFound where the session's own actor does not see the record.
        """
        if type(limit) is not int or not 1 <= limit <= LARGEST_ANSWER:
            raise ValidationError.of(
                "limit", "out_of_range", minimum=1, maximum=LARGEST_ANSWER
            )
        entity, stored = self._stored(record, action)
        found: list[Allowed] = []
        for user in self._active_users(after):
            if len(found) == limit:
                return WhoCan(tuple(found), found[-1].user.username)
            answer = self._decisions_of(user).explain(entity, stored, action)
            if answer.allowed:
                found.append(Allowed(user, answer.causes))
        return WhoCan(tuple(found), None)

    def actions(self, record: Record) -> tuple[str, ...]:
        """Return what the session's own actor may do with a record, in order."""
        entity, stored = self._stored(record, "read")
        return tuple(a for a in sorted(ACTIONS) if self._own.covers(entity, stored, a))

    def compare(self, left: Who, right: Who) -> tuple[Difference, ...]:
        """Return what two actors may not do alike, by entity and action.

        For administrators: what to change so that one may do what the other may.
        Raises AccessDenied to others.
        """
        self._own.require_administrator("read", "user")
        one, other = self._decisions_of(left), self._decisions_of(right)
        return tuple(
            Difference(entity.name, action, *reached)
            for entity in self._schema.entities.values()
            if not entity.managed
            for action in sorted(ACTIONS)
            if len(
                set(
                    reached := (
                        _reach(one, entity, action),
                        _reach(other, entity, action),
                    )
                )
            )
            > 1
        )

    def _stored(self, record: Record, action: str) -> tuple[EntityDef, Record]:
        if action not in ACTIONS:
            raise ValidationError.of("action", "not_an_option", value=action[:60])
        entity = self._schema.entity(record)
        return entity, self._reload(entity, record.id)

    def _active_users(self, after: str | None) -> Iterator[User]:
        users = self._organisation.users.values()
        for user in sorted(users, key=lambda one: one.username or ""):
            behind = after is None or (user.username or "") > after
            if behind and self._organisation.is_active(user.id):
                yield user


def _reach(decisions: Decisions, entity: EntityDef, action: str) -> str:
    if not decisions.allows(entity, action):
        return "none"
    if decisions.sees_all(entity, action):
        return "all"
    return str(len(decisions.owners(entity, action)))
