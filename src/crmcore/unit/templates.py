"""What a unit of work lends to the templates that it renders."""

from __future__ import annotations

import logging
from uuid import UUID

import attrs

from crmcore.access import Decisions
from crmcore.records import Record
from crmcore.templates import Surroundings, TemplateService
from crmcore.unit.base import UnitBase

__all__ = ["template_service"]

log = logging.getLogger("crmcore.templates")


@attrs.frozen
class _ActorsRights:
    """Functions are actions on entities (``lead.export``), roles are profiles."""

    unit: UnitBase
    decisions: Decisions

    def has_function(self, name: str) -> bool:
        entity, _, action = name.partition(".")
        known = self.unit.schema.entities.get(entity)
        return known is not None and self.decisions.allows(known, action)

    def has_role(self, name: str) -> bool:
        user = self.decisions.actor.user
        if user is None:
            return False
        return name in (user.profile, *(user.further_profiles or ()))


def template_service(unit: UnitBase) -> TemplateService:
    """Return the service that fills templates with what the actor may see."""
    conventions = unit.context.conventions

    def follow(entity: str, identity: UUID) -> Record | None:
        known = unit.schema.entity(entity)
        record = unit.transaction.load(known, (identity,)).get(identity)
        return unit.shown(record) if unit.visible(known, record) else None

    return TemplateService(
        unit.schema,
        Surroundings(
            now=unit.context.now,
            randomness=unit.context.randomness,
            locale=conventions.locale,
            timezone=conventions.timezone,
            rights=_ActorsRights(unit, unit.decisions),
            log=lambda message: log.info("%r", message),
        ),
        unit.read_binder,
        actor=unit.actor.user,
        may_read=lambda entity, field: (
            field.name not in unit.rights(entity).sometimes_hidden
        ),
        reload=lambda entity, record: unit.shown(
            unit.require_visible(
                entity,
                record.id,
                unit.transaction.load(entity, (record.id,)).get(record.id),
            )
        ),
        follow=follow,
    )
