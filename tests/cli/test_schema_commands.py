"""``crmcore schema export`` and ``apply``: a customisation as a file (IMP-07)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from crmcore import CRM, SYSTEM
from crmcore.cli.app import app
from crmcore.cli.stores import open_store


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{(tmp_path / 'crm.db').as_posix()}"
    crm = CRM(open_store(address, create=True))
    crm.install()
    with crm.session(SYSTEM) as s:
        s.customisation.add_field("lead", "budget", "money")
    crm.close()
    return address


def fields_of(url: str, tenant: str) -> Any:
    crm = CRM(open_store(url)).tenant(tenant)
    found = crm.schema().entity("lead").custom_fields
    crm.close()
    return [field.name for field in found]


@pytest.mark.capability("IMP-07")
def test_a_customisation_is_written_and_applied_elsewhere(
    url: str, tmp_path: Path
) -> None:
    """A dry run only shows; applying it twice changes nothing more."""
    file = tmp_path / "shape.json"
    assert run("schema", "export", file, "--store", url).exit_code == 0
    command = ("schema", "apply", file, "--store", url, "--tenant", "acme")

    dry = run(*command, "--dry-run")
    assert "+ field lead.budget" in dry.output
    assert fields_of(url, "acme") == []
    assert run(*command).exit_code == 0
    assert fields_of(url, "acme") == ["budget"]
    again = run(*command, "--json")
    assert json.loads(again.stdout) == {"applied": True, "differences": []}


@pytest.mark.capability("IMP-07")
def test_a_bad_file_is_refused_and_changes_nothing(url: str, tmp_path: Path) -> None:
    """The command ends with an error that names what is wrong."""
    file = tmp_path / "shape.json"
    file.write_text(
        '{"format": "crmcore customisation", "version": 1,'
        ' "field": {"lead": {"budget": {"type": "teapot"}}}}',
        encoding="utf-8",
    )
    result = run("schema", "apply", file, "--store", url, "--tenant", "acme")

    assert result.exit_code != 0
    assert "teapot" in result.output
    assert fields_of(url, "acme") == []
