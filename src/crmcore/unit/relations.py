"""Relations: the records that refer to one, and new ones made among them (REC-20)."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, TypeVar, overload
from uuid import UUID

from crmcore.criteria import (
    BoundAnd,
    Criteria,
    Cursor,
    Everything,
    F,
    Page,
    Query,
)
from crmcore.errors import ValidationError
from crmcore.records import (
    AnyReference,
    EntityDef,
    ListOf,
    ManyToMany,
    Record,
    Ref,
)
from crmcore.unit.base import live
from crmcore.unit.reading import Order, ReadingVerbs
from crmcore.unit.record_link import RecordLink
from crmcore.unit.referring import Referrer, referrers

__all__ = ["RelationVerbs"]

R = TypeVar("R", bound=Record)


#: A record is read with at most so many links of one relation.
MOST_LINKS = 20_000


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

        ``kind`` may also be the key of a relation of many with many: then they are
        those at the other ends of its links. ``through`` names the field where several of them do; the other arguments are
        those of ``find``. Raises ValidationError where nothing leads there, or more than
        one field does; NotFound for a record that the actor may not see.
        """
        target = self.schema.entity(record)
        if isinstance(kind, str) and kind in self.schema.relations:
            relation = self._joining(record, kind)
            self._get(target, record.id)
            far = self.schema.entity(relation.other_end(target.name) or "")
            ids = self._linked_ids(relation, target.name, record.id)
            return self.find_within(
                F.id.in_(ids), far, criteria, order_by, limit, after
            )
        entity = self.schema.entity(kind)
        self._get(target, record.id)
        referrer = self._referrer(entity, target, through)
        wanted = referrer.criteria(target.name, (record.id,)) & criteria
        return self.find(
            entity.record_class, wanted, order_by=order_by, limit=limit, after=after
        )

    def _joining(self, record: Record, key: str) -> ManyToMany:
        """Return a relation that records of this entity have."""
        name = self.schema.entity(record).name
        known = self.schema.relations.get(key)
        if known is None or known.other_end(name) is None:
            raise ValidationError.of(
                "relation", "unknown_relation", value=str(key)[:60], entity=name
            )
        return known

    def links_of(
        self, relation: ManyToMany, name: str, identity: UUID
    ) -> list[RecordLink]:
        """Return the links of a record, oldest first, whoever made them."""
        entity = self.schema.entity(RecordLink)
        near = Ref(name, identity)
        sides = [
            F[side] == near
            for side, end in zip(("source", "target"), relation.ends, strict=True)
            if end == name
        ]
        wanted = reduce(or_, sides) & (F.relation == relation.key)
        query = Query(
            entity=entity,
            where=BoundAnd((self._trusted.criteria(entity, wanted), live(entity))),
            order=self._trusted.order(entity, [F.created_at.asc()]),
            limit=MOST_LINKS + 1,
        )
        found = [r for r in self.transaction.select(query) if isinstance(r, RecordLink)]
        if len(found) > MOST_LINKS:
            raise ValidationError.of("relation", "too_large")
        return found

    def _linked_ids(
        self, relation: ManyToMany, name: str, identity: UUID
    ) -> list[UUID]:
        ends = [
            ref.id
            for link in self.links_of(relation, name, identity)
            for ref in (link.source, link.target)
            if ref is not None and ref != Ref(name, identity)
        ]
        return sorted(ends)

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
            and referrer.field.name not in self.rights(entity).sometimes_hidden
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
