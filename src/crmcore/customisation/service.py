"""``session.customisation``: what administrators shape, checked before it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from crmcore.criteria import F
from crmcore.customisation.change_sets import ChangeSet
from crmcore.customisation.entities import CustomisationItem
from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.customisation.merging import Merged, merged
from crmcore.customisation.planning import (
    Change,
    CustomisationPlan,
    Difference,
    Put,
    Question,
    Remove,
    Restore,
    Retire,
    differences,
    questions,
    target,
)
from crmcore.customisation.stored import TenantSchemas, items_of, read_items
from crmcore.customisation.unique_values import claim_values
from crmcore.errors import Problem, StaleRecord, ValidationError
from crmcore.records import EntityDef, Option, Record
from crmcore.storage import HistoryEntry
from crmcore.unit import UnitOfWork
from crmcore.unit.drafts import Draft
from crmcore.unit.environment import CUSTOMISATION_SEQUENCE

__all__ = ["CustomisationService"]


class CustomisationService:
    """Plans and applies changes of a tenant's customisation; administrators only.

    A change counts from the next session on: a running one keeps its schema.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        schemas = unit.environment.schemas
        assert isinstance(schemas, TenantSchemas)
        self._schemas = schemas

    # -- plans -------------------------------------------------------------------------

    def plan(self, changes: Iterable[Change]) -> CustomisationPlan:
        """Return what some changes would do, and everything that is wrong with them.

        Nothing is stored. Raises AccessDenied for those who do not administer.
        """
        self._require_administrator()
        wanted = tuple(changes)
        return self._unit.recall(
            "customisation.plan",
            [attrs.asdict(change) for change in wanted],
            lambda: self._plan(wanted),
            CustomisationPlan,
            Difference,
            Item,
            ItemKey,
            Problem,
        )

    def _plan(self, changes: tuple[Change, ...]) -> CustomisationPlan:
        version = self._unit.transaction.current_number(CUSTOMISATION_SEQUENCE)
        before = items_of(self._records())
        try:
            after = target(before, changes)
        except ValidationError as error:
            return CustomisationPlan(version, (), tuple(error.problems))
        old, new = self._merged(before), self._merged(after)
        known = set(map(str, old.problems))
        problems = [p for p in new.problems if str(p) not in known]
        found = differences(before, after)
        if not problems:
            problems = [
                question.problem
                for question in questions(old.schema, new.schema)
                if self._is_so(question)
            ]
        return CustomisationPlan(version, found, tuple(problems))

    def _merged(self, items: Items) -> Merged:
        schemas = self._schemas
        tenant = self._unit.context.tenant
        return merged(schemas.base, items, tenant, schemas.classes)

    def _is_so(self, question: Question) -> bool:
        entity, field = question.entity, question.field
        if question.kind == "present":
            return self._unit.exists(entity)
        assert field is not None
        if question.kind == "filled":
            return self._unit.exists(entity, ~F[field.name].is_null())
        if question.kind == "chosen":
            subject = F[field.name]
            plural = field.type.plural
            test = (
                subject.any_of([question.value])
                if plural
                else subject == question.value
            )
            return self._unit.exists(entity, test)
        return False  # unique values are claimed while the plan is applied

    def apply(self, plan: CustomisationPlan) -> CustomisationPlan:
        """Store what a plan says, all of it or nothing.

        Raises ValidationError with the plan's problems, StaleRecord where the
        customisation was changed since the plan was made.
        """
        self._require_administrator()
        return self._unit.perform(
            "customisation.apply",
            str(plan),
            lambda: self._apply(plan),
            CustomisationPlan,
            Difference,
            Item,
            ItemKey,
            Problem,
        )

    def _apply(self, plan: CustomisationPlan) -> CustomisationPlan:
        plan.refuse_problems()
        if not plan.differences:
            return plan
        unit = self._unit
        version = unit.transaction.next_numbers(CUSTOMISATION_SEQUENCE, 1)
        if version != plan.version + 1:
            raise StaleRecord(entity="customisation", expected=plan.version)
        records = self._records()
        before = items_of(records)
        self._write(plan, records)
        after = items_of(self._records())
        claim_values(unit, self._merged(before).schema, self._merged(after).schema)
        unit.schema_changed = True
        return plan

    def _write(
        self, plan: CustomisationPlan, records: Mapping[ItemKey, CustomisationItem]
    ) -> None:
        unit = self._unit
        changes = unit.changes()
        made: list[tuple[Record, Mapping[str, Any]]] = [
            (_record(difference.after), {})
            for difference in plan.differences
            if difference.before is None and difference.after is not None
        ]
        if made:
            unit.plan_creation(unit.drafts_of_new(made, managed=True), changes)
        entity = self._entity
        for difference in plan.differences:
            if difference.before is None:
                continue
            stored = records[difference.key]
            after = difference.after
            if after is None:
                changes.update(
                    Draft(entity, unit.context, stored, {}),
                    "deleted",
                    deleted_at=unit.context.now,
                    deleted_by=unit.actor.id,
                )
                continue
            values: dict[str, Any] = {}
            if after.definition != difference.before.definition:
                values["definition"] = after.definition
            if after.retired != difference.before.retired:
                values["retired"] = after.retired
            changes.update(Draft(entity, unit.context, stored, values))
        unit.apply(changes)

    def _change(self, *changes: Change) -> CustomisationPlan:
        self._require_administrator()
        return self._unit.perform(
            "customisation.change",
            [attrs.asdict(change) for change in changes],
            lambda: self._apply(self._plan(changes)),
            CustomisationPlan,
            Difference,
            Item,
            ItemKey,
            Problem,
        )

    # -- what is there -----------------------------------------------------------------

    @property
    def _entity(self) -> EntityDef:
        return self._unit.schema.entity(CustomisationItem)

    def _records(self) -> dict[ItemKey, CustomisationItem]:
        return read_items(self._unit.transaction, self._entity)

    def _require_administrator(self) -> None:
        self._unit.decisions.require_administrator("edit", "customisation")

    def items(self) -> Items:
        """Return everything that is stored, retired items too."""
        self._require_administrator()
        return items_of(self._records())

    def history(self, kind: str, object: str, key: str) -> list[HistoryEntry]:  # noqa: A002
        """Return the versions of one item, oldest first (REC-12).

        Raises NotFound where there is none.
        """
        self._require_administrator()
        record = self._records().get(ItemKey(kind, object, key))
        if record is None:
            raise ValidationError.of(f"{kind}.{object}.{key}"[:120], "no_item", key=key)
        return self._unit.transaction.history(self._entity, record.id)

    # -- fields ------------------------------------------------------------------------

    def add_field(
        self,
        object: str | type[Record],  # noqa: A002
        key: str,
        type: str,  # noqa: A002
        *,
        label: str = "",
        options: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> CustomisationPlan:
        """Add a custom field to an object (REC-09).

        ``type`` is a kind of :data:`crmcore.records.registry.KINDS` and ``options`` its
        own settings, as plain data; ``labels`` are translations by language;
        ``attributes`` are those of :class:`FieldDef`, such as ``required`` or
        ``indexed``.

        Raises ValidationError for a key that is taken or reserved, an unknown type or
        setting.
        """
        name = self._name(object)
        self._refuse_taken("field", name, key)
        definition: dict[str, Any] = {"type": type, **attributes}
        if label:
            definition["label"] = label
        if options:
            definition["options"] = dict(options)
        if labels:
            definition["labels"] = dict(labels)
        return self._change(Put(ItemKey("field", name, key), definition))

    def change_field(
        self,
        object: str | type[Record],  # noqa: A002
        key: str,
        **settings: Any,
    ) -> CustomisationPlan:
        """Change settings of a field, a declared one too (REC-12); others stay.

        None takes a setting back. The type of a field that holds values stays.
        """
        name = self._name(object)
        item = ItemKey("field", name, key)
        present = self.items().get(item)
        self._require_field(name, key, present)
        before = dict(present.definition) if present else {}
        changed = {**before, **settings}
        return self._change(
            Put(item, {k: v for k, v in changed.items() if v is not None})
        )

    def retire_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Take a custom field out of use; its values can be brought back (REC-09).

        Refused while a layout, rule, formula or filter uses it.
        """
        return self._change(Retire(ItemKey("field", self._name(object), key)))

    def restore_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Bring a retired field back with its values."""
        return self._change(Restore(ItemKey("field", self._name(object), key)))

    def remove_field(self, object: str | type[Record], key: str) -> CustomisationPlan:  # noqa: A002
        """Remove a retired field for good, so that its key is free again."""
        item = ItemKey("field", self._name(object), key)
        present = self.items().get(item)
        if present is not None and not present.retired:
            raise ValidationError.of(f"field.{item.place}", "not_retired", key=key)
        return self._change(Remove(item))

    def _require_field(self, object: str, key: str, present: Item | None) -> None:  # noqa: A002
        entity = self._unit.schema.entities.get(object)
        declared = entity is not None and key in entity.fields
        if present is None and not declared:
            raise ValidationError.of(key[:80], "unknown_field", entity=object[:60])

    # -- objects, picklists and all else -------------------------------------------------

    def add_object(self, key: str, *, label: str, **settings: Any) -> CustomisationPlan:
        """Add an object type: records of an own kind (REC-17).

        ``settings`` are those of :class:`ObjectDefinition`.
        """
        self._refuse_taken("object", "", key)
        return self.put("object", key, {"label": label, **settings})

    def add_picklist(
        self, key: str, options: Iterable[Option | str], **settings: Any
    ) -> CustomisationPlan:
        """Add a value set that fields can share, or shape a declared picklist (REC-13).

        An option may be given by its key alone; its label is then made of it.
        """
        listed = [_option(option) for option in options]
        return self.put("picklist", key, {"options": listed, **settings})

    def put(
        self,
        kind: str,
        key: str,
        definition: Mapping[str, Any],
        *,
        object: str | type[Record] = "",  # noqa: A002
    ) -> CustomisationPlan:
        """Store a definition of any kind: layout, record_type, validation_rule ...

        ``object`` names the entity that it belongs to. Raises ValidationError with
        everything that is wrong, AccessDenied for those who do not administer.
        """
        name = self._name(object) if object else ""
        return self._change(Put(ItemKey(kind, name, key), dict(definition)))

    def remove(
        self,
        kind: str,
        key: str,
        *,
        object: str | type[Record] = "",  # noqa: A002
    ) -> CustomisationPlan:
        """Remove an item of any kind for good.

        Refused while others need it, or while records hold values of it.
        """
        name = self._name(object) if object else ""
        return self._change(Remove(ItemKey(kind, name, key)))

    def _name(self, object: str | type[Record]) -> str:  # noqa: A002
        return object if isinstance(object, str) else object.entity_name()

    def _refuse_taken(self, kind: str, object: str, key: str) -> None:  # noqa: A002
        item = ItemKey(kind, object, key)
        entity = self._unit.schema.entities.get(object)
        declared = kind == "field" and entity is not None and key in entity.fields
        if declared or self.items().get(item) is not None:
            place = f"{kind}.{item.place}"
            raise ValidationError.of(place[:120], "key_taken", key=key[:60])

    # -- change sets -------------------------------------------------------------------

    def export(self) -> ChangeSet:
        """Return the tenant's whole customisation, to be kept or applied elsewhere."""
        return ChangeSet(self.items())

    def plan_import(
        self, change_set: ChangeSet, *, replace: bool = False
    ) -> CustomisationPlan:
        """Return what a change set would do here (IMP-07); nothing is stored.

        ``replace`` also removes what is not in it.
        """
        present = self.items()
        return self.plan(change_set.changes_from(present, replace=replace))


def _record(item: Item) -> CustomisationItem:
    return CustomisationItem(
        kind=item.key.kind,
        object=item.key.object or None,
        key=item.key.key,
        identity=item.key.identity,
        retired=item.retired,
        definition=item.definition,
    )


def _option(option: Option | str) -> dict[str, Any]:
    if isinstance(option, str):
        return {"key": option, "label": option.replace("_", " ").capitalize()}
    from crmcore.customisation.structuring import plain

    return plain(option)
