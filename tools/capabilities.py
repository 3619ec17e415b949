"""Writes ``docs/capabilities.md``: which tests prove which capability.

Reads the marks ``@pytest.mark.capability("LEAD-03")`` of all tests without importing
them: ``python -m tools.capabilities``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/capabilities.md"
#: Where tests stand: our own, and the contract that adapters run.
FOLDERS = ("tests", "src/crmcore/testing")

#: Areas of the catalogue and how many capabilities each has; their numbers are
#: consecutive, from 01.
AREAS = {
    "REP": 10,
    "REC": 24,
    "WF": 10,
    "PTY": 21,
    "IMP": 8,
    "I18N": 4,
    "ACC": 21,
    "OUT": 5,
    "DOC": 3,
    "LEAD": 6,
    "TEN": 11,
    "ACT": 15,
    "SVC": 6,
    "SAL": 25,
    "LOG": 8,
    "COM": 13,
    "MKT": 14,
    "DUP": 5,
    "ASG": 5,
    "VIEW": 10,
}

HEADER = """\
# Capabilities

Which test proves which capability; the ids are those that docstrings name as the source
of a rule. Made by `make docs` from the marks of the tests: do not edit.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen(order=True)
class Proof:
    """One mark: the capability, the test's file, its name and its sentence."""

    capability: str
    file: str
    test: str
    sentence: str


def is_known(capability: str) -> bool:
    """Tell whether the catalogue has a capability."""
    area, _, number = capability.rpartition("-")
    digits = len(number) == 2 and number.isdecimal()
    return digits and 1 <= int(number) <= AREAS.get(area, 0)


def proofs(folders: Iterable[str] = FOLDERS) -> list[Proof]:
    """Return all marks of all tests, in order."""
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted({proof for file in files for proof in proofs_of(file)})


def proofs_of(file: Path) -> Iterator[Proof]:
    """Yield the marks of one file: of its tests, their classes and the file itself."""
    source = file.read_text("utf-8")
    if "capability(" not in source:
        return
    tree = ast.parse(source)
    name = file.relative_to(ROOT).as_posix()
    for test, ids, sentence in _tests(tree, ()):
        for capability in dict.fromkeys(ids):
            yield Proof(capability, name, test, sentence)


def _tests(
    parent: ast.Module | ast.ClassDef, inherited: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield name, capabilities and sentence of each test below a module or class."""
    inherited += _of_pytestmark(parent)
    for node in parent.body:
        if isinstance(node, ast.ClassDef):
            own = inherited + _ids(node.decorator_list)
            tests = list(_tests(node, own))
            for test, ids, sentence in tests:
                yield f"{node.name}::{test}", ids, sentence
            if not tests:  # all of its tests are inherited
                yield node.name, own, _sentence(node)
        elif isinstance(node, Function) and node.name.startswith("test"):
            yield node.name, inherited + _ids(node.decorator_list), _sentence(node)


def _of_pytestmark(parent: ast.Module | ast.ClassDef) -> tuple[str, ...]:
    marks = (
        node.value
        for node in parent.body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
    )
    return _ids(marks)


def _ids(expressions: Iterable[ast.expr]) -> tuple[str, ...]:
    """Return the ids of all ``capability(...)`` calls inside some expressions."""
    calls = (
        node
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "capability"
    )
    return tuple(str(ast.literal_eval(arg)) for call in calls for arg in call.args)


def _sentence(node: Function | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")


def page(found: Iterable[Proof]) -> str:
    """Return the page that lists some proofs."""
    lines = [HEADER]
    area = capability = ""
    for proof in found:
        if proof.capability.partition("-")[0] != area:
            area = proof.capability.partition("-")[0]
            lines.append(f"## {area}\n")
        if proof.capability != capability:
            capability = proof.capability
            lines.append(f"### {capability}\n")
        lines.append(f"- {proof.sentence}\n  `{proof.file}::{proof.test}`")
    return "\n".join(_spaced(lines)) + "\n"


def _spaced(lines: list[str]) -> Iterator[str]:
    """Put an empty line before each heading that follows a list."""
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("#") and before.startswith("-"):
            yield ""
        yield line


def main() -> int:
    """Write the page; 1 where a mark names an unknown capability."""
    found = proofs()
    PAGE.write_text(page(found), "utf-8")
    unknown = [proof for proof in found if not is_known(proof.capability)]
    sys.stderr.writelines(f"{p.file}: unknown {p.capability}\n" for p in unknown)
    return int(bool(unknown))


if __name__ == "__main__":
    sys.exit(main())
