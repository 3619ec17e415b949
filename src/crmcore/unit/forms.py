"""What record types, layouts and stored rules demand of a record (REC-18, 19, 21)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from crmcore.criteria import Binder, Compare, Criteria, F, from_json, predicate, to_json
from crmcore.criteria.expressions import And, Not, Or
from crmcore.errors import Problem
from crmcore.records import (
    Layout,
    LookupValue,
    Record,
    RecordType,
    Schema,
    ValidationRule,
)
from crmcore.records.layouts import layout_for
from crmcore.records.record_types import RECORD_TYPE
from crmcore.unit.drafts import Draft, EntityRule

__all__ = ["form_rules", "paths_in", "rules_follow"]

Follow = Callable[[str, UUID], Record | None]


def form_rules(schema: Schema, entity: str, follow: Follow) -> tuple[EntityRule, ...]:
    """Return the rules that administrators gave an entity; none costs nothing.

    ``follow`` returns a referenced record that was loaded for the batch.
    """
    rules: list[EntityRule] = []
    if types := schema.record_types.get(entity):
        rules.append(lambda draft: _check_type(draft, types))
    if layouts := schema.layouts.get(entity):
        rules.append(lambda draft: _check_layout(draft, layouts))
    if stored := schema.validation_rules.get(entity):
        rules.append(lambda draft: _check_rules(draft, stored, follow))
    return tuple(rules)


def rules_follow(schema: Schema, entity: str) -> bool:
    """Tell whether a stored rule of an entity reads records that it refers to."""
    shown = {lookup.field.name for lookup in schema.lookups.get(entity, ())}
    return any(
        len(path) > 1 or path[0] in shown
        for rule in schema.validation_rules.get(entity, ())
        for path in (*_paths_of(rule), *((name,) for name in rule.required))
    )


# -- record types ----------------------------------------------------------------------


def _check_type(draft: Draft, types: Iterable[RecordType]) -> None:
    chosen = next((one for one in types if one.key == draft[RECORD_TYPE]), None)
    if chosen is None:
        return
    profile = draft.context.actor.user.profile if draft.context.actor.user else None
    new_type = draft.changes(RECORD_TYPE)
    if (
        new_type
        and chosen.profiles
        and not draft.context.actor.is_system
        and profile not in chosen.profiles
    ):
        draft.refuse(RECORD_TYPE, "type_not_allowed", value=chosen.key)
    for name in () if draft.is_unfinished else chosen.required:
        _demand(draft, name, everything=new_type)
    for name, keys in chosen.options.items():
        if new_type or draft.changes(name):
            _check_subset(draft, name, keys)


def _demand(draft: Draft, name: str, *, everything: bool) -> None:
    """Refuse an empty field: of new records, and where a change empties it."""
    if name in draft.hidden or draft.entity.fields[name].computed:
        return
    asked = everything or draft.asks_everything or draft.changes(name)
    if asked and draft[name] is None and not _is_refused(draft, name):
        draft.refuse(name, "required")


def _check_subset(draft: Draft, name: str, keys: tuple[str, ...]) -> None:
    value = draft[name]
    chosen = value if isinstance(value, tuple) else (value,)
    for key in chosen:
        if key is not None and key not in keys:
            draft.refuse(name, "not_of_this_type", value=str(key)[:60])


def _is_refused(draft: Draft, name: str) -> bool:
    return any(problem.field == name for problem in draft.problems)


# -- layouts ---------------------------------------------------------------------------


def _check_layout(draft: Draft, layouts: Iterable[Layout]) -> None:
    user = draft.context.actor.user
    if user is None:
        return
    record_type = draft[RECORD_TYPE] if RECORD_TYPE in draft.entity.fields else None
    layout = layout_for(layouts, record_type=record_type, profile=user.profile)
    if layout is None:
        return
    for place in layout.fields():
        if place.required and not place.read_only and not draft.is_unfinished:
            _demand(draft, place.field, everything=False)
        if place.read_only and _is_given(draft, place.field) and not draft.privileged:
            draft.refuse(place.field, "read_only")


def _is_given(draft: Draft, name: str) -> bool:
    """Tell whether the caller gives a field a value of its own."""
    if not draft.is_new:
        return draft.changes(name)
    value = draft.values.get(name)
    field = draft.entity.fields[name]
    return value is not None and value != field.default and name != "owner_id"


# -- validation rules ------------------------------------------------------------------


def _check_rules(draft: Draft, rules: Iterable[ValidationRule], follow: Follow) -> None:
    if draft.is_unfinished:
        return
    if draft.problems:
        # Values that were refused are missing here: rules would speak of them falsely.
        return
    asked = [rule for rule in rules if rule.active and _is_asked(draft, rule)]
    if not asked:
        return
    record = candidate(draft)
    for rule in asked:
        if rule.when is None or _holds(draft, rule.when, record, follow):
            _check_rule(draft, rule, record, follow)


def _is_asked(draft: Draft, rule: ValidationRule) -> bool:
    """Tell whether a rule speaks of this change: one made stricter spares the rest."""
    if rule.record_type is not None:
        known = RECORD_TYPE in draft.entity.fields
        if not known or draft[RECORD_TYPE] != rule.record_type:
            return False
    if draft.asks_everything:
        return True
    read = {_own_field(draft, path[0]) for path in _paths_of(rule)}
    return draft.changes(*read, *(_own_field(draft, name) for name in rule.required))


def _own_field(draft: Draft, step: str) -> str:
    """Return the field that the first step of a path reads: account -> account_id."""
    field = draft.entity.fields.get(step)
    if field is not None and isinstance(field.type, LookupValue):
        return field.type.relation
    relation = draft.entity.relations.get(step)
    return relation.name if relation is not None else step


def _check_rule(
    draft: Draft, rule: ValidationRule, record: Record, follow: Follow
) -> None:
    hidden = draft.hidden
    missing = [
        name
        for name in rule.required
        if name not in hidden and _is_missing(draft, name, record, follow)
    ]
    failed = rule.must is not None and not _holds(draft, rule.must, record, follow)
    locale = draft.context.conventions.locale
    text = rule.text(locale)
    found = [
        Problem(name, "required_by_rule" if text else "required", _of(rule, text))
        for name in missing
    ]
    if failed:
        field = rule.field or next(iter(sorted(_own_fields(draft, rule))), "record")
        found.append(Problem(field, "rule", _of(rule, text)))
    target = draft.problems if rule.severity == "error" else draft.warnings
    target.extend(found)


def _is_missing(draft: Draft, name: str, record: Record, follow: Follow) -> bool:
    if isinstance(draft.entity.fields[name].type, LookupValue):
        return _holds(draft, to_json(F[name].is_null()), record, follow)
    return draft[name] is None


def _of(rule: ValidationRule, text: str) -> Mapping[str, Any]:
    return {"rule": rule.key, "message": text}


def _own_fields(draft: Draft, rule: ValidationRule) -> set[str]:
    return {_own_field(draft, path[0]) for path in _paths_of(rule)}


def candidate(draft: Draft) -> Record:
    """Return the record as the draft would have it; nothing is stored."""
    entity, values = draft.entity, draft.values
    typed = {n: v for n, v in values.items() if not entity.fields[n].custom}
    custom = {n: v for n, v in values.items() if entity.fields[n].custom}
    if draft.old is None:
        filled = {n: v for n, v in custom.items() if v is not None}
        return entity.record_class(**typed, custom=MappingProxyType(filled))
    merged = {**draft.old.custom, **custom}
    filled = {n: v for n, v in merged.items() if v is not None}
    return draft.old.evolved(**typed, custom=MappingProxyType(filled))


def _holds(
    draft: Draft, data: Mapping[str, Any], record: Record, follow: Follow
) -> bool:
    context = draft.context
    binder = Binder(context.schema, context.conventions, context.now, trusted=True)
    bound = binder.criteria(draft.entity, from_json(data))
    return predicate(bound, follow)(record)


def _paths_of(rule: ValidationRule) -> set[tuple[str, ...]]:
    return paths_in(rule.when) | paths_in(rule.must)


def paths_in(data: Mapping[str, Any] | None) -> set[tuple[str, ...]]:
    """Return the paths of all fields that criteria in their JSON form speak of."""
    paths: set[tuple[str, ...]] = set()
    if data is not None:
        _collect(from_json(data), paths)
    return paths


def _collect(criteria: Criteria, paths: set[tuple[str, ...]]) -> None:
    if isinstance(criteria, Compare):
        paths.add(criteria.path)
    elif isinstance(criteria, Not):
        _collect(criteria.part, paths)
    elif isinstance(criteria, (And, Or)):
        for part in criteria.parts:
            _collect(part, paths)
