"""Imports on every store: batch by batch, stopped and gone on with."""

from __future__ import annotations

import contextlib

import attrs
import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Area,
    ImportRejected,
    Lead,
    NotFound,
    ValidationError,
)
from crmcore.exchange import ImportIssue, ImportJob, run_import
from tests.contract.importing import GOOD, all_of, leads, load, many

# -- batches -----------------------------------------------------------------------------


class Stopped(Exception):
    pass


def stopping_after(batches):
    calls = []

    def progress(done, total):
        calls.append((done, total))
        if len(calls) == batches:
            raise Stopped

    return progress


def described(crm, report):
    leads = all_of(crm, Lead)
    with crm.session(SYSTEM) as s:
        history = {
            lead.last_name: [(e.action, e.version) for e in s.history(lead)]
            for lead in leads
        }
    rows = sorted((lead.last_name, lead.email, lead.version) for lead in leads)
    return rows, history, report.counts, report.issues


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("batches", [1, 2, 4])
def test_a_stopped_import_goes_on_where_it_stopped(store, tenant, batches):
    """Rows, history and report equal those of an uninterrupted import."""
    rows = [*many(12), "bad,row\n", *many(3), GOOD.replace("web", "x"), *many(2, 50)]
    ends = []
    for name, stops in ((f"{tenant}-a", False), (f"{tenant}-b", True)):
        crm = CRM(store).tenant(name)
        with crm.session(SYSTEM) as s:
            plan = s.exchange.plan_import(leads(*rows), Lead)
        if stops:
            with pytest.raises(Stopped):
                run_import(
                    crm, SYSTEM, plan, batch_size=4, progress=stopping_after(batches)
                )
        report = run_import(crm, SYSTEM, plan, batch_size=4)
        assert report.finished
        assert run_import(crm, SYSTEM, plan).counts == report.counts
        ends.append(described(crm, report))
    untouched = [i for i in ends[0][3] if i.reason != "duplicate_record"]
    assert untouched == [i for i in ends[1][3] if i.reason != "duplicate_record"]
    assert ends[0][:3] == ends[1][:3]


@pytest.mark.capability("IMP-01")
def test_progress_is_told_after_each_batch(crm):
    """The callback gets the rows done and an estimate of all."""
    told = []
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(leads(*many(10)), Lead)
    run_import(
        crm, "boss", plan, batch_size=4, progress=lambda *numbers: told.append(numbers)
    )
    assert told == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.capability("IMP-01")
def test_a_small_import_is_part_of_the_session(crm):
    """Applied within a session, an import is rolled back with it."""
    with contextlib.suppress(Stopped), crm.session("boss") as s:
        report = s.exchange.apply(s.exchange.plan_import(leads(*many(3)), Lead))
        assert (report.created, s.count(Lead)) == (3, 3)
        raise Stopped
    assert not all_of(crm, Lead)
    assert not all_of(crm, ImportJob)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_file_that_changed_since_the_plan_is_refused(crm, tmp_path):
    """What was planned is what is imported."""
    path = tmp_path / "leads.csv"
    path.write_bytes(leads(GOOD))
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(path, Lead)
    path.write_bytes(leads(GOOD, GOOD))
    with pytest.raises(ImportRejected):
        run_import(crm, "boss", plan)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_job_is_gone_on_with_by_its_own_plan_only(crm):
    """A key that imports something else is refused, and so is a stranger's."""
    with crm.session("alice") as s:
        plan = s.exchange.plan_import(leads(GOOD), Lead)
    run_import(crm, "alice", plan)
    with crm.session("alice") as s:
        other = s.exchange.plan_import(leads(*many(2)), Lead)
    with pytest.raises(ImportRejected):
        run_import(crm, "alice", attrs.evolve(other, job_id=plan.job_id))
    with pytest.raises(NotFound):
        run_import(crm, "bob", plan)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_a_batch_that_fails_as_a_whole_is_imported_row_by_row(store, tenant):
    """A rule that breaks on one row costs that row only."""

    def moody(draft):
        if draft["last_name"] == "Last3":
            raise NotFound(entity="mood", id="x")

    crm = CRM(store, areas=[Area(name="moods", rules={"lead": (moody,)})])
    crm = crm.tenant(tenant)
    report = load(crm, leads(*many(6)), actor=SYSTEM)
    assert (report.created, report.failed) == (5, 1)
    assert [(i.line, i.reason) for i in report.issues] == [(5, "refused")]


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_nobody_writes_a_job_by_hand(crm):
    """Jobs and remarks are written by imports only."""
    with crm.session(SYSTEM) as s:
        for record in (
            ImportJob(key="x", entity="lead", digest="x", mapping="x"),
            ImportIssue(),
        ):
            with pytest.raises((AccessDenied, ValidationError)):
                s.create(record)
