"""What a deletion takes with it, what it empties, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from uuid import UUID

import attrs

from crmcore.criteria import Criteria, F
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, Record, Schema
from crmcore.unit.referring import Referrer, referrers

__all__ = ["MOST_DEPENDENTS", "Dependents", "Place"]

#: A deletion takes at most so many records with it.
MOST_DEPENDENTS = 10_000
#: Records whose dependents are asked for in one statement.
_TOGETHER = 500

Place = tuple[str, UUID]
Select = Callable[[EntityDef, Criteria, int], list[Record]]


@attrs.define(eq=False)
class Dependents:
    """All that hangs on some records; ``select`` reads, one statement per reference.

    ``gone`` are the records that go, the given ones first; ``emptied`` those that lose
    references, with the fields; ``blocked`` names for each given record what still
    refers to it. References in a circle are followed once.
    """

    schema: Schema
    select: Select
    for_good: bool
    gone: dict[Place, Record] = attrs.field(factory=dict)
    emptied: dict[Place, tuple[Record, list[Referrer]]] = attrs.field(factory=dict)
    blocked: dict[Place, list[Problem]] = attrs.field(factory=dict)
    _roots: dict[Place, frozenset[Place]] = attrs.field(factory=dict)
    _kept: list[tuple[Referrer, Record]] = attrs.field(factory=list)

    def follow(self, records: Mapping[Place, Record]) -> Dependents:
        """Find everything that hangs on ``records``; raises ValidationError for too much."""
        self.gone = dict(records)
        self._roots = {place: frozenset({place}) for place in records}
        wave = dict(records)
        while wave:
            wave = self._next(wave)
            self.gone.update(wave)
            if len(self.gone) - len(records) > MOST_DEPENDENTS:
                raise ValidationError.of(
                    "id", "too_many_dependents", maximum=MOST_DEPENDENTS
                )
        self._sort_out()
        return self

    def _next(self, wave: Mapping[Place, Record]) -> dict[Place, Record]:
        found: dict[Place, Record] = {}
        for referrer, record, action in self._referring(wave):
            place = (referrer.entity.name, record.id)
            if place in self.gone:
                continue
            if action == "cascade":
                found[place] = record
                above = [
                    self._roots.get(t, frozenset()) for t in referrer.targets(record)
                ]
                known = self._roots.get(place, frozenset())
                self._roots[place] = known.union(*above)
            else:
                self._kept.append((referrer, record))
        return found

    def _referring(
        self, wave: Mapping[Place, Record]
    ) -> Iterator[tuple[Referrer, Record, str]]:
        for name in sorted({name for name, _ in wave}):
            ids = sorted(identity for entity, identity in wave if entity == name)
            for referrer in referrers(self.schema, name):
                action = referrer.on_delete(for_good=self.for_good)
                if action == "keep":
                    continue
                for start in range(0, len(ids), _TOGETHER):
                    some = ids[start : start + _TOGETHER]
                    criteria = referrer.criteria(name, some)
                    if not (self.for_good and action == "cascade"):
                        criteria &= F.deleted_at.is_null()
                    found = self.select(referrer.entity, criteria, MOST_DEPENDENTS + 1)
                    if len(found) > MOST_DEPENDENTS and action != "block":
                        # Those that were not read would keep their references.
                        raise ValidationError.of(
                            "id", "too_many_dependents", maximum=MOST_DEPENDENTS
                        )
                    for record in found:
                        yield referrer, record, action

    def _sort_out(self) -> None:
        """Tell what is emptied from what is in the way, once all that goes is known."""
        counted: dict[tuple[Place, str], set[UUID]] = {}
        for referrer, record in self._kept:
            place = (referrer.entity.name, record.id)
            if place in self.gone:
                continue
            if referrer.on_delete(for_good=self.for_good) == "clear":
                fields = self.emptied.setdefault(place, (record, []))[1]
                if referrer not in fields:
                    fields.append(referrer)
                continue
            for target in referrer.targets(record) & self.gone.keys():
                for root in self._roots[target]:
                    counted.setdefault((root, place[0]), set()).add(record.id)
        for (root, entity), ids in counted.items():
            details = {"entity": entity, "count": len(ids)}
            problem = Problem("id", "referred_to", details)
            self.blocked.setdefault(root, []).append(problem)

    def block(self, place: Place, problems: Iterable[Problem]) -> None:
        """Note what stands in the way of a record, and so of those it goes with."""
        for problem in problems:
            for root in self._roots[place]:
                self.blocked.setdefault(root, []).append(problem)


def problems_of(blocked: Mapping[Place, Iterable[Problem]]) -> list[Problem]:
    """Return all that stands in the way of all records."""
    return [problem for problems in blocked.values() for problem in problems]
