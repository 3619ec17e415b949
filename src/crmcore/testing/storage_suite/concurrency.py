"""Concurrency: several units of work at once do no harm to each other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from crmcore.criteria import Everything
from crmcore.errors import Conflict, StaleRecord
from crmcore.storage import Claim, Operation, Update
from crmcore.testing.clock import START
from crmcore.testing.specimens import Specimen
from crmcore.testing.storage_suite.journal import event
from crmcore.testing.storage_suite.workbench import (
    Chapter,
    Workbench,
    following,
    insert,
    race,
    randomness,
)

T = TypeVar("T")

_THREADS = 8


class ConcurrencyChapter(Chapter):
    """Threads that work on the same data."""

    def test_no_increment_is_lost(self, bench: Workbench) -> None:
        """Eight threads that read, add one and write with retries add up exactly."""
        counter = bench.specimen(size=0)
        bench.add(counter)
        rounds = 5

        def increment() -> None:
            with bench.transaction() as transaction:
                transaction.begin_writing()
                entity = bench.entity(Specimen)
                old = transaction.load(entity, [counter.id], lock=True)[counter.id]
                assert isinstance(old, Specimen)
                assert old.size is not None
                new = following(old, size=old.size + 1)
                transaction.update(entity, [Update(old, new)])

        def work() -> int:
            for _ in range(rounds):
                _until_done(bench, increment)
            return rounds

        assert [rounds] * _THREADS == race(*[work] * _THREADS)
        stored = bench.load(counter)
        assert stored is not None
        assert (_THREADS * rounds, _THREADS * rounds + 1) == (
            stored.size,
            stored.version,
        )

    def test_of_two_updates_of_one_version_one_wins(self, bench: Workbench) -> None:
        """The other one is refused with StaleRecord or Conflict, never both kept."""
        record = bench.specimen(size=0)
        bench.add(record)

        def update(size: int) -> int:
            with bench.transaction() as transaction:
                change = Update(record, following(record, size=size))
                transaction.update(bench.entity(Specimen), [change])
            return size

        outcomes = race(lambda: update(1), lambda: update(2), lambda: update(3))

        winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
        losers = [outcome for outcome in outcomes if not isinstance(outcome, int)]
        stored = bench.load(record)
        assert stored is not None
        assert (winners, 2) == ([stored.size], stored.version)
        assert all(isinstance(outcome, (StaleRecord, Conflict)) for outcome in losers)

    def test_a_value_is_claimed_once(self, bench: Workbench) -> None:
        """However many ask for a name at once, one of them holds it."""
        wanted = [Claim("s", "name", bench.new_id()) for _ in range(_THREADS)]

        def claim(one: Claim) -> bool:
            def work() -> bool:
                with bench.transaction() as transaction:
                    return not transaction.claim([one])

            return _until_done(bench, work)

        outcomes = race(*[partial(claim, one) for one in wanted])

        assert outcomes.count(True) == 1
        assert outcomes.count(False) == _THREADS - 1, outcomes
        with bench.transaction() as transaction:
            (held,) = transaction.holders([("s", "name")])
        assert wanted[outcomes.index(True)] == held

    def test_numbers_are_given_once_and_without_gaps(self, bench: Workbench) -> None:
        """Threads that take numbers get all of them, each once."""

        def take() -> list[int]:
            def work() -> int:
                with bench.transaction() as transaction:
                    return transaction.next_numbers("invoice", 1)

            return [_until_done(bench, work) for _ in range(5)]

        outcomes = race(*[take] * 4)

        numbers = [n for taken in outcomes if isinstance(taken, list) for n in taken]
        assert list(range(1, 21)) == sorted(numbers), outcomes

    def test_each_event_is_leased_once(self, bench: Workbench) -> None:
        """Relays that run at once share the events among them."""
        events = [event(bench, bench.specimen()) for _ in range(20)]
        with bench.transaction() as transaction:
            transaction.append([], events)

        def relay() -> list[UUID]:
            def work() -> list[UUID]:
                with bench.transaction() as transaction:
                    until = START + timedelta(minutes=5)
                    return [e.id for e in transaction.take_events(5, START, until)]

            return [i for _ in range(4) for i in _until_done(bench, work)]

        outcomes = race(*[relay] * 4)

        taken = [i for ids in outcomes if isinstance(ids, list) for i in ids]
        assert sorted(e.id for e in events) == sorted(taken), outcomes

    def test_an_operation_is_done_once(self, bench: Workbench) -> None:
        """Of several units of work with one key only one does the work."""

        def operate() -> bool:
            def work() -> bool:
                with bench.transaction() as transaction:
                    operation = Operation("key", START, None)
                    if transaction.begin_operation(operation) is not None:
                        return False
                    insert(transaction, bench.schema, [bench.specimen(name="once")])
                    transaction.finish_operation(operation)
                    return True

            return _until_done(bench, work)

        outcomes = race(*[operate] * 4)

        assert sorted(outcomes, key=str) == [False, False, False, True], outcomes
        assert bench.count(Everything()) == 1

    def test_nobody_sees_what_is_not_committed(self, bench: Workbench) -> None:
        """A reader sees nothing of an open unit of work, and never of one that fails."""
        written, looked = threading.Event(), threading.Event()
        entity = bench.entity(Specimen)

        def write() -> None:
            with bench.transaction() as transaction:
                insert(transaction, bench.schema, [bench.specimen(name="dirty")])
                written.set()
                # Stores whose readers wait for writers look only after the roll-back.
                looked.wait(0.5)
                raise KeyError

        def read() -> int:
            written.wait(60)
            with bench.transaction() as transaction:
                found = transaction.count(entity, bench.bound(Everything()))
            looked.set()
            return found

        failed, found = race(write, read)

        assert isinstance(failed, KeyError)
        assert found == 0


def _until_done(bench: Workbench, work: Callable[[], T]) -> T:
    """Run a unit of work again for as long as others are in its way."""
    last: Conflict | None = None
    for _ in range(20):
        try:
            return bench.store.retrying(work, randomness())
        except Conflict as conflict:
            last = conflict
    assert last is not None
    raise last
