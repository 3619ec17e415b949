"""Matches: which records look alike, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import attrs

from crmcore.matching.keys import MatchKey
from crmcore.records import EntityDef, Record

__all__ = ["Duplicates", "Evidence", "Match", "MatchRule", "score"]


@attrs.frozen
class MatchRule:
    """What sharing a key of each kind is worth, and which entities are compared.

    ``weights`` is the probability that two records sharing such a key are the same.
    """

    name: str
    entities: tuple[str, ...]
    weights: Mapping[str, float]


@attrs.frozen
class Evidence:
    """One shared key: its kind, the fields compared and what it is worth."""

    kind: str
    fields: tuple[str, ...]
    value: str
    weight: float

    def __str__(self) -> str:
        return f"same {self.kind.replace('_', ' and ')} ({self.value})"


@attrs.frozen
class Match:
    """A record that may be the same.

    Of one that the actor may not read only name, entity and owner are told (DUP-03).
    """

    entity: str
    name: str
    owner_id: UUID | None
    score: float
    rule: str
    readable: bool
    id: UUID | None = None
    record: Record | None = None
    evidence: tuple[Evidence, ...] = ()

    def __str__(self) -> str:
        reasons = "; ".join(str(e) for e in self.evidence)
        return f"{self.name} ({self.score:.2f}): {reasons or 'not readable'}"


@attrs.frozen
class Duplicates:
    """The matches of a record, best first; ``hidden`` counts those not shown at all.

    ``too_common`` names key kinds that so many records share that they were cut off.
    """

    matches: tuple[Match, ...] = ()
    hidden: int = 0
    too_common: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)

    def __bool__(self) -> bool:
        return bool(self.matches) or self.hidden > 0


def score(evidence: Iterable[Evidence]) -> float:
    """Return how likely the records are the same, each piece of evidence on its own."""
    different = 1.0
    for piece in evidence:
        different *= 1.0 - piece.weight
    return round(1.0 - different, 4)


def evidence_of(rule: MatchRule, shared: Iterable[MatchKey]) -> tuple[Evidence, ...]:
    """Return the evidence that shared keys give under a rule, strongest first."""
    pieces = [
        Evidence(key.kind, key.fields, key.value, rule.weights[key.kind])
        for key in shared
        if key.kind in rule.weights
    ]
    return tuple(sorted(pieces, key=lambda e: (-e.weight, e.kind, e.value)))


def readable_match(
    rule: MatchRule, entity: EntityDef, record: Record, evidence: tuple[Evidence, ...]
) -> Match:
    """Return the match of a record that the actor may read."""
    return Match(
        entity=entity.name,
        name=entity.display_name(record),
        owner_id=record.owner_id,
        score=score(evidence),
        rule=rule.name,
        readable=True,
        id=record.id,
        record=record,
        evidence=evidence,
    )


def redacted_match(
    rule: MatchRule, entity: EntityDef, record: Record, evidence: tuple[Evidence, ...]
) -> Match:
    """Return what may be told of a record that the actor may not read (DUP-03)."""
    return Match(
        entity=entity.name,
        name=entity.display_name(record),
        owner_id=record.owner_id,
        score=score(evidence),
        rule=rule.name,
        readable=False,
    )
