"""The wheel is complete, and works with nothing but its three dependencies."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGES = ("crmcore", "crmcore_sql", "crmcore_mongo")

#: Rooms whose modules may ask for an extra instead: its name is part of the error.
ROOMS_WITH_EXTRAS = {
    "crmcore.cli": {"cli", "charts"},
    "crmcore.templates": {"templates"},
    "crmcore.testing": {"dev"},
}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil
import crmcore
from crmcore.errors import MissingExtra

def outcome(name):
    try:
        importlib.import_module(name)
    except MissingExtra as missing:
        return {"extra": missing.details["extra"], "message": str(missing)}
    except BaseException as error:
        return {"error": repr(error)}
    return {}

found = pkgutil.walk_packages(crmcore.__path__, "crmcore.", onerror=lambda name: None)
names = ["crmcore", *(module.name for module in found), "crmcore_sql", "crmcore_mongo"]
print(json.dumps({name: outcome(name) for name in names}))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        *(sys.executable, "-m", "build"),
        *("--wheel", "--no-isolation", "--outdir", folder),
    )
    (file,) = folder.glob("crmcore-*.whl")
    return file


@pytest.fixture(scope="module")
def outcomes(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What importing each module gave in an environment with the wheel alone."""
    environment = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--constraint", ROOT / "constraints.txt", wheel),
    )
    answer = run(python, "-I", "-W", "error", "-c", IMPORT_EVERYTHING, cwd=environment)
    imported: dict[str, dict[str, Any]] = json.loads(answer)
    return imported


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (
            each for each in archive.namelist() if each.endswith(".dist-info/METADATA")
        )
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Catalogues, sample data and type markers are in the wheel, as all modules are."""
    expected = {
        file.relative_to(SOURCE).as_posix()
        for package in PACKAGES
        for file in (SOURCE / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert expected == held
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_wheel_needs_three_libraries(wheel: Path) -> None:
    """Without an extra the wheel asks for attrs, cattrs and Babel only."""
    requirements = map(Requirement, metadata(wheel).get_all("Requires-Dist", []))
    needed = {
        each.name.lower()
        for each in requirements
        if each.marker is None
        or each.marker.evaluate({"extra": "", "sys_platform": "linux"})
    }

    assert {"attrs", "cattrs", "babel"} == needed


def test_every_public_module_imports_with_the_wheel_alone(
    outcomes: dict[str, dict[str, Any]],
) -> None:
    """No module of the core needs an extra to be imported."""
    core = {
        name: outcome
        for name, outcome in outcomes.items()
        if name not in PACKAGES[1:] and not may_ask_for_an_extra(name, outcome)
    }

    assert "crmcore" in core
    assert {} == {name: outcome for name, outcome in core.items() if outcome}


def may_ask_for_an_extra(name: str, outcome: dict[str, Any]) -> bool:
    return any(
        (name == room or name.startswith(f"{room}.")) and outcome.get("extra") in extras
        for room, extras in ROOMS_WITH_EXTRAS.items()
    )


@pytest.mark.parametrize(
    ("package", "extra"), [("crmcore_sql", "sql"), ("crmcore_mongo", "mongo")]
)
def test_an_adapter_without_its_libraries_names_the_extra(
    outcomes: dict[str, dict[str, Any]], package: str, extra: str
) -> None:
    """Importing an adapter without its driver says which extra to install."""
    assert outcomes[package].get("extra") == extra, outcomes[package]
    assert f"crmcore[{extra}]" in outcomes[package]["message"]
