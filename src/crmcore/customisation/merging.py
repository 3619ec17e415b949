"""The schema of a tenant: what the host declared, with what administrators stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from crmcore.customisation.bound_criteria import checked_criteria
from crmcore.customisation.captions import caption_problems
from crmcore.customisation.fields import changed_field, custom_field
from crmcore.customisation.items import Item, Items
from crmcore.customisation.keys import field_key_problems
from crmcore.customisation.kinds import KINDS, Kind
from crmcore.customisation.objects import OPERATION_LOG, RecordClasses, object_entity
from crmcore.customisation.picklists import merged_picklist
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem, ValidationError
from crmcore.i18n.captions import Caption, Captions
from crmcore.records import (
    Boolean,
    Choice,
    Choices,
    EntityDef,
    FieldDef,
    Option,
    Picklist,
    Reference,
    Schema,
    fields,
)
from crmcore.records.encryption import encryption_problems, with_cipher
from crmcore.records.lookup_values import lookup_problems
from crmcore.records.record_types import (
    DRAFT,
    RECORD_TYPE,
    RecordType,
    default_type,
)
from crmcore.records.schema import picklist_of
from crmcore.unit.derived_values import circle_problems
from crmcore.unit.formula_fields import formula_problems
from crmcore.unit.roll_ups import roll_up_problems

__all__ = ["Merged", "merged"]


@attrs.frozen
class Merged:
    """A tenant's schema, and what of the stored items could not be used.

    An item may be out of use after the host changed its declarations; the others count
    all the same.
    """

    schema: Schema
    problems: tuple[Problem, ...]


def merged(
    base: Schema, items: Items, tenant: str, classes: RecordClasses, version: int = 1
) -> Merged:
    """Return the schema of ``tenant``: ``base`` with its stored items.

    Pure but for ``classes``, which remembers the record classes of custom objects.
    """
    merging = _Merging(base, items, tenant, classes)
    schema = merging.run()
    return Merged(attrs.evolve(schema, version=version), tuple(merging.problems))


class _Merging:
    """One merge, step by step; a bad item is noted and left out."""

    def __init__(
        self, base: Schema, items: Items, tenant: str, classes: RecordClasses
    ) -> None:
        self.items = items
        self.tenant = tenant
        self.classes = classes
        self.problems: list[Problem] = []
        self.schema = base

    def run(self) -> Schema:
        self._refuse_unknown_kinds()
        self._add_picklists()
        self._add_objects()
        self._add_fields()
        self._add_record_types()
        self._check_entities()
        self._add_captions()
        for kind in KINDS.values():
            self._add_values(kind)
        return self.schema

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except ValidationError as error:
            self.problems.extend(error.problems)

    def _refuse_unknown_kinds(self) -> None:
        for item in self.items:
            kind = item.key.kind
            if kind not in _BASIC_KINDS and kind not in KINDS:
                details = {"value": kind[:60]}
                self.problems.append(
                    Problem(str(item.key)[:120], "unknown_kind", details)
                )

    # -- picklists ---------------------------------------------------------------------

    def _add_picklists(self) -> None:
        known = dict(self.schema.picklists)
        stored: dict[str, Picklist] = {}
        for item in self.items.of_kind("picklist"):
            with self._noting():
                name = item.key.key
                stored[name] = merged_picklist(name, known.get(name), item.definition)
        entities = {
            name: _with_picklists(entity, stored)
            for name, entity in self.schema.entities.items()
        }
        self.schema = attrs.evolve(
            self.schema,
            entities=entities,
            value_sets={**self.schema.value_sets, **stored},
        )

    # -- objects and fields ------------------------------------------------------------

    def _add_objects(self) -> None:
        for item in self.items.of_kind("object"):
            with self._noting():
                key = item.key.key
                if key in self.schema.entities:
                    raise ValidationError.of(f"object.{key}", "key_taken", key=key)
                entity = object_entity(self.tenant, key, item.definition, self.classes)
                self.schema = self.schema.with_entity(entity)
        self._check_default_objects()

    def _check_default_objects(self) -> None:
        """Note where two objects are the default of one data type (REC-17)."""
        marked: dict[str, str] = {}
        for item in self.items.of_kind("object"):
            if item.definition.get("default") is True:
                data_type = str(item.definition.get("data_type", "basic"))
                other = marked.setdefault(data_type, item.key.key)
                if other != item.key.key:
                    place = f"object.{item.key.key}.default"
                    self.problems.append(
                        Problem(place, "default_taken", {"other": other})
                    )

    def _add_fields(self) -> None:
        for item in (*self.items.of_kind("field"), *self.items.retired("field")):
            with self._noting():
                self._add_field(item)

    def _add_field(self, item: Item) -> None:
        place = f"field.{item.key.place}"
        entity = self._entity(item.key.object, place)
        declared = entity.fields.get(item.key.key)
        if declared is not None:
            field = changed_field(declared, item.definition, place)
        else:
            made = custom_field(
                item.key.key, item.definition, self.schema.picklists, place
            )
            field = with_cipher(made, self.schema.cipher)
            problems = list(field_key_problems(entity, field, place))
            if problems:
                raise ValidationError(problems)
        if item.retired:
            changed = attrs.evolve(entity, retired=(*entity.retired, field))
        else:
            changed = attrs.evolve(entity, fields={**entity.fields, field.name: field})
        self.schema = self.schema.with_entity(changed)

    def _entity(self, name: str, place: str) -> EntityDef:
        entity = self.schema.entities.get(name)
        if entity is None or entity.managed:
            raise ValidationError.of(place, "unknown_entity", value=name[:60])
        return entity

    # -- record types ------------------------------------------------------------------

    def _add_record_types(self) -> None:
        by_object: dict[str, list[RecordType]] = {}
        kind = KINDS["record_type"]
        for item in self.items.of_kind("record_type"):
            with self._noting():
                entity = self._entity(item.key.object, str(item.key))
                value = kind.value(item)
                kind.check(value, entity, self.schema, f"record_type.{item.key.place}")
                by_object.setdefault(entity.name, []).append(value)
        for name, types in by_object.items():
            entity = self.schema.entity(name)
            field = _record_type_field(entity, types)
            added = {RECORD_TYPE: field}
            if any(one.drafts for one in types):
                if DRAFT in entity.fields:
                    place = f"record_type.{name}.drafts"
                    self.problems.append(Problem(place, "key_taken", {"key": DRAFT}))
                added[DRAFT] = fields.custom(DRAFT, Boolean(), system=True)
            self.schema = attrs.evolve(
                self.schema.with_entity(
                    attrs.evolve(entity, fields={**entity.fields, **added})
                ),
                record_types={**self.schema.record_types, name: tuple(types)},
            )

    def _check_space(self, entity: EntityDef) -> None:
        """Note where an object has more fields than its space allows (REC-09)."""
        own = [field for field in entity.custom_fields if not field.system]
        if entity.field_space is not None and len(own) > entity.field_space:
            details = {"maximum": entity.field_space}
            self.problems.append(Problem(f"object.{entity.name}", "no_space", details))

    def _check_log(self, entity: EntityDef) -> None:
        if entity.log_object is None:
            return
        log = self.schema.entities.get(entity.log_object)
        if log is None or log.data_type != OPERATION_LOG or log is entity:
            details = {"value": entity.log_object[:60]}
            place = f"object.{entity.name}.log_object"
            self.problems.append(Problem(place, "not_a_log", details))

    # -- references and dependent lists ------------------------------------------------

    def _check_entities(self) -> None:
        for entity in self.schema.entities.values():
            self._check_space(entity)
            self._check_log(entity)
            self.problems.extend(encryption_problems(entity, self.schema.cipher))
            self.problems.extend(formula_problems(self.schema, entity))
            self.problems.extend(roll_up_problems(self.schema, entity))
            self.problems.extend(lookup_problems(self.schema, entity))
            for field in entity.custom_fields:
                self._check_field(entity, field)
            for field in entity.partial_fields:
                self._check_kinds(entity, field)
        self.problems.extend(circle_problems(self.schema))

    def _check_field(self, entity: EntityDef, field: FieldDef) -> None:
        place = f"field.{entity.name}.{field.name}"
        kind = field.type
        if isinstance(kind, Reference):
            self._check_reference(kind, place)
        controlling = field.controlling_field
        if controlling is None:
            return
        controller = entity.fields.get(controlling)
        above = None if controller is None else picklist_of(controller)
        if above is None:
            details = {"key": controlling[:60]}
            self.problems.append(Problem(place, "not_a_picklist", details))
            return
        circle = _circle_of(entity, field)
        if circle:
            details = {"path": " → ".join(circle)}
            place = f"{place}.controlling_field"
            self.problems.append(Problem(place, "cycle", details))
        own = picklist_of(field)
        for option in () if own is None else own.options:
            if option.parent is not None and option.parent not in above.by_key:
                details = {"value": option.parent[:60]}
                place = f"picklist.{own.name if own else ''}.{option.key}.parent"
                self.problems.append(Problem(place, "not_an_option", details))

    def _check_kinds(self, entity: EntityDef, field: FieldDef) -> None:
        """Note kinds of records that a field is meant for and that there are not."""
        place = f"field.{entity.name}.{field.name}.applies_to"
        teller = entity.kind_field
        picklist = picklist_of(teller) if teller is not None else None
        for kind in field.applies_to:
            if picklist is None or kind not in picklist.by_key:
                details = {"value": kind[:60]}
                self.problems.append(Problem(place, "not_an_option", details))

    def _check_reference(self, kind: Reference, place: str) -> None:
        target = self.schema.entities.get(kind.entity)
        if target is None:
            details = {"value": kind.entity}
            self.problems.append(Problem(place, "unknown_entity", details))
        elif kind.filter is not None:
            with self._noting():
                checked_criteria(kind.filter, target, self.schema)

    def _add_captions(self) -> None:
        """Add the translations that stand in the definitions of objects and fields."""
        captions = []
        for item in (*self.items.of_kind("object"), *self.items.of_kind("field")):
            labels = item.definition.get("labels")
            if labels is None:
                continue
            with self._noting():
                place = f"{item.key.kind}.{item.key.place}.labels"
                data = {"key": item.key.place, "translations": labels}
                found = structured(Caption, data, place)
                problems = list(caption_problems(found, None, self.schema, place))
                if problems:
                    raise ValidationError(problems)
                captions.append(found)
        if captions:
            self.schema = attrs.evolve(self.schema, captions=Captions.of(captions))

    # -- everything else ---------------------------------------------------------------

    def _add_values(self, kind: Kind) -> None:
        if kind.name == "record_type":
            return
        values: dict[tuple[str, str], Any] = {}
        for item in self.items.of_kind(kind.name):
            with self._noting():
                place = f"{kind.name}.{item.key.place}"
                entity = None
                if kind.of_object:
                    entity = self._entity(item.key.object, place)
                value = kind.value(item)
                kind.check(value, entity, self.schema, place)
                values[item.key.object, item.key.key] = value
        if values:
            self.schema = kind.place(self.schema, values)


def _circle_of(entity: EntityDef, field: FieldDef) -> tuple[str, ...]:
    """Return the way on which fields that control each other lead back to one."""
    path = [field.name]
    above = field.controlling_field
    while above is not None and above not in path:
        path.append(above)
        following = entity.fields.get(above)
        above = following.controlling_field if following else None
    return (*path, field.name) if above == field.name else ()


_BASIC_KINDS = frozenset({"field", "object", "picklist"})


def _with_picklists(entity: EntityDef, stored: Mapping[str, Picklist]) -> EntityDef:
    changed = {}
    for name, field in entity.fields.items():
        picklist = picklist_of(field)
        if picklist is not None and picklist.name in stored:
            changed[name] = _choosing(field, stored[picklist.name])
    if not changed:
        return entity
    return attrs.evolve(entity, fields={**entity.fields, **changed})


def _choosing(field: FieldDef, picklist: Picklist) -> FieldDef:
    if isinstance(field.type, Choices):
        item = attrs.evolve(field.type.item, picklist=picklist)
        return attrs.evolve(field, type=attrs.evolve(field.type, item=item))
    assert isinstance(field.type, Choice)
    return attrs.evolve(field, type=attrs.evolve(field.type, picklist=picklist))


def _record_type_field(entity: EntityDef, types: Iterable[RecordType]) -> FieldDef:
    """Return the field that holds the type: the declared one, or a custom one."""
    known = tuple(types)
    options = tuple(
        Option(one.key, one.label, active=one.active, labels=one.labels)
        for one in known
    )
    chosen = default_type(known)
    default = chosen.key if chosen else None
    declared = entity.fields.get(RECORD_TYPE)
    if declared is not None:
        own = picklist_of(declared)
        keys = {option.key for option in options}
        kept = tuple(o for o in own.options if o.key not in keys) if own else ()
        picklist = Picklist(own.name if own else RECORD_TYPE, (*kept, *options))
        marked = default if any(one.default for one in known) else declared.default
        return attrs.evolve(declared, type=Choice(picklist=picklist), default=marked)
    return fields.custom(
        RECORD_TYPE,
        Choice(picklist=Picklist(f"{entity.name}_{RECORD_TYPE}", options)),
        indexed=True,
        required=True,
        default=default,
    )
