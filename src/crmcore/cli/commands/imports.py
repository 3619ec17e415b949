"""``crmcore import``: a CSV file into a store, with a report of every odd row."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from crmcore.access import SYSTEM
from crmcore.cli.exits import ExitCode
from crmcore.cli.issues import issue_data, issue_table, write_issue_file
from crmcore.cli.options import ActorOption, JSONOption, StoreOption, TenantOption
from crmcore.cli.output import Output, answering, table
from crmcore.cli.stores import open_crm
from crmcore.crm import DEFAULT_TENANT
from crmcore.errors import NotFound
from crmcore.exchange import ImportPlan, ImportReport, run_import
from crmcore.session import Session

__all__ = ["import_file"]

#: Remarks that are shown; a file or --json has all that the report holds.
_SHOWN = 20


class Duplicates(StrEnum):
    """What happens to a row that looks like an existing record."""

    skip = "skip"
    merge = "merge"
    create = "create"
    off = "off"


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file.")],
    store: StoreOption,
    entity: Annotated[
        str, typer.Option(metavar="NAME", help="lead, account, contact ...")
    ] = "lead",
    actor: ActorOption = None,
    tenant: TenantOption = DEFAULT_TENANT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")
    ] = False,
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME", help="A mapping saved before.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Such as gbk; without it recognised.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Such as ';'; without it recognised.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="Such as de: how numbers and days are written.")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The first row holds data already.")
    ] = False,
    duplicates: Annotated[
        Duplicates, typer.Option(help="What to do with rows that exist already.")
    ] = Duplicates.skip,
    errors: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Write all remarks there.")
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """Import a CSV file; an import that was broken off goes on where it stopped."""
    options: dict[str, Any] = {
        "encoding": encoding,
        "delimiter": delimiter,
        "has_header": False if no_header else None,
        "mapping": mapping,
        "locale": locale,
        "duplicates": duplicates.value,
        "dry_run": dry_run,
    }
    with answering(as_json) as output, open_crm(store, tenant) as crm:
        who = actor or SYSTEM
        with crm.session(who) as session:
            plan = session.exchange.plan_import(file, entity, **options)
            plan = _resumed(session, plan)
        plan.check()
        report = plan.dry_run
        if report is None:
            words = f"Importing {plan.file_name}"
            with output.progress(words, plan.total_estimate) as advance:
                report = run_import(crm, who, plan, progress=advance)
        if errors is not None:
            write_issue_file(report, errors)
        _show(output, plan, report, errors)
        output.answer(_data(plan, report, errors))
    raise typer.Exit(ExitCode.PROBLEM if report.failed else ExitCode.DONE)


def _resumed(session: Session, plan: ImportPlan) -> ImportPlan:
    """Return the plan of the same file's import that was broken off, if there is one."""
    if plan.repeats is None or plan.dry_run is not None:
        return plan
    try:
        earlier = session.exchange.report(plan.repeats)
    except NotFound:
        return plan
    if earlier.finished:
        return plan
    problems = tuple(p for p in plan.problems if p.field != "file")
    return attrs.evolve(plan, job_id=plan.repeats, problems=problems)


def _show(
    output: Output, plan: ImportPlan, report: ImportReport, errors: Path | None
) -> None:
    columns = [
        (column.header or column.position + 1, column.field or "-", column.first_value)
        for column in plan.columns
    ]
    title = f"{plan.file_name}: {plan.encoding}, delimiter {plan.delimiter!r}"
    output.show(table(("column", "field", "first value"), columns, title))
    if report.issues:
        output.show(issue_table(report.issues[:_SHOWN], report.locale))
    if report.issue_count > _SHOWN:
        output.show(f"{report.issue_count - _SHOWN} more remarks: --errors, --json.")
    counts = attrs.asdict(report.counts).items()
    words = ", ".join(f"{number} {name}" for name, number in counts if number)
    output.show(f"{'Dry run: ' if plan.dry_run else ''}{words or 'no rows'}")
    if errors is not None:
        output.show(f"Written: {errors}")


def _data(
    plan: ImportPlan, report: ImportReport, errors: Path | None
) -> dict[str, Any]:
    return {
        "file": plan.file_name,
        "entity": plan.entity,
        "encoding": plan.encoding,
        "delimiter": plan.delimiter,
        "has_header": plan.has_header,
        "columns": {
            column.header or str(column.position + 1): column.field
            for column in plan.columns
        },
        "dry_run": plan.dry_run is not None,
        **attrs.asdict(report.counts),
        "finished": report.finished,
        "job_id": report.job_id,
        "issue_count": report.issue_count,
        "issues": [issue_data(issue, report.locale) for issue in report.issues],
        "errors": str(errors) if errors else None,
    }
