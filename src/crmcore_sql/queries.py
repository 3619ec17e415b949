"""The statements of lists, counts and aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from crmcore.criteria import AggregateQuery, Bound, BoundGroup, BoundMeasure, Query
from crmcore.records import EntityDef
from crmcore_sql import keyset
from crmcore_sql.compile import Compiler, Shaper, column_shape, may_be_missing
from crmcore_sql.dialects import Dialect
from crmcore_sql.dialects.base import Expression
from crmcore_sql.keyset import Segment
from crmcore_sql.mapping import Mappings
from crmcore_sql.statements import Slots, Statement

__all__ = ["Queries"]


@attrs.frozen(eq=False)
class Queries:
    """Turns bound queries of one tenant into statements and their arguments."""

    dialect: Dialect
    mappings: Mappings

    def _compiler(self, entity: EntityDef, slots: Slots, *, walking: bool) -> Compiler:
        return Compiler(
            self.dialect,
            lambda target: self.mappings.of(target).table,
            entity,
            slots,
            walking=walking,
        )

    # -- lists -----------------------------------------------------------------------

    def select(
        self,
        tenant: str,
        query: Query,
        segment: Segment,
        limit: int | None,
        *,
        with_keys: bool = False,
    ) -> tuple[Statement, tuple[Any, ...]]:
        """Return the statement of one segment of a list.

        ``with_keys`` appends the values of the order's keys to each row.
        """
        walking = limit is not None
        shaper = Shaper(self.dialect, walking=walking)
        shape = (
            "select",
            self.dialect.generation,
            shaper.shape(query.where),
            tuple((column_shape(s.target), s.descending) for s in query.order),
            keyset.shape(query, segment),
            walking,
            query.lock,
            with_keys,
        )
        boundary = keyset.boundary_values(query, segment, self.dialect)
        values = [tenant, *shaper.values, *boundary]
        if walking:
            values.append(limit)
        statement = self.mappings.of(query.entity).statements.get(
            shape,
            lambda slots: self._select(query, segment, walking, with_keys, slots),
            one_shot=shaper.has_list,
        )
        return statement, statement.arguments(values)

    def _select(
        self,
        query: Query,
        segment: Segment,
        walking: bool,
        with_keys: bool,
        slots: Slots,
    ) -> sa.Select[Any]:
        mapping = self.mappings.of(query.entity)
        compiler = self._compiler(query.entity, slots, walking=walking)
        tenant = mapping.table.c.tenant == slots.take()
        where = compiler.condition(query.where)
        behind = keyset.condition(query, segment, compiler, self.dialect)
        keys = [compiler.column(sort.target) for sort in query.order]
        columns: list[Any] = list(mapping.read_columns)
        if with_keys:
            columns += [key.label(f"key_{n}") for n, key in enumerate(keys)]
        statement = (
            sa.select(*columns).select_from(compiler.source).where(tenant, where)
        )
        if behind is not None:
            statement = statement.where(behind)
        statement = statement.order_by(*self._order(query, keys))
        if walking:
            statement = statement.limit(slots.take(sa.Integer()))
        if query.lock:
            statement = statement.with_for_update(of=mapping.table)
        return statement

    def _order(
        self, query: Query, keys: Sequence[Expression]
    ) -> list[sa.UnaryExpression[Any]]:
        return [
            self.dialect.order(
                key,
                descending=sort.descending,
                nullable=may_be_missing(sort.target),
            )
            for sort, key in zip(query.order, keys, strict=True)
        ]

    # -- counts ----------------------------------------------------------------------

    def count(
        self, tenant: str, entity: EntityDef, where: Bound, cap: int | None
    ) -> tuple[Statement, tuple[Any, ...]]:
        """Return the statement that counts, up to ``cap``."""
        shaper = Shaper(self.dialect, walking=False)
        shape = ("count", self.dialect.generation, shaper.shape(where), cap is not None)
        values = [tenant, *shaper.values]
        if cap is not None:
            values.append(cap)
        statement = self.mappings.of(entity).statements.get(
            shape,
            lambda slots: self._count(entity, where, cap is not None, slots),
            one_shot=shaper.has_list,
        )
        return statement, statement.arguments(values)

    def _count(
        self, entity: EntityDef, where: Bound, capped: bool, slots: Slots
    ) -> sa.Select[Any]:
        compiler = self._compiler(entity, slots, walking=False)
        tenant = compiler.table.c.tenant == slots.take()
        condition = compiler.condition(where)
        one = sa.func.count() if not capped else sa.literal_column("1").label("one")
        found = sa.select(one).select_from(compiler.source).where(tenant, condition)
        if not capped:
            return found
        inner = found.limit(slots.take(sa.Integer())).subquery("found")
        return sa.select(sa.func.count()).select_from(inner)

    # -- aggregates ------------------------------------------------------------------

    def aggregate(
        self, tenant: str, query: AggregateQuery
    ) -> tuple[Statement, tuple[Any, ...]]:
        """Return the statement of an aggregate."""
        shaper = Shaper(self.dialect, walking=False)
        shape = (
            "aggregate",
            self.dialect.generation,
            shaper.shape(query.where),
            tuple((column_shape(g.target), g.unit) for g in query.groups),
            tuple(
                (m.function, None if m.target is None else column_shape(m.target))
                for m in query.measures
            ),
        )
        statement = self.mappings.of(query.entity).statements.get(
            shape, lambda slots: self._aggregate(query, slots), one_shot=shaper.has_list
        )
        return statement, statement.arguments([tenant, *shaper.values])

    def _aggregate(self, query: AggregateQuery, slots: Slots) -> sa.Select[Any]:
        compiler = self._compiler(query.entity, slots, walking=False)
        tenant = compiler.table.c.tenant == slots.take()
        where = compiler.condition(query.where)
        keys = [self._group(group, compiler) for group in query.groups]
        measures = [m for one in query.measures for m in self._measure(one, compiler)]
        columns = [c.label(f"c{n}") for n, c in enumerate([*keys, *measures])]
        if not columns:
            columns = [sa.literal_column("1").label("c0")]
        statement = sa.select(*columns).select_from(compiler.source)
        positions: list[Any] = [sa.literal_column(str(n + 1)) for n in range(len(keys))]
        return statement.where(tenant, where).group_by(*positions)

    def _group(self, group: BoundGroup, compiler: Compiler) -> Expression:
        expression = compiler.column(group.target)
        if group.unit is None:
            return expression
        return self.dialect.period(expression, group.unit, group.target.column)

    def _measure(self, measure: BoundMeasure, compiler: Compiler) -> list[Expression]:
        if measure.target is None:
            return [sa.func.count()]
        expression = compiler.column(measure.target)
        if measure.function == "count_values":
            return [sa.func.count(expression)]
        if measure.function == "sum":
            return self.dialect.sums(expression)
        column = measure.target.column
        return [self.dialect.extreme(measure.function, expression, column)]

    def groups_from(
        self, query: AggregateQuery, rows: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, ...]]:
        """Return keys and measures in stored form of what an aggregate gave."""
        return [self._group_from(query, row) for row in rows]

    def _group_from(self, query: AggregateQuery, row: Sequence[Any]) -> tuple[Any, ...]:
        result: list[Any] = []
        position = 0
        for group in query.groups:
            result.append(self._key_from(group, row[position]))
            position += 1
        for measure in query.measures:
            width = 1
            if measure.function == "sum" and measure.target is not None:
                width = len(self.dialect.sums(sa.null()))
            result.append(self._measure_from(measure, row[position : position + width]))
            position += width
        return tuple(result)

    def _key_from(self, group: BoundGroup, value: Any) -> Any:
        if group.unit is None:
            return self.dialect.from_database(group.target.column, value)
        return None if value is None else str(value)

    def _measure_from(self, measure: BoundMeasure, values: Sequence[Any]) -> Any:
        if measure.target is None or measure.function == "count_values":
            return int(values[0])
        if measure.function == "sum":
            return self.dialect.sum_from(values)
        return self.dialect.from_database(measure.target.column, values[0])
