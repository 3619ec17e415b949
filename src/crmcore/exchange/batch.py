"""One batch of rows: looked up, decided and written with a constant number of statements.

A batch that only tries (a dry run) decides the same and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from crmcore.errors import Problem
from crmcore.exchange.candidates import (
    Candidate,
    describe,
    describe_known,
    describe_row,
    drafted,
    match_existing,
    refuse_taken,
    taken_values,
)
from crmcore.exchange.edits import Edits, OnRefusal
from crmcore.exchange.matching import Identity, find_existing, identity_of
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.reading import Entry, RowReader, references_of
from crmcore.exchange.references import AMBIGUOUS, resolve
from crmcore.exchange.report import Counts, RowIssue
from crmcore.exchange.rows import Row
from crmcore.exchange.seen import Seen
from crmcore.matching import Match
from crmcore.records import EntityDef, ListOf, Record, Reference, identity_key
from crmcore.unit import Changes, UnitOfWork

__all__ = ["Batch", "BatchResult"]


@attrs.frozen
class BatchResult:
    """What became of a batch's rows."""

    counts: Counts
    issues: tuple[RowIssue, ...]


class Batch:
    """The rows of one unit of work, or of one step of a dry run.

    Rows that depend on others of the batch - a parent account further down, a second
    row of the same record - wait for the next round, which sees what this one wrote.
    """

    def __init__(
        self,
        unit: UnitOfWork,
        plan: ImportPlan,
        reader: RowReader | None = None,
        seen: Seen | None = None,
    ) -> None:
        self._unit = unit
        self._plan = plan
        self._entity = unit.schema.entity(plan.entity)
        self._reader = reader or RowReader(unit, plan)
        self._dry = seen is not None
        self._seen = seen or Seen()
        self._outcomes: dict[int, str] = {}
        self._waiting: list[Entry] = []
        self._edits = Edits(unit, self._entity)

    def run(self, rows: Sequence[Row]) -> BatchResult:
        """Decide on all rows, write what is accepted, return what became of each."""
        entries = [self._reader.read(row) for row in rows]
        pending = [entry for entry in entries if not entry.issues]
        self._complain([entry for entry in entries if entry.issues])
        while pending:
            self._waiting = []
            self._round(self._referring(pending))
            if len(self._waiting) == len(pending):
                _refuse_circle(self._waiting)
                break
            pending = self._waiting
        counts = Counts()
        for entry in entries:
            counts = counts.plus(self._outcomes.get(entry.row.number, "failed"))
        issues = tuple(issue for entry in entries for issue in entry.issues)
        return BatchResult(counts, issues)

    def _complain(self, bad: list[Entry]) -> None:
        """Find what else is wrong with rows that have a bad cell."""
        readable = [entry for entry in bad if entry.values]
        if readable and self._plan.mode != "update":
            drafted(self._unit, self._entity, readable)

    def _settle(self, entry: Entry, outcome: str) -> None:
        self._outcomes[entry.row.number] = outcome

    # -- references --------------------------------------------------------------------

    def _referring(self, pending: list[Entry]) -> list[Entry]:
        """Look the names in reference cells up; return the rows that need not wait."""
        ready = pending
        for field, names in references_of(pending).items():
            target = _target(self._entity, field)
            found = resolve(self._unit, target, names, self._entity)
            own = self._own_names(pending) if target == self._entity.name else {}
            ready = [e for e in ready if self._link(e, field, found, own)]
        return ready

    def _own_names(self, pending: list[Entry]) -> dict[str, int]:
        """Return the names by which rows of this batch may be called by others."""
        fields = [f.name for f in self._entity.unique_fields]
        if "name" in self._entity.fields:
            fields.append("name")
        return {
            identity_key(str(entry.values[name])): entry.row.number
            for entry in pending
            for name in fields
            if entry.values.get(name) is not None
        }

    def _link(
        self, entry: Entry, field: str, found: dict[str, Any], own: dict[str, int]
    ) -> bool:
        """Set one reference of a row; tell whether the row can go on."""
        identities = []
        for name in entry.names.get(field, ()):
            identity = found.get(name)
            row = own.get(identity_key(name))
            if identity is None and row is not None and row != entry.row.number:
                if self._dry:
                    continue
                self._waiting.append(entry)
                return False
            if identity is None or identity == AMBIGUOUS:
                entry.refuse(field, _missing(self._entity, field, identity))
                return False
            identities.append(identity)
        if identities:
            plural = isinstance(self._entity.fields[field].type, ListOf)
            entry.values[field] = tuple(identities) if plural else identities[0]
        return True

    # -- one round ---------------------------------------------------------------------

    def _round(self, entries: list[Entry]) -> None:
        if not self._dry:
            self._seen = Seen()
        changes = self._unit.changes()
        self._edits = Edits(self._unit, self._entity)
        self._create(self._without_matches(entries), changes)
        self._edits.plan(changes)
        if not self._dry and (changes.insertions or changes.updates):
            self._unit.apply(changes)

    def _wait(self, entry: Entry) -> None:
        self._waiting.append(entry)

    def _without_matches(self, entries: list[Entry]) -> list[Entry]:
        """Treat the rows that mean an existing record; return the others."""
        plan = self._plan
        if not plan.match_on:
            return entries
        first: dict[Identity, Entry] = {}
        known, fresh = [], []
        for entry in entries:
            key = identity_of(self._unit, self._entity, plan.match_on, entry)
            if key is None:
                fresh.append(entry)
            elif key in first and not self._dry:
                self._wait(entry)
            else:
                first.setdefault(key, entry)
                known.append((key, entry))
        existing = find_existing(self._unit, self._entity, plan.match_on, first)
        for key, entry in known:
            found = existing.get(key, [])
            if not found:
                fresh.append(entry)
            else:
                self._take_match(entry, found)
        return self._creatable(fresh)

    def _creatable(self, fresh: list[Entry]) -> list[Entry]:
        if self._plan.mode != "update":
            return sorted(fresh, key=lambda entry: entry.row.number)
        for entry in fresh:
            entry.refuse(self._plan.match_on[0], "no_match")
        return []

    def _take_match(self, entry: Entry, found: list[Record]) -> None:
        field = self._plan.match_on[0]
        if len(found) > 1:
            entry.refuse(field, "several_matches")
        elif self._plan.mode == "create":
            value = entry.texts.get(field, "")
            self._take_duplicate(
                entry,
                found[0],
                lambda: describe_known(entry, self._entity, found[0], value),
            )
        else:
            values = {n: v for n, v in entry.values.items() if n in entry.given}
            self._edits.add(
                entry,
                found[0],
                values,
                lambda changed: self._settle(
                    entry, "updated" if changed else "unchanged"
                ),
                lambda problems: _refuse_all(entry, problems),
            )

    def _take_duplicate(
        self, entry: Entry, record: Record | None, explain: Callable[[], None]
    ) -> None:
        """Merge a row into a record where that is wanted and possible, or skip it."""

        def skip(_: object = None) -> None:
            explain()
            self._settle(entry, "skipped")

        if self._plan.duplicates != "merge" or record is None:
            skip()
        elif self._edits.is_taken(record) and not self._dry:
            self._wait(entry)
        else:
            self._fill(entry, record, skip)

    def _fill(self, entry: Entry, record: Record, skip: OnRefusal) -> None:
        """Fill the record's empty fields from the row; skip it where none is."""
        values = {
            name: value
            for name, value in entry.values.items()
            if name in entry.given and record[name] is None
        }
        if not values:
            skip(())
            return

        def merged(changed: bool) -> None:
            if not changed:
                skip(())
                return
            name = self._entity.display_name(record)
            details = {"name": name, "id": str(record.id), "fields": ", ".join(values)}
            entry.remark("merged", "merged", details=details)
            self._settle(entry, "merged")

        self._edits.add(entry, record, values, merged, skip)

    # -- new records -------------------------------------------------------------------

    def _create(self, entries: list[Entry], changes: Changes) -> None:
        if not entries:
            return
        candidates = drafted(self._unit, self._entity, entries)
        checks = self._plan.duplicates != "off"
        matches = match_existing(self._unit, self._entity, candidates) if checks else {}
        taken = taken_values(self._unit, candidates)
        for candidate in candidates:
            found = matches.get(candidate.entry.row.number, ())
            if found and self._is_duplicate(candidate, found):
                continue
            if checks and self._is_repeated(candidate):
                continue
            if refuse_taken(candidate, taken, self._seen):
                continue
            candidate.remember(self._seen)
            _take_over(candidate.changes, changes)
            self._settle(candidate.entry, "created")

    def _is_duplicate(self, candidate: Candidate, found: tuple[Match, ...]) -> bool:
        """Treat a row that looks like a stored record; tell whether it is done with."""
        entry = candidate.entry
        if self._plan.duplicates == "create":
            describe(entry, "flagged", found[0])
            return False
        record = _mergeable(self._entity, found)
        self._take_duplicate(
            entry, record, lambda: describe(entry, "skipped", found[0])
        )
        return True

    def _is_repeated(self, candidate: Candidate) -> bool:
        """Treat a row that looks like an earlier one of this batch or dry run."""
        entry, choice = candidate.entry, self._plan.duplicates
        earlier = self._seen.line_of_keys(candidate.insertion.keys)
        if earlier is None:
            return False
        if choice == "create":
            describe_row(entry, "flagged", *earlier)
            return False
        if choice == "merge" and not self._dry:
            self._wait(entry)
            return True
        outcome = "merged" if choice == "merge" else "skipped"
        describe_row(entry, outcome, *earlier)
        self._settle(entry, outcome)
        return True


def _target(entity: EntityDef, field: str) -> str:
    kind = entity.fields[field].type
    item = kind.item if isinstance(kind, ListOf) else kind
    assert isinstance(item, Reference)
    return item.entity


def _missing(entity: EntityDef, field: str, found: Any) -> str:
    if found == AMBIGUOUS:
        return "several_matches"
    return "unknown_user" if _target(entity, field) == "user" else "not_found"


def _mergeable(entity: EntityDef, found: Sequence[Match]) -> Record | None:
    return next((m.record for m in found if m.entity == entity.name and m.record), None)


def _take_over(one: Changes, into: Changes) -> None:
    """Add what one row writes to what the batch writes."""
    for name, insertions in one.insertions.items():
        into.insertions[name].extend(insertions)
    into.claims.extend(one.claims)
    into.history.extend(one.history)
    into.events.extend(one.events)


def _refuse_circle(entries: Sequence[Entry]) -> None:
    for entry in entries:
        for field in entry.names:
            entry.refuse(field, "not_found")


def _refuse_all(entry: Entry, problems: Iterable[Problem]) -> None:
    for problem in problems:
        entry.refuse(problem.field, problem.reason, **problem.details)
