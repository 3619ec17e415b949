"""Measuring two ways of doing one thing, in turns, so that noise meets both alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import attrs

__all__ = ["Times", "in_turns", "seconds_of"]


@attrs.frozen
class Times:
    """The median seconds of one run of each way, and how ours compares.

    ``ratio`` is the median of the ratios of the rounds: what slows the machine down for
    a while slows both ways down, and does not count.
    """

    ours: float
    by_hand: float
    ratio: float


def seconds_of(run: Callable[[Any], Any], inputs: Iterable[Any]) -> list[float]:
    """Return how long ``run`` takes on each of the inputs."""
    times = []
    for each in inputs:
        start = perf_counter()
        run(each)
        times.append(perf_counter() - start)
    return times


def in_turns(
    ours: Callable[[Any], Any],
    by_hand: Callable[[Any], Any],
    inputs: Callable[[], Any],
    *,
    rounds: int,
    runs: int,
    warm_up: int = 3,
) -> Times:
    """Return the medians over all rounds.

    Each round runs one way ``runs`` times, then the other, and the next round begins
    with the other. ``inputs()`` gives the input of one run; it is not measured.
    """
    seconds_of(ours, _taken(inputs, warm_up))
    seconds_of(by_hand, _taken(inputs, warm_up))
    measured: dict[bool, list[list[float]]] = {True: [], False: []}
    for number in range(rounds):
        gc.collect()
        for is_ours in (True, False) if number % 2 else (False, True):
            given = _taken(inputs, runs)
            times = seconds_of(ours if is_ours else by_hand, given)
            measured[is_ours].append(times)
    mine, theirs = measured[True], measured[False]
    pairs = zip(mine, theirs, strict=True)
    return Times(
        ours=median(t for times in mine for t in times),
        by_hand=median(t for times in theirs for t in times),
        ratio=median(median(one) / median(other) for one, other in pairs),
    )


def _taken(inputs: Callable[[], Any], number: int) -> Sequence[Any]:
    return [inputs() for _ in range(number)]
