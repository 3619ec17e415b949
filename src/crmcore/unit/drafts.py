"""Drafts: what a caller wants to write, coerced and checked, before it is a record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import attrs

from crmcore.errors import Problem
from crmcore.records import (
    UNSAVED,
    Choice,
    Choices,
    EntityDef,
    FieldDef,
    Record,
    Refused,
)
from crmcore.records.record_types import DRAFT, RECORD_TYPE
from crmcore.unit.context import Context

__all__ = ["Draft", "EntityRule", "new_draft", "update_draft"]


@attrs.define(eq=False)
class Draft:
    """The wanted values of one record.

    A new record's draft holds every field, a change's only the fields that change.
    """

    entity: EntityDef
    context: Context
    old: Record | None
    values: dict[str, Any]
    problems: list[Problem] = attrs.field(factory=list)
    #: What does not stop the record, but is told to the caller (REC-21).
    warnings: list[Problem] = attrs.field(factory=list)
    #: What triggers tell of the write: their keys and texts (REC-22).
    logs: list[tuple[str, str]] = attrs.field(factory=list)
    #: Services that own a field (stage, conversion) may set what callers may not.
    privileged: bool = False

    @property
    def is_new(self) -> bool:
        """Tell whether the record is about to be created."""
        return self.old is None

    @property
    def hidden(self) -> frozenset[str]:
        """Return the fields of the record that the actor may not read (ACC-09)."""
        record_type = self[RECORD_TYPE] if RECORD_TYPE in self.entity.fields else None
        return self.context.rights(self.entity).hidden_in(record_type)

    @property
    def is_unfinished(self) -> bool:
        """Tell whether the record is, or stays, one that was not submitted (REC-02)."""
        return DRAFT in self.entity.fields and self[DRAFT] is True

    @property
    def asks_everything(self) -> bool:
        """Tell whether all is demanded, not only what changes: new, or submitted now."""
        return self.is_new or self.values.get(DRAFT, True) is False

    def __getitem__(self, name: str) -> Any:
        """Return the value that the field will have."""
        if name in self.values or self.old is None:
            return self.values.get(name)
        return self.entity.value_of(self.old, name)

    def changes(self, *names: str) -> bool:
        """Tell whether one of the fields gets a new value."""
        return any(name in self.values for name in names)

    def set(self, name: str, value: Any) -> None:
        """Give a field a value that a rule derived."""
        field = self.entity.fields[name]
        conventions = self.context.conventions
        self.values[name] = None if value is None else field.coerce(value, conventions)

    def refuse(self, field: str, reason: str, **details: Any) -> None:
        """Note a problem; all problems are reported together."""
        self.problems.append(Problem(field, reason, details))


#: A rule of an entity: may derive values and refuse; never reads a store.
EntityRule = Callable[[Draft], None]


def _coerced(draft: Draft, field: FieldDef, value: Any) -> Any:
    kind = field.type
    try:
        result = kind.coerce(value, draft.context.conventions)
    except Refused as refused:
        draft.refuse(field.name, refused.reason, **refused.details)
        return None
    if isinstance(kind, (Choice, Choices)) and result is not None:
        _refuse_inactive(draft, field, kind, result)
    return result


def _refuse_inactive(
    draft: Draft, field: FieldDef, kind: Choice | Choices, result: Any
) -> None:
    """Refuse options that are no longer chosen, unless they are stored already."""
    old = draft.old and draft.entity.value_of(draft.old, field.name)
    if isinstance(kind, Choices):
        picklist, chosen, kept = kind.item.picklist, result, old or ()
    else:
        picklist, chosen, kept = kind.picklist, (result,), (old,)
    for key in chosen:
        option = picklist.by_key.get(key)
        if option is not None and not option.active and key not in kept:
            draft.refuse(field.name, "inactive_option", value=key)


def new_draft(
    entity: EntityDef,
    record: Record,
    given: Mapping[str, Any],
    context: Context,
    *,
    trusted: bool = False,
    derived: Collection[str] = (),
) -> Draft:
    """Return the draft of a new record; ``given`` adds to the record's own values.

    ``derived`` values, and all of a ``trusted`` draft, are the library's own: nobody's
    right to their fields is asked.
    """
    draft = Draft(entity, context, None, {})
    _refuse_unknown(draft, given)
    _refuse_not_custom(draft, record.custom)
    _refuse_envelope(draft, record)
    values = draft.values
    values.update(entity.input_values(record))
    values.update((n, v) for n, v in given.items() if n in values)
    fields = entity.fields
    if not trusted:
        _refuse_closed(draft, given, derived)
    for name, value in values.items():
        # A declared default needs no check, and most fields of most records are empty.
        if value is not None and value is not fields[name].default:
            values[name] = _coerced(draft, fields[name], value)
    return draft


def _refuse_envelope(draft: Draft, record: Record) -> None:
    if record.version or record.id != UNSAVED:
        draft.refuse("id", "read_only")
    for name in _STAMPS:
        if getattr(record, name) is not None:
            draft.refuse(name, "read_only")
    for field in draft.entity.number_fields:
        if field.computed and not field.custom and record[field.name] is not None:
            draft.refuse(field.name, "read_only")


_STAMPS = (
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "deleted_at",
    "deleted_by",
    "invalid_at",
    "invalid_by",
    "archived_at",
    "archived_by",
)


def _refuse_closed(
    draft: Draft, given: Collection[str], derived: Collection[str]
) -> None:
    """Refuse values of a new record in fields that the actor may not write (ACC-09).

    A hidden field is answered like one that does not exist.
    """
    rights = draft.context.rights(draft.entity)
    if rights.are_free:
        return
    record_type = draft.values.get(RECORD_TYPE)
    asked = draft.values.keys() - set(derived)
    for name in rights.hidden_in(record_type) & asked:
        if name in given or draft.values[name] != draft.entity.fields[name].default:
            draft.refuse(name, "unknown_field", entity=draft.entity.name)
    for name in rights.fixed_in(record_type) & asked:
        if draft.values[name] != draft.entity.fields[name].default:
            draft.refuse(name, "read_only")


def _refuse_unknown(draft: Draft, given: Iterable[str]) -> None:
    for name in given:
        field = draft.entity.fields.get(name)
        if field is None:
            draft.refuse(str(name)[:80], "unknown_field", entity=draft.entity.name)
        elif field.system or field.computed:
            draft.refuse(name, "read_only")


def _refuse_not_custom(draft: Draft, given: Iterable[str]) -> None:
    for name in given:
        field = draft.entity.fields.get(name)
        if field is not None and (field.system or field.computed):
            draft.refuse(name, "read_only")
        elif field is None or not field.custom:
            draft.refuse(str(name)[:80], "unknown_field", entity=draft.entity.name)


def update_draft(
    entity: EntityDef,
    old: Record,
    given: Mapping[str, Any],
    context: Context,
    *,
    derived: Collection[str] = (),
) -> Draft:
    """Return the draft of a change; fields given with their old value do not change.

    Of ``derived`` values, which the library works out, nobody's rights are asked.
    """
    draft = Draft(entity, context, old, {})
    custom = given.get("custom")
    if isinstance(custom, Mapping):
        given = {**{k: v for k, v in given.items() if k != "custom"}, **custom}
    _refuse_unknown(draft, given)
    hidden, fixed = _closed(draft, old, derived)
    for name, value in given.items():
        field = entity.fields.get(name)
        if field is None or field.system or field.computed:
            continue
        if name in hidden:
            draft.refuse(name, "unknown_field", entity=entity.name)
            continue
        coerced = None if value is None else _coerced(draft, field, value)
        if coerced != entity.value_of(old, name):
            if name in fixed:
                draft.refuse(name, "read_only")
            draft.values[name] = coerced
    return draft


def _closed(
    draft: Draft, old: Record, derived: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields of a record that are hidden from the actor, and the fixed ones."""
    context, entity = draft.context, draft.entity
    rights, kind = context.rights(entity), old[RECORD_TYPE]
    hidden = rights.hidden_in(kind).difference(derived)
    fixed = rights.fixed_in(kind)
    if context.decisions.fixed_by_owner(entity, old):
        open_to_all = {
            f.name for f in entity.fields.values() if f.subordinates_may_edit
        }
        fixed |= entity.fields.keys() - open_to_all
    return hidden, fixed.difference(derived)
