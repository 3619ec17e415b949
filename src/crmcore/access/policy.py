"""Who may do what: profiles per entity and action, default access per entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import attrs
from attrs.validators import deep_mapping, in_, instance_of

from crmcore.access.entities import ORGANISATION, User
from crmcore.access.profiles import DEFAULT_PROFILES, Profile, Profiles

__all__ = ["SYSTEM", "AccessPolicy", "Actor"]

_DEFAULT_ACCESS: Mapping[str, str] = MappingProxyType(
    {**dict.fromkeys(ORGANISATION, "read"), "tag": "read"}
)


def _with_defaults(given: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**_DEFAULT_ACCESS, **given})


@attrs.frozen
class AccessPolicy:
    """The rules of one set-up.

    ``default_access`` is what everybody may do with an entity's records: ``private``
    (the default; users and tags: ``read``), ``read`` or ``edit``, which leaves deleting and
    handing over to the owner (ACC-13). ``hierarchy_access`` is what superiors may do
    with subordinates' records: ``edit`` or ``read`` (ACC-10). ``combine_profiles`` is how
    several profiles of a user count together: ``union`` or ``intersection`` (ACC-16).
    Of the entities ``superior_fields`` only fields that ``subordinates_may_edit`` are
    open to people below the record's owner (ACC-09).
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
    combine_profiles: str = attrs.field(
        default="union", validator=in_(("union", "intersection"))
    )
    superior_fields: frozenset[str] = frozenset()

    def with_profiles(self, stored: Iterable[Profile]) -> AccessPolicy:
        """Return the policy with what administrators stored; theirs win by name."""
        named = {profile.name: profile for profile in self.profiles}
        named.update({profile.name: profile for profile in stored})
        return attrs.evolve(self, profiles=tuple(named.values()))

    def profiles_of(self, user: User) -> Profiles | None:
        """Return all profiles of a user together, None for a user without any."""
        names = (user.profile, *(user.further_profiles or ()))
        found = [self.profile(name) for name in dict.fromkeys(names)]
        parts = tuple(profile for profile in found if profile is not None)
        return Profiles(parts, self.combine_profiles) if parts else None

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
