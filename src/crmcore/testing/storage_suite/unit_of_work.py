"""The unit of work: all of it or nothing, and it sees what it did."""

from __future__ import annotations

from contextlib import suppress

import pytest

from crmcore.criteria import F
from crmcore.errors import StaleRecord
from crmcore.storage import Claim, Insertion, Operation, Transaction, Update
from crmcore.testing.clock import START
from crmcore.testing.specimens import Habitat, Specimen
from crmcore.testing.storage_suite.journal import entry, event
from crmcore.testing.storage_suite.workbench import (
    Chapter,
    Workbench,
    following,
    insert,
    needs,
)


class _Stop(Exception):
    """Something went wrong in the middle."""


class UnitOfWorkChapter(Chapter):
    """Commit, roll-back, reading one's own writes, savepoints."""

    def test_what_was_done_is_there_after_the_commit(self, bench: Workbench) -> None:
        """Leaving the context normally keeps everything."""
        habitat, specimen = bench.habitat(), bench.specimen()

        bench.add(habitat, specimen)

        assert (habitat, specimen) == (bench.load(habitat), bench.load(specimen))

    def test_an_error_leaves_nothing_of_anything(self, bench: Workbench) -> None:
        """A roll-back takes back whatever was written, of every kind."""
        specimen = bench.specimen(name="gone")

        with pytest.raises(_Stop), bench.transaction() as transaction:  # noqa: PT012
            _write_of_every_kind(transaction, bench, specimen)
            raise _Stop

        assert _traces(bench, specimen) == _traces(bench, bench.specimen())

    def test_a_commit_keeps_something_of_everything(self, bench: Workbench) -> None:
        """The negative control: the same writes leave traces when committed."""
        specimen = bench.specimen(name="kept")

        with bench.transaction() as transaction:
            _write_of_every_kind(transaction, bench, specimen)

        nothing = _traces(bench, bench.specimen())
        assert not [
            kind
            for kind, trace in _traces(bench, specimen).items()
            if trace == nothing[kind] and kind not in ("numbers", "operation", "events")
        ]
        assert (nothing["numbers"], nothing["operation"]) == (1, True)

    def test_when_the_second_write_fails_the_first_is_undone(
        self, bench: Workbench
    ) -> None:
        """Two entities, a read in between, the second write fails: nothing stays."""
        habitat, stale = bench.habitat(name="first"), bench.specimen()

        with pytest.raises(StaleRecord), bench.transaction() as transaction:  # noqa: PT012
            insert(transaction, bench.schema, [habitat])
            assert transaction.select(bench.query(kind=Habitat))
            transaction.update(
                bench.entity(Specimen), [Update(stale, following(stale))]
            )

        assert bench.load(habitat) is None

    def test_an_error_of_the_caller_comes_out_as_it_is(self, bench: Workbench) -> None:
        """The store does not wrap errors that are not its own."""
        with pytest.raises(_Stop), bench.transaction():
            raise _Stop

    def test_a_unit_of_work_reads_its_own_writes(self, bench: Workbench) -> None:
        """Every kind of reading sees what the unit of work wrote before."""
        specimen = bench.specimen(name="mine", size=7)
        entity = bench.entity(Specimen)
        with bench.transaction() as transaction:
            transaction.insert(entity, [Insertion(specimen, frozenset({"k"}))])
            transaction.claim([Claim("s", "k", specimen.id)])
            transaction.append([entry(specimen)], [])
            where = bench.bound(F.name == "mine")

            assert {specimen.id: specimen} == transaction.load(entity, [specimen.id])
            assert [specimen] == transaction.select(bench.query(F.size > 6))
            assert [[specimen]] == list(transaction.stream(bench.query()))
            assert transaction.count(entity, where) == 1
            assert len(transaction.match(entity, ["k"], 10)) == 1
            assert len(transaction.holders([("s", "k")])) == 1
            assert len(transaction.history(entity, specimen.id)) == 1

    def test_beginning_to_write_twice_does_nothing(self, bench: Workbench) -> None:
        """``begin_writing`` may be called before every verb."""
        specimen = bench.specimen()
        with bench.transaction() as transaction:
            transaction.begin_writing()
            transaction.begin_writing()
            insert(transaction, bench.schema, [specimen])
            transaction.begin_writing()

        assert specimen == bench.load(specimen)

    def test_an_empty_batch_is_nothing(self, bench: Workbench) -> None:
        """Every verb accepts an empty batch."""
        entity = bench.entity(Specimen)
        with bench.transaction() as transaction:
            transaction.insert(entity, [])
            transaction.update(entity, [])
            transaction.purge(entity, [])
            transaction.append([], [])
            transaction.release([])
            transaction.finish_events([])

            assert transaction.claim([]) == []
            assert transaction.holders([]) == []
            assert transaction.match(entity, [], 10) == []

    def test_reading_after_a_unit_of_work_broke_off_works(
        self, bench: Workbench
    ) -> None:
        """A failed unit of work leaves nothing that disturbs the next one."""
        for _ in range(3):
            with suppress(_Stop), bench.transaction() as transaction:
                insert(transaction, bench.schema, [bench.specimen()])
                raise _Stop

        assert bench.find() == []

    @needs("savepoints")
    def test_a_savepoint_undoes_what_was_done_inside(self, bench: Workbench) -> None:
        """An error inside a savepoint that the caller catches takes back only that."""
        before, inside, after = bench.specimen(), bench.specimen(), bench.specimen()
        with bench.transaction() as transaction:
            insert(transaction, bench.schema, [before])
            with suppress(_Stop), transaction.savepoint():
                insert(transaction, bench.schema, [inside])
                transaction.claim([Claim("s", "k", inside.id)])
                raise _Stop
            assert transaction.holders([("s", "k")]) == []
            insert(transaction, bench.schema, [after])

        assert {before.id, after.id} == {record.id for record in bench.find()}

    @needs("savepoints")
    def test_a_savepoint_that_ends_well_keeps_its_work(self, bench: Workbench) -> None:
        """Savepoints nest, and what they did belongs to the unit of work."""
        specimen = bench.specimen()
        with (
            bench.transaction() as transaction,
            transaction.savepoint(),
            transaction.savepoint(),
        ):
            insert(transaction, bench.schema, [specimen])

        assert specimen == bench.load(specimen)

    @needs("savepoints")
    def test_a_savepoint_outlives_a_refused_write(self, bench: Workbench) -> None:
        """After a failed write inside a savepoint the unit of work goes on."""
        stale, kept = bench.specimen(), bench.specimen()
        with bench.transaction() as transaction:
            with suppress(StaleRecord), transaction.savepoint():
                transaction.update(
                    bench.entity(Specimen), [Update(stale, following(stale))]
                )
            insert(transaction, bench.schema, [kept])

        assert [kept] == bench.find()

    def test_the_schema_is_current_after_an_installation(
        self, bench: Workbench
    ) -> None:
        """``install`` may be run again, and ``verify`` agrees with it."""
        specimen = bench.specimen(name="kept")
        bench.add(specimen)

        bench.store.install(bench.schema)
        bench.store.verify(bench.schema)

        assert specimen == bench.load(specimen)
        assert bench.store.health(bench.schema).facts


def _write_of_every_kind(
    transaction: Transaction, bench: Workbench, specimen: Specimen
) -> None:
    entity = bench.entity(Specimen)
    transaction.insert(entity, [Insertion(specimen, frozenset({"key"}))])
    transaction.claim([Claim("scope", "key", specimen.id)])
    transaction.next_numbers("numbers", 3)
    transaction.append([entry(specimen)], [event(bench, specimen)])
    operation = Operation("operation", START, None)
    assert transaction.begin_operation(operation) is None
    transaction.finish_operation(operation)


def _traces(bench: Workbench, specimen: Specimen) -> dict[str, object]:
    """Return what a unit of work left behind; takes the number, key and events back."""
    entity = bench.entity(Specimen)
    found: dict[str, object] = {}
    with suppress(_Stop), bench.transaction() as transaction:
        found["record"] = len(transaction.load(entity, [specimen.id]))
        hits = transaction.match(entity, ["key"], 10)
        found["keys"] = specimen.id in {hit.record_id for hit in hits}
        held = transaction.holders([("scope", "key")])
        found["claims"] = specimen.id in {claim.record_id for claim in held}
        found["history"] = len(transaction.history(entity, specimen.id))
        found["numbers"] = transaction.current_number("numbers") // 3
        operation = Operation("operation", START, None)
        found["operation"] = transaction.begin_operation(operation) is not None
        found["events"] = len(transaction.take_events(10, START, START))
        raise _Stop
    return found
