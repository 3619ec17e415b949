"""What a rule may know of its surroundings: actor, time, ids, conventions, schema."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmcore.access import AccessPolicy, Actor, Decisions, Organisation
from crmcore.ports import IdFactory, Randomness
from crmcore.records import Conventions, Record, Schema

__all__ = ["Context"]


@attrs.frozen
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

    @property
    def decisions(self) -> Decisions:
        """Return what the actor may do."""
        return Decisions(self.actor, self.policy, self.organisation)


#: The records that a batch refers to, by entity and id.
References = Mapping[tuple[str, UUID], Record]
