"""The template language: Liquid, without what reaches outside, and with limits.

Every rendering has an environment of its own, which counts what it spends.
"""

from __future__ import annotations

import crmcore.templates.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from liquid import Environment
from liquid.builtin import DictLoader
from liquid.context import RenderContext
from liquid.exceptions import FilterError, LiquidError, ResourceLimitError
from liquid.template import BoundTemplate

from crmcore.templates.filters import FILTERS
from crmcore.templates.surroundings import Surroundings

__all__ = ["Language", "LiquidError"]

#: ``include`` could be handed a name from a record; ``render`` takes a written one.
_LEFT_OUT_TAGS = frozenset({"include"})
#: ``safe`` would switch escaping off; ``date`` reads the machine's clock and zone.
_LEFT_OUT_FILTERS = frozenset({"safe", "date"})
#: What one filter may be asked for: its input times the text it puts in.
_LARGEST_PRODUCT = 10_000_000
_LARGEST_VALUE = 500_000
_LONGEST_NUMBER = 60
LARGEST_LOOP = 10_000
#: Iterations times characters of all templates: what bounds the time of a rendering.
_LARGEST_WORK = 20_000_000


class _Context(RenderContext):
    """Counts all iterations of a rendering, not only those of nested loops."""

    __slots__ = ()

    def raise_for_loop_limit(self, length: int = 1) -> None:
        assert isinstance(self.env, Language)
        self.env.spend(length)


class _Template(BoundTemplate):
    context_class = _Context


class Language(Environment):
    """Parses and renders templates for one reader; ``texts`` may be rendered within."""

    block_nesting_limit: ClassVar[int] = 30
    context_depth_limit: ClassVar[int] = 30
    loop_iteration_limit: ClassVar[int | None] = LARGEST_LOOP
    local_namespace_limit: ClassVar[int | None] = 2_000_000
    output_stream_limit: ClassVar[int | None] = 1_000_000
    template_class = _Template

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        html: bool,
        texts: Mapping[str, str],
        characters: int = 0,
    ) -> None:
        self._surroundings = surroundings
        self._iterations = 0
        self._allowed = min(LARGEST_LOOP, _LARGEST_WORK // max(characters, 1))
        super().__init__(autoescape=html, loader=DictLoader(dict(texts)))

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Register what the language has, each filter within its limits."""
        super().setup_tags_and_filters()
        for name in _LEFT_OUT_TAGS:
            del self.tags[name]
        for name in _LEFT_OUT_FILTERS:
            del self.filters[name]
        for name, function in FILTERS.items():
            self.filters[name] = partial(function, self._surroundings)
        for name, known in list(self.filters.items()):
            self.filters[name] = _limited(known)

    def spend(self, iterations: int) -> None:
        """Count iterations and included templates; raise where it was too much."""
        self._iterations += max(iterations, 0)
        if self._iterations > self._allowed:
            raise ResourceLimitError("it repeats too often", token=None)

    def get_template(self, name: str, **options: Any) -> BoundTemplate:
        """Return a template that another one renders."""
        self.spend(1)
        return super().get_template(name, **options)


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(value: Any, *arguments: Any, **named: Any) -> Any:
        product = 1
        for given in (value, *arguments):
            product *= max(_size(given), 1)
        if product > _LARGEST_PRODUCT:
            raise FilterError("the values are too large", token=None)
        result = function(value, *arguments, **named)
        if _size(result) > _LARGEST_VALUE or _is_huge(result):
            raise FilterError("the result is too large", token=None)
        return result

    for mark in ("with_context", "with_environment"):
        if getattr(function, mark, False):
            setattr(call, mark, True)
    return call


def _size(value: Any) -> int:
    if isinstance(value, range) and value.stop - value.start > LARGEST_LOOP:
        raise FilterError("the range is too large", token=None)
    return len(value) if isinstance(value, (str, list, tuple, dict, range)) else 1


def _is_huge(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() > _LONGEST_NUMBER * 4
    if isinstance(value, Decimal) and value.is_finite():
        return abs(value.adjusted()) > _LONGEST_NUMBER
    return False
