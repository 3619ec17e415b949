"""Versions: nobody overwrites what he has not seen."""

from __future__ import annotations

import pytest

from crmcore.errors import StaleRecord
from crmcore.storage import Update
from crmcore.testing.specimens import Specimen
from crmcore.testing.storage_suite.workbench import (
    Chapter,
    Workbench,
    following,
    insert,
)


class VersionsChapter(Chapter):
    """Updates and their version check."""

    def test_an_update_replaces_every_value(self, bench: Workbench) -> None:
        """The stored record is the new version, emptied fields are empty."""
        old = bench.specimen(name="old", size=1, tags=("a",), custom={"c_text": "x"})
        bench.add(old)

        new = bench.change(old, name="new", size=None, tags=None, custom={})

        assert new == bench.load(old)

    def test_a_stale_update_names_the_record(self, bench: Workbench) -> None:
        """An update of another version raises StaleRecord with entity, id and version."""
        first = bench.specimen(name="1")
        bench.add(first)
        second = bench.change(first, name="2")

        with pytest.raises(StaleRecord) as raised:
            bench.change(first, name="3")

        details = raised.value.details
        assert ("specimen", first.id, 1) == (
            details["entity"],
            details["id"],
            details["expected"],
        )
        assert second == bench.load(first)

    def test_of_many_updates_the_stale_one_is_named(self, bench: Workbench) -> None:
        """One stale record in a batch stops the whole batch and is named."""
        records = bench.specimens("size", range(5))
        bench.change(records[3], size=33)

        with pytest.raises(StaleRecord) as raised, bench.transaction() as transaction:
            transaction.update(
                bench.entity(Specimen),
                [Update(r, following(r, name="changed")) for r in records],
            )

        assert records[3].id == raised.value.details["id"]
        assert [record.name for record in bench.find()] == [None] * 5

    def test_an_update_of_nothing_is_stale(self, bench: Workbench) -> None:
        """A record that does not exist (any more) cannot be updated."""
        absent = bench.specimen()

        with pytest.raises(StaleRecord):
            bench.change(absent, name="x")

        assert bench.load(absent) is None

    def test_a_record_of_another_tenant_cannot_be_updated(
        self, bench: Workbench
    ) -> None:
        """The tenant is part of the version check."""
        mine = bench.specimen(name="mine")
        bench.add(mine)

        with (
            pytest.raises(StaleRecord),
            bench.transaction(f"{bench.tenant}-2") as transaction,
        ):
            transaction.update(
                bench.entity(Specimen), [Update(mine, following(mine, name="theirs"))]
            )

        assert mine == bench.load(mine)

    def test_versions_follow_each_other_in_one_unit_of_work(
        self, bench: Workbench
    ) -> None:
        """What was inserted may be updated, and updated again, before the commit."""
        first = bench.specimen(name="1")
        second = following(first, name="2")
        third = following(second, name="3")
        entity = bench.entity(Specimen)
        with bench.transaction() as transaction:
            insert(transaction, bench.schema, [first])
            transaction.update(entity, [Update(first, second)])
            transaction.update(entity, [Update(second, third)])

        assert third == bench.load(first)

    def test_an_update_that_changes_no_value_counts(self, bench: Workbench) -> None:
        """A new version with equal values is stored, and is not taken for stale."""
        first = bench.specimen(name="same", updated_at=None)
        bench.add(first)

        second = bench.change(first)

        assert second == bench.load(first)

    def test_a_thousand_updates_are_one_batch(self, bench: Workbench) -> None:
        """Large batches are stored completely."""
        records = bench.specimens("size", range(1_000))
        changed = [following(r, size=r.size + 1_000_000) for r in records]  # type: ignore[operator]
        with bench.transaction() as transaction:
            transaction.update(
                bench.entity(Specimen),
                [Update(o, n) for o, n in zip(records, changed, strict=True)],
            )

        assert changed == bench.find()
