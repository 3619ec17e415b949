"""The schema: all entities of one tenant, and what its administrators added to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from crmcore.errors import ValidationError
from crmcore.i18n.captions import Captions, worded
from crmcore.ports import Cipher
from crmcore.records.composites import AnyReference, Choices
from crmcore.records.definitions import EntityDef
from crmcore.records.field_definitions import FieldDef
from crmcore.records.fields import numbered
from crmcore.records.layouts import Layout
from crmcore.records.lookup_values import Lookup, lookups_of, rule_problems
from crmcore.records.many_to_many import ManyToMany
from crmcore.records.numbering import NumberFormat
from crmcore.records.picklists import Picklist
from crmcore.records.record_types import RecordType
from crmcore.records.triggers import Action, Trigger
from crmcore.records.types import Choice
from crmcore.records.validation_rules import ValidationRule

if TYPE_CHECKING:
    from crmcore.records.record import Record

__all__ = ["Schema", "option_key", "picklist_of"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})

#: The entity of the links of relations of many with many.
LINK = "record_link"


@attrs.frozen(kw_only=True, slots=False, eq=False)
class Schema:
    """All entities of one tenant at one moment; immutable.

    ``version`` changes whenever something here does. ``value_sets`` are picklists that
    several fields share. ``record_types``, ``layouts`` and ``validation_rules`` go by
    entity, and so do ``triggers``, which may call the host's ``actions`` by their names;
    ``cipher`` is the host's for encrypted fields.
    ``relations`` are those of many records with many, by key.
    ``captions`` are the tenant's own words for labels; ``additions`` holds whatever else
    is stored, by kind, object and key.
    """

    entities: Mapping[str, EntityDef]
    version: int = 1
    value_sets: Mapping[str, Picklist] = _NOTHING
    record_types: Mapping[str, tuple[RecordType, ...]] = _NOTHING
    layouts: Mapping[str, tuple[Layout, ...]] = _NOTHING
    validation_rules: Mapping[str, tuple[ValidationRule, ...]] = _NOTHING
    triggers: Mapping[str, tuple[Trigger, ...]] = _NOTHING
    actions: Mapping[str, Action] = _NOTHING
    cipher: Cipher | None = None
    captions: Captions = Captions()
    additions: Mapping[str, Mapping[tuple[str, str], Any]] = _NOTHING
    relations: Mapping[str, ManyToMany] = _NOTHING

    @classmethod
    def of(cls, definitions: Iterable[EntityDef], version: int = 1) -> Schema:
        """Make the schema of some entities."""
        return cls(entities={d.name: d for d in definitions}, version=version)

    @cached_property
    def _by_class(self) -> dict[type[Any], EntityDef]:
        # An entity that was extended is also known by the class that it extends.
        return {
            kind: definition
            for definition in self.entities.values()
            for kind in definition.record_class.__mro__
            if kind is definition.record_class or _declares(kind, definition.name)
        }

    def entity(self, kind: type[Record] | Record | str) -> EntityDef:
        """Return an entity by its record class, a record or its name.

        Raises ValidationError for an entity that this set-up does not have.
        """
        if isinstance(kind, str):
            found = self.entities.get(kind)
        else:
            found = self._by_class.get(kind if isinstance(kind, type) else type(kind))
        if found is None:
            shown = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
            raise ValidationError.of("entity", "unknown_entity", value=shown[:60])
        return found

    @cached_property
    def lookups(self) -> Mapping[str, tuple[Lookup, ...]]:
        """Return by entity the fields that show what other records hold (REC-10)."""
        return {
            entity.name: tuple(lookups_of(self, entity))
            for entity in self.entities.values()
            if entity.lookup_fields
        }

    def lookup(self, entity: EntityDef, name: str) -> Lookup | None:
        """Return where a field that shows another one leads; none for other fields."""
        known = self.lookups.get(entity.name, ())
        return next((one for one in known if one.field.name == name), None)

    @cached_property
    def sharing(self) -> Mapping[str, tuple[Any, ...]]:
        """Return the sharing rules that administrators stored, by entity (ACC-12)."""
        found: dict[str, tuple[Any, ...]] = {}
        for (entity, _), rule in self.added("sharing_rule").items():
            found[entity] = (*found.get(entity, ()), rule)
        return found

    @cached_property
    def picklists(self) -> Mapping[str, Picklist]:
        """Return all picklists by name: value sets, and those that fields declare."""
        declared = {
            picklist.name: picklist
            for entity in self.entities.values()
            for field in entity.fields.values()
            if (picklist := picklist_of(field)) is not None
        }
        return MappingProxyType({**declared, **self.value_sets})

    def added(self, kind: str) -> Mapping[tuple[str, str], Any]:
        """Return what is stored of a kind beside fields, by object and key."""
        return self.additions.get(kind, {})

    def option_label(self, picklist: Picklist, key: str, language: str) -> str:
        """Return how people call an option: in the tenant's words, or the library's.

        The key itself where the option is gone.
        """
        option = picklist.by_key.get(key)
        if option is None:
            return key
        own = option_key(picklist.name, key)
        if own in self.captions.by_key:
            return self.captions.text(own, option.label, language)
        return worded(option.label, option.labels, language)

    def with_entity(self, definition: EntityDef) -> Schema:
        """Return a schema with an entity added or replaced."""
        entities = {**self.entities, definition.name: definition}
        return attrs.evolve(self, entities=entities)

    def with_relations(self, relations: Iterable[ManyToMany]) -> Schema:
        """Return a schema with further relations of many records with many (REC-20).

        Links then may join records of their entities, and go with them.
        """
        known = {**self.relations, **{one.key: one for one in relations}}
        links = self.entities.get(LINK)
        if links is None or not known:
            return self
        fields = dict(links.fields)
        for side in ("source", "target"):
            ends = sorted({getattr(one, side) for one in known.values()})
            kind = AnyReference(entities=tuple(ends))
            fields[side] = attrs.evolve(fields[side], type=kind)
        changed = self.with_entity(attrs.evolve(links, fields=fields))
        return attrs.evolve(changed, relations=known)

    def with_rule(self, place: str, rule: Mapping[str, Any]) -> Schema:
        """Return a schema in which one field (``lead.company_name``) has other rules."""
        name, _, field = place.partition(".")
        definition = self.entity(name)
        problems = list(rule_problems(definition.field(field).type, rule, place))
        if problems:
            raise ValidationError(problems)
        changed = attrs.evolve(definition.field(field), **rule)
        fields = {**definition.fields, field: changed}
        return self.with_entity(attrs.evolve(definition, fields=fields))

    def with_number(self, place: str, shown: NumberFormat) -> Schema:
        """Return a schema in which one field (``lead.number``) is given automatically.

        Raises ValidationError for a field that cannot hold numbers.
        """
        name, _, field = place.partition(".")
        definition = self.entity(name)
        changed = numbered(definition.field(field), shown)
        fields = {**definition.fields, field: changed}
        return self.with_entity(attrs.evolve(definition, fields=fields))

    def extended(self, name: str, custom: Iterable[FieldDef]) -> Schema:
        """Return a schema in which the entity ``name`` has further custom fields."""
        definition = self.entity(name)
        fields = dict(definition.fields)
        for field in custom:
            if field.name in fields:
                raise ValidationError.of(field.name, "field_exists", entity=name)
            fields[field.name] = attrs.evolve(field, custom=True)
        changed = self.with_entity(attrs.evolve(definition, fields=fields))
        return attrs.evolve(changed, version=self.version + 1)


def _declares(kind: type[Any], name: str) -> bool:
    declared = vars(kind).get("__entity__")
    return isinstance(declared, EntityDef) and declared.name == name


def option_key(picklist: str, option: str) -> str:
    """Return the key of an option's caption: ``lead_source:web``."""
    return f"{picklist}:{option}"


def picklist_of(field: FieldDef) -> Picklist | None:
    """Return the picklist that a field chooses from, none for other fields."""
    if isinstance(field.type, Choice):
        return field.type.picklist
    if isinstance(field.type, Choices):
        return field.type.item.picklist
    return None
