"""A figure: one measured number with what it is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs

from benchmarks.measuring import Times

__all__ = ["Figure", "Report", "compared"]

#: Units of a second.
SCALES = {"us": 1e6, "ms": 1e3}


@attrs.frozen(kw_only=True)
class Figure:
    """One number.

    ``baseline`` is the number of the code written by hand, ``ratio`` how many times as
    long ours takes; ``target`` is text such as ``ratio <= 2.5``. ``met`` tells whether
    the target holds, None where there is none.
    """

    benchmark: str
    name: str
    store: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    met: bool | None = None

    def line(self) -> str:
        """Return the figure as one line of JSON."""
        data: dict[str, Any] = attrs.asdict(self)
        for name in ("value", "baseline", "ratio"):
            if data[name] is not None:
                data[name] = float(f"{data[name]:.4g}")
        kept = ("name", "store", "value", "unit", "baseline", "ratio", "target")
        return json.dumps({name: data[name] for name in kept}, ensure_ascii=False)


Report = Callable[[Figure], None]


def compared(
    benchmark: str,
    name: str,
    store: str,
    times: Times,
    unit: str,
    most: float | None = None,
) -> Figure:
    """Return the figure of two times; ``most`` is the highest ratio wanted."""
    scale = SCALES[unit]
    return Figure(
        benchmark=benchmark,
        name=name,
        store=store,
        value=times.ours * scale,
        unit=unit,
        baseline=times.by_hand * scale,
        ratio=times.ratio,
        target=None if most is None else f"ratio <= {most}",
        met=None if most is None else times.ratio <= most,
    )
