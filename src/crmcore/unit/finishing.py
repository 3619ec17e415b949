"""Finishing a draft: rules of its entity, of its fields, of administrators, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crmcore.errors import Problem, ValidationError
from crmcore.records.record_types import DRAFT, RECORD_TYPE
from crmcore.unit.currencies import convert_amounts
from crmcore.unit.drafts import Draft, EntityRule
from crmcore.unit.field_rules import (
    check_given,
    demand_required,
    refuse_foreign_choices,
    refuse_foreign_fields,
)

__all__ = ["finish"]


def finish(
    draft: Draft, rules: Iterable[EntityRule], forms: Iterable[EntityRule] = ()
) -> None:
    """Run all rules of a draft and raise ValidationError with every problem.

    ``rules`` come from the areas and may derive values; ``forms`` are what
    administrators demand of the finished values.
    """
    _check_restricted(draft)
    if draft.is_new and _begins_as_draft(draft):
        draft.values[DRAFT] = True
    for rule in rules:
        rule(draft)
    convert_amounts(draft)
    refuse_foreign_fields(draft)
    demand_required(draft)
    refuse_foreign_choices(draft)
    for rule in forms:
        rule(draft)
    if draft.problems:
        raise ValidationError(list(_told(draft)))


def _told(draft: Draft) -> Iterator[Problem]:
    """Yield the problems as the actor may know them: no hidden field is named (ACC-09)."""
    hidden = draft.hidden
    for problem in draft.problems:
        if problem.field not in hidden or problem.reason == "unknown_field":
            yield problem
        elif problem.reason == "rule":
            yield Problem("record", "rule", problem.details)
        else:
            yield Problem("record", "not_fitting_here")


def _begins_as_draft(draft: Draft) -> bool:
    """Tell whether new records of this type have to be submitted later (REC-02)."""
    types = draft.context.schema.record_types.get(draft.entity.name, ())
    return any(one.drafts and one.key == draft[RECORD_TYPE] for one in types)


def _check_restricted(draft: Draft) -> None:
    for field in draft.entity.restricted_fields:
        if field.system or field.name not in draft.values:
            continue
        value = draft.values[field.name]
        if draft.is_new and value in (None, field.default):
            continue
        check_given(draft, field, value)
