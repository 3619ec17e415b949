"""The schema that the host declares in Python: the base of every tenant's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import attrs

from crmcore.customisation.relations import relation_problems
from crmcore.customisation.triggers import trigger_problems, with_triggers
from crmcore.errors import Problem, ValidationError
from crmcore.ports import Cipher
from crmcore.records import (
    FieldDef,
    ManyToMany,
    NumberFormat,
    Record,
    Schema,
    Trigger,
)
from crmcore.records.encryption import encryption_problems, with_cipher
from crmcore.records.extension import definitions_of
from crmcore.records.lookup_values import lookup_problems
from crmcore.records.triggers import Action
from crmcore.unit.derived_values import circle_problems
from crmcore.unit.formula_fields import formula_problems
from crmcore.unit.roll_ups import roll_up_problems

__all__ = ["declared_schema"]


def declared_schema(
    entities: Iterable[type[Record]],
    *,
    fields: Mapping[Any, Iterable[FieldDef]],
    rules: Mapping[str, Mapping[str, Any]],
    numbering: Mapping[str, NumberFormat],
    relations: Iterable[ManyToMany],
    triggers: Mapping[Any, Iterable[Trigger]],
    actions: Mapping[str, Action],
    cipher: Cipher | None,
) -> Schema:
    """Return the schema of declared classes and of what is declared beside them.

    Raises ValidationError naming what does not fit together.
    """
    schema = Schema.of(definitions_of(entities))
    for kind, added in fields.items():
        schema = schema.extended(schema.entity(kind).name, added)
    schema = reduce(lambda s, rule: s.with_rule(*rule), rules.items(), schema)
    schema = reduce(lambda s, one: s.with_number(*one), numbering.items(), schema)
    schema = attrs.evolve(_sealed(schema, cipher), cipher=cipher)
    problems = [
        problem
        for entity in schema.entities.values()
        for problem in (
            *encryption_problems(entity, cipher),
            *formula_problems(schema, entity),
            *roll_up_problems(schema, entity),
            *lookup_problems(schema, entity),
        )
    ]
    problems = problems or list(circle_problems(schema))
    if problems:
        raise ValidationError(problems)
    schema = _with_relations(schema, relations)
    return _with_triggers(schema, triggers, actions)


def _sealed(schema: Schema, cipher: Cipher | None) -> Schema:
    for entity in tuple(schema.entities.values()):
        if any(field.encrypted for field in entity.fields.values()):
            sealed = {n: with_cipher(f, cipher) for n, f in entity.fields.items()}
            schema = schema.with_entity(attrs.evolve(entity, fields=sealed))
    return schema


def _with_relations(schema: Schema, relations: Iterable[ManyToMany]) -> Schema:
    problems: list[Problem] = []
    for relation in relations:
        place = f"relation.{relation.key}"
        problems += relation_problems(relation, None, schema, place)
        schema = schema.with_relations([relation])
    if problems:
        raise ValidationError(problems)
    return schema


def _with_triggers(
    schema: Schema,
    triggers: Mapping[Any, Iterable[Trigger]],
    actions: Mapping[str, Action],
) -> Schema:
    schema = attrs.evolve(schema, actions=dict(actions))
    problems: list[Problem] = []
    for kind, given in triggers.items():
        entity = schema.entity(kind)
        for trigger in given:
            place = f"trigger.{entity.name}.{trigger.key}"
            problems += trigger_problems(trigger, entity, schema, place)
            schema = with_triggers(schema, {(entity.name, trigger.key): trigger})
    if problems:
        raise ValidationError(problems)
    return schema
