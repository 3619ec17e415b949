"""Every reason that the library gives for a refusal has a text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import crmcore
from crmcore.errors import REASONS

SOURCES = sorted(Path(crmcore.__file__).parent.rglob("*.py"))
#: Calls that take a reason, and at which place among their arguments.
CALLS = {"Problem": 1, "of": 1, "refuse": 1, "Refused": 0}


def reasons_in(source: str) -> Iterator[str]:
    """Yield the reasons that a module names in words."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        place = CALLS.get(name)
        if place is None or len(node.args) <= place:
            continue
        owner = getattr(getattr(node.func, "value", None), "id", "ValidationError")
        value = node.args[place]
        if name == "of" and owner != "ValidationError":
            continue
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def test_every_reason_has_a_text() -> None:
    """A refusal can always be told in words."""
    named = {r for path in SOURCES for r in reasons_in(path.read_text("utf-8"))}

    assert len(named) > 80
    assert set() == named - set(REASONS) - row_reasons()


def row_reasons() -> set[str]:
    """Return the reasons that only rows of an import have."""
    from crmcore.exchange.reasons import ROW_REASONS

    return set(ROW_REASONS)
