"""``session.templates``: stored templates, filled for the actor of the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from crmcore.criteria import Binder, from_json
from crmcore.criteria.evaluation import Follow, predicate
from crmcore.errors import ValidationError
from crmcore.records import EntityDef, Record, Schema
from crmcore.templates.choosing import choose
from crmcore.templates.definitions import Template
from crmcore.templates.rendering import Rendered, check, render
from crmcore.templates.surroundings import Surroundings
from crmcore.templates.views import MayRead, Viewer

__all__ = ["TemplateService"]


class TemplateService:
    """Fills templates with what the actor may see."""

    def __init__(
        self,
        schema: Schema,
        surroundings: Surroundings,
        binder: Binder,
        *,
        actor: Record | None,
        reload: Callable[[EntityDef, Record], Record],
        follow: Follow,
        may_read: MayRead = lambda entity, field: True,
    ) -> None:
        self._schema = schema
        self._surroundings = surroundings
        self._binder = binder
        self._actor = actor
        self._reload = reload
        self._follow = follow
        self._may_read = may_read

    @property
    def known(self) -> Mapping[str, Template]:
        """Return the stored templates by key."""
        added = self._schema.added("template")
        return {key: template for (_, key), template in added.items()}

    def render(
        self,
        key: str,
        record: Record | None = None,
        *,
        locale: str | None = None,
        **values: Any,
    ) -> Rendered:
        """Return a stored template filled with a record.

        The template reads the record by its entity's name, ``values`` as
        ``values.name``, the actor as ``actor``. Raises NotFound for a record that the
        actor may not see, ValidationError for an unknown template or one that fails.
        """
        template = self.known.get(key)
        if template is None:
            raise ValidationError.of(
                "template", "unknown_template", value=str(key)[:60]
            )
        return self._render(template, record, locale, values)

    def preview(
        self,
        template: Template,
        record: Record | None = None,
        *,
        locale: str | None = None,
        **values: Any,
    ) -> Rendered:
        """Return a template that is not stored yet, checked and filled as by render."""
        problems = list(check(template, self._schema))
        if problems:
            raise ValidationError(problems)
        return self._render(template, record, locale, values)

    def choose(self, record: Record, *, kind: str = "print") -> Template | None:
        """Return the first template whose conditions a record meets, if any."""
        entity = self._schema.entity(record)
        stored = self._reload(entity, record)
        typed = "record_type" in entity.fields

        def meets(condition: Mapping[str, Any]) -> bool:
            bound = self._binder.criteria(entity, from_json(condition))
            return predicate(bound, self._follow)(stored)

        return choose(
            self.known.values(),
            object=entity.name,
            kind=kind,
            record_type=entity.value_of(stored, "record_type") if typed else None,
            meets=meets,
        )

    def _render(
        self,
        template: Template,
        record: Record | None,
        locale: str | None,
        values: Mapping[str, Any],
    ) -> Rendered:
        around = self._surroundings
        if locale is not None:
            around = attrs.evolve(around, locale=locale)
        viewer = Viewer(self._schema, self._may_read, self._follow, around.locale)
        subject = {
            "actor": viewer.view(self._actor),
            "now": around.now,
            "values": viewer.view(values),
        }
        if record is not None:
            entity = self._schema.entity(record)
            if template.object not in (None, entity.name):
                raise ValidationError.of("record", "not_reference")
            subject[entity.name] = viewer.view(self._reload(entity, record))
        return render(template, subject, around, self.known)
