"""The duplicate check of one record or many: keys, one look-up, explained matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from crmcore.matching import (
    Duplicates,
    Match,
    MatchKey,
    MatchRule,
    evidence_of,
    match_keys,
    readable_match,
    redacted_match,
)
from crmcore.records import EntityDef, Record
from crmcore.unit.drafts import new_draft
from crmcore.unit.writing import WritingVerbs

__all__ = ["DuplicateVerbs"]

R = TypeVar("R", bound=Record)

#: So many records at the most are tied to another.
MOST_SHARING = 100_000
#: Keys that more records share than this say nothing; they are cut off and reported.
TOO_COMMON = 50

Hits = dict[tuple[str, UUID], dict[str, MatchKey]]


class DuplicateVerbs(WritingVerbs):
    """Finds records that are probably the same as a given one (DUP-02, DUP-03)."""

    def duplicates(self, record: Record) -> Duplicates:
        """Return records that look like ``record``, saved or not, best first.

        Of records that the actor may not read only name, entity and owner are told; an
        empty result says that nobody follows it.
        """
        return self.duplicates_of([record])[0]

    def duplicates_of(
        self, records: Sequence[Record], among: Collection[str] | None = None
    ) -> list[Duplicates]:
        """Return the duplicates of each record: one look-up per entity for all.

        ``among`` names the entities to look in, where not all that the rules compare.
        """
        keys = [self._keys_of(record) for record in records]
        wanted = {text for found in keys for text in found}
        if not records or not wanted:
            return [Duplicates() for _ in records]
        rules = self._rules_for({self.schema.entity(r).name for r in records})
        holders, common = self._look_up(wanted, rules, among)
        candidates = self._load_candidates(holders)
        return [
            self._matches(record, found, rules, holders, common, candidates)
            for record, found in zip(records, keys, strict=True)
        ]

    def sharing(self, kind: type[R], key: str) -> tuple[R, ...]:
        """Return live records that have a match key, whatever their owner, oldest first.

        For services that have asked for the right to the record they belong to.
        """
        entity = self.schema.entity(kind)
        hits = self.transaction.match(entity, (key,), MOST_SHARING)
        found = self.transaction.load(entity, [hit.record_id for hit in hits])
        ordered = sorted(found.values(), key=lambda record: record.id)
        return tuple(record for record in ordered if isinstance(record, kind))

    def _keys_of(self, record: Record) -> dict[str, MatchKey]:
        entity = self.schema.entity(record)
        if not record.is_saved:
            draft = new_draft(entity, record, {}, self.context)
            bad = {p.field for p in draft.problems}
            kept = {n: v for n, v in draft.values.items() if n not in bad}
            typed = {n: v for n, v in kept.items() if not entity.fields[n].custom}
            record = entity.record_class(**typed)
        deriver = self.environment.derivers.get(entity.name)
        return match_keys(deriver, record, self._followed)

    def _rules_for(self, entities: Iterable[str]) -> tuple[MatchRule, ...]:
        wanted = set(entities)
        return tuple(r for r in self.environment.match_rules if wanted & {*r.entities})

    def _look_up(
        self,
        wanted: Iterable[str],
        rules: Iterable[MatchRule],
        among: Collection[str] | None,
    ) -> tuple[dict[str, dict[str, list[UUID]]], set[str]]:
        """Return for each entity the holders of each key, and the too common keys."""
        holders: dict[str, dict[str, list[UUID]]] = {}
        common: set[str] = set()
        keys = sorted(wanted)
        for name in sorted({e for rule in rules for e in rule.entities}):
            if among is not None and name not in among:
                continue
            entity = self.schema.entity(name)
            found: dict[str, list[UUID]] = {}
            for hit in self.transaction.match(entity, keys, TOO_COMMON + 1):
                found.setdefault(hit.key, []).append(hit.record_id)
            for key in [k for k, ids in found.items() if len(ids) > TOO_COMMON]:
                if self.rights(entity).are_free:
                    common.add(key)
                del found[key]
            holders[name] = found
        return holders, common

    def _load_candidates(
        self, holders: dict[str, dict[str, list[UUID]]]
    ) -> dict[tuple[str, UUID], Record]:
        loaded = {}
        for name, found in holders.items():
            ids = {identity for ids in found.values() for identity in ids}
            if ids:
                entity = self.schema.entity(name)
                for identity, record in self.transaction.load(entity, ids).items():
                    loaded[name, identity] = record
        return loaded

    def _matches(
        self,
        record: Record,
        keys: dict[str, MatchKey],
        rules: tuple[MatchRule, ...],
        holders: dict[str, dict[str, list[UUID]]],
        common: set[str],
        candidates: dict[tuple[str, UUID], Record],
    ) -> Duplicates:
        entity = self.schema.entity(record)
        matches: list[Match] = []
        hidden = 0
        for rule in rules:
            if entity.name not in rule.entities:
                continue
            for place, shared in _shared(rule, keys, holders).items():
                candidate = candidates.get(place)
                if candidate is None or place == (entity.name, record.id):
                    continue
                if candidate.deleted_at is not None:
                    continue
                known = self._known_of(candidate, shared)
                if not known:
                    continue
                match = self._match(
                    rule, self.schema.entity(place[0]), candidate, known
                )
                if match is None:
                    hidden += 1
                else:
                    matches.append(match)
        best = sorted(matches, key=lambda m: (-m.score, m.entity, m.name))
        cut = {keys[text].kind for text in common if text in keys}
        return Duplicates(tuple(best), hidden, tuple(sorted(cut)))

    def _known_of(
        self, candidate: Record, shared: dict[str, MatchKey]
    ) -> dict[str, MatchKey]:
        """Return the keys that a candidate has by what the actor may read of it.

        Otherwise a made-up record would find out what hidden fields hold.
        """
        entity = self.schema.entity(candidate)
        rights = self.rights(entity)
        if rights.are_free:
            return shared
        deriver = self.environment.derivers.get(entity.name)
        known = match_keys(deriver, rights.shown(entity, candidate), self._followed)
        return {text: key for text, key in shared.items() if text in known}

    def _match(
        self,
        rule: MatchRule,
        entity: EntityDef,
        candidate: Record,
        shared: dict[str, MatchKey],
    ) -> Match | None:
        """Return the match as the actor may know it, None where not at all."""
        evidence = evidence_of(rule, shared.values())
        if self.visible(entity, candidate):
            shown = self.shown(candidate)
            return readable_match(rule, entity, shown, evidence)
        if self.environment.cross_visibility_hits:
            return redacted_match(rule, entity, candidate, evidence)
        return None


def _shared(
    rule: MatchRule,
    keys: dict[str, MatchKey],
    holders: dict[str, dict[str, list[UUID]]],
) -> Hits:
    """Return the records that share keys of the rule, with the keys they share."""
    hits: Hits = {}
    for text, key in keys.items():
        if key.kind not in rule.weights:
            continue
        for name in rule.entities:
            for identity in holders.get(name, {}).get(text, ()):
                hits.setdefault((name, identity), {})[text] = key
    return hits
