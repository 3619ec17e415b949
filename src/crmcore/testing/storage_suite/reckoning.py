"""Aggregates: numbers over groups, exact and the same everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crmcore.criteria import F
from crmcore.records import Money
from crmcore.testing.storage_suite.workbench import Chapter, Workbench


class AggregatesChapter(Chapter):
    """Counting, adding up, grouping."""

    def test_without_groups_there_is_one_answer(self, bench: Workbench) -> None:
        """Over nothing the count is 0 and the other numbers are missing."""
        numbers: list[tuple[str, Any]] = [
            ("count", None),
            ("count_values", F.size),
            ("sum", F.size),
            ("min", F.size),
            ("max", F.size),
        ]

        assert {(0, 0, None, None, None)} == bench.aggregate(*numbers)
        bench.specimens("size", [None, 3, -1])
        assert {(3, 2, 2, -1, 3)} == bench.aggregate(*numbers)

    def test_with_groups_there_is_none_over_nothing(self, bench: Workbench) -> None:
        """Where no record matches there is no group."""
        assert set() == bench.aggregate(("count", None), by=[(F.name, None)])

    def test_missing_values_are_a_group(self, bench: Workbench) -> None:
        """Records without the key are counted together."""
        bench.specimens("name", ["a", "a", "A", None, None, "é"])

        found = bench.aggregate(("count", None), by=[(F.name, None)])

        assert {("a", 2), ("A", 1), ("é", 1), (None, 2)} == found

    def test_groups_by_several_keys(self, bench: Workbench) -> None:
        """Keys come first, in order, then the measures."""
        for colour, alive, size in [
            ("red", True, 1),
            ("red", True, 2),
            ("red", None, 4),
            (None, False, 8),
        ]:
            bench.add(bench.specimen(colour=colour, alive=alive, size=size))

        found = bench.aggregate(
            ("sum", F.size), ("max", F.size), by=[(F.colour, None), (F.alive, None)]
        )

        assert {("red", True, 3, 2), ("red", None, 4, 4), (None, False, 8, 8)} == found

    def test_sums_are_exact_beyond_64_bits(self, bench: Workbench) -> None:
        """A sum is never rounded and never wraps around."""
        largest = 2**63 - 1
        bench.specimens("size", [largest, largest, largest, 1])

        assert {(3 * largest + 1,)} == bench.aggregate(("sum", F.size))
        assert {(3 * largest + 1,)} == bench.aggregate(("sum", F.size), by=[])
        found = bench.aggregate(("sum", F.size), by=[(F.name, None)])
        assert {(None, 3 * largest + 1)} == found

    def test_sums_of_small_amounts_are_exact(self, bench: Workbench) -> None:
        """Ten times 0.1 is 1: amounts are whole numbers of their smallest unit."""
        bench.specimens("weight", [Decimal("0.1")] * 10)

        assert {(10_000,)} == bench.aggregate(("sum", F.weight))

    def test_a_sum_over_missing_values_is_missing(self, bench: Workbench) -> None:
        """A group without values has count 0 and no sum."""
        bench.specimens("name", ["a"])

        found = bench.aggregate(
            ("count_values", F.size), ("sum", F.size), by=[(F.name, None)]
        )

        assert {("a", 0, None)} == found

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("name", ["b", "B", "é"]),
            ("size", [3, -5, 10]),
            ("born", [date(1999, 1, 1), date(2026, 1, 1)]),
            (
                "seen_at",
                [datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
            ),
            ("alive", [True, False]),
            ("colour", ["red", "Red", "$blue"]),
        ],
    )
    def test_the_smallest_and_the_greatest(
        self, bench: Workbench, field: str, values: list[Any]
    ) -> None:
        """Minimum and maximum follow the order of the kind; missing does not count."""
        bench.specimens(field, [*values, None])

        found = bench.aggregate(("min", F[field]), ("max", F[field]))

        assert {(min(values), max(values))} == found

    def test_the_smallest_and_the_greatest_id(self, bench: Workbench) -> None:
        """Ids are ordered by their bytes."""
        ids = sorted(bench.new_id() for _ in range(3))
        bench.specimens("habitat_id", [*ids[1:], ids[0], None])

        found = bench.aggregate(("min", F.habitat_id), ("max", F.habitat_id))

        assert {(ids[0], ids[-1])} == found

    @pytest.mark.parametrize(
        ("unit", "starts"),
        [
            ("day", ["2026-03-01", "2026-03-31", "2026-04-01", "2027-01-01"]),
            ("week", ["2026-02-23", "2026-03-30", "2026-03-30", "2026-12-28"]),
            ("month", ["2026-03-01", "2026-03-01", "2026-04-01", "2027-01-01"]),
            ("quarter", ["2026-01-01", "2026-01-01", "2026-04-01", "2027-01-01"]),
            ("year", ["2026-01-01", "2026-01-01", "2026-01-01", "2027-01-01"]),
        ],
    )
    def test_periods(self, bench: Workbench, unit: str, starts: list[str]) -> None:
        """A period is named by its first day; weeks begin on Monday; UTC counts."""
        days = ["2026-03-01", "2026-03-31", "2026-04-01", "2027-01-01"]
        for day in [*days, None]:
            moment = day and datetime.fromisoformat(f"{day}T23:59:59.999Z")
            bench.add(
                bench.specimen(
                    born=day and date.fromisoformat(day),
                    seen_at=moment or None,
                    custom={"c_date": date.fromisoformat(day)} if day else {},
                )
            )
        expected = {(s, starts.count(s)) for s in starts} | {(None, 1)}

        for field in (F.born, F.seen_at, F.c_date):
            assert expected == bench.aggregate(("count", None), by=[(field, unit)])

    def test_money_is_grouped_by_currency(self, bench: Workbench) -> None:
        """Amounts are added up per currency."""
        bench.specimens(
            "price",
            [
                Money(Decimal(1), "EUR"),
                Money(Decimal(2), "EUR"),
                Money(Decimal(4), "USD"),
            ],
        )

        found = bench.aggregate(("sum", F.price), by=[(F.price.currency, None)])

        assert {("EUR", 30_000), ("USD", 40_000)} == found

    def test_fields_of_references(self, bench: Workbench) -> None:
        """Groups and measures may follow a reference."""
        sea = bench.habitat(name="Sea", size=10)
        bench.add(
            sea, bench.specimen(habitat_id=sea.id), bench.specimen(habitat_id=sea.id)
        )
        bench.add(bench.specimen())

        found = bench.aggregate(
            ("count", None), ("sum", F.habitat.size), by=[(F.habitat.name, None)]
        )

        assert {("Sea", 2, 20), (None, 1, None)} == found

    def test_only_what_matches_counts(self, bench: Workbench) -> None:
        """The filter is applied before anything is counted."""
        bench.specimens("size", range(10))

        assert {(3, 24)} == bench.aggregate(
            ("count", None), ("sum", F.size), criteria=F.size > 6
        )
