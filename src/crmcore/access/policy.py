"""Who may do what: profiles per entity and action, default access per entity."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import attrs
from attrs.validators import deep_mapping, in_, instance_of

from crmcore.access.entities import User

__all__ = ["ACTIONS", "SYSTEM", "AccessPolicy", "Actor", "Profile"]

#: What a profile may allow per entity (ACC-16).
ACTIONS: Final = frozenset(
    {"create", "read", "edit", "delete", "restore", "purge", "assign", "import"}
    | {"convert", "export", "invalidate", "archive", "unarchive"}
)

_DAILY_WORK = ACTIONS - {"purge"}


@attrs.frozen
class Profile:
    """What users may do: actions per entity, ``*`` for all entities not named.

    ``sees_all`` and ``administers`` are the administrator's two rights: to treat all
    records as own ones, and to write users (ACC-02).
    """

    name: str
    actions: Mapping[str, frozenset[str]] = attrs.field()
    sees_all: bool = False
    administers: bool = False

    @actions.validator
    def _check_actions(self, _: object, actions: Mapping[str, frozenset[str]]) -> None:
        unknown = {name for names in actions.values() for name in names} - ACTIONS
        if unknown:
            msg = f"the profile {self.name} has unknown actions {sorted(unknown)}"
            raise ValueError(msg)

    def allows(self, entity: str, action: str) -> bool:
        """Tell whether the profile allows an action on an entity at all."""
        allowed = self.actions.get(entity)
        return action in (self.actions.get("*", ()) if allowed is None else allowed)


_READ_ONLY = frozenset({"read"})
_STAFF: Mapping[str, frozenset[str]] = MappingProxyType(
    {"*": _DAILY_WORK, "user": _READ_ONLY}
)

DEFAULT_PROFILES: Final = (
    Profile("administrator", {"*": ACTIONS}, sees_all=True, administers=True),
    Profile("manager", _STAFF),
    Profile("sales", _STAFF),
)

_DEFAULT_ACCESS: Mapping[str, str] = MappingProxyType({"user": "read", "tag": "read"})


def _with_defaults(given: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**_DEFAULT_ACCESS, **given})


@attrs.frozen
class AccessPolicy:
    """The rules of one set-up.

    ``default_access`` is what everybody may do with an entity's records: ``private``
    (the default; users and tags: ``read``), ``read`` or ``edit``, which leaves deleting and
    handing over to the owner (ACC-13). ``hierarchy_access`` is what superiors may do
    with subordinates' records: ``edit`` or ``read`` (ACC-10).
    """

    profiles: tuple[Profile, ...] = DEFAULT_PROFILES
    default_access: Mapping[str, str] = attrs.field(
        default=_DEFAULT_ACCESS,
        converter=_with_defaults,
        validator=deep_mapping(
            key_validator=instance_of(str),
            value_validator=in_(("private", "read", "edit")),
        ),
    )
    hierarchy_access: str = attrs.field(default="edit", validator=in_(("edit", "read")))

    def profile(self, name: str | None) -> Profile | None:
        """Return a profile by its name."""
        return next((p for p in self.profiles if p.name == name), None)


@attrs.frozen
class Actor:
    """On whose behalf something is done: a user, or the system itself (ACC-01)."""

    user: User | None = None

    @property
    def id(self) -> UUID | None:
        """Return the user's id, None for the system."""
        return self.user.id if self.user else None

    @property
    def is_system(self) -> bool:
        """Tell whether the actor is the system, which may do everything."""
        return self.user is None


#: The system itself: sets users up, runs jobs; no permission is asked.
SYSTEM: Final = Actor()
