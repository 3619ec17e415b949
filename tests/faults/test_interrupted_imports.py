"""T5: an import is killed at every single write, and run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.interrupted_import import ROWS, Comparison, crash_at_every_write
from tests.faults.processes import results_of

#: The crash points are shared out, so that test processes can work side by side.
PARTS = 2

pytestmark = [pytest.mark.timeout(300), pytest.mark.capability("IMP-01")]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_killed_import_goes_on_where_it_stopped(part: int, tmp_path: Path) -> None:
    """Records, history, events, report and counts are those of an uninterrupted run."""
    (found,) = results_of(crash_at_every_write, [(tmp_path, 1 + part, PARTS)])
    assert isinstance(found, Comparison)
    points = range(1 + part, found.writes + 1, PARTS)
    assert found.crashes == len(points) > 0
    assert found.different == {}

    # The import is what this test takes it for: rows of every kind.
    counts = found.whole.report
    assert f"rows={ROWS}" in counts
    assert "skipped=0" not in counts
    assert "failed=0" not in counts
