"""``session.exchange``: planning imports, small imports, saved mappings, reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

import attrs

from crmcore.criteria import F
from crmcore.errors import NotFound, ValidationError
from crmcore.exchange.columns import ColumnMapping
from crmcore.exchange.dry_run import try_out
from crmcore.exchange.entities import ImportMapping
from crmcore.exchange.jobs import (
    batches,
    finish_job,
    import_rows,
    issues_of,
    known_job,
    open_job,
    report_of,
)
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.planning import File, Wishes, make_plan
from crmcore.exchange.reading import RowReader
from crmcore.exchange.report import ImportReport, RowIssue, write_issues
from crmcore.exchange.running import BATCH_SIZE
from crmcore.records import Record
from crmcore.unit import UnitOfWork

__all__ = ["ExchangeService", "Wanted"]

#: Column, by header or by number from 1 -> field key or :class:`ColumnMapping`.
Wanted = Mapping[str | int, Any]


class ExchangeService:
    """What a session offers as ``session.exchange``."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    # -- plans -------------------------------------------------------------------------

    def plan_import(
        self,
        file: File,
        kind: type[Record] | str,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        has_header: bool | None = None,
        mapping: str | Wanted | None = None,
        defaults: Mapping[str, Any] | None = None,
        mode: str = "create",
        match_on: tuple[str, ...] | None = None,
        duplicates: str = "skip",
        locale: str | None = None,
        dry_run: bool = False,
    ) -> ImportPlan:
        """Return the plan of an import: a value; nothing is written (IMP-01 to IMP-03).

        ``file`` is a path, a binary stream that can seek, or bytes. Encoding, delimiter
        and header are recognised unless they are given. ``mapping`` adds to and
        overrides the columns recognised by key, label or usual name: column -> field, or
        the name of a saved mapping; None leaves a column out, a list fills several.
        ``defaults`` fill fields of rows that leave them empty. ``mode`` is ``create``, ``update`` or ``upsert``;
        ``match_on`` the fields by which a row means an existing record (the external id
        if there is one). ``duplicates`` says what becomes of rows that look like an
        existing record: ``skip``, ``merge`` (fill its empty fields), ``create`` (and
        remark it) or ``off`` (do not look). With a ``locale`` (``"de"``, or
        ``session.formats.language`` for the actor's own) numbers, amounts and days are
        read strictly as people write them there; without one each cell is read by what
        it shows. ``dry_run`` tries all rows out.

        What is wrong with the mapping stands in the plan's ``problems``. Raises
        ImportRejected for a file that cannot be read, AccessDenied, MissingExtra.
        """
        wishes = Wishes(
            encoding=encoding,
            delimiter=delimiter,
            has_header=has_header,
            mapping=self._mapping(kind, mapping),
            defaults=defaults or {},
            mode=mode,
            match_on=tuple(match_on) if match_on is not None else None,
            duplicates=duplicates,
            locale=locale,
        )
        plan = make_plan(self._unit, file, kind, wishes)
        return self.try_out(plan) if dry_run and plan.is_valid else plan

    def try_out(self, plan: ImportPlan) -> ImportPlan:
        """Return the plan with what would become of each row; nothing is written."""
        plan.check()
        return attrs.evolve(plan, dry_run=try_out(self._unit, plan))

    def apply(self, plan: ImportPlan) -> ImportReport:
        """Import a small file within this session's own unit of work.

        All of it is committed or rolled back with the session; a file of many thousand
        rows is imported by :func:`crmcore.exchange.run_import`, in batches.

        Raises ImportRejected where the plan has problems, and whatever a batch raises.
        """
        payload = [plan.digest, plan.fingerprint(), plan.job_id]
        key = self._unit.perform("exchange.apply", payload, lambda: self._apply(plan))
        return self.report(key)

    def _apply(self, plan: ImportPlan) -> str:
        unit = self._unit
        job = open_job(unit, plan, BATCH_SIZE)
        reader = RowReader(unit, plan)
        for rows in batches(plan, job.checkpoint or 0, BATCH_SIZE):
            job = import_rows(unit, plan, job, rows, reader)
        finish_job(unit, job)
        return plan.job_id

    # -- reports -----------------------------------------------------------------------

    def report(self, job_id: str) -> ImportReport:
        """Return what became of the rows of an import, finished or not.

        Raises NotFound for an unknown job, or one that the actor may not see.
        """
        return report_of(self._unit, known_job(self._unit, job_id))

    def issues(self, job_id: str) -> Iterator[RowIssue]:
        """Yield all remarks on the rows of an import, in the order of the file."""
        yield from issues_of(self._unit, known_job(self._unit, job_id))

    def write_report(self, job_id: str, target: IO[str]) -> None:
        """Write all remarks as CSV to a text file opened with ``newline=""``."""
        locale = self._unit.context.conventions.locale
        write_issues(self.issues(job_id), target, locale)

    # -- saved mappings ----------------------------------------------------------------

    def save_mapping(
        self,
        name: str,
        mapping: ImportPlan | Wanted,
        kind: type[Record] | str | None = None,
    ) -> ImportMapping:
        """Save the columns of a plan, or a mapping for ``kind``, under a name (IMP-02).

        A mapping of the same name that the actor may edit is replaced.
        """
        if isinstance(mapping, ImportPlan):
            entity, columns = mapping.entity, _columns_of(mapping)
        else:
            if kind is None:
                raise ValidationError.of("kind", "required")
            entity = self._unit.schema.entity(kind).name
            columns = _columns_told(mapping)
        text = json.dumps(columns, ensure_ascii=False, default=str)
        found = self._saved(name)
        if found is not None:
            return self._unit.update(found, entity=entity, columns=text)
        return self._unit.create(ImportMapping(name=name, entity=entity, columns=text))

    def mappings(self, kind: type[Record] | str) -> tuple[ImportMapping, ...]:
        """Return the saved mappings for an entity that the actor may see, by name."""
        entity = self._unit.schema.entity(kind).name
        same = F.entity == entity
        return tuple(self._unit.stream(ImportMapping, same, order_by=[F.name.asc()]))

    def _saved(self, name: str) -> ImportMapping | None:
        found = self._unit.find(ImportMapping, F.name == name, limit=1)
        return next(iter(found), None)

    def _mapping(
        self, kind: type[Record] | str, given: str | Wanted | None
    ) -> Wanted | None:
        if not isinstance(given, str):
            return given
        saved = self._saved(given)
        entity = self._unit.schema.entity(kind).name
        if saved is None or saved.entity != entity:
            raise NotFound(entity="import_mapping", id=given)
        wanted: dict[str | int, list[ColumnMapping]] = {}
        for item in json.loads(saved.columns or "[]"):
            mapping = ColumnMapping(**item["mapping"])
            wanted.setdefault(item["column"], []).append(mapping)
        return wanted


def _columns_of(plan: ImportPlan) -> list[dict[str, Any]]:
    return [
        _to_json(column.header or column.position + 1, column.mapping)
        for column in plan.columns
    ]


def _columns_told(mapping: Wanted) -> list[dict[str, Any]]:
    return [
        _to_json(column, wish)
        for column, wishes in mapping.items()
        for wish in (wishes if isinstance(wishes, (list, tuple)) else (wishes,))
    ]


def _to_json(column: str | int, wish: Any) -> dict[str, Any]:
    mapping = wish if isinstance(wish, ColumnMapping) else ColumnMapping(wish)
    return {"column": column, "mapping": attrs.asdict(mapping)}
