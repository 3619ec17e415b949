"""Every store of this distribution passes the suite that any adapter has to pass."""

from __future__ import annotations

import pytest

from crmcore import MemoryStore
from crmcore.storage import Capabilities
from crmcore.testing.storage_suite import StorageSuite, coverage


@pytest.mark.capability("REC-01")
@pytest.mark.capability("DUP-01")
class TestStorageSuite(StorageSuite):
    """Runs on memory, sqlite, postgresql, mariadb and mongodb in turn."""


def test_the_suite_counts_what_it_closes() -> None:
    """The suite knows how many tests a store runs, and why the others are closed."""
    counted = coverage(StorageSuite, MemoryStore().capabilities)
    fewer = coverage(
        StorageSuite,
        Capabilities(savepoints=False, reasons={"savepoints": "the server has none"}),
    )

    assert counted.run >= 80
    assert not counted.closed
    assert {"the server has none"} == set(fewer.closed.values())
    assert counted.run == fewer.run + len(fewer.closed)
    assert f"{fewer.run} run / {len(fewer.closed)} closed" == str(fewer)


def test_a_capability_closed_without_a_reason_is_a_failure() -> None:
    """Nothing is skipped silently."""
    with pytest.raises(AssertionError, match="without a reason"):
        coverage(StorageSuite, Capabilities(savepoints=False))


def test_no_chapter_hides_a_test_of_another() -> None:
    """Every test of every chapter has a name of its own, so that all of them run."""
    names = [
        name
        for chapter in StorageSuite.__bases__
        for name in vars(chapter)
        if name.startswith("test_")
    ]

    assert sorted(set(names)) == sorted(names)
