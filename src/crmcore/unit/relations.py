"""Relations: the records that refer to one, and new ones made among them (REC-20)."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from crmcore.criteria import Criteria, Cursor, Everything, Page
from crmcore.errors import ValidationError
from crmcore.records import AnyReference, EntityDef, ListOf, Record, Ref
from crmcore.unit.reading import Order, ReadingVerbs
from crmcore.unit.referring import Referrer, referrers

__all__ = ["RelationVerbs"]

R = TypeVar("R", bound=Record)


class RelationVerbs(ReadingVerbs):
    """Related lists: every reference is followed both ways."""

    @overload
    def related(
        self,
        record: Record,
        kind: type[R],
        criteria: Criteria = ...,
        *,
        through: str | None = ...,
        order_by: Order = ...,
        limit: int = ...,
        after: Cursor | None = ...,
    ) -> Page[R]: ...

    @overload
    def related(
        self,
        record: Record,
        kind: str,
        criteria: Criteria = ...,
        *,
        through: str | None = ...,
        order_by: Order = ...,
        limit: int = ...,
        after: Cursor | None = ...,
    ) -> Page[Record]: ...

    def related(
        self,
        record: Record,
        kind: type[R] | str,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        through: str | None = None,
        order_by: Order = (),
        limit: int = 50,
        after: Cursor | None = None,
    ) -> Page[R] | Page[Record]:
        """Return a page of the records of ``kind`` that refer to ``record``.

        ``through`` names the field where several of them do; the other arguments are
        those of ``find``. Raises ValidationError where nothing leads there, or more than
        one field does; NotFound for a record that the actor may not see.
        """
        entity = self.schema.entity(kind)
        target = self.schema.entity(record)
        self._get(target, record.id)
        referrer = self._referrer(entity, target, through)
        wanted = referrer.criteria(target.name, (record.id,)) & criteria
        return self.find(
            entity.record_class, wanted, order_by=order_by, limit=limit, after=after
        )

    def preset(self, entity: EntityDef, parent: Record) -> dict[str, Any]:
        """Return the reference by which a new record belongs to ``parent``."""
        target = self.schema.entity(parent)
        field = self._referrer(entity, target, None).field
        kind = field.type.item if isinstance(field.type, ListOf) else field.type
        anything = isinstance(kind, AnyReference)
        value = Ref(target.name, parent.id) if anything else parent.id
        return {field.name: (value,) if isinstance(field.type, ListOf) else value}

    def _referrer(
        self, entity: EntityDef, target: EntityDef, through: str | None
    ) -> Referrer:
        found = [
            referrer
            for referrer in referrers(self.schema, target.name)
            if referrer.entity is entity
            and not referrer.field.system
            and through in (None, referrer.field.name)
        ]
        if through is None:
            found = [one for one in found if one.field.name != "owner_id"]
            # A list of further links never stands in for the reference itself.
            single = [one for one in found if not isinstance(one.field.type, ListOf)]
            found = single or found
        if len(found) != 1:
            reason = "several_relations" if found else "no_relation"
            raise ValidationError.of(
                (through or "parent")[:60],
                reason,
                entity=entity.name,
                target=target.name,
            )
        return found[0]
