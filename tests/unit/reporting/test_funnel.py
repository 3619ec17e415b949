"""The funnel: figures per stage from counted groups, in one currency per row."""

from __future__ import annotations

import sys
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import CRM, SYSTEM, F, Money, Opportunity, Pipeline, Stage, User
from crmcore.errors import MissingExtra, ValidationError
from crmcore.reporting import StageGroup
from crmcore.reporting.charts import funnel_svg
from crmcore.reporting.funnel import build_funnel
from crmcore.sales import DEFAULT_PIPELINE
from crmcore.storage import MemoryStore

ANN, BEN = UUID(int=1), UUID(int=2)

PIPELINE = Pipeline(
    "test",
    "Test",
    (
        Stage("first", "First", 10),
        Stage("second", "Second", 50),
        Stage("waiting", "Waiting", 50, "on_hold"),
        Stage("won", "Won", 100, "won"),
        Stage("lost", "Lost", 0, "lost"),
    ),
)


def group(stage, count=1, amount=0, currency="EUR", subject=None, last=None):
    category = PIPELINE.by_key[stage].category
    return StageGroup(
        stage=stage,
        category=category,
        last_open_stage=last or (stage if category == "open" else None),
        subject=subject,
        currency=currency,
        count=count,
        amount=Decimal(amount if currency else 0),
    )


def by_key(row):
    return {figure.key: figure for figure in (*row.stages, row.lost)}


@pytest.mark.capability("REP-07")
def test_stages_stand_in_process_order_with_won_last_and_lost_beside():
    """Every stage has a figure, also an empty one; won is last, lost stands aside."""
    (row,) = build_funnel(PIPELINE, [group("second")]).rows

    assert [s.key for s in row.stages] == ["first", "second", "waiting", "won"]
    assert row.lost.key == "lost"
    assert [s.count for s in row.stages] == [0, 1, 0, 0]


def test_a_stage_is_reached_by_all_that_came_past_it():
    """Won ones reached every step; lost ones as far as their last open stage."""
    groups = [
        group("first", 5),
        group("second", 3),
        group("won", 2),
        group("lost", 4, last="second"),
    ]

    figures = by_key(build_funnel(PIPELINE, groups).rows[0])

    assert figures["first"].reached == 14
    assert figures["second"].reached == 9
    assert figures["won"].reached == 2
    assert figures["second"].conversion == Decimal("0.6429")
    assert figures["won"].conversion == Decimal("0.2222")


def test_the_first_stage_has_no_conversion():
    """A rate needs a stage before, and somebody in it."""
    figures = by_key(build_funnel(PIPELINE, []).rows[0])

    assert figures["first"].conversion is None
    assert figures["second"].conversion is None


def test_a_waiting_stage_is_no_step_of_the_way():
    """What is on hold counts as far as it had come, and is no step by itself."""
    groups = [group("first", 1), group("waiting", 3, last="second")]

    figures = by_key(build_funnel(PIPELINE, groups).rows[0])

    assert figures["waiting"].count == 3
    assert figures["waiting"].conversion is None
    assert figures["second"].reached == 3


def test_lost_without_a_known_stage_counts_from_the_first():
    """Nothing is made up: whoever is lost reached the first stage at least."""
    figures = by_key(build_funnel(PIPELINE, [group("lost", 2)]).rows[0])

    assert figures["first"].reached == 2
    assert figures["second"].reached == 0


@pytest.mark.capability("REP-05")
def test_the_win_rate_is_undefined_while_nothing_is_closed():
    """Won / (won + lost); None, not 0, where nothing was closed."""
    (pending,) = build_funnel(PIPELINE, [group("first")]).rows
    (closed,) = build_funnel(PIPELINE, [group("won", 1), group("lost", 3)]).rows

    assert pending.win_rate is None
    assert closed.win_rate == Decimal("0.25")


def test_two_currencies_are_two_rows():
    """Amounts of different currencies are never added up."""
    groups = [group("first", 1, 100, "EUR"), group("first", 2, 700, "CNY")]

    rows = build_funnel(PIPELINE, groups).rows

    assert [row.currency for row in rows] == ["CNY", "EUR"]
    assert [row.stages[0].amount for row in rows] == [
        Money("700", "CNY"),
        Money("100", "EUR"),
    ]


def test_no_amount_belongs_to_the_only_currency():
    """An opportunity without an amount needs no row of its own beside one currency."""
    groups = [group("first", 1, 100), group("first", 2, 0, None)]

    (row,) = build_funnel(PIPELINE, groups).rows

    assert (row.stages[0].count, row.stages[0].amount) == (3, Money("100", "EUR"))


def test_no_amount_stands_alone_beside_several_currencies():
    """With several currencies, what has no amount is counted in a row without one."""
    groups = [group("first", 1, 1, c) for c in ("EUR", "CNY", None)]

    rows = build_funnel(PIPELINE, groups).rows

    assert [row.currency for row in rows] == ["CNY", "EUR", None]
    assert rows[2].stages[0].amount is None


def test_rows_are_sorted_by_the_subjects_name():
    """People come in the order of their names, nobody last."""
    groups = [group("first", subject=s) for s in (None, ANN, BEN)]

    rows = build_funnel(PIPELINE, groups, by="owner", names={ANN: "Z", BEN: "A"}).rows

    assert [row.subject for row in rows] == [BEN, ANN, None]


def test_a_stage_that_the_pipeline_lost_is_still_shown():
    """Opportunities in a removed stage are not lost from the figures."""
    gone = StageGroup(stage="gone", category="open", count=4)

    (row,) = build_funnel(PIPELINE, [gone, group("won", 1)]).rows

    assert by_key(row)["gone"].count == 4
    assert row.count == 5


def test_a_renamed_won_stage_counts_as_won():
    """The stored category decides, not the key or the label."""
    old = StageGroup(stage="old_won", category="won", count=2)

    (row,) = build_funnel(PIPELINE, [old]).rows

    assert row.won.count == 2


GROUPS = st.builds(
    group,
    stage=st.sampled_from(sorted(PIPELINE.by_key)),
    count=st.integers(1, 50),
    amount=st.integers(0, 10_000),
    currency=st.sampled_from([None, "EUR", "CNY"]),
    subject=st.sampled_from([None, ANN, BEN]),
    last=st.sampled_from([None, "first", "second"]),
)


@given(st.lists(GROUPS))
def test_nothing_is_counted_twice_or_forgotten(groups):
    """Counts and amounts of all rows add up to those of the groups."""
    funnel = build_funnel(PIPELINE, groups, by="owner")
    amounts = [f.amount for row in funnel for f in (*row.stages, row.lost)]

    assert funnel.count == sum(g.count for g in groups)
    assert sum(m.amount for m in amounts if m) == sum(g.amount for g in groups)


@given(st.lists(GROUPS))
def test_a_later_step_is_never_reached_more_often(groups):
    """Each step is reached by at most those that reached the one before."""
    for row in build_funnel(PIPELINE, groups, by="owner"):
        steps = [s.reached for s in row.stages if s.category != "on_hold"]
        assert steps == sorted(steps, reverse=True)


@pytest.fixture
def crm():
    made = CRM(MemoryStore())
    made.install()
    with made.session(SYSTEM) as s:
        boss = s.create(User(username="boss", name="Boss", profile="manager"))
        other = s.create(User(username="other", name="Other", profile="manager"))
        for name, manager in (("ann", boss), ("ben", boss), ("cat", other)):
            s.create(
                User(
                    username=name,
                    name=name.title(),
                    profile="sales",
                    manager_id=manager.id,
                )
            )
    for name in ("ann", "ben", "cat"):
        with made.session(name) as s:
            pending = s.create(Opportunity(name="a", amount=Money("10", "EUR")))
            s.sales.move(pending, "proposal")
            s.sales.win(s.create(Opportunity(name="b", amount=Money("5", "EUR"))))
            s.sales.lose(s.create(Opportunity(name="c")), "price")
    return made


@pytest.mark.capability("REP-07")
def test_the_service_counts_what_the_actor_sees(crm):
    """A salesperson's funnel holds her own, a manager's those below, SYSTEM's all."""
    counts = {}
    for actor in ("ann", "boss", "other", SYSTEM):
        with crm.session(actor) as s:
            counts[str(actor)] = s.reporting.funnel().count

    assert list(counts.values()) == [3, 6, 3, 9]


def test_the_service_splits_by_owner_and_by_manager(crm):
    """One row per owner, or per owner's direct superior, with the name."""
    with crm.session(SYSTEM) as s:
        owners = s.reporting.funnel("owner")
        managers = s.reporting.funnel("manager")

    assert [(r.name, r.count) for r in owners] == [("Ann", 3), ("Ben", 3), ("Cat", 3)]
    assert [(r.name, r.won.amount) for r in managers] == [
        ("Boss", Money("10", "EUR")),
        ("Other", Money("5", "EUR")),
    ]


def test_criteria_narrow_the_funnel_down(crm):
    """Only matching opportunities are counted."""
    with crm.session(SYSTEM) as s:
        funnel = s.reporting.funnel(criteria=F.name == "a")

    filled = {f.key: f.count for f in funnel.rows[0].stages if f.count}
    assert filled == {"proposal": 3}


def test_the_funnel_is_one_statement(crm, monkeypatch):
    """However many opportunities there are, the store is asked once."""
    asked = []
    with crm.session(SYSTEM) as s:
        aggregate = s.transaction.aggregate

        def count_and_aggregate(query):
            asked.append(query)
            return aggregate(query)

        monkeypatch.setattr(s.transaction, "aggregate", count_and_aggregate)
        s.reporting.funnel("manager")

    assert len(asked) == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [({"by": "colour"}, "by"), ({"pipeline": "none"}, "pipeline")],
)
def test_an_unknown_split_or_pipeline_is_refused(crm, options, field):
    """The error names the argument that is wrong."""
    with crm.session(SYSTEM) as s, pytest.raises(ValidationError) as refused:
        s.reporting.funnel(**options)

    assert [p.field for p in refused.value.problems] == [field]


def test_the_chart_is_svg_with_every_stage(crm):
    """The picture shows each stage's label and figures."""
    with crm.session(SYSTEM) as s:
        svg = funnel_svg(s.reporting.funnel("owner"))

    assert svg.startswith("<svg")
    assert all(stage.label in svg for stage in DEFAULT_PIPELINE.stages)


def test_a_chart_of_nothing_can_be_drawn():
    """No rows, no error."""
    assert funnel_svg(build_funnel(PIPELINE, [], by="owner")).startswith("<svg")


def test_a_chart_without_the_extra_names_it(monkeypatch):
    """Without Altair the error says which extra to install."""
    monkeypatch.setitem(sys.modules, "altair", None)

    with pytest.raises(MissingExtra) as missing:
        funnel_svg(build_funnel(PIPELINE, []))

    assert missing.value.details["extra"] == "charts"
