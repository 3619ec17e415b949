"""Rows to values: each cell through its column's reader, parts put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from crmcore.exchange.cells import CellReader, is_reference, reader_of
from crmcore.exchange.columns import Column, ColumnMapping, target_of
from crmcore.exchange.plan import ImportPlan
from crmcore.exchange.report import RowIssue, plain_data
from crmcore.exchange.rows import Row
from crmcore.i18n import LOCALES, translate
from crmcore.records import (
    Address,
    AddressBlock,
    EntityDef,
    Geolocation,
    ListOf,
    Money,
    MoneyAmount,
    Refused,
)
from crmcore.sales import SalesSettings
from crmcore.unit import UnitOfWork

__all__ = ["Entry", "RowReader", "column_reader", "references_of"]

#: Characters of a cell that a report shows.
SHOWN = 200


@attrs.define(eq=False)
class Entry:
    """One row on its way: the values found, the names still to look up, the remarks.

    ``values`` holds what cells and defaults give, ``given`` the fields that cells
    fill; ``names`` the texts by which reference cells call records.
    """

    row: Row
    values: dict[str, Any] = attrs.field(factory=dict)
    given: set[str] = attrs.field(factory=set)
    names: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    issues: list[RowIssue] = attrs.field(factory=list)
    _part_values: dict[str, dict[str, Any]] = attrs.field(factory=dict)

    def remark(
        self,
        outcome: str,
        reason: str,
        field: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a remark; the value shown is the field's cell."""
        value = self.texts.get(field) if field else None
        shown = value[:SHOWN] if value else None
        data = plain_data(details or {})
        self.issues.append(RowIssue(self.row.line, outcome, field, shown, reason, data))

    def refuse(self, field: str | None, reason: str, **details: Any) -> None:
        """Note why the row cannot be taken."""
        self.remark("failed", reason, field, details)

    def keep_part(self, field: str, part: str, value: Any) -> None:
        """Keep one part of an address or an amount until all parts are read."""
        self._part_values.setdefault(field, {})[part] = value

    def join_parts(self, entity: EntityDef) -> None:
        """Put the parts of addresses and amounts together."""
        for name, parts in self._part_values.items():
            kind = entity.fields[name].type
            if isinstance(kind, AddressBlock):
                self.values[name] = Address(**parts)
            elif isinstance(kind, Geolocation):
                self._join_position(name, parts)
            elif isinstance(kind, MoneyAmount):
                amount = self.values.get(name)
                currency = str(parts["currency"]).strip().upper()
                if isinstance(amount, Money):
                    self.values[name] = Money(amount.amount, currency)

    def _join_position(self, name: str, parts: Mapping[str, Any]) -> None:
        """Put a position together; half a position is none."""
        if set(parts) == {"latitude", "longitude"}:
            self.values[name] = dict(parts)
        else:
            self.refuse(name, "not_position")


@attrs.frozen
class _Cell:
    """How one column is read."""

    position: int
    target: str
    name: str
    part: str | None
    reader: CellReader
    refers: bool
    plural: bool
    plain: bool


class RowReader:
    """Reads all rows of one import."""

    def __init__(self, unit: UnitOfWork, plan: ImportPlan) -> None:
        self._entity = unit.schema.entity(plan.entity)
        self._width = plan.width
        self._cells = tuple(
            self._cell(unit, column) for column in plan.columns if column.field
        )
        self._defaults = tuple(
            (self._cell(unit, Column(-1, "", "", ColumnMapping(name))), value)
            for name, value in plan.defaults.items()
        )

    def _cell(self, unit: UnitOfWork, column: Column) -> _Cell:
        reader = column_reader(unit, self._entity, column)
        field, part = reader.target.field, reader.target.part
        plural = isinstance(field.type, ListOf)
        refers = is_reference(field.type)
        target = column.field or field.name
        plain = reader.is_plain and not (part or refers or plural)
        return _Cell(
            column.position, target, field.name, part, reader, refers, plural, plain
        )

    def read(self, row: Row) -> Entry:
        """Return the values of a row, with a remark for each bad cell."""
        entry = Entry(row)
        if row.reason is not None:
            entry.refuse(None, row.reason)
            return entry
        cells = row.cells
        if len(cells) != self._width:
            entry.refuse(
                None, "wrong_cell_count", found=len(cells), expected=self._width
            )
            return entry
        filled = set()
        for cell in self._cells:
            text = cells[cell.position].strip()
            if text:
                filled.add(cell.target)
                entry.given.add(cell.name)
                self._read_cell(entry, cell, text)
            elif cell.reader.default is not None:
                filled.add(cell.target)
                self._take_default(entry, cell, cell.reader.default)
        for cell, value in self._defaults:
            if cell.target not in filled:
                self._take_default(entry, cell, value)
        entry.join_parts(self._entity)
        return entry

    def _read_cell(self, entry: Entry, cell: _Cell, text: str) -> None:
        entry.texts[cell.name] = text
        if cell.plain:
            entry.values[cell.name] = text
            return
        try:
            value = cell.reader.value(text)
        except Refused as refused:
            entry.refuse(cell.name, refused.reason, **refused.details)
            return
        self._keep(entry, cell, value)

    def _take_default(self, entry: Entry, cell: _Cell, default: Any) -> None:
        """Use a default: text is read like a cell, another value is taken as it is."""
        if isinstance(default, str):
            self._read_cell(entry, cell, default)
        else:
            self._keep(entry, cell, default, looked_up=True)

    def _keep(
        self, entry: Entry, cell: _Cell, value: Any, *, looked_up: bool = False
    ) -> None:
        if cell.refers and value and not looked_up:
            names = value if cell.plural else (value,)
            entry.names[cell.name] = tuple(str(name) for name in names)
        elif cell.part:
            entry.keep_part(cell.name, cell.part, value)
        elif value is not None and value != "":
            entry.values[cell.name] = value


def column_reader(unit: UnitOfWork, entity: EntityDef, column: Column) -> CellReader:
    """Return the reader of a column that has a target."""
    assert column.field is not None
    target = target_of(entity, column.field)
    assert target is not None
    choices = _stages(unit, entity, target.field.name)
    conventions = unit.context.conventions
    return reader_of(target, column.mapping, conventions, choices)


def _stages(unit: UnitOfWork, entity: EntityDef, field: str) -> dict[str, str] | None:
    """Return label or key -> key where the field is an opportunity's stage."""
    if (entity.name, field) not in _STAGED:
        return None
    pipelines = unit.settings(SalesSettings).pipelines
    places: Iterable[Any] = pipelines
    if field == "stage":
        places = [stage for pipeline in pipelines for stage in pipeline.stages]
    labels = {
        translate(place.label, locale): place.key
        for place in places
        for locale in LOCALES
    }
    return {**labels, **{place.key: place.key for place in places}}


_STAGED = frozenset({("opportunity", "stage"), ("opportunity", "pipeline")})


def references_of(entries: Iterable[Entry]) -> dict[str, set[str]]:
    """Return reference field -> all names that cells hold."""
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        for field, names in entry.names.items():
            wanted.setdefault(field, set()).update(names)
    return wanted
