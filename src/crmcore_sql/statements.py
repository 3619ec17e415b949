"""Statements as text: compiled by SQLAlchemy once for each shape, run by the driver.

The shape of a query is its operators and columns, not its values, so that the same list
with another boundary or another owner finds its text ready.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import attrs
from sqlalchemy import BindParameter, bindparam
from sqlalchemy.engine import Dialect as SQLAlchemyDialect
from sqlalchemy.sql.elements import ClauseElement

__all__ = ["Slots", "Statement", "StatementCache"]

_SLOT = re.compile(r"p\d+")
#: Shapes kept for each entity; more means that callers build ever new filters.
MAXIMUM_SHAPES = 1_000


@attrs.frozen
class Statement:
    """The text of a statement and which value goes to which of its places.

    ``constants`` are values that the compiler added; their places count from the end.
    ``one_shot`` statements are planned by the server for their values each time.
    """

    text: str
    places: tuple[int, ...]
    constants: tuple[Any, ...] = ()
    one_shot: bool = False

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values in the order in which the text needs them."""
        if self.constants:
            values = [*values, *self.constants]
        return tuple([values[place] for place in self.places])


class Slots:
    """Gives the parameters of a statement in the order in which values are listed."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self, kind: Any = None) -> BindParameter[Any]:
        """Return the parameter for the next value."""
        name = f"p{self._taken}"
        self._taken += 1
        return bindparam(name, None, kind)

    def take_many(self, count: int) -> list[BindParameter[Any]]:
        """Return the parameters for the next ``count`` values."""
        return [self.take() for _ in range(count)]


class StatementCache:
    """Compiles statements and keeps their text by shape."""

    def __init__(self, dialect: SQLAlchemyDialect) -> None:
        self._dialect = dialect
        self._kept: dict[Hashable, Statement] = {}

    def get(
        self,
        shape: Hashable,
        build: Callable[[Slots], ClauseElement],
        *,
        one_shot: bool = False,
    ) -> Statement:
        """Return the statement of a shape; ``build`` makes it at the first use."""
        kept = self._kept.get(shape)
        if kept is None:
            if len(self._kept) >= MAXIMUM_SHAPES:
                self._kept.clear()
            kept = self._kept[shape] = self._compile(build(Slots()), one_shot)
        return kept

    def _compile(self, element: ClauseElement, one_shot: bool) -> Statement:
        compiled: Any = element.compile(
            dialect=self._dialect, compile_kwargs={"render_postcompile": True}
        )
        names = list(compiled.positiontup or ())
        added = [name for name in dict.fromkeys(names) if not _SLOT.fullmatch(name)]
        places = tuple(
            added.index(name) - len(added) if name in added else int(name[1:])
            for name in names
        )
        constants = tuple(compiled.params[name] for name in added)
        return Statement(compiled.string, places, constants, one_shot)
