"""Making the plan: recognise the file, map its columns, find what stands in the way."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import attrs

from crmcore.criteria import F
from crmcore.errors import REASONS, AccessDenied, ImportRejected, Problem
from crmcore.exchange.columns import (
    Column,
    ColumnMapping,
    check_columns,
    guess_columns,
    is_known_name,
    mapped_columns,
    read_mapping,
    target_of,
)
from crmcore.exchange.dates import DATE_ORDERS, detect_order
from crmcore.exchange.dialect import check_delimiter, detect_delimiter, detect_header
from crmcore.exchange.encoding import (
    check_encoding,
    detect_encoding,
    marked_encoding,
)
from crmcore.exchange.entities import ImportJob
from crmcore.exchange.plan import DUPLICATE_CHOICES, MODES, ImportPlan
from crmcore.exchange.reading import column_reader
from crmcore.exchange.reasons import explain
from crmcore.exchange.rows import Row, read_rows
from crmcore.exchange.source import FileSource, Scan, open_source
from crmcore.i18n.dates import date_order
from crmcore.i18n.locales import is_locale
from crmcore.records import DateOnly, DateTime, EntityDef, Refused
from crmcore.unit import UnitOfWork

__all__ = ["Wishes", "make_plan"]

_HEAD = 100_000
_SAMPLED_ROWS = 1_000

File = str | os.PathLike[str] | BinaryIO | bytes


@attrs.frozen(kw_only=True)
class Wishes:
    """What the caller says of an import; None is found out."""

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    mapping: Mapping[str | int, Any] | None = None
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    mode: str = "create"
    match_on: tuple[str, ...] | None = None
    duplicates: str = "skip"
    locale: str | None = None


def make_plan(unit: UnitOfWork, file: File, kind: Any, wishes: Wishes) -> ImportPlan:
    """Return the plan of importing ``file``; raises ImportRejected, AccessDenied."""
    entity = unit.schema.entity(kind)
    _authorise(unit, entity, wishes.mode)
    entity = _without_hidden(unit, entity)
    source = open_source(file)
    scan = source.scan()
    encoding = _encoding(source, scan, wishes)
    delimiter = _delimiter(source, encoding, wishes)
    locale = unit.context.conventions.locale
    sample = _sample(source, encoding, delimiter, locale)
    has_header = wishes.has_header
    if has_header is None:
        has_header = detect_header(sample[0].cells, lambda t: is_known_name(entity, t))
    problems: list[Problem] = []
    columns = _columns(unit, entity, sample, has_header, wishes, problems)
    plan = ImportPlan(
        entity=entity.name,
        source=source,
        digest=scan.digest,
        size=scan.size,
        lines=scan.lines,
        encoding=encoding,
        delimiter=delimiter,
        has_header=has_header,
        columns=columns,
        defaults=_defaults(unit, entity, columns, wishes),
        mode=wishes.mode,
        match_on=_match_on(entity, columns, wishes, problems),
        duplicates=wishes.duplicates,
        job_id=str(unit.context.ids.new()),
    )
    return _checked(unit, entity, plan, problems)


def _authorise(unit: UnitOfWork, entity: EntityDef, mode: str) -> None:
    if mode not in MODES:
        raise _rejected("mode", "not_an_option", value=str(mode)[:40])
    if entity.managed:
        raise AccessDenied(action="import", entity=entity.name)
    unit.decisions.require(entity, "import")
    for action in {"create": ("create",), "update": ("edit",)}.get(
        mode, ("create", "edit")
    ):
        unit.decisions.require(entity, action)


def _rejected(field: str, reason: str, **details: Any) -> ImportRejected:
    problem = Problem(field, reason, details)
    return ImportRejected([problem], problem=problem.message())


def _encoding(source: FileSource, scan: Scan, wishes: Wishes) -> str:
    if not scan.size:
        raise _rejected("file", "unreadable", problem="it is empty")
    if wishes.encoding is not None:
        encoding = check_encoding(wishes.encoding)
        if encoding == "utf-8" and marked_encoding(scan.sample) == "utf-8-sig":
            encoding = "utf-8-sig"
    else:
        marked = marked_encoding(scan.sample)
        encoding = marked or ("utf-8" if scan.utf8 else detect_encoding(scan.sample))
    source.check_decodes(encoding)
    return encoding


def _delimiter(source: FileSource, encoding: str, wishes: Wishes) -> str:
    if wishes.delimiter is not None:
        return check_delimiter(wishes.delimiter)
    with source.text(encoding) as text:
        head = text.read(_HEAD)
    lines = head.splitlines(keepends=True)
    whole = lines[:-1] if len(head) == _HEAD and len(lines) > 1 else lines
    return detect_delimiter("".join(whole))


def _sample(
    source: FileSource, encoding: str, delimiter: str, locale: str
) -> list[Row]:
    with source.text(encoding) as text:
        rows = list(itertools.islice(read_rows(text, delimiter), _SAMPLED_ROWS))
    if not rows:
        raise _rejected("file", "unreadable", problem="it is empty")
    if rows[0].reason is not None:
        problem = explain(rows[0].reason, locale, {})
        raise _rejected("file", "unreadable", problem=problem)
    return rows


def _columns(
    unit: UnitOfWork,
    entity: EntityDef,
    sample: Sequence[Row],
    has_header: bool,
    wishes: Wishes,
    problems: list[Problem],
) -> tuple[Column, ...]:
    data = [row for row in sample[int(has_header) :] if row.reason is None]
    if has_header:
        headers = [cell.strip() for cell in sample[0].cells]
    else:
        headers = [""] * len(sample[0].cells)
    told = read_mapping(wishes.mapping or {}, headers, problems)
    taken = {mapping.field for each in told.values() for mapping in each}
    guessed = guess_columns(entity, headers) if has_header else {}
    fixed = unit.rights(entity).fixed_in(None)
    mappings: dict[int, tuple[ColumnMapping, ...]] = {
        position: (ColumnMapping(field),)
        for position, field in guessed.items()
        if position not in told and field not in taken and field not in fixed
    }
    mappings.update(told)
    first = data[0].cells if data else ()
    columns = mapped_columns(entity, headers, first, mappings)
    columns = tuple(_in_locale(column, wishes.locale) for column in columns)
    return tuple(_with_order(unit, entity, column, data) for column in columns)


def _without_hidden(unit: UnitOfWork, entity: EntityDef) -> EntityDef:
    """Return the entity as the actor knows it (ACC-09)."""
    hidden = unit.rights(entity).sometimes_hidden
    if not hidden:
        return entity
    kept = {n: f for n, f in entity.fields.items() if n not in hidden}
    return attrs.evolve(entity, fields=kept)


def _in_locale(column: Column, locale: str | None) -> Column:
    mapping = column.mapping
    chosen = mapping.locale or locale
    if chosen is None or not is_locale(chosen):
        return attrs.evolve(column, mapping=attrs.evolve(mapping, locale=chosen))
    order = mapping.date_order or date_order(chosen)
    mapping = attrs.evolve(mapping, locale=chosen, date_order=order)
    return attrs.evolve(column, mapping=mapping)


def _with_order(
    unit: UnitOfWork, entity: EntityDef, column: Column, data: Sequence[Row]
) -> Column:
    """Return the column of dates with the order that its cells prove."""
    target = target_of(entity, column.field) if column.field else None
    if target is None or not isinstance(target.field.type, (DateOnly, DateTime)):
        return column
    if column.mapping.date_order is not None:
        return column
    here = column.position
    order = detect_order(row.cells[here] for row in data if here < len(row.cells))
    if order is None:
        region = unit.context.conventions.region
        order = None if region is None else _ORDER_OF_REGION.get(region, "dmy")
    mapping = attrs.evolve(column.mapping, date_order=order)
    return attrs.evolve(column, mapping=mapping)


#: Where day and month are not written day first.
_ORDER_OF_REGION = {"US": "mdy", "CN": "ymd", "TW": "ymd", "JP": "ymd", "KR": "ymd"}


def _defaults(
    unit: UnitOfWork, entity: EntityDef, columns: Sequence[Column], wishes: Wishes
) -> dict[str, Any]:
    defaults = dict(wishes.defaults)
    told = {column.field for column in columns} | unit.rights(entity).fixed_in(None)
    if "entry_way" in entity.fields and "entry_way" not in told:
        defaults.setdefault("entry_way", "imported")
    return defaults


def _match_on(
    entity: EntityDef,
    columns: Sequence[Column],
    wishes: Wishes,
    problems: list[Problem],
) -> tuple[str, ...]:
    """Return the fields by which rows mean existing records."""
    mapped = {column.field for column in columns}
    if wishes.match_on is not None:
        missing = [name for name in wishes.match_on if name not in mapped]
        problems.extend(Problem(name, "not_mapped") for name in missing)
        return tuple(name for name in wishes.match_on if name in mapped)
    unique = sorted(
        (f.name for f in entity.unique_fields if f.name in mapped),
        key=lambda name: name != "external_id",
    )
    if wishes.mode == "create":
        looks = wishes.duplicates in ("skip", "merge")
        return ("external_id",) if looks and "external_id" in unique else ()
    if not unique:
        problems.append(Problem("match_on", "required"))
    return tuple(unique[:1])


def _checked(
    unit: UnitOfWork, entity: EntityDef, plan: ImportPlan, problems: list[Problem]
) -> ImportPlan:
    if plan.duplicates not in DUPLICATE_CHOICES:
        value = str(plan.duplicates)[:40]
        problems.append(Problem("duplicates", "not_an_option", {"value": value}))
    filled = {name.partition(".")[0] for name in plan.defaults}
    creates = plan.mode != "update"
    problems.extend(check_columns(entity, plan.columns, filled, creates=creates))
    problems.extend(_bad_orders(plan.columns))
    problems.extend(_bad_locales(plan.columns))
    problems.extend(_bad_defaults(unit, entity, plan))
    repeats = _earlier(unit, plan)
    if repeats is not None and _would_double(unit, entity, plan):
        problems.append(Problem("file", "duplicate"))
    return attrs.evolve(plan, problems=tuple(problems), repeats=repeats)


def _bad_orders(columns: Sequence[Column]) -> list[Problem]:
    return [
        Problem(str(column.field), "not_an_option", {"value": order})
        for column in columns
        if (order := column.mapping.date_order) not in (None, *DATE_ORDERS)
    ]


def _bad_locales(columns: Sequence[Column]) -> list[Problem]:
    wrong = {
        locale
        for column in columns
        if (locale := column.mapping.locale) is not None and not is_locale(locale)
    }
    return [
        Problem("locale", "unknown_language", {"value": str(locale)[:60]})
        for locale in sorted(wrong, key=str)
    ]


def _bad_defaults(
    unit: UnitOfWork, entity: EntityDef, plan: ImportPlan
) -> list[Problem]:
    """Return the problems of defaults; those naming records are looked up later."""
    given = {**plan.defaults}
    for column in plan.columns:
        if column.field and column.default is not None:
            given[column.field] = column.default
    problems = []
    for name, value in given.items():
        target = target_of(entity, name)
        if target is None:
            details = {"entity": entity.name}
            problems.append(Problem(name[:80], "unknown_field", details))
        elif not target.part and target.field.name not in _names(entity):
            problem = _bad_default(unit, entity, name, value)
            if problem is not None:
                problems.append(problem)
    return problems


def _names(entity: EntityDef) -> frozenset[str]:
    return frozenset(field.name for field in entity.references)


def _bad_default(
    unit: UnitOfWork, entity: EntityDef, name: str, value: Any
) -> Problem | None:
    reader = column_reader(unit, entity, Column(0, "", "", ColumnMapping(name)))
    kind = entity.fields[name].type
    try:
        given = reader.read(value) if isinstance(value, str) else value
        kind.coerce(given, unit.context.conventions)
    except Refused as refused:
        known = refused.reason in REASONS
        return Problem(name, refused.reason if known else "malformed", refused.details)
    return None


def _earlier(unit: UnitOfWork, plan: ImportPlan) -> str | None:
    """Return the key of an earlier job that imported the same bytes the same way."""
    same = (F.digest == plan.digest) & (F.mapping == plan.fingerprint())
    jobs = unit.all_of(ImportJob, same)
    return jobs[-1].key if jobs else None


def _would_double(unit: UnitOfWork, entity: EntityDef, plan: ImportPlan) -> bool:
    """Tell whether nothing would recognise the rows that exist already (DUP-05)."""
    if plan.mode != "create" or plan.duplicates in ("create", "off"):
        return False
    mapped = {column.field for column in plan.columns}
    known = any(field.name in mapped for field in entity.unique_fields)
    rules = unit.environment.match_rules
    return not known and not any(entity.name in rule.entities for rule in rules)
