"""Databases of fault tests: one a server and test process, one tenant a test."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.places import Place, install


@pytest.fixture(scope="session")
def installed_databases() -> dict[str, str]:
    """Hold the addresses of databases that have the schema, by the kind of server."""
    return {}


@pytest.fixture
def place_on(
    run_databases: Any, installed_databases: dict[str, str], tmp_path: Path
) -> Callable[[str], Place]:
    """Return how to get a place on a kind of store, for one test alone."""

    def made(kind: str) -> Place:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / 'crm.db'}"
            install(kind, url)
        elif kind in installed_databases:
            url = installed_databases[kind]
        else:
            url = installed_databases[kind] = run_databases.new(kind)
            install(kind, url)
        return Place(kind, url, f"tenant-{secrets.token_hex(6)}")

    return made
