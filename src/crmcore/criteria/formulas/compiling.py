"""Checking a formula against the schema and making it ready to run, in one walk.

Conditions are bound and evaluated like every other criteria; what is checked here gives
a value of its kind, or a missing one, for every record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Any

import attrs

from crmcore.criteria.binding import Binder, Subject
from crmcore.criteria.evaluation import Follow, predicate, reader
from crmcore.criteria.expressions import And, Compare, Criteria, Everything, Not, Or
from crmcore.criteria.formulas.arithmetic import OPERATIONS, compare, joined
from crmcore.criteria.formulas.functions import CLOCK, FUNCTIONS, Function
from crmcore.criteria.formulas.kinds import ARITHMETIC, Kind, common, kind_of
from crmcore.criteria.formulas.tree import (
    Call,
    Compared,
    Condition,
    FieldValue,
    Formula,
    Holds,
    Literal,
    Negative,
    Node,
    Operation,
    bounded,
)
from crmcore.errors import Problem, ValidationError
from crmcore.records import (
    Conventions,
    EntityDef,
    FieldDef,
    Money,
    Record,
    Schema,
)
from crmcore.records.schema import picklist_of

__all__ = ["Program", "check", "compiled", "evaluate"]

Run = Callable[[Record, Follow], Any]
#: Stamps that a formula may read; the others change behind its back.
_STAMPS = frozenset({"created_at", "created_by", "updated_at", "updated_by"})


@attrs.frozen
class Program:
    """A checked formula of one entity: the kind of its values and how to get them."""

    kind: Kind
    run: Run


def check(formula: Formula, schema: Schema, entity: EntityDef) -> Kind:
    """Return the kind of a formula's values.

    Raises ValidationError for unknown fields and functions, wrong kinds and arguments.
    """
    return compiled(formula, schema, entity).kind


def evaluate(program: Program, record: Record, follow: Follow) -> Any:
    """Return the value for a record, None where it is missing.

    ``follow`` returns the record that a reference leads to. The work is in proportion
    to the parts of the formula.
    """
    return program.run(record, follow)


def compiled(formula: Formula, schema: Schema, entity: EntityDef) -> Program:
    """Return a formula of ``entity`` ready to run; raises like :func:`check`."""
    # Nothing in a formula is relative to a moment.
    binder = Binder(schema, Conventions(), datetime(2000, 1, 1, tzinfo=UTC))
    return _Compiler(binder, entity).node(bounded(formula).root)


def refused(reason: str, position: int = 0, **details: Any) -> ValidationError:
    """Return the error for a part of a formula, with its position where it is known."""
    if position:
        details["position"] = position
    return ValidationError([Problem("formula", reason, details)])


def _placed(error: ValidationError, position: int) -> ValidationError:
    """Return an error of criteria with the position of the field that it names."""
    if not position:
        return error
    return ValidationError(
        Problem(p.field, p.reason, {**p.details, "position": position})
        for p in error.problems
    )


@attrs.frozen
class _Compiler:
    binder: Binder
    entity: EntityDef

    def node(self, node: Node) -> Program:
        if isinstance(node, Literal):
            return _literal(node.value)
        if isinstance(node, FieldValue):
            return self._field(node)
        if isinstance(node, Negative):
            return self._negative(node)
        if isinstance(node, Operation):
            return self._operation(node)
        if isinstance(node, Call):
            return self._call(node)
        assert isinstance(node, Condition)
        return Program(Kind.BOOLEAN, self._criteria(node.criteria))

    # -- fields ------------------------------------------------------------------------

    def subject(self, path: tuple[str, ...], position: int = 0) -> Subject:
        """Return what a path leads to; refuse what formulas cannot follow."""
        try:
            subject = self.binder.subject(self.entity, path)
        except ValidationError as error:
            raise _placed(error, position) from None
        if subject.hop is not None and subject.entity.name == "user":
            raise refused("not_followed", position, key=subject.name)
        field = subject.field
        if field.system and (field.name not in _STAMPS or subject.hop is not None):
            raise refused("not_in_formulas", position, key=subject.name)
        return subject

    def _field(self, node: FieldValue) -> Program:
        subject = self.subject(node.path, node.position)
        if subject.part is None:
            kind, run = kind_of(subject.field.type), _whole(subject.field)
        else:
            part = subject.column().column.type
            kind, run = kind_of(part), _part_of(subject)
        if kind is None:
            raise refused("not_in_formulas", node.position, key=subject.name)
        if kind is Kind.NUMBER:
            run = _as_decimal(run)
        return Program(kind, _hopping(subject, run))

    # -- signs -------------------------------------------------------------------------

    def _negative(self, node: Negative) -> Program:
        part = self.node(node.part)
        if part.kind not in (Kind.NUMBER, Kind.MONEY, Kind.NOTHING):
            raise refused("wrong_kind", place="-", kind=part.kind)
        run = part.run

        def negative(record: Record, follow: Follow) -> Any:
            value = run(record, follow)
            if isinstance(value, Money):
                return Money(ARITHMETIC.minus(value.amount), value.currency)
            return None if value is None else ARITHMETIC.minus(value)

        return Program(part.kind, negative)

    def _operation(self, node: Operation) -> Program:
        left, right = self.node(node.left), self.node(node.right)
        first, second = left.run, right.run
        if node.symbol == "&":
            return Program(
                Kind.TEXT,
                lambda record, follow: joined(
                    first(record, follow), second(record, follow)
                ),
            )
        if Kind.NOTHING in (left.kind, right.kind):
            return Program(Kind.NOTHING, _nothing)
        known = OPERATIONS.get((node.symbol, left.kind, right.kind))
        if known is None:
            raise refused(
                "kinds_differ", place=node.symbol, left=left.kind, right=right.kind
            )
        kind, work = known

        def operate(record: Record, follow: Follow) -> Any:
            one, other = first(record, follow), second(record, follow)
            return None if one is None or other is None else work(one, other)

        return Program(kind, operate)

    # -- functions ---------------------------------------------------------------------

    def _call(self, node: Call) -> Program:
        if node.name == "if":
            return self._choice(node)
        if node.name == "category":
            return self._category(node)
        if node.name in CLOCK:
            raise refused("grows_stale", node.position, name=node.name)
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise refused("unknown_function", node.position, name=node.name[:60])
        arguments = [self.node(argument) for argument in node.arguments]
        kind = _checked_arguments(node, function, [a.kind for a in arguments])
        runs = [argument.run for argument in arguments]
        return Program(kind, _calling(function, runs))

    def _choice(self, node: Call) -> Program:
        _check_number(node, 2, 3)
        asked, *others = (self.node(argument) for argument in node.arguments)
        if asked.kind is not Kind.BOOLEAN:
            raise refused("wrong_kind", node.position, place="if", kind=asked.kind)
        kind = common((other.kind for other in others), where="if")
        holds, yes = asked.run, others[0].run
        no = others[1].run if len(others) > 1 else _nothing

        def choose(record: Record, follow: Follow) -> Any:
            chosen = yes if holds(record, follow) else no
            return chosen(record, follow)

        return Program(kind, choose)

    def _category(self, node: Call) -> Program:
        _check_number(node, 1, 1)
        (argument,) = node.arguments
        if not isinstance(argument, FieldValue):
            raise refused("not_a_picklist", node.position, key=node.name)
        subject = self.subject(argument.path, argument.position)
        picklist = picklist_of(subject.field)
        if picklist is None or subject.field.type.plural:
            raise refused("not_a_picklist", node.position, key=subject.name)
        categories = {o.key: o.category or None for o in picklist.options}
        run = _hopping(subject, _whole(subject.field))
        return Program(
            Kind.TEXT, lambda record, follow: categories.get(run(record, follow))
        )

    # -- conditions --------------------------------------------------------------------

    def _criteria(self, criteria: Criteria) -> Run:
        if isinstance(criteria, Compare):
            return self._compare(criteria)
        if isinstance(criteria, Compared):
            return self._compared(criteria)
        if isinstance(criteria, Not):
            inner = self._criteria(criteria.part)
            return lambda record, follow: not inner(record, follow)
        if isinstance(criteria, (And, Or)):
            parts = [self._criteria(part) for part in criteria.parts]
            every = all if isinstance(criteria, And) else any
            return lambda record, follow: every(p(record, follow) for p in parts)
        if isinstance(criteria, Holds):
            part = self.node(criteria.part)
            if part.kind not in (Kind.BOOLEAN, Kind.NOTHING):
                raise refused("wrong_kind", place="condition", kind=part.kind)
            run = part.run
            return lambda record, follow: run(record, follow) is True
        if isinstance(criteria, Everything):
            return lambda record, follow: True
        raise ValidationError.of("formula", "malformed")

    def _compare(self, compare: Compare) -> Run:
        subject = self.subject(compare.path)
        bound = self.binder.criteria(self.entity, compare)
        if subject.hop is None:
            test = predicate(bound)
            return lambda record, follow: test(record)
        return lambda record, follow: predicate(bound, follow)(record)

    def _compared(self, criteria: Compared) -> Run:
        left, right = self.node(criteria.left), self.node(criteria.right)
        kind = common((left.kind, right.kind), where=criteria.symbol)
        symbol, first, second = criteria.symbol, left.run, right.run
        if kind is Kind.BOOLEAN and symbol not in ("==", "!="):
            raise refused("wrong_kind", place=symbol, kind=kind)
        if Kind.NOTHING in (left.kind, right.kind):
            return _missing_side(symbol, left, right)
        return lambda record, follow: compare(
            symbol, first(record, follow), second(record, follow)
        )


def _missing_side(symbol: str, left: Program, right: Program) -> Run:
    """Return a comparison with ``null``, which asks whether there is a value."""
    if symbol not in ("==", "!="):
        raise refused("wrong_kind", place=symbol, kind=Kind.NOTHING)
    run = right.run if left.kind is Kind.NOTHING else left.run
    return lambda record, follow: (run(record, follow) is None) is (symbol == "==")


def _nothing(record: Record, follow: Follow) -> Any:
    return None


def _literal(value: Any) -> Program:
    if value is None:
        return Program(Kind.NOTHING, _nothing)
    if isinstance(value, bool):
        return Program(Kind.BOOLEAN, lambda record, follow: value)
    if isinstance(value, str):
        text = value or None
        return Program(Kind.TEXT, lambda record, follow: text)
    number = Decimal(value)
    return Program(Kind.NUMBER, lambda record, follow: number)


def _whole(field: FieldDef) -> Callable[[Record], Any]:
    name = field.name
    if field.custom:
        return lambda record: record.custom.get(name)
    return lambda record: getattr(record, name)


def _part_of(subject: Subject) -> Callable[[Record], Any]:
    own = attrs.evolve(subject.column(), hop=None)
    stored, restore = reader(own), own.column.type.from_stored

    def read(record: Record) -> Any:
        part = stored(record)
        return None if part is None else restore(part)

    return read


def _as_decimal(read: Callable[[Record], Any]) -> Callable[[Record], Any]:
    def decimal(record: Record) -> Any:
        value = read(record)
        return None if value is None else Decimal(value)

    return decimal


def _hopping(subject: Subject, read: Callable[[Record], Any]) -> Run:
    hop = subject.hop
    if hop is None:
        return lambda record, follow: read(record)
    reference, entity = _whole(hop), subject.entity.name

    def hopping(record: Record, follow: Follow) -> Any:
        identity = reference(record)
        found = None if identity is None else follow(entity, identity)
        return None if found is None else read(found)

    return hopping


def _check_number(node: Call, least: int, most: int | None) -> None:
    given = len(node.arguments)
    if given < least or (most is not None and given > most):
        raise refused("wrong_arguments", node.position, name=node.name)


def _checked_arguments(node: Call, function: Function, kinds: list[Kind]) -> Kind:
    """Return the kind of a call; raises ValidationError for wrong arguments."""
    takes = function.takes
    most = None if function.variadic else len(takes)
    _check_number(node, len(takes) - function.optional, most)
    for position, kind in enumerate(kinds):
        allowed = takes[min(position, len(takes) - 1)]
        if kind is not Kind.NOTHING and kind not in allowed:
            raise refused("wrong_kind", node.position, place=node.name, kind=kind)
    if function.gives is not None:
        return function.gives
    return common(kinds if function.variadic else kinds[:1], where=node.name)


def _calling(function: Function, runs: list[Run]) -> Run:
    work, whole = function.run, function.whole

    def call(record: Record, follow: Follow) -> Any:
        values = [run(record, follow) for run in runs]
        if not whole and None in values:
            return None
        try:
            return work(*values)
        except (DecimalException, OverflowError):
            return None

    return call
