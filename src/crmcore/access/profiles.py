"""Profiles: what users may do per entity, action and field (ACC-09, ACC-16)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs
from attrs.validators import in_

__all__ = [
    "ACTIONS",
    "DEFAULT_PROFILES",
    "FIELD_LEVELS",
    "SCOPES",
    "Profile",
    "Profiles",
]

#: What a profile may allow per entity (ACC-16).
ACTIONS: Final = frozenset(
    {"create", "read", "edit", "delete", "restore", "purge", "assign", "import"}
    | {"convert", "export", "invalidate", "archive", "unarchive"}
)
#: What a profile may allow with a field, from the least to the most (ACC-09).
FIELD_LEVELS: Final = ("hidden", "read", "edit")
#: Whose records an action reaches, beside the own ones and those below (ACC-15).
SCOPES: Final = ("own", "department", "department_tree", "role_tree", "all")
#: Says what holds for all that is not named.
ALL: Final = "*"

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class Profile:
    """What users may do: actions per entity, ``*`` for all entities not named.

    An action that is not named is *unset*: another profile of the same user may allow
    it. What is ``denied`` no other profile allows; ``*`` denies it for all entities.

    ``fields`` says what may be done with the fields of an entity (``lead``) or of one of
    its record types (``lead:project``): ``hidden``, ``read`` or ``edit``, which is what
    is not named; ``*`` speaks of all fields that are not named there.

    ``scopes`` widens whose records an action reaches, per entity and action (``*`` for
    all that are not named): ``department`` of the user, ``department_tree`` with all
    below it, ``role_tree`` for those whose role is below the user's, ``all``.

    ``sees_all`` and ``administers`` are the administrator's two rights: to treat all
    records as own ones, and to write users (ACC-02).
    """

    name: str
    actions: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    sees_all: bool = False
    administers: bool = False
    denied: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    fields: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    scopes: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)

    @actions.validator
    @denied.validator
    def _check_actions(self, _: object, actions: Mapping[str, frozenset[str]]) -> None:
        unknown = {name for names in actions.values() for name in names} - ACTIONS
        if unknown:
            msg = f"the profile {self.name} has unknown actions {sorted(unknown)}"
            raise ValueError(msg)

    @fields.validator
    def _check_fields(self, _: object, fields: Mapping[str, Mapping[str, str]]) -> None:
        unknown = {v for levels in fields.values() for v in levels.values()}
        unknown -= set(FIELD_LEVELS)
        if unknown:
            msg = f"the profile {self.name} has unknown levels {sorted(unknown)}"
            raise ValueError(msg)

    @scopes.validator
    def _check_scopes(self, _: object, scopes: Mapping[str, Mapping[str, str]]) -> None:
        unknown = {v for by_action in scopes.values() for v in by_action.values()}
        if unknown - set(SCOPES):
            msg = f"the profile {self.name} has unknown scopes {sorted(unknown)}"
            raise ValueError(msg)

    def scope(self, entity: str, action: str) -> str:
        """Return whose records an action reaches: the nearest word, or ``own``."""
        for name in (entity, ALL):
            by_action = self.scopes.get(name, _NO_FIELDS)
            for wanted in (action, ALL):
                if wanted in by_action:
                    return by_action[wanted]
        return "own"

    def allows(self, entity: str, action: str) -> bool:
        """Tell whether the profile allows an action on an entity at all."""
        if self.denies(entity, action):
            return False
        allowed = self.actions.get(entity)
        return action in (self.actions.get(ALL, ()) if allowed is None else allowed)

    def denies(self, entity: str, action: str) -> bool:
        """Tell whether no other profile may allow the action either."""
        denied = self.denied
        return action in denied.get(entity, ()) or action in denied.get(ALL, ())

    def level(self, entity: str, field: str, record_type: str | None) -> str:
        """Return what may be done with a field of records of a type: the nearest word."""
        own = self.fields.get(entity, _NO_FIELDS)
        typed = self.fields.get(f"{entity}:{record_type}", _NO_FIELDS)
        for names in (typed, own):
            if field in names:
                return names[field]
        for names in (typed, own):
            if ALL in names:
                return names[ALL]
        return "edit"

    def types_of(self, entity: str) -> frozenset[str]:
        """Return the record types of an entity of which fields are spoken."""
        head = f"{entity}:"
        return frozenset(
            k.removeprefix(head) for k in self.fields if k.startswith(head)
        )


@attrs.frozen
class Profiles:
    """All profiles of one user together: a ``union``, or an ``intersection`` (ACC-16).

    In a union the widest right counts, in an intersection the narrowest; what one of
    them denies is denied in both.
    """

    parts: tuple[Profile, ...]
    combination: str = attrs.field(
        default="union", validator=in_(("union", "intersection"))
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the profiles."""
        return tuple(part.name for part in self.parts)

    @property
    def sees_all(self) -> bool:
        """Tell whether ownership does not matter."""
        return self._agree(part.sees_all for part in self.parts)

    @property
    def administers(self) -> bool:
        """Tell whether users may be written and the set-up be shaped."""
        return self._agree(part.administers for part in self.parts)

    def allows(self, entity: str, action: str) -> bool:
        """Tell whether an action on an entity is allowed at all."""
        if any(part.denies(entity, action) for part in self.parts):
            return False
        return self._agree(part.allows(entity, action) for part in self.parts)

    def scopes(self, entity: str, action: str) -> frozenset[str]:
        """Return whose records an action reaches: all scopes, or the one that all give."""
        found = [frozenset({part.scope(entity, action)}) for part in self.parts]
        if self.combination == "union":
            return frozenset().union(*found)
        return frozenset.intersection(*found) if found else frozenset()

    @property
    def speak_of_fields(self) -> bool:
        """Tell whether any field is not simply free to be edited."""
        return any(part.fields for part in self.parts)

    def level(self, entity: str, field: str, record_type: str | None = None) -> str:
        """Return what may be done with a field of records of a type."""
        levels = [part.level(entity, field, record_type) for part in self.parts]
        choose = max if self.combination == "union" else min
        return choose(levels, key=FIELD_LEVELS.index, default="hidden")

    def types_of(self, entity: str) -> frozenset[str]:
        """Return the record types of an entity of which fields are spoken."""
        return frozenset().union(*(part.types_of(entity) for part in self.parts))

    def _agree(self, answers: Iterable[bool]) -> bool:
        given = list(answers)
        return any(given) if self.combination == "union" else bool(given) and all(given)


_DAILY_WORK = ACTIONS - {"purge"}
_READ_ONLY = frozenset({"read"})
_STAFF: Mapping[str, frozenset[str]] = MappingProxyType(
    {ALL: _DAILY_WORK, "user": _READ_ONLY}
)

DEFAULT_PROFILES: Final = (
    Profile("administrator", {ALL: ACTIONS}, sees_all=True, administers=True),
    Profile("manager", _STAFF),
    Profile("sales", _STAFF),
)
