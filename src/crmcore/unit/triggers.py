"""Triggers at work: before a write on its draft, after it on the record (REC-22)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Protocol
from uuid import UUID

import attrs

from crmcore.criteria import Binder, from_json, predicate
from crmcore.criteria.formulas import Program, compiled, evaluate, fitted, parse
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, Record, Schema, Trigger
from crmcore.records.record_types import RECORD_TYPE
from crmcore.records.triggers import MOST_DEEP
from crmcore.storage import Event
from crmcore.unit.changes import LOGGED, Changes, event_of
from crmcore.unit.context import Context
from crmcore.unit.drafts import Draft
from crmcore.unit.forms import candidate

__all__ = ["Happened", "happened", "run_after", "run_before", "triggers_of", "why_kept"]


class Unit(Protocol):
    """The unit of work that a trigger's function gets."""

    context: Context


@attrs.frozen
class Happened:
    """One record that was written, and which triggers that sets off."""

    entity: EntityDef
    act: str
    record: Record
    changed: frozenset[str]


def triggers_of(schema: Schema, entity: str, event: str) -> tuple[Trigger, ...]:
    """Return the active triggers of an event, in their order."""
    found = [
        t for t in schema.triggers.get(entity, ()) if t.event == event and t.active
    ]
    return tuple(sorted(found, key=lambda t: (t.order, t.key)))


def run_before(draft: Draft) -> None:
    """Let the triggers of a new or changed record fill its draft, or refuse it."""
    schema = draft.context.schema
    event = "before_create" if draft.is_new else "before_update"
    for trigger in triggers_of(schema, draft.entity.name, event):
        if draft.problems:
            return
        record = _candidate(draft)
        changed = frozenset(draft.values)
        if _asks(trigger, draft.entity, record, changed, draft.context):
            _fill(trigger, draft, record)
            _act(trigger, draft)
            if trigger.log:
                draft.logs.append((trigger.key, trigger.log))


def why_kept(context: Context, name: str, record: Record) -> list[Problem]:
    """Return what the triggers of a deletion have against it."""
    problems: list[Problem] = []
    if name not in context.schema.triggers:
        return problems
    entity = context.schema.entity(name)
    for trigger in triggers_of(context.schema, name, "before_delete"):
        if _asks(trigger, entity, record, frozenset(), context):
            draft = Draft(entity, context, record, {})
            _act(trigger, draft)
            problems += draft.problems
    return problems


def _candidate(draft: Draft) -> Record:
    now = draft.context.now
    record = candidate(draft)
    stamps = {"created_at": now} if draft.is_new else {}
    return record.evolved(**stamps, updated_at=now)


def _fill(trigger: Trigger, draft: Draft, record: Record) -> None:
    for name, formula in trigger.formulas.items():
        if name in trigger.defaults and draft[name] is not None:
            continue
        program = _program(draft.context.schema, draft.entity, formula)
        found = evaluate(program, record, _nobody)
        kind = draft.entity.fields[name].type
        value = fitted(kind, found, draft.context.conventions)
        try:
            draft.set(name, value)
        except ValidationError as error:
            draft.problems.extend(error.problems)


def _act(trigger: Trigger, draft: Draft) -> None:
    """Stop the write, or have the host's function look at its draft."""
    if trigger.stop:
        text = trigger.text(draft.context.conventions.locale)
        field = trigger.fields[0] if trigger.fields else "record"
        draft.refuse(field, "rule", rule=trigger.key, message=text)
    if trigger.call is not None:
        draft.context.schema.actions[trigger.call](draft)


@lru_cache(maxsize=1_000)
def _program(schema: Schema, entity: EntityDef, formula: str) -> Program:
    return compiled(parse(formula), schema, entity)


def _nobody(entity: str, identity: UUID) -> Record | None:
    return None


def _asks(
    trigger: Trigger,
    entity: EntityDef,
    record: Record,
    changed: frozenset[str],
    context: Context,
) -> bool:
    """Tell whether a trigger is meant for this write of this record."""
    if trigger.record_type is not None and record[RECORD_TYPE] != trigger.record_type:
        return False
    updates = trigger.event.endswith("_update")
    if updates and trigger.fields and changed.isdisjoint(trigger.fields):
        return False
    if trigger.when is None:
        return True
    binder = Binder(context.schema, context.conventions, context.now, trusted=True)
    bound = binder.criteria(entity, from_json(trigger.when))
    return predicate(bound, _nobody)(record)


# -- after a write ---------------------------------------------------------------------


def happened(schema: Schema, changes: Changes) -> list[Happened]:
    """Return the writes that set triggers off, in the order in which they were made."""
    return [one for one in _written(schema, changes) if any(_after(schema, one))]


def _written(schema: Schema, changes: Changes) -> Iterator[Happened]:
    if not schema.triggers:
        return
    for name, insertions in changes.insertions.items():
        for insertion in insertions:
            record = changes.stored(insertion.record)
            yield Happened(schema.entity(name), "create", record, frozenset())
    for name, updates in changes.updates.items():
        entity = schema.entity(name)
        for update in updates:
            gone = update.old.deleted_at is None and update.new.deleted_at is not None
            changed = frozenset(_changed(entity, update.old, update.new))
            yield Happened(entity, "delete" if gone else "update", update.new, changed)
    for entity, record in changes.gone:
        yield Happened(entity, "delete", record, frozenset())


def _changed(entity: EntityDef, old: Record, new: Record) -> Iterator[str]:
    for name in entity.input_fields:
        if entity.value_of(old, name) != entity.value_of(new, name):
            yield name


def run_after(unit: Unit, writes: Iterable[Happened], depth: int) -> list[Event]:
    """Run the triggers of what was written; return what they log.

    Raises ValidationError where triggers set each other off too deeply.
    """
    context = unit.context
    logs = []
    for one in writes:
        for trigger in _after(context.schema, one):
            if not _asks(trigger, one.entity, one.record, one.changed, context):
                continue
            if depth >= MOST_DEEP:
                raise ValidationError.of(
                    "trigger", "trigger_circle", key=trigger.key, maximum=MOST_DEEP
                )
            if trigger.log:
                told = {"trigger": trigger.key, "text": trigger.log}
                logs.append(event_of(context, one.entity, one.record, LOGGED, told))
            if trigger.call is not None and not trigger.is_before:
                context.schema.actions[trigger.call](unit, one.record)
    return logs


def _after(schema: Schema, one: Happened) -> Iterable[Trigger]:
    """Return the triggers of a write that is done; what stops deletions logs them here."""
    after = triggers_of(schema, one.entity.name, f"after_{one.act}")
    if one.act != "delete":
        return after
    before = triggers_of(schema, one.entity.name, "before_delete")
    return (*(trigger for trigger in before if trigger.log), *after)
