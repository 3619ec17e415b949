"""``session.access``: why somebody may or may not do something."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from crmcore.access.decisions import Decisions, Explanation
from crmcore.access.entities import User
from crmcore.access.policy import Actor
from crmcore.records import EntityDef, Record, Schema

__all__ = ["AccessService"]


class AccessService:
    """Explains access decisions."""

    def __init__(
        self,
        schema: Schema,
        decisions_of: Callable[[Actor | User | UUID | str], Decisions],
        reload: Callable[[EntityDef, UUID], Record],
    ) -> None:
        self._schema = schema
        self._decisions_of = decisions_of
        self._reload = reload

    def explain(
        self, actor: Actor | User | UUID | str, record: Record, action: str = "read"
    ) -> Explanation:
        """Return whether and why ``actor`` may do ``action`` with ``record``.

        ``record`` must be visible to the session's own actor, else NotFound.
        """
        entity = self._schema.entity(record)
        stored = self._reload(entity, record.id)
        return self._decisions_of(actor).explain(entity, stored, action)
