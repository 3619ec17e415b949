"""Which fields refer to an entity, and what becomes of them on its deletion (REC-20)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import attrs

from crmcore.criteria import Criteria, F
from crmcore.records import (
    AnyReference,
    EntityDef,
    FieldDef,
    Link,
    ListOf,
    MasterDetail,
    Record,
    Ref,
    Reference,
    Schema,
)
from crmcore.unit.typed_references import references_in

__all__ = ["Referrer", "referrers"]


@attrs.frozen
class Referrer:
    """A field through which records of ``entity`` refer to others."""

    entity: EntityDef
    field: FieldDef

    def on_delete(self, *, for_good: bool) -> str:
        """Return what a deletion does to it: keep, block, clear or cascade.

        A reference to a record that is gone for good would dangle, so that it blocks;
        what the library keeps of a record goes with it.
        """
        wanted = self.field.on_delete
        if isinstance(self.field.type, MasterDetail):
            return "cascade"
        if wanted == "clear" and self.field.required:
            return "block"
        if wanted == "keep" and for_good:
            return "cascade" if self.entity.managed else "block"
        return wanted

    @property
    def belongs(self) -> bool:
        """Tell whether the records are part of those that they refer to."""
        return self.field.belongs or isinstance(self.field.type, MasterDetail)

    def criteria(self, target: str, ids: Collection[UUID]) -> Criteria:
        """Return the condition that a record refers to one of these."""
        kind, expression = self.field.type, F[self.field.name]
        if isinstance(kind, Reference):
            return expression.in_(ids)
        if isinstance(kind, AnyReference):
            return expression.in_(Ref(target, identity) for identity in ids)
        assert isinstance(kind, ListOf)
        if isinstance(kind.item, Reference):
            return expression.any_of(ids)
        return expression.any_of(Ref(target, identity) for identity in ids)

    def targets(self, record: Record) -> frozenset[tuple[str, UUID]]:
        """Return what a record refers to through this field."""
        value = self.entity.value_of(record, self.field.name)
        return frozenset((r.entity, r.id) for r in references_in(self.field, value))

    def cleared(self, record: Record, gone: Collection[tuple[str, UUID]]) -> Any:
        """Return the field's value without the references to records that go."""
        kind, value = self.field.type, self.entity.value_of(record, self.field.name)
        if not isinstance(kind, ListOf):
            return None
        kept = [
            item
            for item, ref in zip(value, references_in(self.field, value), strict=True)
            if (ref.entity, ref.id) not in gone
        ]
        return tuple(kept) or None


def referrers(schema: Schema, target: str) -> tuple[Referrer, ...]:
    """Return all fields of all entities that may refer to records of ``target``."""
    return tuple(
        Referrer(entity, field)
        for entity in schema.entities.values()
        for field in entity.references
        if _may_refer(field, target)
    )


def _may_refer(field: FieldDef, target: str) -> bool:
    kind = field.type
    item = kind.item if isinstance(kind, ListOf) else kind
    if isinstance(item, Reference):
        return item.entity == target
    if isinstance(item, AnyReference):
        return not item.entities or target in item.entities
    return isinstance(item, Link)
