"""How a change of the customisation is planned, checked and stored, as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from crmcore.criteria import F
from crmcore.customisation.entities import CustomisationItem
from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.customisation.merging import Merged, merged
from crmcore.customisation.planning import (
    Change,
    CustomisationPlan,
    Difference,
    Question,
    differences,
    questions,
    target,
)
from crmcore.customisation.stored import TenantSchemas, items_of, read_items
from crmcore.customisation.unique_values import claim_values
from crmcore.errors import Problem, StaleRecord, ValidationError
from crmcore.records import EntityDef, Record
from crmcore.storage import HistoryEntry
from crmcore.unit import UnitOfWork
from crmcore.unit.drafts import Draft
from crmcore.unit.environment import CUSTOMISATION_SEQUENCE

__all__ = ["Changing"]

#: The classes of which a plan is made, for retries under an operation key.
_KINDS = (CustomisationPlan, Difference, Item, ItemKey, Problem)


class Changing:
    """Plans and applies changes of items; the verbs of a service build on it."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        schemas = unit.environment.schemas
        assert isinstance(schemas, TenantSchemas)
        self.schemas = schemas

    # -- plans -------------------------------------------------------------------------

    def plan(self, changes: Iterable[Change]) -> CustomisationPlan:
        """Return what some changes would do, and everything that is wrong with them.

        Nothing is stored. Raises AccessDenied for those who do not administer.
        """
        self.require_administrator()
        wanted = tuple(changes)
        return self.unit.recall(
            "customisation.plan",
            [attrs.asdict(change) for change in wanted],
            lambda: self._plan(wanted),
            *_KINDS,
        )

    def _plan(self, changes: tuple[Change, ...]) -> CustomisationPlan:
        version = self._current_version()
        before = items_of(self._records())
        try:
            after = target(before, changes)
        except ValidationError as error:
            return CustomisationPlan(version, (), tuple(error.problems))
        problems = tuple(self._problems(before, after))
        return CustomisationPlan(version, differences(before, after), problems)

    def _problems(self, before: Items, after: Items) -> list[Problem]:
        """Return what is wrong with the items afterwards, or with today's records."""
        old, new = self._merged(before), self._merged(after)
        known = set(map(str, old.problems))
        found = [p for p in new.problems if str(p) not in known]
        return found or [
            question.problem
            for question in questions(old.schema, new.schema)
            if self._is_so(question)
        ]

    def _merged(self, items: Items) -> Merged:
        schemas = self.schemas
        tenant = self.unit.context.tenant
        return merged(schemas.base, items, tenant, schemas.classes)

    def _is_so(self, question: Question) -> bool:
        entity, field = question.entity, question.field
        if question.kind == "present":
            return self.unit.exists(entity)
        assert field is not None
        if question.kind == "filled":
            return self.unit.exists(entity, ~F[field.name].is_null())
        if question.kind == "linked":
            return self.unit.exists(entity, F[field.name] == question.value)
        if question.kind == "profile":
            declared = self.unit.environment.policy.profile(question.value)
            if declared is not None:
                return False
        if question.kind in ("chosen", "profile"):
            subject = F[field.name]
            plural = field.type.plural
            test = (
                subject.any_of([question.value])
                if plural
                else subject == question.value
            )
            return self.unit.exists(entity, test)
        return False  # unique values are claimed while the plan is applied

    def apply(self, plan: CustomisationPlan) -> CustomisationPlan:
        """Store what a plan says, all of it or nothing.

        Raises ValidationError with the plan's problems, StaleRecord where the
        customisation was changed since the plan was made.
        """
        self.require_administrator()
        return self.unit.perform(
            "customisation.apply",
            attrs.asdict(plan),
            lambda: self._apply(plan),
            *_KINDS,
        )

    def _apply(self, plan: CustomisationPlan) -> CustomisationPlan:
        plan.refuse_problems()
        if not plan.differences:
            return plan
        # Asked before the version is taken: a refusal takes none.
        self._refuse_stale(plan, self._current_version())
        # The plan is a value that others may have made, and records change meanwhile.
        before = items_of(self._records())
        after = before.changed(d.after or d.key for d in plan.differences)
        problems = self._problems(before, after)
        if problems:
            raise ValidationError(problems)
        self._refuse_stale(plan, self._take_version() - 1)
        return self._store(plan)

    def _refuse_stale(self, plan: CustomisationPlan, version: int) -> None:
        if version != plan.version:
            place = str(plan.differences[0].key)
            raise StaleRecord(entity="customisation", id=place, expected=plan.version)

    def _current_version(self) -> int:
        return self.unit.transaction.current_number(CUSTOMISATION_SEQUENCE)

    def _take_version(self) -> int:
        """Take the next version; nobody else changes items until this work ends."""
        return self.unit.transaction.next_numbers(CUSTOMISATION_SEQUENCE, 1)

    def _store(self, plan: CustomisationPlan) -> CustomisationPlan:
        if not plan.differences:
            return plan
        unit = self.unit
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
        unit = self.unit
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

    def change(
        self, verb: str, payload: Any, decide: Callable[[Items], Iterable[Change]]
    ) -> CustomisationPlan:
        """Plan and apply what ``decide`` makes of the items that are stored now."""
        self.require_administrator()
        return self.unit.perform(
            f"customisation.{verb}",
            payload,
            lambda: self._decide_and_store(decide),
            *_KINDS,
        )

    def _decide_and_store(
        self, decide: Callable[[Items], Iterable[Change]]
    ) -> CustomisationPlan:
        def planned() -> CustomisationPlan:
            plan = self._plan(tuple(decide(items_of(self._records()))))
            plan.refuse_problems()
            return plan

        plan = planned()
        if plan.differences and self._take_version() != plan.version + 1:
            # Somebody was faster: decide again, now that all others wait.
            plan = planned()
        return self._store(plan)

    # -- what is there -----------------------------------------------------------------

    @property
    def _entity(self) -> EntityDef:
        return self.unit.schema.entity(CustomisationItem)

    def _records(self) -> dict[ItemKey, CustomisationItem]:
        return read_items(self.unit.transaction, self._entity)

    def require_administrator(self) -> None:
        self.unit.decisions.require_administrator("edit", "customisation")

    def items(self) -> Items:
        """Return everything that is stored, retired items too."""
        self.require_administrator()
        return items_of(self._records())

    def history(self, kind: str, object: str, key: str) -> list[HistoryEntry]:  # noqa: A002
        """Return the versions of one item, oldest first (REC-12).

        Raises NotFound where there is none.
        """
        self.require_administrator()
        record = self._records().get(ItemKey(kind, object, key))
        if record is None:
            raise ValidationError.of(f"{kind}.{object}.{key}"[:120], "no_item", key=key)
        return self.unit.transaction.history(self._entity, record.id)


def _record(item: Item) -> CustomisationItem:
    return CustomisationItem(
        kind=item.key.kind,
        object=item.key.object or None,
        key=item.key.key,
        identity=item.key.identity,
        retired=item.retired,
        definition=item.definition,
    )
