"""New records of a batch: drafted, checked, compared with what exists, row by row.

Everything is decided for the whole batch with a constant number of look-ups; a row that
is refused or skipped takes no other with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from crmcore.errors import ValidationError
from crmcore.exchange.reading import Entry
from crmcore.exchange.reasons import evidence_parts
from crmcore.exchange.seen import Seen
from crmcore.matching import Match, MatchRule
from crmcore.records import EntityDef, Record
from crmcore.storage import Insertion
from crmcore.unit import Changes, Draft, UnitOfWork

__all__ = [
    "Candidate",
    "describe",
    "describe_known",
    "describe_row",
    "drafted",
    "match_existing",
    "refuse_taken",
    "taken_values",
]


@attrs.frozen(eq=False)
class Candidate:
    """A row that may become a record, with everything that creating it writes."""

    entry: Entry
    changes: Changes
    insertion: Insertion

    @property
    def record(self) -> Record:
        """Return the record as it would be stored."""
        return self.insertion.record

    def remember(self, seen: Seen) -> None:
        """Let later rows of the file see this one."""
        seen.add(self.entry.row.line, self.insertion.keys, self.changes.claims)


def drafted(
    unit: UnitOfWork, entity: EntityDef, entries: Sequence[Entry]
) -> list[Candidate]:
    """Return the rows that make valid records; the others get their remarks."""
    blank = entity.record_class()
    drafts = unit.drafts_of_new([(blank, entry.values) for entry in entries])
    shared = unit.changes()
    unit.load_references(drafts, shared)
    finish = unit.finisher(shared)
    candidates = []
    for entry, draft in zip(entries, drafts, strict=True):
        if _valid(entry, draft, finish):
            changes = Changes(
                shared.context, shared.derivers, references=shared.references
            )
            changes.create(draft)
            insertion = changes.insertions[entity.name][0]
            candidates.append(Candidate(entry, changes, insertion))
    return candidates


def _valid(entry: Entry, draft: Draft, finish: Callable[[Draft], None]) -> bool:
    """Note every problem of a row, but one for each field; tell whether it has none."""
    bad = {issue.field for issue in entry.issues}
    try:
        finish(draft)
    except ValidationError as error:
        for problem in error.problems:
            if problem.field not in bad:
                entry.refuse(problem.field, problem.reason, **problem.details)
    return not entry.issues


def taken_values(
    unit: UnitOfWork, candidates: Sequence[Candidate]
) -> set[tuple[str, str]]:
    """Return the unique values that records hold already; one look-up (DUP-01)."""
    wanted = sorted(
        {(c.scope, c.key) for each in candidates for c in each.changes.claims}
    )
    return (
        {(c.scope, c.key) for c in unit.transaction.holders(wanted)}
        if wanted
        else set()
    )


def refuse_taken(candidate: Candidate, taken: set[tuple[str, str]], seen: Seen) -> bool:
    """Refuse a row with a unique value that is taken; tell whether it was refused."""
    fields = [
        claim.scope.partition(".")[2]
        for claim in candidate.changes.claims
        if (claim.scope, claim.key) in taken
        or seen.line_of_claim(claim.scope, claim.key) is not None
    ]
    for field in fields:
        candidate.entry.refuse(field, "unique")
    return bool(fields)


def match_existing(
    unit: UnitOfWork, entity: EntityDef, candidates: Sequence[Candidate]
) -> dict[int, tuple[Match, ...]]:
    """Return the stored records that rows look like, by the row's number (DUP-05).

    One look-up per entity of the rules; only rows with a hit are explained.
    """
    rules = rules_for(unit, entity)
    keys = sorted({key for each in candidates for key in each.insertion.keys})
    if not rules or not keys:
        return {}
    hit: set[str] = set()
    for name in sorted({e for rule in rules for e in rule.entities}):
        found = unit.transaction.match(unit.schema.entity(name), keys, 1)
        hit.update(match.key for match in found)
    suspects = [each for each in candidates if not hit.isdisjoint(each.insertion.keys)]
    explained = unit.duplicates_of([each.record for each in suspects])
    return {
        suspect.entry.row.number: found.matches
        for suspect, found in zip(suspects, explained, strict=True)
        if found.matches
    }


def rules_for(unit: UnitOfWork, entity: EntityDef) -> tuple[MatchRule, ...]:
    """Return the match rules that compare records of ``entity``."""
    rules = unit.environment.match_rules
    return tuple(rule for rule in rules if entity.name in rule.entities)


def describe(entry: Entry, outcome: str, match: Match) -> None:
    """Remark that a row looks like an existing record, and why."""
    if not match.readable:
        entry.remark(outcome, "duplicate_hidden", details={"name": match.name})
        return
    evidence = [(piece.kind, piece.value) for piece in match.evidence]
    details = {"name": match.name, "id": str(match.id), "entity": match.entity}
    entry.remark(outcome, "duplicate_record", details={**details, "evidence": evidence})


def describe_row(entry: Entry, outcome: str, line: int, keys: Iterable[str]) -> None:
    """Remark that a row looks like an earlier one of the same file, and why."""
    details = {"line": line, "evidence": evidence_parts(keys)}
    entry.remark(outcome, "duplicate_row", details=details)


def describe_known(
    entry: Entry, entity: EntityDef, record: Record, identity: str
) -> None:
    """Remark that a record has the row's external id already."""
    details = {
        "name": entity.display_name(record),
        "id": str(record.id),
        "entity": entity.name,
        "evidence": [("external_id", identity)],
    }
    entry.remark("skipped", "duplicate_record", details=details)
