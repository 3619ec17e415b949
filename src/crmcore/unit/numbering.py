"""Automatic numbers of new records: one call per sequence, however many records.

Gapless numbers are taken in the transaction of their records, so that a roll-back gives
them back. Others come from blocks that were leased in a transaction of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from crmcore.errors import Conflict
from crmcore.records import (
    AutoNumber,
    EntityDef,
    FieldDef,
    NumberFormat,
    Record,
    identity_key,
)
from crmcore.storage import Claim, Transaction
from crmcore.unit.changes import Changes

if TYPE_CHECKING:
    from crmcore.unit.base import UnitBase

__all__ = ["next_number", "number_new_records"]

#: How many numbers are looked at together where some are taken: at first, and at most.
AHEAD, FARTHEST_AHEAD = 16, 1_024


def number_new_records(unit: UnitBase, changes: Changes) -> None:
    """Give all new records of ``changes`` that have none their numbers (REC-15).

    Called when nothing of the changes can be refused any more, so that no number is
    taken in vain. Raises Conflict where somebody just gave one of the numbers himself.
    """
    for name in sorted(changes.insertions):
        entity = unit.schema.entity(name)
        for field in entity.number_fields:
            _number(unit, changes, entity, field)


def _number(
    unit: UnitBase, changes: Changes, entity: EntityDef, field: FieldDef
) -> None:
    insertions = changes.insertions[entity.name]
    blank = [
        one.record
        for one in insertions
        if entity.value_of(one.record, field.name) is None
    ]
    if not blank:
        return
    texts = _Sequence.of(unit, entity, field).take(len(blank))
    numbered = {
        record.id: _with_value(record, field, text)
        for record, text in zip(blank, texts, strict=True)
    }
    claims = [
        Claim(f"{entity.name}.{field.name}", identity_key(text), record.id)
        for record, text in zip(blank, texts, strict=True)
    ]
    if unit.transaction.claim(claims):
        raise Conflict(entity=entity.name)
    changes.numbered.update(numbered)
    changes.insertions[entity.name] = [
        attrs.evolve(one, record=numbered.get(one.record.id, one.record))
        for one in insertions
    ]


def _with_value(record: Record, field: FieldDef, text: str) -> Record:
    if not field.custom:
        return record.evolved(**{field.name: text})
    return record.evolved(custom=MappingProxyType({**record.custom, field.name: text}))


def next_number(unit: UnitBase, entity: EntityDef, field: FieldDef) -> str:
    """Return the number that the next record would get; it is not taken."""
    sequence = _Sequence.of(unit, entity, field)
    last = unit.transaction.current_number(sequence.name)
    first = max(last + 1, sequence.format.start)
    while True:
        ahead = range(first, first + AHEAD)
        free = sequence.free(ahead)
        if free:
            return free[0]
        first = ahead.stop


@attrs.frozen
class _Sequence:
    """The sequence that numbers a field now."""

    unit: UnitBase
    scope: str
    name: str
    format: NumberFormat
    moment: datetime

    @classmethod
    def of(cls, unit: UnitBase, entity: EntityDef, field: FieldDef) -> _Sequence:
        kind = field.type
        assert isinstance(kind, AutoNumber)
        # The zone of the set-up, not of the actor: numbers are the tenant's.
        moment = unit.context.now.astimezone(unit.environment.conventions.timezone)
        name = kind.format.sequence_name(entity.name, field.name, moment)
        return cls(unit, f"{entity.name}.{field.name}", name, kind.format, moment)

    def take(self, count: int) -> list[str]:
        """Return the next numbers as they are shown; those taken by hand are passed."""
        leases = self.unit.environment.store.capabilities.concurrent_writers
        if self.format.gapless or not leases:
            return self._take_in_turn(count)
        return self._take_leased(count)

    def free(self, numbers: Iterable[int]) -> list[str]:
        """Return the numbers that no record has or had, as they are shown."""
        shown = {identity_key(t): t for t in map(self._render, numbers)}
        wanted = [(self.scope, key) for key in shown]
        held = {claim.key for claim in self.unit.transaction.holders(wanted)}
        return [text for key, text in shown.items() if key not in held]

    def _render(self, number: int) -> str:
        return self.format.render(number, self.moment)

    # -- without gaps ------------------------------------------------------------------

    def _take_in_turn(self, count: int) -> list[str]:
        transaction = self.unit.transaction
        first = _advance(transaction, self.name, count, self.format.start)
        last = first + count - 1
        found = self.free(range(first, last + 1))
        window = AHEAD
        while len(found) < count:
            # Looked at before they are taken: what is not needed must not be lost.
            ahead = range(last + 1, last + 1 + max(window, count - len(found)))
            numbers = {self._render(number): number for number in ahead}
            more = self.free(ahead)[: count - len(found)]
            found += more
            end = numbers[more[-1]] if len(found) == count else ahead[-1]
            transaction.next_numbers(self.name, end - last)
            last = end
            window = min(window * 4, FARTHEST_AHEAD)
        return found

    # -- leased ------------------------------------------------------------------------

    def _take_leased(self, count: int) -> list[str]:
        found: list[str] = []
        wanted = count
        while len(found) < count:
            environment, tenant = self.unit.environment, self.unit.context.tenant
            numbers = environment.numbers.take(tenant, self.name, wanted, self._lease)
            found += self.free(numbers)
            wanted = min(wanted * 4, FARTHEST_AHEAD)
        return found[:count]

    def _lease(self, count: int) -> int:
        environment, tenant = self.unit.environment, self.unit.context.tenant

        def lease() -> int:
            with environment.store.transaction(
                tenant, environment.schema
            ) as transaction:
                return _advance(transaction, self.name, count, self.format.start)

        return environment.store.retrying(lease, environment.randomness)


def _advance(transaction: Transaction, name: str, count: int, start: int) -> int:
    """Take numbers of a sequence that begins with ``start``; return the first."""
    first = transaction.next_numbers(name, count)
    if first < start:
        transaction.next_numbers(name, start - first)
        first = start
    return first
