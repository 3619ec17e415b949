"""Type checkers understand the entities that a host extends or makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
from decimal import Decimal

from crmcore import CRM, Lead, MemoryStore, Money, extends, fields


@extends(Lead)
class MyLead(Lead):
    budget: Money | None = fields.money()


crm = CRM(MemoryStore(), entities=[MyLead])
with crm.session("alice") as s:
    made = s.create(MyLead(last_name="Li", budget=Money(Decimal(9), "EUR")))
    reveal_type(made)
    reveal_type(made.budget)
    reveal_type(s.find(MyLead).items[0].last_name)
    reveal_type(s.update(made, budget=None))
    MyLead(budget="much")  # refused
    MyLead(last_name="Li", turnover=1)  # refused
    made.turnover  # refused
    made.budget = None  # refused
"""


@pytest.mark.capability("REC-10")
def test_mypy_knows_added_fields(tmp_path: Path) -> None:
    """Attributes, arguments and results have their types; others are refused."""
    pytest.importorskip("mypy")
    place = tmp_path / "host.py"
    place.write_text(SOURCE)
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *("--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")),
            *("--config-file", "", str(place)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = re.findall(
        r"host\.py:(\d+): (?:note: Revealed|error: .*\[)(.*)", answer.stdout
    )
    lines = dict(enumerate(SOURCE.splitlines(), 1))
    types = [text for number, text in told if "reveal_type" in lines[int(number)]]
    refused = {int(number) for number, text in told if text.endswith("]")}

    assert len(types) == 4, answer.stdout + answer.stderr
    for text, expected in zip(
        types,
        ("host.MyLead", "Money | None", "str | None", "host.MyLead"),
        strict=True,
    ):
        assert expected in text.replace("crmcore.records.values.", "")
    assert refused == {n for n, line in lines.items() if "# refused" in line}
