"""Relations of many records with many, such as who decides on which opportunity."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["ManyToMany"]


@attrs.frozen(kw_only=True)
class ManyToMany:
    """A relation between records of two entities, or within one (REC-20).

    ``source`` and ``target`` name the entities. Each link may have one of the ``roles``,
    given as keys with their labels. Within one entity a relation has no direction.
    """

    key: str
    source: str
    target: str
    label: str = ""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    roles: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def ends(self) -> tuple[str, str]:
        """Return the entities at its two ends."""
        return (self.source, self.target)

    def other_end(self, entity: str) -> str | None:
        """Return the entity on the other side, none where this one is at no end."""
        if entity == self.source:
            return self.target
        return self.source if entity == self.target else None
