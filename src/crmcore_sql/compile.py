"""Criteria to SQL: the shape of a condition, its values, and its expression.

Negation is compiled at its node as ``IS NOT TRUE``, so that unknown counts as false
everywhere and the complement is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import sqlalchemy as sa

from crmcore.criteria import (
    Bound,
    BoundAnd,
    BoundColumn,
    BoundConstant,
    BoundNot,
    BoundOr,
    Operator,
    Test,
)
from crmcore.records import EntityDef, Storage
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import Expression
from crmcore_sql.statements import Slots
from crmcore_sql.tables import NEVER_MISSING

__all__ = ["Compiler", "Shaper", "column_shape", "may_be_missing"]


def column_shape(target: BoundColumn) -> Hashable:
    """Return what identifies a column's expression."""
    column, hop = target.column, target.hop
    reached = None if hop is None else (hop.name, hop.custom, target.entity.name)
    plural = type(column.field.type) if column.storage is Storage.JSON else None
    return (reached, column.name, column.storage, column.field.custom, plural)


def may_be_missing(target: BoundColumn) -> bool:
    """Tell whether the column can be NULL."""
    column = target.column
    return (
        target.hop is not None or column.is_custom or column.name not in NEVER_MISSING
    )


class Shaper:
    """Lists the values of a query and tells its shape.

    ``walking``: the statement walks an index in order until it has enough rows.
    """

    def __init__(self, dialect: Dialect, *, walking: bool) -> None:
        self._dialect = dialect
        self._walking = walking
        self.values: list[Any] = []
        self.has_list = False

    def shape(self, bound: Bound) -> Hashable:
        """Return the shape of a condition; its values are appended."""
        if isinstance(bound, Test):
            return self._test(bound)
        if isinstance(bound, BoundAnd):
            return ("and", *[self.shape(part) for part in bound.parts])
        if isinstance(bound, BoundOr):
            return ("or", *[self.shape(part) for part in bound.parts])
        if isinstance(bound, BoundNot):
            return ("not", self.shape(bound.part))
        assert isinstance(bound, BoundConstant)
        return bound.value

    def _test(self, test: Test) -> Hashable:
        kind, values = parameters(self._dialect, test, walking=self._walking)
        self.values += values
        self.has_list = self.has_list or test.operator is Operator.IN
        return (test.operator, column_shape(test.target), kind, len(values))


def parameters(dialect: Dialect, test: Test, *, walking: bool) -> tuple[Any, list[Any]]:
    """Return what kind of parameters a test needs, and the parameters."""
    operator, column = test.operator, test.target.column
    if operator is Operator.NULL:
        return None, []
    if operator is Operator.IN:
        return dialect.in_values(column, test.value, walking=walking)
    if operator is Operator.ANY_OF:
        return None, dialect.any_values(column, test.value)
    if operator is Operator.CONTAINS:
        return None, [test.value]
    if operator is Operator.PREFIX:
        return dialect.prefix_values(test.value)
    return None, [dialect.to_database(column, test.value)]


_COMPARISONS: dict[Operator, Callable[[Expression, Expression], Expression]] = {
    Operator.EQUAL: lambda stored, value: stored == value,
    Operator.LESS: lambda stored, value: stored < value,
    Operator.LESS_OR_EQUAL: lambda stored, value: stored <= value,
    Operator.GREATER: lambda stored, value: stored > value,
    Operator.GREATER_OR_EQUAL: lambda stored, value: stored >= value,
}


class Compiler:
    """Builds the expressions of one statement, and the joins that they need."""

    def __init__(
        self,
        dialect: Dialect,
        table_of: Callable[[EntityDef], sa.Table],
        entity: EntityDef,
        slots: Slots,
        *,
        walking: bool,
    ) -> None:
        self._dialect = dialect
        self._table_of = table_of
        self._walking = walking
        self.slots = slots
        self.table = table_of(entity)
        self._joined: dict[str, sa.FromClause] = {}
        self.source: sa.FromClause = self.table

    # -- columns ---------------------------------------------------------------------

    def _from(self, target: BoundColumn) -> Any:
        """Return the columns of the table that holds the target, joined where needed."""
        hop = target.hop
        if hop is None:
            return self.table.c
        alias = self._joined.get(hop.name)
        if alias is None:
            name = f"hop_{len(self._joined)}"
            alias = self._joined[hop.name] = self._table_of(target.entity).alias(name)
            condition = (alias.c.tenant == self.table.c.tenant) & (
                alias.c.id == self._reference(target)
            )
            self.source = self.source.outerjoin(alias, condition)
        return alias.c

    def _reference(self, target: BoundColumn) -> Expression:
        hop = target.hop
        assert hop is not None
        if not hop.custom:
            return self.table.c[hop.name]
        text = self._dialect.json_text(self.table.c.custom, hop.name)
        return self._dialect.identity_of(text)

    def column(self, target: BoundColumn) -> Expression:
        """Return the expression of a stored part."""
        columns = self._from(target)
        if target.column.is_custom:
            return self._dialect.custom_value(columns.custom, target.column)
        found: Expression = columns[target.column.name]
        return found

    # -- conditions ------------------------------------------------------------------

    def condition(self, bound: Bound) -> Expression:
        """Return the expression of a condition; it takes the slots of its values."""
        if isinstance(bound, Test):
            return self._test(bound)
        if isinstance(bound, BoundAnd):
            return sa.and_(sa.true(), *[self.condition(p) for p in bound.parts])
        if isinstance(bound, BoundOr):
            return sa.or_(sa.false(), *[self.condition(p) for p in bound.parts])
        if isinstance(bound, BoundNot):
            return self._complement(bound.part)
        assert isinstance(bound, BoundConstant)
        return sa.true() if bound.value else sa.false()

    def _complement(self, part: Bound) -> Expression:
        if isinstance(part, Test) and part.operator is Operator.NULL:
            return self.column(part.target).is_not(None)
        return self.condition(part).self_group().is_not(sa.true())

    def _test(self, test: Test) -> Expression:
        operator, target = test.operator, test.target
        kind, values = parameters(self._dialect, test, walking=self._walking)
        slots: list[Any] = self.slots.take_many(len(values))
        if operator is Operator.NULL:
            return self.column(target).is_(None)
        if operator is Operator.ANY_OF:
            columns = self._from(target)
            name = "custom" if target.column.is_custom else target.column.name
            return self._dialect.any_of(columns[name], target.column, slots)
        if operator in {Operator.CONTAINS, Operator.PREFIX}:
            return self._search(test, kind, slots)
        expression = self.column(target)
        if operator is Operator.IN:
            return self._dialect.in_list(expression, kind, slots, target.column)
        return _COMPARISONS[operator](expression, slots[0])

    def _search(self, test: Test, kind: Any, slots: list[Expression]) -> Expression:
        folded, field = self._from(test.target).folded, test.target.column.field
        text = self._dialect.json_text(folded, field.name)
        if test.operator is Operator.CONTAINS:
            return self._dialect.contains(text, slots[0])
        key = self._dialect.folded_value(folded, field)
        return self._dialect.prefix(text, key, kind, slots)
