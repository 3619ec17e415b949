"""The import benchmark: a large CSV file into SQLite, with the usual duplicate rule."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.figures import Figure, Report
from benchmarks.inputs import lead_values
from crmcore import CRM, SYSTEM, Lead, User
from crmcore.exchange import run_import
from crmcore_sql import SQLStore

__all__ = ["run"]

NAME = "import"
ROWS, QUICK_ROWS = 100_000, 10_000
#: Every so many rows repeat the person of an earlier one.
REPEATS = 20
RATE_TARGET, MEMORY_TARGET, SLOWDOWN_TARGET = 3_000, 300, 0.8
OLIST = (
    Path(__file__).parents[2]
    / "shared/data/olist-funnel/olist_marketing_qualified_leads_dataset.csv"
)
COLUMNS = (
    "last_name",
    "first_name",
    "company_name",
    "title",
    "phone",
    "email",
    "website",
    "lead_source",
    "industry",
    "number_of_employees",
    "rating",
    "description",
)


def run(*, quick: bool, report: Report) -> None:
    """Import the files, each in a process of its own, and report the figures."""
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory(prefix="crmcore-benchmarks-") as folder:
        file = Path(folder) / "leads.csv"
        write_leads(file, rows)
        for figure in _generated(_in_child(file, Path(folder) / "generated.db", {})):
            report(figure)
        if OLIST.exists():
            mapping = {"mql_id": "external_id", "origin": "campaign"}
            measured = _in_child(OLIST, Path(folder) / "olist.db", mapping)
            report(_figure("olist_rate", measured["rate"], "rows/s"))
            report(_figure("olist_created", measured["created"], "leads"))


def write_leads(file: Path, rows: int) -> None:
    """Write a CSV file of leads; some repeat an earlier person under another name."""
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for number in range(rows):
            repeats = number % REPEATS == REPEATS - 1
            values = lead_values(number - REPEATS // 2 if repeats else number)
            writer.writerow([values[name] for name in COLUMNS])


def _in_child(file: Path, database: Path, mapping: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.importing", str(file), str(database)]
    done = subprocess.run(  # noqa: PLW1510
        [*command, json.dumps(mapping)], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _generated(measured: dict[str, Any]) -> Iterator[Figure]:
    rate, memory = measured["rate"], measured["memory"]
    last = measured["last_tenth"] / measured["first_tenth"]
    yield _figure(
        "rate", rate, "rows/s", f"value >= {RATE_TARGET}", rate >= RATE_TARGET
    )
    yield _figure(
        "peak_memory", memory, "MB", f"value < {MEMORY_TARGET}", memory < MEMORY_TARGET
    )
    yield _figure(
        "rate_of_last_tenth_to_first",
        last,
        "ratio",
        f"value >= {SLOWDOWN_TARGET}",
        last >= SLOWDOWN_TARGET,
    )
    yield _figure("created", measured["created"], "leads")


def _figure(
    name: str,
    value: float,
    unit: str,
    target: str | None = None,
    met: bool | None = None,
) -> Figure:
    return Figure(
        benchmark=NAME,
        name=name,
        store="sqlite",
        value=value,
        unit=unit,
        target=target,
        met=met,
    )


# -- the process that imports --------------------------------------------------------------


def import_file(file: str, database: str, mapping: dict[str, str]) -> dict[str, Any]:
    """Import a file and return how fast it went, as data."""
    crm = CRM(SQLStore(f"sqlite:///{database}"))
    crm.install()
    with crm.session(SYSTEM) as session:
        session.create(User(username="anna", name="Anna", profile="sales"))
    marks = [(0, perf_counter())]

    def progress(done: int, estimate: int) -> None:
        marks.append((done, perf_counter()))

    with crm.session("anna") as session:
        plan = session.exchange.plan_import(
            file, Lead, mapping=mapping or None, defaults=_defaults(mapping)
        )
    start = perf_counter()
    done = run_import(crm, "anna", plan, progress=progress)
    seconds = perf_counter() - start
    rows = marks[-1][0]
    return {
        "rate": rows / seconds,
        "created": done.created,
        "memory": _peak(),
        "first_tenth": _rate(marks, 0, rows / 10),
        "last_tenth": _rate(marks, rows * 0.9, rows),
    }


def _defaults(mapping: dict[str, str]) -> dict[str, str]:
    # The leads of this file have no names.
    return {"last_name": "Unknown"} if mapping else {}


def _rate(marks: list[tuple[int, float]], first: float, last: float) -> float:
    inside = [mark for mark in marks if first <= mark[0] <= last]
    (rows, start), (more_rows, end) = inside[0], inside[-1]
    return (more_rows - rows) / (end - start)


def _peak() -> float:
    """Return the most memory that this process ever took, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(import_file(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
