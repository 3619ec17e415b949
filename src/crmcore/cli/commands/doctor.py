"""``crmcore doctor``: is this set-up fit for use, and if not, why."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import typer

from crmcore.access import SYSTEM
from crmcore.cli.exits import ExitCode, exit_code
from crmcore.cli.options import JSONOption, StoreOption, TenantOption
from crmcore.cli.output import answering, table
from crmcore.cli.stores import open_crm, shown_url
from crmcore.criteria import F
from crmcore.crm import CRM, DEFAULT_TENANT
from crmcore.errors import CRMError
from crmcore.storage import MissingIndex

__all__ = ["clock_problems", "doctor", "scanning"]

_PACKAGES = (
    "crmcore",
    "attrs",
    "cattrs",
    "Babel",
    "phonenumbers",
    "SQLAlchemy",
    "alembic",
    "psycopg",
    "PyMySQL",
    "pymongo",
    "chardet",
    "altair",
    "vl-convert-python",
)
_BUILD = "Indexes of custom fields are missing: crm.build_indexes() builds them."
#: A clock that shows an earlier time was never set.
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
#: Clocks of several machines may differ by this much.
_TOLERANCE = timedelta(minutes=5)


def doctor(
    store: StoreOption,
    tenant: TenantOption = DEFAULT_TENANT,
    as_json: JSONOption = False,
) -> None:
    """Check versions, the store, its schema and its set-up, and the clock."""
    with answering(as_json) as output:
        with open_crm(store, tenant, verify=False) as crm:
            health = crm.health()
            problems = list(health.problems)
            missing: Sequence[MissingIndex] = ()
            code, trouble = _state(crm)
            if trouble is None:
                problems += clock_problems(crm)
                missing = crm.store.missing_indexes(crm.schema())
                if any(not index.reason for index in missing):
                    problems.append(_BUILD)
            elif not problems:
                problems.append(trouble)
            facts = {"store": crm.store.name, "url": shown_url(store), **health.facts}
        code = code or (ExitCode.PROBLEM if problems else ExitCode.DONE)
        versions = _versions()
        output.show(table(("what", "version"), versions.items(), "Versions"))
        output.show(table(("fact", "value"), facts.items(), "Store"))
        scans = scanning(missing)
        for line in scans:
            output.show(f"[yellow]A filter reads all records:[/] {line}")
        for problem in problems:
            output.show(f"[bold red]Problem:[/] {problem}")
        if not problems:
            output.show("[green]All is well.[/]")
        output.answer(
            {"versions": versions, "store": facts, "scans": scans, "problems": problems}
        )
    raise typer.Exit(code)


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _state(crm: CRM) -> tuple[ExitCode, str | None]:
    """Return the exit code of a store that cannot be used, and why it cannot."""
    try:
        crm.store.verify(crm.declared_schema)
    except CRMError as error:
        return exit_code(error), str(error)
    return ExitCode.DONE, None


def scanning(missing: Sequence[MissingIndex]) -> list[str]:
    """Return the fields whose filters read every record, and why."""
    return [
        f"{index.field}: {index.reason or f'the index {index.name} is missing'}"
        for index in missing
    ]


def clock_problems(crm: CRM) -> Iterator[str]:
    """Yield what is wrong with the clock: never set, or behind what is stored."""
    now = crm.environment.clock.now()
    if now < _EARLIEST:
        yield f"The clock shows {now:%Y-%m-%d}: it was never set."
    newest = _newest(crm)
    if newest is not None and newest > now + _TOLERANCE:
        yield f"Records were written at {newest:%Y-%m-%d %H:%M} UTC, which is to come."


def _newest(crm: CRM) -> datetime | None:
    """Return when the youngest record of the tenant was changed."""
    found: list[datetime] = []
    with crm.session(SYSTEM) as session:
        for entity in crm.declared_schema.entities.values():
            measures = {"newest": F.updated_at.max()}
            (group,) = session.aggregate(entity.record_class, measures)
            if group["newest"] is not None:
                found.append(group["newest"])
    return max(found, default=None)
