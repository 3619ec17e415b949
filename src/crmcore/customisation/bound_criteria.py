"""Stored criteria, bound once to show that they fit a schema."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from crmcore.criteria import Binder, from_json
from crmcore.errors import Problem, ValidationError
from crmcore.records import Conventions, EntityDef, Schema

__all__ = ["checked_criteria", "criteria_problems"]


def criteria_problems(
    data: Any, entity: EntityDef, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with criteria in their JSON form, below ``place``."""
    try:
        checked_criteria(data, entity, schema)
    except ValidationError as error:
        for problem in error.problems:
            yield Problem(f"{place}.{problem.field}", problem.reason, problem.details)


#: Criteria fit a schema at any time or never.
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def checked_criteria(data: Any, entity: EntityDef, schema: Schema) -> Any:
    """Return stored criteria, bound once to show that they fit the schema.

    Raises ValidationError naming the field and what is wrong with it.
    """
    criteria = from_json(data)
    Binder(schema, Conventions(), _ANY_MOMENT, trusted=True).criteria(entity, criteria)
    return criteria
