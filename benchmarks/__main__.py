"""``python -m benchmarks storage | import | schema | all``."""

from __future__ import annotations

import argparse
import sys

from benchmarks import importing, results, schema, storage
from benchmarks.figures import Figure
from benchmarks.stores import STORES

ROWS = 1_000_000


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    rows = asked.rows or (100_000 if asked.quick else ROWS)
    figures: list[Figure] = []

    def report(figure: Figure) -> None:
        figures.append(figure)
        print(figure.line(), flush=True)

    if asked.name in {"storage", "all"}:
        storage.run(asked.store or list(STORES), rows, quick=asked.quick, report=report)
    if asked.name in {"import", "all"}:
        importing.run(quick=asked.quick, report=report)
    if asked.name in {"schema", "all"}:
        schema.run(asked.store or schema.STORES, rows, quick=asked.quick, report=report)
    if asked.name == "schema" and asked.write:
        results.replace(figures)
    if asked.name == "all":
        results.write(figures, ["python", "-m", "benchmarks", *arguments])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["storage", "import", "schema", "all"])
    parser.add_argument(
        "--store",
        type=lambda text: text.split(","),
        help="stores, separated by commas; all that the benchmark knows",
    )
    parser.add_argument("--rows", type=int, help="leads in the store (1,000,000)")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows and rounds, to try it out"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the figures of schema in RESULTS.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
