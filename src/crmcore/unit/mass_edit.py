"""Mass edits: one change of many records, each done or refused on its own (REC-04)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmcore.access import User
from crmcore.criteria import BoundAnd, BoundSort, Criteria, F, Query
from crmcore.criteria.binding import Subject
from crmcore.errors import AccessDenied, Problem, ValidationError
from crmcore.records import EntityDef, Record
from crmcore.unit.drafts import Draft
from crmcore.unit.reading import read_id
from crmcore.unit.record_states import RecordStateVerbs

__all__ = ["MassOutcome", "MassReport", "MassVerbs"]

#: So many records are treated by one call; the report tells where to go on.
BATCH = 1_000

Chosen = Criteria | Iterable[Record | UUID | str]


@attrs.frozen
class MassOutcome:
    """What became of one record: done, or refused because of ``problems``."""

    id: UUID
    problems: tuple[Problem, ...] = ()

    @property
    def done(self) -> bool:
        """Tell whether the record was treated."""
        return not self.problems


@attrs.frozen
class MassReport:
    """What became of each record, in the order of their ids.

    ``next`` is where the next call goes on; None where all were treated.
    """

    outcomes: tuple[MassOutcome, ...]
    next: UUID | None = None

    @property
    def done(self) -> tuple[UUID, ...]:
        """Return the ids of the records that were treated."""
        return tuple(one.id for one in self.outcomes if one.done)

    @property
    def refused(self) -> tuple[MassOutcome, ...]:
        """Return what became of the others."""
        return tuple(one for one in self.outcomes if not one.done)


class MassVerbs(RecordStateVerbs):
    """What a session can do with a selection; a refused record stops no other."""

    def mass_update(
        self,
        kind: type[Record],
        chosen: Chosen,
        changes: Mapping[str, Any],
        *,
        after: UUID | None = None,
    ) -> MassReport:
        """Change the named fields of many records and tell what became of each.

        ``chosen`` are criteria, or records and ids. A thousand records are treated;
        ``after`` takes the ``next`` of a report to go on, in this unit of work or in
        another. Records that the actor does not see are not chosen by criteria, and
        are refused like absent ones where they are named.

        Raises ValidationError for unknown fields and for unique ones (REC-04).
        """
        entity = self.schema.entity(kind)
        for name in changes:
            if self.readable_field(entity, name).unique:
                raise ValidationError.of(name, "not_for_many")
        given = _given(chosen)
        return self.perform(
            "mass_update",
            [entity.name, given, changes, after],
            lambda: self._mass_update(entity, given, changes, after),
            MassReport,
            MassOutcome,
        )

    def mass_assign(
        self,
        kind: type[Record],
        chosen: Chosen,
        owner: User | UUID,
        *,
        after: UUID | None = None,
    ) -> MassReport:
        """Hand many records over to another owner, like :meth:`mass_update`."""
        return self.mass_update(kind, chosen, {"owner_id": owner}, after=after)

    def mass_delete(
        self,
        kind: type[Record],
        chosen: Chosen,
        *,
        confirm: bool = False,
        after: UUID | None = None,
    ) -> MassReport:
        """Delete many records like :meth:`delete` and tell what became of each."""
        entity = self.schema.entity(kind)
        given = _given(chosen)
        self._require_confirmed(confirm)
        return self.perform(
            "mass_delete",
            [entity.name, given, after],
            lambda: self._mass_delete(entity, given, after),
            MassReport,
            MassOutcome,
        )

    def mass_create(
        self,
        kind: type[Record],
        chosen: Chosen,
        new: Record,
        *,
        after: UUID | None = None,
        **values: Any,
    ) -> MassReport:
        """Create a record like ``new`` for each of many, such as a task (REC-04).

        Each one gets the reference that makes it belong to its record, as
        ``create(new, parent=record)`` does. ``chosen``, ``after`` and the report are
        those of :meth:`mass_update`. Raises AccessDenied where the actor may not create
        such records, ValidationError where they cannot refer to records of ``kind``.
        """
        entity = self.schema.entity(kind)
        given = _given(chosen)
        return self.perform(
            "mass_create",
            [entity.name, given, new, values, after],
            lambda: self._mass_create(entity, given, new, values, after),
            MassReport,
            MassOutcome,
        )

    def _mass_create(
        self,
        entity: EntityDef,
        given: Criteria | tuple[UUID, ...],
        new: Record,
        values: Mapping[str, Any],
        after: UUID | None,
    ) -> MassReport:
        records, refused, following = self._choose(entity, given, after)
        made = self.schema.entity(new)
        drafts = self.drafts_of_new(
            [(new, {**self.preset(made, one), **values}) for one in records]
        )
        changes = self.changes()
        self.load_references(drafts, changes)
        finish_one = self.finisher(changes)
        for record, draft in zip(records, drafts, strict=True):
            try:
                finish_one(draft)
            except ValidationError as error:
                refused[record.id] = error.problems
            else:
                changes.create(draft)
        self.apply(changes)
        return _report(records, refused, following)

    def _mass_update(
        self,
        entity: EntityDef,
        given: Criteria | tuple[UUID, ...],
        values: Mapping[str, Any],
        after: UUID | None,
    ) -> MassReport:
        records, refused, following = self._choose(entity, given, after)
        drafts: list[Draft] = []
        for record in records:
            try:
                drafts.append(self.update_draft(record, values))
            except AccessDenied as error:
                refused[record.id] = _denied(error)
        changes = self.changes()
        self.load_references(drafts, changes)
        finish_one = self.finisher(changes)
        for draft in drafts:
            assert draft.old is not None
            try:
                finish_one(draft)
            except ValidationError as error:
                refused[draft.old.id] = error.problems
            else:
                changes.update(draft)
        self.apply(changes)
        return _report(records, refused, following)

    def _mass_delete(
        self,
        entity: EntityDef,
        given: Criteria | tuple[UUID, ...],
        after: UUID | None,
    ) -> MassReport:
        records, refused, following = self._choose(entity, given, after)
        for record in records:
            try:
                self.require_scope(entity, record, "delete")
            except AccessDenied as error:
                refused[record.id] = _denied(error)
        while True:
            left = [record for record in records if record.id not in refused]
            dependents = self.dependents_of(left)
            blocked = {p: b for part in dependents for p, b in part.blocked.items()}
            if not blocked:
                break
            refused.update({place[1]: tuple(b) for place, b in blocked.items()})
        self.write_deletion(dependents)
        return _report(records, refused, following)

    def _choose(
        self,
        entity: EntityDef,
        given: Criteria | tuple[UUID, ...],
        after: UUID | None,
    ) -> tuple[list[Record], dict[UUID, tuple[Problem, ...]], UUID | None]:
        """Return the next records, locked; who is not found; and where to go on."""
        if isinstance(given, tuple):
            ids = [i for i in given if after is None or i > after]
            some = ids[:BATCH]
            found = self.transaction.load(entity, some, lock=True)
            records = [r for i in some if self.visible(entity, r := found.get(i)) and r]
            missing = set(some) - {record.id for record in records}
            refused: dict[UUID, tuple[Problem, ...]] = {
                i: (Problem("id", "not_found"),) for i in missing
            }
            return records, refused, some[-1] if len(ids) > BATCH else None
        where = self.bind(entity, given)
        if after is not None:
            # Ids grow and are compared alike by all stores, as in the pages of a list.
            where = BoundAnd((where, self._trusted.criteria(entity, F.id > after)))
        by_id = Subject(entity.fields["id"], entity, None, None).column()
        query = Query(
            entity=entity,
            where=where,
            order=(BoundSort(by_id, descending=False),),
            limit=BATCH + 1,
            lock=True,
        )
        found_all = self.transaction.select(query)
        records = found_all[:BATCH]
        return records, {}, records[-1].id if len(found_all) > BATCH else None


def _given(chosen: Chosen) -> Criteria | tuple[UUID, ...]:
    """Return criteria, or the ids of what was named, each once and in order."""
    if isinstance(chosen, Criteria):
        return chosen
    if isinstance(chosen, (str, bytes)):
        raise ValidationError.of("chosen", "not_list")
    ids = {one.id if isinstance(one, Record) else one for one in chosen}
    return tuple(sorted(i if isinstance(i, UUID) else read_id(i) for i in ids))


def _denied(error: AccessDenied) -> tuple[Problem, ...]:
    return (Problem("id", "not_permitted", {"action": error.details["action"]}),)


def _report(
    records: Iterable[Record],
    refused: Mapping[UUID, tuple[Problem, ...]],
    following: UUID | None,
) -> MassReport:
    ids = sorted({record.id for record in records} | refused.keys())
    outcomes = tuple(MassOutcome(i, tuple(refused.get(i, ()))) for i in ids)
    return MassReport(outcomes, following)
