"""Configuration of the documentation build."""

from __future__ import annotations

import logging
from importlib.metadata import version as version_of

# Importing the SQL store makes alembic list its plugins.
logging.getLogger("alembic").setLevel(logging.WARNING)

project = "crmcore"
author = "The crmcore authors"
project_copyright = "2026, The crmcore authors"
release = version_of("crmcore")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = f"crmcore {release}"
