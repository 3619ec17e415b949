"""What a rule may know of its surroundings: actor, time, ids, conventions, schema."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import attrs

from crmcore.access import (
    AccessPolicy,
    Actor,
    Decisions,
    FieldRights,
    Organisation,
)
from crmcore.criteria import Binder, Criteria, predicate
from crmcore.ports import IdFactory, Randomness
from crmcore.records import Conventions, EntityDef, Record, Schema

__all__ = ["Context"]


@attrs.frozen(slots=False)
class Context:
    """Everything that is fixed for one unit of work; rules get it as a value."""

    tenant: str
    actor: Actor
    now: datetime
    ids: IdFactory
    randomness: Randomness
    conventions: Conventions
    schema: Schema
    policy: AccessPolicy
    organisation: Organisation
    settings: Mapping[type[Any], Any]

    @cached_property
    def decisions(self) -> Decisions:
        """Return what the actor may do."""
        return self.decisions_of(self.actor)

    def decisions_of(self, actor: Actor) -> Decisions:
        """Return what an actor may do in these surroundings."""
        return Decisions(
            actor, self.policy, self.organisation, self.schema.sharing, self._holds
        )

    def _holds(self, entity: EntityDef, criteria: Criteria, record: Record) -> bool:
        """Tell whether a record meets criteria of the library or an administrator."""
        binder = Binder(self.schema, self.conventions, self.now, trusted=True)
        bound = binder.criteria(entity, criteria)
        return predicate(bound, lambda name, identity: None)(record)

    def rights(self, entity: EntityDef) -> FieldRights:
        """Return which fields of an entity the actor may read and write (ACC-09)."""
        return self.decisions.field_rights(self.schema, entity)


#: The records that a batch refers to, by entity and id.
References = Mapping[tuple[str, UUID], Record]
