"""Profiles that administrators store, and what is wrong with one (ACC-16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from crmcore.access import ACTIONS, FIELD_LEVELS, SCOPES, Profile
from crmcore.customisation.items import Item
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem
from crmcore.records import EntityDef, Schema

__all__ = ["profile", "profile_problems", "with_profiles"]

#: The built-in administrator is the way back in: nobody changes or removes it.
BUILT_IN = "administrator"


@attrs.frozen(kw_only=True)
class ProfileDefinition:
    """A profile as it is stored; see :class:`crmcore.access.Profile`."""

    key: str
    label: str = ""
    actions: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    denied: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    fields: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    scopes: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    sees_all: bool = False
    administers: bool = False


def profile(item: Item) -> ProfileDefinition:
    """Return the definition of an item; raises ValidationError with every bad part."""
    data = {**item.definition, "key": item.key.key}
    return structured(ProfileDefinition, data, f"profile.{item.key.place}")


def profile_problems(
    value: ProfileDefinition, entity: EntityDef | None, schema: Schema, place: str
) -> Iterator[Problem]:
    """Yield what is wrong with a profile: names of entities, actions, fields, levels."""
    if value.key == BUILT_IN:
        yield Problem(place, "reserved_key", {"key": value.key})
    for part in ("actions", "denied"):
        for name, actions in getattr(value, part).items():
            where = f"{place}.{part}.{name[:60]}"
            if name != "*" and name not in schema.entities:
                yield Problem(where, "unknown_entity", {"value": name[:60]})
            for action in actions:
                if action not in ACTIONS:
                    yield Problem(where, "not_an_option", {"value": action[:60]})
    yield from _scope_problems(value, schema, place)
    for name, levels in value.fields.items():
        yield from _field_problems(name, levels, schema, f"{place}.fields.{name[:90]}")


def _scope_problems(
    value: ProfileDefinition, schema: Schema, place: str
) -> Iterator[Problem]:
    for name, scopes in value.scopes.items():
        where = f"{place}.scopes.{name[:60]}"
        if name != "*" and name not in schema.entities:
            yield Problem(where, "unknown_entity", {"value": name[:60]})
        for action, scope in scopes.items():
            if action != "*" and action not in ACTIONS:
                yield Problem(where, "not_an_option", {"value": action[:60]})
            if scope not in SCOPES:
                details = {"value": scope[:60]}
                yield Problem(f"{where}.{action[:60]}", "not_an_option", details)


def _field_problems(
    name: str, levels: Mapping[str, str], schema: Schema, where: str
) -> Iterator[Problem]:
    entity_name, _, record_type = name.partition(":")
    entity = schema.entities.get(entity_name)
    if entity is None:
        yield Problem(where, "unknown_entity", {"value": entity_name[:60]})
        return
    types = {one.key for one in schema.record_types.get(entity_name, ())}
    if record_type and record_type not in types:
        yield Problem(where, "not_an_option", {"value": record_type[:60]})
    for field, level in levels.items():
        if field != "*" and field not in entity.fields:
            yield Problem(where, "unknown_field_in", {"key": field[:60]})
        if level not in FIELD_LEVELS:
            yield Problem(
                f"{where}.{field[:60]}", "not_an_option", {"value": level[:60]}
            )


def with_profiles(
    schema: Schema, values: Mapping[tuple[str, str], ProfileDefinition]
) -> Schema:
    """Return a schema that holds the profiles, for the policy to take up."""
    made = {place: _made(value) for place, value in values.items()}
    return attrs.evolve(schema, additions={**schema.additions, "profile": made})


def _made(value: ProfileDefinition) -> Profile:
    return Profile(
        value.key,
        _sets(value.actions),
        sees_all=value.sees_all,
        administers=value.administers,
        denied=_sets(value.denied),
        fields=value.fields,
        scopes=value.scopes,
    )


def _sets(given: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(actions) for name, actions in given.items()}
