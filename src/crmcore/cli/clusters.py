"""Looking a whole entity through for duplicates: pairs, and the clusters they form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar
from uuid import UUID

import attrs

from crmcore.leads import Lead
from crmcore.matching import Duplicates, Evidence, Match
from crmcore.records import EntityDef, Record
from crmcore.session import Session

__all__ = ["Cluster", "Look", "Member", "Pair", "clusters_of", "look_for_duplicates"]

T = TypeVar("T")

#: Records whose duplicates are looked up at once.
_BATCH = 500


@attrs.frozen(order=True)
class Member:
    """A record of a cluster."""

    entity: str
    id: UUID
    name: str = attrs.field(order=False, eq=False)

    @property
    def label(self) -> str:
        """Return the record as people know it."""
        return f"{self.name}, {self.entity}"


@attrs.frozen
class Pair:
    """Two records that look alike, how sure that is, and what they share."""

    first: Member
    second: Member
    score: float
    evidence: tuple[Evidence, ...]

    @property
    def reason(self) -> str:
        """Return the evidence in words, a line each."""
        return "\n".join(str(piece) for piece in self.evidence)


@attrs.frozen
class Cluster:
    """Records that are tied together by pairs, the surest pair first."""

    members: tuple[Member, ...]
    pairs: tuple[Pair, ...]


@attrs.define
class Look:
    """What was found so far.

    ``hidden`` counts matches that the actor may not read; ``too_common`` names kinds of
    keys that so many records share that they say nothing.
    """

    checked: int = 0
    hidden: int = 0
    too_common: set[str] = attrs.field(factory=set)
    pairs: list[Pair] = attrs.field(factory=list)
    clusters: tuple[Cluster, ...] = ()


def look_for_duplicates(
    session: Session, entity: EntityDef, advance: Callable[[int, int | None], None]
) -> Look:
    """Compare all records of ``entity`` with the match keys that are stored.

    Reads batch by batch: one look-up per batch and entity. A converted lead is no
    duplicate of what it became. ``advance`` is told how many records are done.
    """
    look = Look()
    found: dict[tuple[Member, Member], Pair] = {}
    for records in _batches(session.stream(entity.record_class), _BATCH):
        answers = session.duplicates_of(records)
        for record, duplicates in zip(records, answers, strict=True):
            member = Member(entity.name, record.id, entity.display_name(record))
            _note(look, found, record, member, duplicates)
        look.checked += len(records)
        advance(look.checked, None)
    look.pairs = sorted(found.values(), key=_by_certainty)
    look.clusters = clusters_of(look.pairs)
    return look


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _note(
    look: Look,
    found: dict[tuple[Member, Member], Pair],
    record: Record,
    member: Member,
    duplicates: Duplicates,
) -> None:
    look.too_common.update(duplicates.too_common)
    look.hidden += duplicates.hidden
    for match in duplicates.matches:
        if match.id is None:
            look.hidden += 1
        elif not _became(record, match.record) and not _became(match.record, record):
            pair = _pair(member, match, match.id)
            found[pair.first, pair.second] = pair


def _became(one: Record | None, other: Record | None) -> bool:
    """Tell whether a lead was converted into the other record: the same on purpose."""
    if not isinstance(one, Lead) or other is None:
        return False
    return other.id in (one.converted_contact_id, one.converted_account_id)


def _pair(member: Member, match: Match, identity: UUID) -> Pair:
    other = Member(match.entity, identity, match.name)
    first, second = sorted((member, other))
    return Pair(first, second, match.score, match.evidence)


def _by_certainty(pair: Pair) -> tuple[float, str, str, Member, Member]:
    return -pair.score, pair.first.name, pair.second.name, pair.first, pair.second


def clusters_of(pairs: Iterable[Pair]) -> tuple[Cluster, ...]:
    """Return the groups that pairs tie together, the greatest first."""
    leaders: dict[Member, Member] = {}

    def leader(member: Member) -> Member:
        while leaders.setdefault(member, member) != member:
            leaders[member] = member = leaders[leaders[member]]
        return member

    given = list(pairs)
    for pair in given:
        leaders[leader(pair.first)] = leader(pair.second)
    tied: dict[Member, list[Pair]] = defaultdict(list)
    for pair in given:
        tied[leader(pair.first)].append(pair)
    clusters = [_cluster(members) for members in tied.values()]
    return tuple(sorted(clusters, key=lambda c: (-len(c.members), c.members[0].name)))


def _cluster(pairs: list[Pair]) -> Cluster:
    members = {member for pair in pairs for member in (pair.first, pair.second)}
    return Cluster(tuple(sorted(members)), tuple(pairs))
