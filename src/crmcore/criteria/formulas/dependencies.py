"""What formulas read, and the order in which they have to be worked out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from crmcore.criteria.formulas.tree import Formula, paths_in
from crmcore.errors import ValidationError

__all__ = ["dependencies", "order", "ordered"]

K = TypeVar("K", bound=Hashable)


def dependencies(formula: Formula) -> frozenset[tuple[str, ...]]:
    """Return the paths of all fields that a formula reads."""
    return paths_in(formula)


def order(formulas: Mapping[str, Formula]) -> tuple[str, ...]:
    """Return the fields of one entity so that each comes behind those it reads.

    ``formulas`` are by field. Raises ValidationError with the path of a circle.
    """
    read = {
        name: {path[0] for path in paths_in(formula)} & formulas.keys()
        for name, formula in formulas.items()
    }
    return ordered(read)


def ordered(inputs: Mapping[K, set[K]]) -> tuple[K, ...]:
    """Return keys so that each comes behind its inputs; refuse a circle, with its path.

    The order is the same whatever the order of the mapping.
    """
    by_name = sorted(inputs, key=str)
    graph = {key: sorted(inputs[key], key=str) for key in by_name}
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        # The sorter tells the circle from an input to what reads it.
        circle = [str(key) for key in reversed(error.args[1])]
        raise ValidationError.of(circle[0], "cycle", path=" → ".join(circle)) from None
