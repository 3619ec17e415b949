"""Where the files of the conformance tests are: beside the repository, or as told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of files that are used in tests and never shipped."""
    folder = Path(os.environ.get("CRMCORE_SHARED_DATA", BESIDE))
    if not folder.is_dir():
        pytest.skip(
            f"the files of the conformance tests are not there: {folder}; "
            "CRMCORE_SHARED_DATA names another folder"
        )
    return folder
