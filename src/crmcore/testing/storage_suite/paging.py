"""Paging: a walk sees each record once, in order, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from crmcore.criteria import Everything, F, Sort
from crmcore.records import Money
from crmcore.testing.specimens import Specimen
from crmcore.testing.storage_suite.workbench import Chapter, Workbench

#: Orders with ties, missing values, several directions, custom fields, references.
ORDERS: dict[str, tuple[Sort, ...]] = {
    "id": (F.id.asc(),),
    "newest": (F.created_at.desc(),),
    "ties up": (F.name.asc(),),
    "ties down": (F.name.desc(),),
    "same direction": (F.name.asc(), F.size.asc()),
    "both down": (F.name.desc(), F.size.desc()),
    "mixed": (F.name.asc(), F.size.desc()),
    "mixed with id": (F.size.desc(), F.name.asc(), F.id.desc()),
    "custom": (F.c_integer.desc(), F.c_text.asc()),
    "custom date": (F.c_date.asc(), F.size.desc()),
    "reference": (F.habitat.name.desc(), F.size.asc()),
    "boolean": (F.alive.desc(), F.name.asc()),
    "money": (F.price.desc(),),
}


def _populate(bench: Workbench) -> list[Specimen]:
    habitats = [bench.habitat(name=name) for name in ("b", "a", None)]
    bench.add(*habitats)
    made = []
    for number, (name, size) in enumerate(product(("b", "B", None, "é"), (2, None, 1))):
        custom: dict[str, Any] = {}
        if number % 3:
            custom = {"c_integer": number % 4, "c_text": name or "x"}
        if number % 2:
            custom["c_date"] = date(2026, 1, 1 + number % 5)
        made.append(
            bench.specimen(
                name=name,
                size=size,
                alive=(True, False, None)[number % 3],
                price=Money(Decimal(number % 3), "USD") if number % 4 else None,
                habitat_id=habitats[number % 3].id if number % 5 else None,
                custom=custom,
            )
        )
    bench.add(*made)
    return made


def _walk(
    bench: Workbench, sorts: tuple[Sort, ...], size: int
) -> Iterator[list[Specimen]]:
    after = None
    while True:
        page = bench.find(Everything(), *sorts, limit=size, after=after)
        if not page:
            return
        yield page
        after = bench.boundary(page[-1], *sorts)


class PagingChapter(Chapter):
    """Keyset pages."""

    @pytest.mark.parametrize("name", sorted(ORDERS))
    def test_a_walk_sees_each_record_once(self, bench: Workbench, name: str) -> None:
        """Pages put together are the whole list, with ties and missing values."""
        made = _populate(bench)
        sorts = ORDERS[name]
        whole = bench.find(Everything(), *sorts)

        for size in (1, 5):
            walked = [record for page in _walk(bench, sorts, size) for record in page]
            assert [r.id for r in whole] == [r.id for r in walked]
        assert {r.id for r in made} == {r.id for r in whole}

    @pytest.mark.parametrize("name", ["ties up", "mixed", "custom", "newest"])
    def test_a_walk_survives_insertions(self, bench: Workbench, name: str) -> None:
        """What was there is seen once, though others insert before and behind."""
        made = _populate(bench)
        sorts = ORDERS[name]
        seen: list[Specimen] = []
        for page in _walk(bench, sorts, 3):
            seen.extend(page)
            if len(seen) < 40:
                bench.add(bench.specimen(name=None), bench.specimen(name="z", size=9))

        ids = [record.id for record in seen]
        assert len(ids) == len(set(ids))
        assert {record.id for record in made} <= set(ids)

    def test_a_boundary_may_be_gone(self, bench: Workbench) -> None:
        """The next page begins behind a place, not behind a record."""
        made = bench.specimens("size", range(6))
        sorts = (F.size.asc(),)
        place = bench.boundary(made[2], *sorts)
        with bench.transaction() as transaction:
            transaction.purge(bench.entity(Specimen), [made[2].id])

        found = bench.find(Everything(), *sorts, after=place)

        assert made[3:] == found

    def test_a_boundary_and_a_filter_are_both_obeyed(self, bench: Workbench) -> None:
        """Only what matches and lies behind comes out."""
        made = bench.specimens("size", range(10))
        sorts = (F.size.desc(),)
        place = bench.boundary(made[7], *sorts)

        found = bench.find((F.size > 2) & (F.size != 5), *sorts, after=place, limit=3)

        assert [record.size for record in found] == [6, 4, 3]

    def test_boundaries_with_missing_values(self, bench: Workbench) -> None:
        """Behind a missing value lie, upwards, all others; downwards only its ties."""
        none, other, one, two = bench.specimens("size", [None, None, 1, 2])

        up = bench.boundary(none, F.size.asc())
        down = bench.boundary(none, F.size.desc(), F.id.asc())

        assert [other, one, two] == bench.find(Everything(), F.size.asc(), after=up)
        assert [other] == bench.find(
            Everything(), F.size.desc(), F.id.asc(), after=down
        )
