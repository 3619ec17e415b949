"""Sharing rules: records that some people may see or edit beside their own (ACC-12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import attrs

from crmcore.access.organisation import Organisation, Principal

__all__ = ["LEVELS", "SharingRule", "principal_of"]

_LOOKING = frozenset({"read", "export"})

#: What a level of sharing allows; the profile has to allow it as well.
LEVELS: Final[Mapping[str, frozenset[str]]] = {
    "read": _LOOKING,
    "edit": _LOOKING | {"edit", "convert", "archive", "unarchive"},
    "full": _LOOKING
    | {"edit", "convert", "archive", "unarchive", "assign", "delete", "restore"}
    | {"invalidate"},
}


@attrs.frozen(kw_only=True)
class SharingRule:
    """Shares records of one entity with some principals; it only ever widens.

    ``owners`` are principals whose records are shared, ``when`` criteria in JSON form
    that a record meets, both if both are given; ``to`` are the principals who get them,
    each written ``user:<id>``, ``department:<id>``, ``role:<id>`` or
    ``user_group:<id>``; ``level`` is one of :data:`LEVELS`.
    """

    key: str
    to: tuple[str, ...]
    owners: tuple[str, ...] = ()
    when: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    level: str = "read"
    active: bool = True

    def allows(self, action: str) -> bool:
        """Tell whether the rule gives the right to an action."""
        return self.active and action in LEVELS.get(self.level, ())

    def reaches(self, user_id: UUID, organisation: Organisation) -> bool:
        """Tell whether a user is among those to whom it shares."""
        return any(user_id in organisation.members(*p) for p in _principals(self.to))

    def owner_ids(self, organisation: Organisation) -> frozenset[UUID]:
        """Return the users whose records it shares."""
        found = [organisation.members(*p) for p in _principals(self.owners)]
        return frozenset().union(*found)


def principal_of(text: str) -> Principal | None:
    """Return the principal that a text such as ``role:<id>`` names, None for no such."""
    kind, _, identity = text.partition(":")
    if kind not in ("user", "department", "role", "user_group"):
        return None
    try:
        return kind, UUID(identity)
    except ValueError:
        return None


def _principals(texts: Iterable[str]) -> list[Principal]:
    return [p for text in texts if (p := principal_of(text)) is not None]
