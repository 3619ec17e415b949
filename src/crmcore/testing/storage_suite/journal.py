"""History and outbox: what happened is kept, and told at least once (REC-08)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from crmcore.records import Record
from crmcore.storage import Event, FieldChange, HistoryEntry
from crmcore.testing.clock import START
from crmcore.testing.specimens import Habitat, Specimen
from crmcore.testing.storage_suite.workbench import Chapter, Workbench

_LEASE = timedelta(minutes=5)


def entry(record: Record, version: int = 1, **values: Any) -> HistoryEntry:
    """Return a history entry of a record."""
    given = {
        "entity": record.entity_name(),
        "record_id": record.id,
        "version": version,
        "action": "updated",
        "at": START,
        "by": UUID(int=7),
        "changes": (FieldChange("name", None, "Ada"),),
    }
    return HistoryEntry(**{**given, **values})


def event(bench: Workbench, record: Record, **values: Any) -> Event:
    """Return an outbox event of a record."""
    given = {
        "id": bench.new_id(),
        "kind": "specimen.updated",
        "entity": "specimen",
        "record_id": record.id,
        "version": 1,
        "at": START,
        "by": None,
        "payload": {"fields": ["name"]},
    }
    return Event(**{**given, **values})


class JournalChapter(Chapter):
    """History entries and outbox events."""

    def test_history_comes_back_as_written(self, bench: Workbench) -> None:
        """Old and new values are JSON data of any form; the oldest comes first."""
        record = bench.specimen()
        entries = [
            entry(record, 1, action="created", changes=(), by=None),
            entry(
                record,
                2,
                at=START + timedelta(milliseconds=1),
                changes=(
                    FieldChange("name", "é\\'\"", None),
                    FieldChange("tags", ["a"], ["a", "b"]),
                    FieldChange("price", {"amount": "1.00", "currency": "EUR"}, None),
                    FieldChange("size", -(2**63 - 1), 2**63 - 1),
                    FieldChange("alive", False, True),
                    FieldChange("a.b$c", None, {"$gt": "", "x.y": [1, None]}),
                ),
            ),
            entry(record, 3, at=START + timedelta(milliseconds=1), action="deleted"),
        ]
        with bench.transaction() as transaction:
            transaction.append(entries[:2], [])
        with bench.transaction() as transaction:
            transaction.append(entries[2:], [])

        assert entries == _history(bench, record)

    def test_history_belongs_to_one_record(self, bench: Workbench) -> None:
        """Other records, entities and tenants have their own."""
        mine, other = bench.specimen(), bench.specimen()
        habitat = bench.habitat(id=mine.id)
        with bench.transaction() as transaction:
            transaction.append([entry(mine), entry(other), entry(habitat)], [])

        assert [entry(mine)] == _history(bench, mine)
        with bench.transaction() as transaction:
            found = transaction.history(bench.entity(Habitat), mine.id)
            assert [entry(habitat)] == found
        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.history(bench.entity(Specimen), mine.id) == []

    def test_a_long_history_is_in_order(self, bench: Workbench) -> None:
        """Entries are in the order of the versions, also beyond 9."""
        record = bench.specimen()
        entries = [entry(record, version) for version in range(1, 26)]
        for one in entries:
            with bench.transaction() as transaction:
                transaction.append([one], [])

        assert entries == _history(bench, record)

    def test_events_come_back_as_written(self, bench: Workbench) -> None:
        """An event is delivered with everything it was stored with."""
        written = event(
            bench,
            bench.specimen(),
            by=UUID(int=9),
            payload={"fields": ["a", "é"], "deep": {"$x.y": [1, None, True, 1.5]}},
        )
        _append(bench, written)

        assert [written] == _take(bench)

    def test_the_oldest_events_come_first(self, bench: Workbench) -> None:
        """At most ``limit`` events are leased, in the order of their ids."""
        events = [event(bench, bench.specimen()) for _ in range(6)]
        _append(bench, *events[3:])
        _append(bench, *events[:3])

        assert events[:4] == _take(bench, limit=4)
        assert events[4:] == _take(bench, limit=4)

    def test_leased_events_are_not_given_to_others(self, bench: Workbench) -> None:
        """Until the lease runs out nobody else gets them; then somebody does."""
        one = event(bench, bench.specimen())
        _append(bench, one)
        assert [one] == _take(bench)

        early = START + _LEASE - timedelta(milliseconds=1)

        assert _take(bench, now=early) == []
        assert [one] == _take(bench, now=START + _LEASE)

    def test_finished_events_are_gone(self, bench: Workbench) -> None:
        """What was delivered is never offered again; the rest is."""
        one, two = event(bench, bench.specimen()), event(bench, bench.specimen())
        _append(bench, one, two)
        _take(bench)
        with bench.transaction() as transaction:
            transaction.finish_events([one.id, bench.new_id()])

        assert [two] == _take(bench, now=START + timedelta(days=1))

    def test_events_of_tenants_do_not_mix(self, bench: Workbench) -> None:
        """One tenant's relay never sees another tenant's events."""
        _append(bench, event(bench, bench.specimen()))

        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.take_events(10, START, START + _LEASE) == []


def _history(bench: Workbench, record: Record) -> list[HistoryEntry]:
    with bench.transaction() as transaction:
        return transaction.history(bench.schema.entity(record), record.id)


def _append(bench: Workbench, *events: Event) -> None:
    with bench.transaction() as transaction:
        transaction.append([], events)


def _take(bench: Workbench, limit: int = 10, now: Any = START) -> list[Event]:
    with bench.transaction() as transaction:
        return transaction.take_events(limit, now, now + _LEASE)
