"""``RESULTS.md``: all figures of a run, with the machine that they were measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import psutil

from benchmarks.figures import Figure

__all__ = ["replace", "write"]

PLACE = Path(__file__).parent / "RESULTS.md"
_LIBRARIES = ("SQLAlchemy", "psycopg", "pymongo", "attrs", "phonenumbers")


def write(figures: list[Figure], command: list[str]) -> None:
    """Write the results of one run."""
    PLACE.write_text("\n".join(_lines(figures, command)) + "\n")


def replace(figures: list[Figure]) -> None:
    """Put the figures of one benchmark in the place of its last ones, at the end."""
    kept = PLACE.read_text().partition(f"\n## {figures[0].benchmark}\n")[0]
    PLACE.write_text("\n".join([kept.rstrip(), *_sections(figures)]) + "\n")


def _lines(figures: list[Figure], command: list[str]) -> Iterator[str]:
    yield "# Benchmark results"
    yield ""
    yield "Ratios compare the library with code written by hand that does the same, in"
    yield "turns in the same run: trust them more than the times."
    yield ""
    yield from _machine(command)
    yield from _sections(figures)


def _sections(figures: list[Figure]) -> Iterator[str]:
    for name, several in groupby(figures, key=lambda figure: figure.benchmark):
        yield from ("", f"## {name}", "")
        yield "| figure | store | value | by hand | ratio | target | met |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(figure) for figure in several)


def _machine(command: list[str]) -> Iterator[str]:
    memory = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield f"- Date: {datetime.now(UTC):%Y-%m-%d}"
    yield f"- Command: `{' '.join(command)}`"
    yield f"- Machine: {os.cpu_count()} CPUs ({platform.machine()}), {memory:.0f} GiB"
    yield f"- Load at the end of the run: {os.getloadavg()[0]:.1f}"
    yield f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield f"- {libraries}"


def _row(figure: Figure) -> str:
    met = {None: "", True: "yes", False: "**no**"}[figure.met]
    cells = (
        figure.name,
        figure.store,
        f"{figure.value:,.4g} {figure.unit}",
        "" if figure.baseline is None else f"{figure.baseline:,.4g} {figure.unit}",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        figure.target or "",
        met,
    )
    return f"| {' | '.join(cells)} |"
