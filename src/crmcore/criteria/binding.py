"""Checking criteria against the schema: fields exist, types fit, values are legal.

The one place where the public language becomes primitive tests. Whatever passes here is
safe to compile: names come from the schema, values have their field's stored type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import Any
from uuid import UUID

import attrs

from crmcore.criteria.bound import (
    Bound,
    BoundAnd,
    BoundColumn,
    BoundConstant,
    BoundNot,
    BoundOr,
    BoundSort,
    Operator,
    Test,
)
from crmcore.criteria.expressions import And, Compare, Criteria, Everything, Not, Or
from crmcore.criteria.ordering import Sort
from crmcore.criteria.periods import PERIODS, Period
from crmcore.errors import ValidationError
from crmcore.records import (
    Column,
    Conventions,
    EntityDef,
    FieldDef,
    Identifier,
    ListOf,
    LookupValue,
    Money,
    MoneyAmount,
    Reference,
    Refused,
    Schema,
    Storage,
    fold,
)
from crmcore.records.lookup_values import lookup_of
from crmcore.records.types import clean_text

__all__ = ["MAXIMUM_DEPTH", "MAXIMUM_TESTS", "Binder"]

#: Criteria nested deeper than this are refused.
MAXIMUM_DEPTH = 50
#: Criteria that make more primitive tests than this are refused; every store takes
#: so many.
MAXIMUM_TESTS = 800
#: Orders with more keys than this are refused.
MAXIMUM_SORTS = 20
#: Longer lists of values are refused.
MAXIMUM_VALUES = 20_000

_RANGES = {
    "<": Operator.LESS,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_OR_EQUAL,
}


@attrs.frozen
class Subject:
    """A field that a path leads to: the whole field, or one part of it."""

    field: FieldDef
    entity: EntityDef
    hop: FieldDef | None
    part: str | None
    shown_as: str | None = None

    @property
    def name(self) -> str:
        """Return the path as callers write it."""
        if self.shown_as:
            return f"{self.shown_as}.{self.part}" if self.part else self.shown_as
        words = [self.hop.relation if self.hop else None, self.field.name, self.part]
        return ".".join(word for word in words if word)

    def column(self, part: str = "") -> BoundColumn:
        """Return one stored part."""
        chosen = self.part or part
        for column in self.entity.columns_by_field[self.field.name]:
            if column.part == chosen:
                return BoundColumn(column, self.entity, self.hop)
        raise ValidationError.of(self.name, "wrong_type")

    def columns(self) -> tuple[BoundColumn, ...]:
        """Return all stored parts that the subject stands for."""
        if self.part is not None:
            return (self.column(),)
        stored = self.entity.columns_by_field[self.field.name]
        return tuple(BoundColumn(c, self.entity, self.hop) for c in stored)


@attrs.define
class _Budget:
    tests: int = 0

    def spend(self, tests: int) -> None:
        self.tests += tests
        if self.tests > MAXIMUM_TESTS:
            raise ValidationError.of("criteria", "too_large")


def _all_readable(entity: EntityDef, name: str) -> bool:
    return True


def _all_visible(entity: EntityDef) -> Criteria:
    return Everything()


@attrs.frozen
class Binder:
    """Binds criteria and orders of one entity; ``now`` resolves relative dates.

    ``readable`` says which fields may be used; a hidden one is answered like one that
    does not exist. ``scope`` says which records may be seen: one that is followed and
    may not counts as missing in conditions. ``trusted`` criteria, made by the library,
    may be of any size.
    """

    schema: Schema
    conventions: Conventions
    now: datetime
    readable: Callable[[EntityDef, str], bool] = attrs.field(default=_all_readable)
    trusted: bool = False
    scope: Callable[[EntityDef], Criteria] = attrs.field(default=_all_visible)

    def criteria(self, entity: EntityDef, criteria: Criteria) -> Bound:
        """Return the checked form of ``criteria``.

        Raises ValidationError that names the field and the reason.
        """
        return self._bind(entity, criteria, _Budget(), 0)

    def order(self, entity: EntityDef, order: Iterable[Sort]) -> tuple[BoundSort, ...]:
        """Return the checked order, made total by the id."""
        bound = [self._sort(entity, sort) for sort in order]
        if len(bound) > MAXIMUM_SORTS:
            raise ValidationError.of("order_by", "too_large")
        if not any(s.target.key == ("", "id") for s in bound):
            descending = bound[-1].descending if bound else False
            identity = Subject(entity.fields["id"], entity, None, None).column()
            bound.append(BoundSort(identity, descending))
        return tuple(bound)

    def _sort(self, entity: EntityDef, sort: Sort) -> BoundSort:
        subject = self.subject(entity, sort.path)
        ordered = subject.part is not None or subject.field.type.ordered
        if not ordered or not subject.field.sortable:
            raise ValidationError.of(subject.name, "not_sortable")
        if self.visibility(subject.hop, subject.entity) is not None:
            # A page's order and its cursor would show the hidden records' values.
            raise ValidationError.of(subject.name, "partly_hidden")
        return BoundSort(subject.column(), sort.descending)

    def subject(self, entity: EntityDef, path: tuple[str, ...]) -> Subject:
        """Return what a path leads to; raises ValidationError for an unknown field."""
        names = tuple(path)
        if not names or not all(isinstance(n, str) for n in names) or len(names) > 3:
            raise ValidationError.of("criteria", "malformed")
        hop = entity.relations.get(names[0]) if len(names) > 1 else None
        if hop is not None and names[0] not in entity.fields:
            self._check_readable(entity, hop.name)
            assert isinstance(hop.type, Reference)
            target = self.schema.entity(hop.type.entity)
            return self._part(target, hop, names[1:])
        return self._part(entity, None, names)

    def _part(
        self, entity: EntityDef, hop: FieldDef | None, names: tuple[str, ...]
    ) -> Subject:
        field = entity.field(names[0])
        self._check_readable(entity, field.name)
        if isinstance(field.type, LookupValue):
            return self._looked_up(entity, hop, field, names[1:])
        if len(names) == 1:
            return Subject(field, entity, hop, None)
        if len(names) == 2 and names[1] and names[1] in field.type.parts:
            return Subject(field, entity, hop, names[1])
        unknown = ".".join(names)[:80]
        raise ValidationError.of(unknown, "unknown_field", entity=entity.name)

    def _looked_up(
        self,
        entity: EntityDef,
        hop: FieldDef | None,
        field: FieldDef,
        rest: tuple[str, ...],
    ) -> Subject:
        """Return the field of another record that a field shows (REC-10)."""
        if hop is not None:
            raise ValidationError.of(field.name, "shown_from_elsewhere")
        lookup = lookup_of(self.schema, entity, field)
        self._check_readable(entity, lookup.relation.name)
        names = (lookup.original.name, *rest)
        found = self._part(lookup.target, lookup.relation, names)
        return attrs.evolve(found, shown_as=field.name)

    def _check_readable(self, entity: EntityDef, name: str) -> None:
        if not self.readable(entity, name):
            raise ValidationError.of(name, "unknown_field", entity=entity.name)

    def _bind(
        self, entity: EntityDef, criteria: Criteria, budget: _Budget, depth: int
    ) -> Bound:
        if depth > MAXIMUM_DEPTH:
            raise ValidationError.of("criteria", "too_deep")
        if isinstance(criteria, Compare):
            bound = self._compare(entity, criteria)
            budget.spend(_tests_in(bound))
            return bound
        if isinstance(criteria, Not):
            return BoundNot(self._bind(entity, criteria.part, budget, depth + 1))
        if isinstance(criteria, (And, Or)):
            parts = [self._bind(entity, p, budget, depth + 1) for p in criteria.parts]
            if isinstance(criteria, And):
                return BoundAnd(tuple(parts)) if parts else BoundConstant(True)
            return BoundOr(tuple(parts)) if parts else BoundConstant(False)
        if isinstance(criteria, Everything):
            return BoundConstant(True)
        raise ValidationError.of("criteria", "malformed")

    def _compare(self, entity: EntityDef, compare: Compare) -> Bound:
        subject = self.subject(entity, compare.path)
        operator, value = compare.operator, compare.value
        bind = _BINDERS.get(str(operator))
        if bind is None:
            raise ValidationError.of(
                subject.name, "unknown_operator", operator=str(operator)[:20]
            )
        if subject.field.type.sealed and operator != "is_null":
            raise ValidationError.of(subject.name, "sealed")
        try:
            return self._within_scope(subject, bind(self, subject, operator, value))
        except Refused as refused:
            raise ValidationError.of(
                subject.name, refused.reason, **refused.details
            ) from None

    def _within_scope(self, subject: Subject, bound: Bound) -> Bound:
        """Return a condition that knows nothing of a followed, invisible record."""
        seen = self.visibility(subject.hop, subject.entity)
        if seen is None:
            return bound
        if _holds_for_missing(bound):
            return BoundOr((BoundNot(seen), bound))
        return BoundAnd((seen, bound))

    def visibility(self, hop: FieldDef | None, entity: EntityDef) -> Bound | None:
        """Return when the record that a reference leads to is visible; none for always.

        ``entity`` is that of the record; without ``hop`` nothing is followed.
        """
        scope = self.scope(entity) if hop is not None else None
        if hop is None or scope is None or isinstance(scope, Everything):
            return None
        trusted = attrs.evolve(self, trusted=True, scope=_all_visible)
        return _behind(hop, trusted.criteria(entity, scope))

    # -- one method for each kind of operator --------------------------------------

    def _equal(self, subject: Subject, operator: str, value: Any) -> Bound:
        if value is None:
            return self._null(subject, operator, True)
        if subject.field.type.plural:
            raise Refused("operator_not_allowed", operator=operator)
        tests = [
            Test(column, Operator.EQUAL, stored)
            for column, stored in self._stored_parts(subject, value)
        ]
        return tests[0] if len(tests) == 1 else BoundAnd(tuple(tests))

    def _unequal(self, subject: Subject, operator: str, value: Any) -> Bound:
        return BoundNot(self._equal(subject, operator, value))

    def _range(self, subject: Subject, operator: str, value: Any) -> Bound:
        if value is None or (subject.part is None and not subject.field.type.ordered):
            raise Refused("operator_not_allowed", operator=operator)
        main, *others = self._stored_parts(subject, value, exact=False)
        if subject.part is None and main[0].column.part:
            raise Refused("wrong_type")
        test = Test(main[0], _RANGES[operator], main[1])
        if not others:
            return test
        equal = [Test(column, Operator.EQUAL, stored) for column, stored in others]
        return BoundAnd((test, *equal))

    def _between(self, subject: Subject, operator: str, value: Any) -> Bound:
        low, high = self._values(value, exactly=2)
        return BoundAnd(
            (self._range(subject, ">=", low), self._range(subject, "<=", high))
        )

    def _in(self, subject: Subject, operator: str, value: Any) -> Bound:
        values = self._values(value)
        kind = subject.field.type
        if kind.plural:
            raise Refused("operator_not_allowed", operator=operator)
        if values and isinstance(kind, Identifier) and set(map(type, values)) == {UUID}:
            # The scope of a manager holds thousands of ids, each already canonical.
            return Test(subject.column(), Operator.IN, values)
        parts: list[Bound] = []
        if any(item is None for item in values):
            parts.append(self._null(subject, operator, True))
        filled = [self._stored_parts(subject, v) for v in values if v is not None]
        if len({column for pairs in filled for column, _ in pairs}) == 1:
            stored = tuple(dict.fromkeys(pairs[0][1] for pairs in filled))
            parts.append(Test(filled[0][0][0], Operator.IN, stored))
        else:
            parts.extend(
                BoundAnd(tuple(Test(c, Operator.EQUAL, s) for c, s in pairs))
                for pairs in filled
            )
        if not parts:
            return BoundConstant(False)
        return parts[0] if len(parts) == 1 else BoundOr(tuple(parts))

    def _text(self, subject: Subject, operator: str, value: Any) -> Bound:
        if subject.part is not None or not subject.field.type.textual:
            raise Refused("operator_not_allowed", operator=operator)
        if not subject.field.searchable:
            raise Refused("not_searchable")
        folded = fold(clean_text(value, 1_000))
        if not folded:
            return BoundNot(self._null(subject, operator, True))
        primitive = Operator.CONTAINS if operator == "contains" else Operator.PREFIX
        return Test(subject.column(), primitive, folded)

    def _null(self, subject: Subject, operator: str, value: Any) -> Bound:
        if value is not True and value is not False:
            raise Refused("not_boolean")
        tests = tuple(Test(column, Operator.NULL) for column in subject.columns())
        bound = tests[0] if len(tests) == 1 else BoundAnd(tests)
        return bound if value else BoundNot(bound)

    def _any_of(self, subject: Subject, operator: str, value: Any) -> Bound:
        kind = subject.field.type
        if not isinstance(kind, ListOf):
            raise Refused("operator_not_allowed", operator=operator)
        items = [kind.coerce_item(v, self.conventions) for v in self._values(value)]
        keys = tuple(dict.fromkeys(kind.item_key(i) for i in items if i is not None))
        if operator == "any_of":
            if not keys:
                return BoundConstant(False)
            return Test(subject.column(), Operator.ANY_OF, keys)
        each = tuple(Test(subject.column(), Operator.ANY_OF, (key,)) for key in keys)
        return BoundAnd(each) if each else BoundConstant(True)

    def _during(self, subject: Subject, operator: str, value: Any) -> Bound:
        column = subject.column()
        if column.column.storage not in (Storage.DATE, Storage.DATETIME):
            raise Refused("operator_not_allowed", operator=operator)
        if not isinstance(value, Period) or value.name not in PERIODS:
            shown = value.name if isinstance(value, Period) else value
            raise Refused("unknown_period", value=str(shown)[:40])
        if type(value.days) is not int or not 0 <= value.days <= 100_000:
            raise Refused("out_of_range", minimum=0, maximum=100_000)
        zone = self.conventions.timezone
        first, end = value.resolve(self.now.astimezone(zone).date())
        low: Any = first
        high: Any = end
        if column.column.storage is Storage.DATETIME:
            low = self._coerced(subject, datetime.combine(first, time(), zone))
            high = self._coerced(subject, datetime.combine(end, time(), zone))
        return BoundAnd(
            (
                Test(column, Operator.GREATER_OR_EQUAL, low),
                Test(column, Operator.LESS, high),
            )
        )

    # -- values ----------------------------------------------------------------------

    def _values(self, value: Any, exactly: int | None = None) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise Refused("not_list")
        if exactly is not None and len(value) != exactly:
            raise Refused("malformed")
        if len(value) > MAXIMUM_VALUES and not self.trusted:
            raise Refused("too_large")
        return tuple(value)

    def _coerced(self, subject: Subject, value: Any) -> Any:
        return subject.field.type.coerce(value, self.conventions)

    def _stored_parts(
        self, subject: Subject, value: Any, *, exact: bool = True
    ) -> list[tuple[BoundColumn, Any]]:
        """Return the stored form of ``value`` for each part it is compared with."""
        kind = subject.field.type
        if subject.part is not None:
            column = subject.column()
            coerced = column.column.type.coerce(value, self.conventions)
            return [(column, _filled(column.column, coerced))]
        if isinstance(kind, MoneyAmount) and not _names_currency(value):
            column = subject.column()
            amount = column.column.type.coerce(value, self.conventions)
            return [(column, column.column.type.to_stored(amount))]
        if kind.textual and not exact:
            return [(subject.column(), clean_text(value, 1_000))]
        coerced = self._coerced(subject, value)
        if coerced is None:
            raise Refused("wrong_type")
        columns = subject.columns()
        pairs = list(zip(columns, kind.split(coerced), strict=True))
        if isinstance(kind, MoneyAmount):
            # What an amount is worth elsewhere does not tell it from another.
            pairs = pairs[:2]
        if kind.comparable or len(pairs) == 1:
            return [(column, stored) for column, stored in pairs if stored is not None]
        raise Refused("wrong_type")


def _tests_in(bound: Bound) -> int:
    if isinstance(bound, BoundNot):
        return _tests_in(bound.part)
    if isinstance(bound, (BoundAnd, BoundOr)):
        return sum(map(_tests_in, bound.parts))
    return 1


def _behind(hop: FieldDef, bound: Bound) -> Bound:
    """Return a condition on an entity as one on the record that ``hop`` refers to."""
    if isinstance(bound, Test):
        return attrs.evolve(bound, target=attrs.evolve(bound.target, hop=hop))
    if isinstance(bound, BoundNot):
        return BoundNot(_behind(hop, bound.part))
    if isinstance(bound, (BoundAnd, BoundOr)):
        return attrs.evolve(bound, parts=tuple(_behind(hop, p) for p in bound.parts))
    return bound


def _holds_for_missing(bound: Bound) -> bool:
    """Tell whether a condition on a followed record holds where there is none."""
    if isinstance(bound, BoundConstant):
        return bound.value
    if isinstance(bound, BoundNot):
        return not _holds_for_missing(bound.part)
    if isinstance(bound, BoundAnd):
        return all(map(_holds_for_missing, bound.parts))
    if isinstance(bound, BoundOr):
        return any(map(_holds_for_missing, bound.parts))
    return isinstance(bound, Test) and bound.operator is Operator.NULL


def _names_currency(value: Any) -> bool:
    return isinstance(value, (Money, dict))


def _filled(column: Column, coerced: Any) -> Any:
    if coerced is None:
        raise Refused("wrong_type")
    return column.type.to_stored(coerced)


_BINDERS: dict[str, Callable[[Binder, Subject, str, Any], Bound]] = {
    "==": Binder._equal,
    "!=": Binder._unequal,
    "in": Binder._in,
    "contains": Binder._text,
    "starts_with": Binder._text,
    "is_null": Binder._null,
    "between": Binder._between,
    "any_of": Binder._any_of,
    "all_of": Binder._any_of,
    "during": Binder._during,
    **dict.fromkeys(_RANGES, Binder._range),
}
