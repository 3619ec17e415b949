"""Reading verbs: get, find, stream, count, aggregate, history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, TypeVar, overload
from uuid import UUID

import attrs

from crmcore.access import AccessService
from crmcore.criteria import (
    Bound,
    BoundAnd,
    BoundSort,
    Criteria,
    Cursor,
    Everything,
    FieldExpression,
    Group,
    Measure,
    Page,
    Query,
    Sort,
    Total,
    reader,
    to_json,
)
from crmcore.criteria.pages import decode_cursor, encode_cursor, fingerprint
from crmcore.errors import ValidationError
from crmcore.records import EntityDef, Identifier, Record, Refused
from crmcore.records.record_types import RECORD_TYPE
from crmcore.storage import HistoryEntry
from crmcore.unit.aggregation import AggregatePlan
from crmcore.unit.base import UnitBase, live
from crmcore.unit.numbering import next_number
from crmcore.unit.visible_parts import aggregate_visible, columns_in

__all__ = ["ReadingVerbs"]

R = TypeVar("R", bound=Record)

#: By what a list is ordered: a field upwards, a sort key, or several of them.
Order = Sort | FieldExpression | Iterable[Sort | FieldExpression]

#: Pages hold at most this many records.
LARGEST_PAGE = 2_000
#: Capped totals count no further.
LARGEST_TOTAL = 1_000_000_000


class ReadingVerbs(UnitBase):
    """What a session can read; every answer holds only what the actor may see."""

    @property
    def access(self) -> AccessService:
        """Return the service that explains access."""
        return AccessService(
            self.schema,
            self.decisions_of,
            self._get_stored,
            self.context.organisation,
            self.decisions,
        )

    def _get_stored(self, entity: EntityDef, identity: UUID) -> Record:
        """Return a visible record with all its fields, for decisions on it."""
        record = self.transaction.load(entity, (identity,)).get(identity)
        return self.require_visible(entity, identity, record)

    @overload
    def get(
        self, kind: type[R], identity: UUID | str, *, deleted: bool = False
    ) -> R: ...

    @overload
    def get(
        self, kind: str, identity: UUID | str, *, deleted: bool = False
    ) -> Record: ...

    def get(
        self, kind: type[R] | str, identity: UUID | str, *, deleted: bool = False
    ) -> R | Record:
        """Return one record by its id; ``kind`` is its class or its entity's name.

        ``deleted`` also finds soft-deleted records. Raises NotFound where there is none
        or the actor may not see it.
        """
        return self._get(self.schema.entity(kind), identity, deleted=deleted)

    def _get(
        self, entity: EntityDef, identity: UUID | str, *, deleted: bool = False
    ) -> Record:
        key = identity if isinstance(identity, UUID) else read_id(identity)
        record = self.transaction.load(entity, (key,)).get(key)
        return self.shown(self.require_visible(entity, key, record, deleted=deleted))

    @overload
    def find(
        self,
        kind: type[R],
        criteria: Criteria = ...,
        *,
        order_by: Order = ...,
        limit: int = ...,
        after: Cursor | None = ...,
        before: Cursor | None = ...,
        total: Literal["exact"] | int | None = ...,
        archived: bool = ...,
    ) -> Page[R]: ...

    @overload
    def find(
        self,
        kind: str,
        criteria: Criteria = ...,
        *,
        order_by: Order = ...,
        limit: int = ...,
        after: Cursor | None = ...,
        before: Cursor | None = ...,
        total: Literal["exact"] | int | None = ...,
        archived: bool = ...,
    ) -> Page[Record]: ...

    def find(
        self,
        kind: type[R] | str,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        order_by: Order = (),
        limit: int = 50,
        after: Cursor | None = None,
        before: Cursor | None = None,
        total: Literal["exact"] | int | None = None,
        archived: bool = False,
    ) -> Page[R] | Page[Record]:
        """Return a page of the records that match, in order.

        ``kind`` is the class of the records or the name of their entity.
        ``limit`` is the page size (1 to 2,000); ``after`` and ``before`` are cursors of
        an earlier page of the same filter and order; ``total`` is ``"exact"``, the
        number at which counting stops, or none. Without ``order_by`` the newest come
        first. ``archived`` also finds archived records (REC-06).

        Raises ValidationError for unknown fields, wrong types, foreign cursors.
        """
        entity = self.schema.entity(kind)
        wanted = (order_by, limit, after, before, total, archived)
        return self.find_within(None, entity, criteria, *wanted)

    def find_within(
        self,
        within: Criteria | None,
        entity: EntityDef,
        criteria: Criteria,
        order_by: Order,
        limit: int,
        after: Cursor | None,
        before: Cursor | None = None,
        total: Literal["exact"] | int | None = None,
        archived: bool = False,
    ) -> Page[Any]:
        """Return a page as ``find`` does, of those records that also meet ``within``.

        That is the library's own, and may change from page to page.
        """
        if type(limit) is not int or not 1 <= limit <= LARGEST_PAGE:
            raise ValidationError.of(
                "limit", "out_of_range", minimum=1, maximum=LARGEST_PAGE
            )
        if after is not None and before is not None:
            raise ValidationError.of("cursor", "malformed")
        sorts = sorts_of(order_by)
        order = self._binder.order(entity, sorts)
        where = self.bind(entity, criteria, archived=archived)
        if within is not None:
            where = BoundAnd((where, self._trusted.criteria(entity, within)))
        mark = fingerprint(
            entity.name, to_json(criteria), [[s.path, s.descending] for s in sorts]
        )
        cursor = after if after is not None else before
        boundary = None if cursor is None else decode_cursor(mark, order, cursor)
        backwards = before is not None
        records = self.transaction.select(
            Query(
                entity=entity,
                where=where,
                order=reversed_order(order) if backwards else order,
                limit=limit + 1,
                after=boundary,
            )
        )
        return Page(
            *self._cut(mark, order, records, limit, backwards, cursor is not None),
            total=self._total(entity, where, total),
        )

    def _cut(
        self,
        mark: str,
        order: tuple[BoundSort, ...],
        records: list[Any],
        limit: int,
        backwards: bool,
        inside: bool,
    ) -> tuple[tuple[Any, ...], Cursor | None, Cursor | None]:
        more = len(records) > limit
        shown = records[:limit]
        if backwards:
            shown.reverse()
        if not shown:
            return (), None, None
        has_next = inside if backwards else more
        has_previous = more if backwards else inside
        return (
            tuple(self.shown(shown)),
            self._cursor(mark, order, shown[-1]) if has_next else None,
            self._cursor(mark, order, shown[0]) if has_previous else None,
        )

    def _cursor(
        self, mark: str, order: tuple[BoundSort, ...], record: Record
    ) -> Cursor:
        values = [reader(sort.target, self._followed)(record) for sort in order]
        return encode_cursor(mark, order, values)

    def _followed(self, entity: str, identity: UUID) -> Record | None:
        found = self.transaction.load(self.schema.entity(entity), (identity,))
        return found.get(identity)

    def _total(
        self, entity: EntityDef, where: Bound, total: str | int | None
    ) -> Total | None:
        if total is None:
            return None
        if total == "exact":
            return Total(self.transaction.count(entity, where), exact=True)
        if type(total) is not int or not 1 <= total <= LARGEST_TOTAL:
            raise ValidationError.of("total", "malformed")
        counted = self.transaction.count(entity, where, cap=total + 1)
        return Total(min(counted, total), exact=counted <= total)

    @overload
    def stream(
        self,
        kind: type[R],
        criteria: Criteria = ...,
        *,
        order_by: Order = ...,
        chunk: int = ...,
        archived: bool = ...,
    ) -> Iterator[R]: ...

    @overload
    def stream(
        self,
        kind: str,
        criteria: Criteria = ...,
        *,
        order_by: Order = ...,
        chunk: int = ...,
        archived: bool = ...,
    ) -> Iterator[Record]: ...

    def stream(
        self,
        kind: type[R] | str,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        order_by: Order = (),
        chunk: int = 1_000,
        archived: bool = False,
    ) -> Iterator[R] | Iterator[Record]:
        """Yield all records that match, in bounded memory; ``chunk`` are read at once.

        ``archived`` also finds archived records.
        """
        entity = self.schema.entity(kind)
        if type(chunk) is not int or chunk < 1:
            raise ValidationError.of("chunk", "malformed")
        query = Query(
            entity=entity,
            where=self.bind(entity, criteria, archived=archived),
            order=self._binder.order(entity, sorts_of(order_by)),
        )
        chunks = self.transaction.stream(query, chunk)
        return chain.from_iterable(self.shown(some) for some in chunks)

    def all_of(self, kind: type[R], criteria: Criteria) -> tuple[R, ...]:
        """Return live records whatever their owner, oldest first.

        For services that have asked for the right to the record they belong to.
        """
        entity = self.schema.entity(kind)
        where = BoundAnd((self._binder.criteria(entity, criteria), live(entity)))
        order = self._binder.order(entity, (Sort(("created_at",)),))
        found = self.transaction.select(Query(entity=entity, where=where, order=order))
        return self.shown(tuple(r for r in found if isinstance(r, kind)))

    def count(
        self,
        kind: type[Record] | str,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        archived: bool = False,
    ) -> int:
        """Return how many records match; ``archived`` counts archived ones as well."""
        entity = self.schema.entity(kind)
        where = self.bind(entity, criteria, archived=archived)
        return self.transaction.count(entity, where)

    def aggregate(
        self,
        kind: type[Record] | str,
        measures: Mapping[str, Measure],
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        group_by: Iterable[Any] = (),
    ) -> list[Group]:
        """Return numbers over groups of the records that match.

        ``measures`` are named: ``{"deals": count(), "value": F.amount.sum()}``;
        ``group_by`` holds fields and periods: ``[F.stage, F.close_date.by("month")]``.
        Money is summed within one currency only. Groups are sorted by their keys. What
        belongs to a followed record that the actor may not see counts as missing.
        Archived records count (REC-06).
        """
        entity = self.schema.entity(kind)
        plan = AggregatePlan.of(self._binder, entity, measures, tuple(group_by))
        query = plan.query(self.bind(entity, criteria, archived=True))
        visible = {
            column.hop.name: condition
            for column in columns_in(query)
            if column.hop is not None
            and (condition := self._binder.visibility(column.hop, column.entity))
        }
        return plan.groups(
            aggregate_visible(query, visible, self.transaction.aggregate)
        )

    def preview_number(self, kind: type[Record] | str, field: str) -> str:
        """Return the number that the next new record would get; it is not taken.

        Somebody else may get it first. Raises ValidationError for a field that is not
        numbered automatically, AccessDenied for who may not create (REC-15).
        """
        entity = self.schema.entity(kind)
        self.decisions.require(entity, "create")
        found = self.readable_field(entity, field)
        if found not in entity.number_fields:
            raise ValidationError.of(field[:80], "not_numbered")
        return next_number(self, entity, found)

    def history(self, record: Record, field: str | None = None) -> list[HistoryEntry]:
        """Return what happened to a record, oldest first (REC-08).

        With a ``field`` only what changed it, and nothing of other fields. Raises
        NotFound, ValidationError for an unknown field.
        """
        entity = self.schema.entity(record)
        known = self._get(entity, record.id, deleted=True)
        if field is not None:
            self.readable_field(entity, field)
        self.write_log()
        entries = self.transaction.history(entity, record.id)
        hidden = self.rights(entity).hidden_in(known[RECORD_TYPE])
        if hidden:
            entries = _told(entries, lambda name: name not in hidden)
        if field is None:
            return entries
        return _told(entries, lambda name: name == field, others=False)


def _told(
    entries: Iterable[HistoryEntry],
    chosen: Callable[[str], bool],
    *,
    others: bool = True,
) -> list[HistoryEntry]:
    """Return the history of chosen fields; ``others`` keeps entries that change none.

    An entry of which everything is hidden is left out, as if it had not been.
    """
    told = []
    for entry in entries:
        changes = tuple(change for change in entry.changes if chosen(change.field))
        if changes or (others and not entry.changes):
            told.append(attrs.evolve(entry, changes=changes))
    return told


def read_id(text: object) -> UUID:
    """Return the id of its text; raises ValidationError for anything else."""
    try:
        return Identifier().coerce(text, None)  # type: ignore[arg-type]
    except Refused as refused:
        raise ValidationError.of("id", refused.reason) from None


def sorts_of(order: Order) -> tuple[Sort, ...]:
    """Return sort keys; a bare field sorts upwards, nothing means newest first."""
    given = (order,) if isinstance(order, (Sort, FieldExpression)) else tuple(order)
    sorts = tuple(s.asc() if isinstance(s, FieldExpression) else s for s in given)
    if not all(isinstance(sort, Sort) for sort in sorts):
        raise ValidationError.of("order_by", "malformed")
    return sorts or (Sort(("created_at",), descending=True),)


def reversed_order(order: tuple[BoundSort, ...]) -> tuple[BoundSort, ...]:
    """Return the order read backwards."""
    return tuple(BoundSort(sort.target, not sort.descending) for sort in order)
