"""Aggregates: from named measures to a store's query, and from its rows to groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from crmcore.criteria import (
    AggregateQuery,
    Binder,
    Bound,
    BoundColumn,
    BoundGroup,
    BoundMeasure,
    Bucket,
    FieldExpression,
    Group,
    Measure,
)
from crmcore.criteria.aggregates import FUNCTIONS, UNITS
from crmcore.criteria.binding import Subject
from crmcore.criteria.builder import path_of
from crmcore.errors import ValidationError
from crmcore.records import (
    ConvertedMoneyAmount,
    EntityDef,
    Money,
    MoneyAmount,
    Storage,
)

__all__ = ["AggregatePlan"]

_DATED = (Storage.DATE, Storage.DATETIME)
Finish = Callable[[tuple[Any, ...]], Any]


@attrs.frozen
class _Number:
    """One named measure: what the store computes for it, and how it is finished."""

    name: str
    measures: tuple[BoundMeasure, ...]
    finish: Finish


@attrs.frozen
class AggregatePlan:
    """A checked aggregate."""

    entity: EntityDef
    keys: tuple[BoundGroup, ...]
    numbers: tuple[_Number, ...]

    @classmethod
    def of(
        cls,
        binder: Binder,
        entity: EntityDef,
        measures: Mapping[str, Measure],
        group_by: tuple[Any, ...],
    ) -> AggregatePlan:
        """Check measures and groups; raises ValidationError naming what is wrong."""
        keys = tuple(_group(binder, entity, item) for item in group_by)
        numbers = tuple(
            _number(binder, entity, name, measure) for name, measure in measures.items()
        )
        return cls(entity, keys, numbers)

    def query(self, where: Bound) -> AggregateQuery:
        """Return what the store is asked."""
        return AggregateQuery(
            entity=self.entity,
            where=where,
            groups=self.keys,
            measures=tuple(m for number in self.numbers for m in number.measures),
        )

    def groups(self, rows: Iterable[tuple[Any, ...]]) -> list[Group]:
        """Return the groups of the store's rows, sorted by key, missing first."""
        groups = [self._group(row) for row in rows]
        return sorted(groups, key=_sort_key)

    def _group(self, row: tuple[Any, ...]) -> Group:
        keys = {
            key.name: _key_value(key, value)
            for key, value in zip(self.keys, row, strict=False)
        }
        position = len(self.keys)
        values = {}
        for number in self.numbers:
            end = position + len(number.measures)
            values[number.name] = number.finish(row[position:end])
            position = end
        return Group(keys, values)


def _sort_key(group: Group) -> list[tuple[bool, str, Any]]:
    return [
        (value is not None, type(value).__name__, "" if value is None else value)
        for value in group.keys.values()
    ]


def _key_value(key: BoundGroup, value: Any) -> Any:
    if value is None:
        return None
    if key.unit is not None:
        return date.fromisoformat(value)
    return key.target.column.type.from_stored(value)


def _group(binder: Binder, entity: EntityDef, item: Any) -> BoundGroup:
    if isinstance(item, Bucket):
        subject = binder.subject(entity, item.path)
        if item.unit not in UNITS:
            raise ValidationError.of(subject.name, "unknown_period", value=item.unit)
        target = subject.column()
        if target.column.storage not in _DATED:
            raise ValidationError.of(subject.name, "not_groupable")
        return BoundGroup(subject.name, target, item.unit)
    if not isinstance(item, FieldExpression):
        raise ValidationError.of("group_by", "malformed")
    subject = binder.subject(entity, path_of(item))
    target = subject.column()
    if target.column.storage is Storage.JSON or subject.field.type.sealed:
        raise ValidationError.of(subject.name, "not_groupable")
    return BoundGroup(subject.name, target)


def _number(binder: Binder, entity: EntityDef, name: str, measure: Measure) -> _Number:
    if getattr(measure, "function", None) not in FUNCTIONS:
        raise ValidationError.of(name, "malformed")
    if measure.function == "count":
        return _Number(name, (BoundMeasure("count"),), lambda row: row[0])
    subject = binder.subject(entity, measure.path)
    _check_function(subject, measure.function)
    return _over_values(name, subject, measure.function)


def _check_function(subject: Subject, function: str) -> None:
    kind = subject.column().column.type
    allowed = kind.additive if function in ("sum", "average") else kind.ordered
    if not allowed or kind.storage is Storage.JSON:
        raise ValidationError.of(subject.name, "not_aggregable", function=function)


def _over_values(name: str, subject: Subject, function: str) -> _Number:
    target = subject.column()
    asked = [BoundMeasure("sum" if function == "average" else function, target)]
    if function == "average":
        asked.append(BoundMeasure("count_values", target))
    currency = _currency_of(subject)
    is_money = currency is not None
    if currency is not None:
        asked += [BoundMeasure("min", currency), BoundMeasure("max", currency)]
    from_stored = target.column.type.from_stored

    def finish(row: tuple[Any, ...]) -> Any:
        if row[0] is None:
            return None
        value: Any = from_stored(int(row[0]) if function == "sum" else row[0])
        if function == "average":
            value = _mean(from_stored(int(row[0])), int(row[1]))
        if not is_money:
            return value
        if row[-1] != row[-2]:
            raise ValidationError.of(subject.name, "mixed_currencies")
        return Money(value, row[-1])

    return _Number(name, tuple(asked), finish)


def _currency_of(subject: Subject) -> BoundColumn | None:
    """Return what holds the currency of what is reckoned, none for plain numbers."""
    kind = subject.field.type
    if isinstance(kind, ConvertedMoneyAmount) and subject.part == "converted":
        return attrs.evolve(subject, part="base").column()
    if isinstance(kind, MoneyAmount) and subject.part is None:
        return subject.column("currency")
    return None


def _mean(total: Any, number: int) -> Decimal:
    """Return the mean, rounded half to even, six digits after the point."""
    return (Decimal(total) / number).quantize(Decimal("0.000001"))
