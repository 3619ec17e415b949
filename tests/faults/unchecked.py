"""A store that believes what it read first: version checks always pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import attrs

from crmcore.records import EntityDef, Record
from crmcore.storage import Store, Transaction, Update


class UncheckedStore:
    """Hands out transactions without version checks, as careless code has them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        with self._store.transaction(*arguments, **options) as transaction:
            yield UncheckedTransaction(transaction)


class UncheckedTransaction:
    """Answers a second reading with the first, and updates whatever is stored."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._read: dict[UUID, Record] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def load(
        self, entity: EntityDef, ids: Collection[UUID], *, lock: bool = False
    ) -> dict[UUID, Record]:
        missing = [identity for identity in ids if identity not in self._read]
        self._read |= self._transaction.load(entity, missing)
        return {i: self._read[i] for i in ids if i in self._read}

    def update(self, entity: EntityDef, batch: Sequence[Update]) -> None:
        ids = [change.old.id for change in batch]
        stored = self._transaction.load(entity, ids, lock=True)
        self._transaction.update(
            entity, [_on_top_of(stored[each.old.id], each) for each in batch]
        )


def _on_top_of(stored: Record, change: Update) -> Update:
    old: Callable[..., Record] = attrs.evolve
    return attrs.evolve(change, old=old(change.old, version=stored.version))
