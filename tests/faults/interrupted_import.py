"""An import of 200 rows that is killed at one write and run again; what it leaves."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from crmcore import CRM, SYSTEM, Lead
from crmcore.exchange import ImportJob, ImportPlan, run_import
from crmcore.storage import Event
from crmcore.testing import FixedClock, SeededIds
from tests.faults.crashing import Crashed, CrashingStore, apart
from tests.faults.places import Place, install

ROWS = 200
BATCH = 20
#: Leads that are there before the import, so that some rows are duplicates.
PRESENT = 5

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def rows() -> bytes:
    """Return the file: every 10th row is a duplicate, every 25th is refused."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["external_id", "last_name", "company_name", "email"])
    for number in range(ROWS):
        twin = number % 10 == 9
        email = f"lead{number // 2 if twin else number}@example.com"
        if number % 25 == 24:
            email = "no address"
        name = "" if number == 60 else f"Lead {number}"
        writer.writerow([f"x-{number}", name, f"Company {number}", email])
    return text.getvalue().encode()


@attrs.frozen
class Left:
    """Everything that an import leaves behind, without ids."""

    leads: list[str]
    history: list[str]
    events: list[str]
    job: list[str]
    report: str
    rows_by_table: dict[str, int]


def _plain(value: Any) -> str:
    return _ID.sub("id", repr(value))


def left_behind(place: Place, crm: CRM, report: Any) -> Left:
    """Read everything that is stored; empties the outbox."""
    counted = rows_by_table(place)
    with crm.session(SYSTEM) as session:
        leads = list(session.stream(Lead))
        history = [
            (lead.last_name, [(e.version, e.action, e.at, e.changes) for e in entries])
            for lead in leads
            for entries in [session.history(lead)]
        ]
        jobs = list(session.stream(ImportJob))
    events: list[Event] = []
    while crm.deliver(events.append, limit=2_000):
        pass
    names = {lead.id: lead.last_name for lead in leads}
    return Left(
        leads=sorted(_plain(lead) for lead in leads),
        history=sorted(_plain(entry) for entry in history),
        events=sorted(
            _plain((names.get(e.record_id), e.kind, e.version, e.at, e.payload))
            for e in events
        ),
        job=[_plain(job) for job in jobs],
        report=_plain(report),
        rows_by_table=counted,
    )


def rows_by_table(place: Place) -> dict[str, int]:
    """Count the rows of every table, match keys and claims among them."""
    with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'crm%'"
        ).fetchall()
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in names
        }


@attrs.frozen
class Ground:
    """A database with a few leads and the plan of an import, copied for every run."""

    folder: Path
    plan: ImportPlan

    @classmethod
    def prepared(cls, folder: Path) -> Ground:
        """Make the database and the plan."""
        place = Place("sqlite", f"sqlite:///{folder / 'ground.db'}", "importer")
        install(place.kind, place.url)
        file = folder / "leads.csv"
        file.write_bytes(rows())
        with place.crm(ids=SeededIds(0)) as crm, crm.session(SYSTEM) as session:
            session.create_many(
                Lead(last_name=f"Present {n}", email=f"lead{n}@example.com")
                for n in range(PRESENT)
            )
            plan = session.exchange.plan_import(file, Lead)
        return cls(folder, plan)

    def fresh(self) -> Place:
        """Return a new copy of the database."""
        for old in self.folder.glob("run.db*"):
            old.unlink()
        shutil.copy(self.folder / "ground.db", self.folder / "run.db")
        return Place("sqlite", f"sqlite:///{self.folder / 'run.db'}", "importer")

    def run(self, place: Place, seed: int, crash_at: int = 0) -> tuple[Left, int]:
        """Import; return what is left behind and how often was written."""
        made: list[CrashingStore] = []

        def wrap(store: Any) -> CrashingStore:
            made.append(CrashingStore(store, crash_at))
            return made[0]

        with place.crm(wrap, clock=FixedClock(), ids=SeededIds(seed)) as crm:
            report = run_import(crm, SYSTEM, self.plan, batch_size=BATCH)
            writes = made[0].writes
            return left_behind(place, crm, report), writes


@attrs.frozen
class Comparison:
    """The uninterrupted run, how many crashes there were, and where runs differ."""

    whole: Left
    writes: int
    crashes: int
    different: dict[int, Left]


def crash_at_every_write(folder: Path, first: int, step: int) -> Comparison:
    """Kill an import at every ``step``-th write from ``first`` on, and run it again."""
    ground = Ground.prepared(folder)
    whole, writes = apart(partial(ground.run, ground.fresh(), 1), folder)
    crashes, different = 0, {}
    for number in range(first, writes + 1, step):
        place = ground.fresh()
        try:
            apart(partial(ground.run, place, 1, number), folder)
        except Crashed:
            crashes += 1
        resumed, _ = apart(partial(ground.run, place, 2), folder)
        if resumed != whole:
            different[number] = resumed
    return Comparison(whole, writes, crashes, different)
