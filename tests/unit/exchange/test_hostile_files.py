from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import CRM, SYSTEM, ImportRejected, Lead, MemoryStore
from crmcore.exchange import run_import

pytestmark = pytest.mark.capability("IMP-03")

HEADERS = st.sampled_from(
    ["last_name,email,phone", "姓;手机;年营业额", "Name\tCity\tBirthdate", "x|owner|Id"]
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["=1+1", "1e999", "NaN", "٣", "-0", "0000-00-00", "万", '"', "\0", "99/99/9999"]
    ),
)


def attempt(data, **options):
    """Import ``data``; return the report, None where the file is refused as a whole."""
    crm = CRM(MemoryStore())
    crm.install()
    with suppress(ImportRejected):
        with crm.session(SYSTEM) as s:
            plan = s.exchange.plan_import(data, Lead, dry_run=True, **options)
        return run_import(crm, SYSTEM, plan)
    return None


@given(st.binary(max_size=300))
def test_any_bytes_are_imported_or_refused(data):
    """No file, whatever its bytes, ends in anything but a report or a refusal."""
    mapping = {1: "last_name"}
    for has_header in (True, False, None):
        attempt(data, mapping=mapping, has_header=has_header)


@given(HEADERS, st.lists(st.lists(CELLS, max_size=4), max_size=6))
def test_any_cells_are_counted(header, rows):
    """Each row is created, skipped or failed, and each failed row has a remark."""
    delimiter = next(mark for mark in ",;\t|" if mark in header)
    text = "\n".join([header, *(delimiter.join(row) for row in rows)])
    report = attempt(text.encode("utf-8", "replace"), defaults={"last_name": "X"})
    if report is None:
        return
    counts = report.counts
    assert counts.rows == counts.created + counts.skipped + counts.failed
    remarked = {issue.line for issue in report.issues if issue.outcome == "failed"}
    assert len(remarked) == counts.failed
