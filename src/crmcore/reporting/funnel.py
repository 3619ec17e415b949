"""The sales funnel: how many opportunities are in each stage, and how many got there.

Pure: takes counted groups and a pipeline, returns a value. Reads the category of a
stage, never its label (REP-07).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from uuid import UUID

import attrs

from crmcore.records import Money
from crmcore.sales import Pipeline, Stage

__all__ = ["Funnel", "FunnelRow", "StageFigure", "StageGroup", "build_funnel"]

#: Shares are rounded to a hundredth of a percent.
_PRECISION = Decimal("0.0001")


@attrs.frozen(kw_only=True)
class StageGroup:
    """Opportunities that a store has counted together.

    ``subject`` is the person that the rows are split by, None for no split or nobody.
    """

    stage: str
    category: str
    last_open_stage: str | None = None
    subject: UUID | None = None
    currency: str | None = None
    count: int = 0
    amount: Decimal = Decimal(0)


@attrs.frozen(kw_only=True)
class StageFigure:
    """One stage of a funnel.

    ``count`` and ``amount`` are of the opportunities that are in the stage now.
    ``reached`` counts those that got this far: they are in this stage, in a later one,
    won, or lost from here on. ``conversion`` is the share (0 to 1) of those that
    reached the stage before, None where there was nobody or no stage before.
    """

    key: str
    label: str
    category: str
    count: int = 0
    amount: Money | None = None
    reached: int = 0
    conversion: Decimal | None = None


@attrs.frozen(kw_only=True)
class FunnelRow:
    """The funnel of one subject in one currency.

    ``stages`` are in the order of the process, also empty ones, won last; ``lost``
    stands beside them (REP-07). Opportunities without an amount count in the row of the
    subject's only currency, or in a row without currency where there are several.
    """

    subject: UUID | None
    name: str
    currency: str | None
    stages: tuple[StageFigure, ...]
    lost: StageFigure

    @property
    def count(self) -> int:
        """Return how many opportunities the row is about, lost ones among them."""
        return sum(stage.count for stage in self.stages) + self.lost.count

    @property
    def won(self) -> StageFigure:
        """Return the figure of what was won."""
        return next(stage for stage in self.stages if stage.category == "won")

    @property
    def win_rate(self) -> Decimal | None:
        """Return won / (won + lost), None where nothing was closed (REP-05)."""
        return _share(self.won.count, self.won.count + self.lost.count)


@attrs.frozen(kw_only=True)
class Funnel:
    """The funnel of a pipeline; one row per subject and currency, sorted by name."""

    pipeline: str
    label: str
    by: str | None
    rows: tuple[FunnelRow, ...]

    def __iter__(self) -> Iterator[FunnelRow]:
        return iter(self.rows)

    @property
    def count(self) -> int:
        """Return how many opportunities the funnel is about."""
        return sum(row.count for row in self.rows)


def build_funnel(
    pipeline: Pipeline,
    groups: Iterable[StageGroup],
    *,
    by: str | None = None,
    names: Mapping[UUID | None, str] | None = None,
) -> Funnel:
    """Return the funnel of counted groups (REP-07).

    ``names`` are the subjects' names. Without any group there is one empty row, unless
    the rows are split.
    """
    rows = _by_row(groups)
    if not rows and by is None:
        rows = {(None, None): []}
    known = names or {}
    made = [
        _row(pipeline, subject, known.get(subject, ""), currency, members)
        for (subject, currency), members in rows.items()
    ]
    made.sort(key=lambda row: (row.subject is None, row.name, row.currency or "~"))
    return Funnel(pipeline=pipeline.key, label=pipeline.label, by=by, rows=tuple(made))


Rows = dict[tuple[UUID | None, str | None], list[StageGroup]]


def _by_row(groups: Iterable[StageGroup]) -> Rows:
    """Split groups by subject and currency; see :class:`FunnelRow` for no currency."""
    given = list(groups)
    currencies: dict[UUID | None, set[str]] = defaultdict(set)
    for group in given:
        if group.currency is not None:
            currencies[group.subject].add(group.currency)
    rows: Rows = defaultdict(list)
    for group in given:
        own = currencies[group.subject]
        alone = next(iter(own)) if len(own) == 1 else None
        rows[group.subject, group.currency or alone].append(group)
    return dict(rows)


def _row(
    pipeline: Pipeline,
    subject: UUID | None,
    name: str,
    currency: str | None,
    groups: list[StageGroup],
) -> FunnelRow:
    stages = _stages(pipeline, groups)
    lost = pipeline.first_of("lost")
    return FunnelRow(
        subject=subject,
        name=name,
        currency=currency,
        stages=_figures(stages, groups, currency),
        lost=_figure(lost, [g for g in groups if g.category == "lost"], currency),
    )


def _stages(pipeline: Pipeline, groups: Iterable[StageGroup]) -> list[Stage]:
    """Return the stages in process order, won last.

    Stages that opportunities are in, but the pipeline no longer has, stand before it.
    """
    pending = [s for s in pipeline.stages if s.category in ("open", "on_hold")]
    known = {stage.key for stage in pending}
    gone = {
        (group.stage, group.category)
        for group in groups
        if group.stage not in known and group.category in ("open", "on_hold")
    }
    pending += [Stage(key, key, Decimal(0), kind) for key, kind in sorted(gone)]
    return [*pending, pipeline.first_of("won")]


def _figures(
    stages: list[Stage], groups: list[StageGroup], currency: str | None
) -> tuple[StageFigure, ...]:
    steps = [stage.key for stage in stages if stage.category != "on_hold"]
    reached = _reached(steps, groups)
    figures = []
    before: int | None = None
    for stage in stages:
        figure = _figure(stage, [g for g in groups if _is_in(g, stage)], currency)
        if stage.key in reached:
            now = reached[stage.key]
            share = None if before is None else _share(now, before)
            figure = attrs.evolve(figure, reached=now, conversion=share)
            before = now
        figures.append(figure)
    return tuple(figures)


def _is_in(group: StageGroup, stage: Stage) -> bool:
    """Won opportunities are in the won stage, whatever theirs was called."""
    if stage.category == "won":
        return group.category == "won"
    return group.stage == stage.key and group.category not in ("won", "lost")


def _figure(
    stage: Stage, groups: list[StageGroup], currency: str | None
) -> StageFigure:
    count = sum(group.count for group in groups)
    amount = sum((group.amount for group in groups), Decimal(0))
    return StageFigure(
        key=stage.key,
        label=stage.label,
        category=stage.category,
        count=count,
        amount=None if currency is None else Money(amount, currency),
        reached=count,
    )


def _reached(steps: list[str], groups: Iterable[StageGroup]) -> dict[str, int]:
    """Return how many opportunities got to each step, or beyond it."""
    places = {key: place for place, key in enumerate(steps)}
    ends = [0] * len(steps)
    for group in groups:
        ends[_furthest(places, group)] += group.count
    return {key: sum(ends[place:]) for key, place in places.items()}


def _furthest(places: Mapping[str, int], group: StageGroup) -> int:
    """Return how far a group got; the first step where nothing else is known."""
    if group.category == "won":
        return len(places) - 1
    key = group.stage if group.category == "open" else group.last_open_stage
    return places.get(key or "", 0)


def _share(part: int, whole: int) -> Decimal | None:
    if whole == 0:
        return None
    return (Decimal(part) / whole).quantize(_PRECISION)
