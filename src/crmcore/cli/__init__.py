"""The command line: ``crmcore demo``, import, dedupe, report, schema, doctor.

Takes the URL of a store; prints tables for people or, with ``--json``, one document.
Every command is a thin hand on the same session that applications use.
Never shows a traceback for an error of crmcore: its message, and an exit code.
Neighbours: everything below; nothing imports the command line.
"""

from __future__ import annotations

import sys

from crmcore.errors import MissingExtra

__all__ = ["main"]


def main() -> None:
    """Run the command that ``sys.argv`` names; the entry point of ``crmcore``."""
    try:
        from crmcore.cli.app import app
    except MissingExtra as missing:
        from crmcore.cli.exits import exit_code

        sys.stderr.write(f"{missing}\n")
        raise SystemExit(exit_code(missing)) from None
    app()
