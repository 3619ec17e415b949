"""What the declaration of a field demands of its value, beside its type (REC-03, 11, 14)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmcore.records import FieldDef, Picklist
from crmcore.records.schema import picklist_of
from crmcore.unit.drafts import Draft

__all__ = [
    "applies",
    "check_given",
    "demand_required",
    "refuse_foreign_choices",
    "refuse_foreign_fields",
]


def applies(draft: Draft, field: FieldDef) -> bool:
    """Tell whether records of this kind have the field at all (REC-12)."""
    if not field.applies_to or draft.entity.kind_field is None:
        return True
    kind = draft[draft.entity.kind_field.name]
    return kind is None or kind in field.applies_to


def refuse_foreign_fields(draft: Draft) -> None:
    """Refuse values in fields that records of this kind do not have.

    What was filled before the kind changed stays, and may be emptied.
    """
    for field in draft.entity.partial_fields:
        given = draft.values.get(field.name)
        if given in (None, field.default) or applies(draft, field):
            continue
        kind = draft.entity.kind_field
        assert kind is not None
        value = str(draft[kind.name])
        draft.refuse(field.name, "not_of_this_kind", value=value)


def check_given(draft: Draft, field: FieldDef, value: Any) -> None:
    """Refuse a value that may not be given at this time, or that is too short.

    ``value`` is in canonical form; None empties the field.
    """
    if not field.enabled:
        draft.refuse(field.name, "switched_off")
    elif draft.is_new and not field.creatable:
        draft.refuse(field.name, "read_only")
    elif not draft.is_new and not field.updatable and not draft.privileged:
        draft.refuse(field.name, "fixed_once_created")
    elif (
        field.minimum_length is not None
        and isinstance(value, str)
        and len(value) < field.minimum_length
    ):
        draft.refuse(field.name, "too_short", minimum=field.minimum_length)


def demand_required(draft: Draft) -> None:
    """Refuse every required field that is empty (REC-03).

    A required field is demanded of a new record and where a change empties it, so that
    old records stay editable; one that is required on modify is demanded at each change.
    A record that is not submitted yet may lack them all.
    """
    if draft.is_unfinished:
        return
    refused = {problem.field for problem in draft.problems}
    for field in draft.entity.required_fields:
        name = field.name
        if name not in refused and draft[name] is None and _is_demanded(draft, field):
            draft.refuse(name, "required")


def _is_demanded(draft: Draft, field: FieldDef) -> bool:
    if not field.enabled or field.computed or not applies(draft, field):
        return False
    if field.name in draft.hidden:
        return False
    if draft.asks_everything:
        return field.required or field.required_on_add
    if field.required_on_modify:
        return bool(draft.values)
    return field.required and draft.changes(field.name)


def refuse_foreign_choices(draft: Draft) -> None:
    """Refuse choices that do not stand under the controlling value (REC-14).

    A change of the controlling value makes the dependent one invalid until it is chosen
    anew.
    """
    for field in draft.entity.dependent_fields:
        controlling = field.controlling_field
        picklist = picklist_of(field)
        assert controlling is not None
        if picklist is None or not draft.changes(field.name, controlling):
            continue
        for key in _keys(draft[field.name]):
            if _is_foreign(picklist, key, _keys(draft[controlling])):
                shown = draft[controlling]
                draft.refuse(
                    field.name,
                    "not_allowed_here",
                    value=key,
                    controlling="" if shown is None else str(shown),
                )


def _keys(value: Any) -> Iterable[str]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _is_foreign(picklist: Picklist, key: str, controlling: Iterable[str]) -> bool:
    option = picklist.by_key.get(key)
    return (
        option is not None
        and option.parent is not None
        and option.parent not in controlling
    )
