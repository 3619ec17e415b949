"""``crm.schema("lead")``: one entity of a tenant, described for people and programs."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any
from uuid import UUID

from crmcore.access import Actor, Decisions, User
from crmcore.customisation.describing import describe, json_schema
from crmcore.records import EntityDef, Record, Schema
from crmcore.unit import Environment
from crmcore.unit.environment import Versions

__all__ = ["EntitySchema"]

#: Descriptions kept for each schema: languages, profiles and record types in use.
MOST_KEPT = 200


class EntitySchema:
    """What is known of one entity of a tenant."""

    def __init__(
        self, environment: Environment, tenant: str, schema: Schema, entity: EntityDef
    ) -> None:
        self._environment = environment
        self._tenant = tenant
        self._schema = schema
        self.entity = entity

    @property
    def record_class(self) -> type[Record]:
        """Return the class of the entity's records."""
        return self.entity.record_class

    def describe(
        self,
        actor: Actor | User | UUID | str | None = None,
        *,
        language: str | None = None,
        record_type: str | None = None,
        compact: bool = False,
    ) -> dict[str, Any]:
        """Return the entity as plain data, in a language (REC-11, REC-12, REC-19).

        With an ``actor`` it tells what that actor may do, in the actor's language where
        none is named. ``compact`` leaves out what a small screen need not ask for.
        Raises AccessDenied for an unknown actor.
        """
        decisions = None if actor is None else self._decisions(actor)
        user = decisions.actor.user if decisions else None
        own = user.language if user else None
        locale = language or own or self._environment.conventions.locale
        place = (
            self.entity.name,
            locale,
            record_type,
            decisions is not None,
            None if user is None else (user.profile, user.further_profiles),
            compact,
        )
        kept = _kept(self._schema)
        if place not in kept:
            declared = self._environment.schema.entities.get(self.entity.name)
            described = describe(
                self._schema,
                self.entity,
                declared=declared,
                decisions=decisions,
                locale=locale,
                record_type=record_type,
                compact=compact,
            )
            # Text is read five times faster than a structure is copied.
            kept[place] = json.dumps(described)
            while len(kept) > MOST_KEPT:
                kept.popitem(last=False)
        fresh: dict[str, Any] = json.loads(kept[place])
        return fresh

    def json_schema(
        self, *, modify: bool = False, language: str | None = None
    ) -> dict[str, Any]:
        """Return what a new record, or a change, may look like, as JSON Schema."""
        locale = language or self._environment.conventions.locale
        return json_schema(self._schema, self.entity, modify=modify, locale=locale)

    def _decisions(self, actor: Actor | User | UUID | str) -> Decisions:
        environment = self._environment
        with environment.store.transaction(self._tenant, self._schema) as transaction:
            version = Versions.of(transaction).organisation
            organisation = environment.organisation(self._tenant, transaction, version)
        known = environment.actor(actor, organisation)
        policy = environment.policy_of(self._schema)
        return Decisions(known, policy, organisation)


def _kept(schema: Schema) -> OrderedDict[Any, str]:
    """Return the descriptions made of a schema, as JSON; they go with it."""
    kept: OrderedDict[Any, str] = schema.__dict__.setdefault(
        "descriptions", OrderedDict()
    )
    return kept
