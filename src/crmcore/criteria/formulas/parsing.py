"""Reading formulas: operators by precedence, conditions as criteria."""

from __future__ import annotations

from crmcore.criteria.expressions import And, Compare, Criteria, Not, Or
from crmcore.criteria.formulas.lexing import Token, tokens_of, unexpected
from crmcore.criteria.formulas.tree import (
    MAXIMUM_DEPTH,
    Call,
    Condition,
    FieldValue,
    Formula,
    Literal,
    Negative,
    Node,
    Operation,
    bounded,
    comparison,
    condition_of,
)
from crmcore.errors import ValidationError

__all__ = ["parse"]

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
#: Operators with a value, by how firmly they bind.
BINDING = {"&": 1, "+": 2, "-": 2, "*": 3, "/": 3}
_CONSTANTS = {"true": True, "false": False, "null": None}
KEYWORDS = frozenset({*_CONSTANTS, "and", "or", "not", "in"})


def parse(text: str) -> Formula:
    """Return the formula that ``text`` writes (REC-16).

    Raises ValidationError of the field ``formula`` with the reason and the position.
    """
    return bounded(_Parser(text).formula())


class _Parser:
    """One reading of one text, by descent; how deep it goes is bounded."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens_of(text))
        self._place = 0
        self._depth = 0

    def formula(self) -> Formula:
        root = self._expression()
        if self._next.kind != "end":
            raise self._unexpected()
        return Formula(root)

    # -- words -------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._next.kind in ("sign", "name") and self._next.text in texts

    def _expect(self, text: str) -> None:
        if not self._is(text):
            raise self._unexpected()
        self._place += 1

    def _unexpected(self) -> ValidationError:
        return unexpected(self._next.text, self._next.position)

    # -- conditions --------------------------------------------------------------------

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise ValidationError.of("formula", "too_deep")
        first = self._conjunction()
        if self._is("or"):
            first = Condition(Or(self._chain("or", first)))
        self._depth -= 1
        return first

    def _conjunction(self) -> Node:
        first = self._negation()
        if self._is("and"):
            return Condition(And(self._chain("and", first)))
        return first

    def _chain(self, word: str, first: Node) -> tuple[Criteria, ...]:
        parts = [condition_of(first)]
        while self._is(word):
            self._take()
            part = self._conjunction() if word == "or" else self._negation()
            parts.append(condition_of(part))
        return tuple(parts)

    def _negation(self) -> Node:
        negations = 0
        while self._is("not"):
            self._take()
            negations += 1
        node = self._comparison()
        for _ in range(negations):
            node = Condition(Not(condition_of(node)))
        return node

    def _comparison(self) -> Node:
        left = self._value(1)
        if self._is("in"):
            return self._membership(left)
        if not self._is(*_COMPARISONS):
            return left
        symbol = self._take().text
        node = Condition(comparison(left, symbol, self._value(1)))
        if self._is(*_COMPARISONS, "in"):
            raise self._unexpected()
        return node

    def _membership(self, left: Node) -> Node:
        if not isinstance(left, FieldValue):
            raise self._unexpected()
        self._take()
        self._expect("(")
        values = [self._constant()]
        while self._is(","):
            self._take()
            values.append(self._constant())
        self._expect(")")
        return Condition(Compare(left.path, "in", tuple(values)))

    def _constant(self) -> object:
        before = self._next
        node = self._value(4)
        if isinstance(node, Literal):
            return node.value
        raise unexpected(before.text, before.position)

    # -- values ------------------------------------------------------------------------

    def _value(self, least: int) -> Node:
        """Return the longest value whose operators bind at least so firmly."""
        node = self._signed()
        while self._next.kind == "sign" and BINDING.get(self._next.text, 0) >= least:
            symbol = self._take().text
            node = Operation(symbol, node, self._value(BINDING[symbol] + 1))
        return node

    def _signed(self) -> Node:
        signs = 0
        while self._is("-"):
            self._take()
            signs += 1
        if signs and self._next.kind == "number":
            number = self._take().number
            node: Node = Literal(-number)
            signs -= 1
        else:
            node = self._primary()
        for _ in range(signs):
            node = Negative(node)
        return node

    def _primary(self) -> Node:
        token = self._next
        if token.kind == "number":
            return Literal(self._take().number)
        if token.kind == "text":
            return Literal(self._take().string)
        if self._is("("):
            self._take()
            inner = self._expression()
            self._expect(")")
            return inner
        if token.kind != "name":
            raise self._unexpected()
        return self._named()

    def _named(self) -> Node:
        if self._next.text in _CONSTANTS:
            return Literal(_CONSTANTS[self._take().text])
        if self._next.text in KEYWORDS:
            raise self._unexpected()
        token = self._take()
        if self._is("("):
            return self._call(token)
        path = [token.text]
        while self._is("."):
            self._take()
            if self._next.kind != "name":
                raise self._unexpected()
            path.append(self._take().text)
        return FieldValue(tuple(path), token.position)

    def _call(self, token: Token) -> Node:
        self._expect("(")
        arguments = []
        if not self._is(")"):
            arguments.append(self._expression())
            while self._is(","):
                self._take()
                arguments.append(self._expression())
        self._expect(")")
        return called(token.text, tuple(arguments), token.position)


def called(name: str, arguments: tuple[Node, ...], position: int = 0) -> Node:
    """Return a call, as plain criteria where these can ask the same of a field."""
    match name, arguments:
        case "is_blank", (FieldValue(path=path),):
            return Condition(Compare(path, "is_null", True))
        case (
            ("contains" | "starts_with"),
            (
                FieldValue(path=path),
                Literal(value=str(part)),
            ),
        ):
            return Condition(Compare(path, name, part))
        case "if", (condition, *others):
            asked = Condition(condition_of(condition))
            return Call(name, (asked, *others), position)
    return Call(name, arguments, position)
