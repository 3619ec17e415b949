"""Changes of existing records that rows ask for: collected, then planned in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmcore.errors import AccessDenied, Problem, ValidationError
from crmcore.exchange.reading import Entry
from crmcore.records import EntityDef, Record
from crmcore.unit import Changes, Draft, UnitOfWork

__all__ = ["Edits"]

#: What to do with the row when the change is refused; gets the problems.
OnRefusal = Callable[[tuple[Problem, ...]], None]
#: What to do with the row when it is planned; is told whether anything changes.
OnPlanned = Callable[[bool], None]


@attrs.frozen(eq=False)
class _Edit:
    entry: Entry
    record: Record
    draft: Draft
    planned: OnPlanned
    refused: OnRefusal


class Edits:
    """The changes of one round; at most one for each record."""

    def __init__(self, unit: UnitOfWork, entity: EntityDef) -> None:
        self._unit = unit
        self._entity = entity
        self._edits: list[_Edit] = []
        self._taken: set[UUID] = set()

    def is_taken(self, record: Record) -> bool:
        """Tell whether an earlier row of the round changes the record."""
        return record.id in self._taken

    def add(
        self,
        entry: Entry,
        record: Record,
        values: Mapping[str, Any],
        planned: OnPlanned,
        refused: OnRefusal,
    ) -> None:
        """Take the change of a record that a row asks for."""
        try:
            draft = self._unit.update_draft(record, values)
        except AccessDenied as denied:
            details = {"action": denied.details["action"]}
            refused((Problem("id", "not_permitted", details),))
            return
        self._taken.add(record.id)
        self._edits.append(_Edit(entry, record, draft, planned, refused))

    def plan(self, changes: Changes) -> None:
        """Check all changes with one look-up per entity, and add what is accepted."""
        self._unit.load_references([edit.draft for edit in self._edits], changes)
        finish = self._unit.finisher(changes)
        for edit in self._edits:
            try:
                finish(edit.draft)
            except ValidationError as error:
                edit.refused(error.problems)
                continue
            edit.planned(changes.update(edit.draft) is not edit.record)
