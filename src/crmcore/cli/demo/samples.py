"""The shipped input: where it is, and importing it with a progress bar."""

from __future__ import annotations

from importlib import resources
from typing import Any

from crmcore.access import Actor, User
from crmcore.cli.output import Output
from crmcore.crm import CRM
from crmcore.exchange import ImportPlan, ImportReport, run_import
from crmcore.records import Record

__all__ = ["import_sample"]

_FOLDER = resources.files("crmcore.cli") / "sample"


def import_sample(
    crm: CRM,
    actor: Actor | User,
    name: str,
    kind: type[Record],
    output: Output,
    **options: Any,
) -> tuple[ImportPlan, ImportReport]:
    """Import a file of the sample; return the plan and what became of the rows."""
    with resources.as_file(_FOLDER / name) as path:
        with crm.session(actor) as session:
            plan = session.exchange.plan_import(path, kind, **options)
        plan.check()
        with output.progress(f"Importing {name}", plan.total_estimate) as advance:
            return plan, run_import(crm, actor, plan, progress=advance)
