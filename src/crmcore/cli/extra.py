"""Asks for the extra ``cli``: imported first by every module that needs it."""

from __future__ import annotations

from crmcore.errors import MissingExtra

try:
    import rich
    import typer
except ImportError:
    raise MissingExtra(feature="The command line", extra="cli") from None

__all__ = ["rich", "typer"]
