"""Custom fields: values that administrators added behave like all others (REC-09)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from crmcore.criteria import Everything, F
from crmcore.records import Integer, Money, fields
from crmcore.storage import Update
from crmcore.testing.specimens import Specimen
from crmcore.testing.storage_suite.workbench import Chapter, Workbench, following

#: Custom field -> three values in ascending order.
ORDERED: dict[str, tuple[Any, Any, Any]] = {
    "c_text": ("Zoe", "a\x01", "é"),
    "c_story": ("10", "9", "a"),
    "c_integer": (-10, 9, 10),
    "c_decimal": (Decimal("-9.5"), Decimal("9.5"), Decimal(10)),
    "c_percent": (Decimal(0), Decimal("9.99"), Decimal(100)),
    "c_date": (date(1, 1, 1), date(1999, 12, 31), date(9999, 12, 31)),
    "c_datetime": (
        datetime(999, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 0, 1000, tzinfo=UTC),
    ),
    "c_boolean": (False, True, True),
    "c_colour": ("$blue", "Red", "red"),
    "c_habitat_id": (UUID(int=1), UUID(int=2**64), UUID(int=2**127)),
}


class CustomFieldsChapter(Chapter):
    """Filters, orders and numbers over custom values."""

    @pytest.mark.parametrize("name", sorted(ORDERED))
    def test_custom_values_compare_like_typed_ones(
        self, bench: Workbench, name: str
    ) -> None:
        """Comparisons, order and absence work for each kind of custom field."""
        low, middle, high = ORDERED[name]
        made = [bench.specimen(custom={name: v}) for v in (low, middle, high)]
        none = bench.specimen()
        bench.add(*made, none)
        field = F[name]
        expected = [
            r.id for r, v in zip(made, (low, middle, high), strict=True) if v == middle
        ]

        assert set(expected) == bench.ids(field == middle)
        assert {r.id for r in (*made, none)} - set(expected) == bench.ids(
            field != middle
        )
        assert {made[0].id} == bench.ids(field < middle)
        assert {made[0].id, none.id} == bench.ids(field.in_([low, None]))
        assert {made[1].id, made[2].id} == bench.ids(field >= middle)
        assert {none.id} == bench.ids(field.is_null())
        assert {made[1].id, made[2].id} == bench.ids(field > low)
        assert [none, *made] == bench.find(Everything(), field.asc(), F.id.asc())

    def test_custom_text_is_searched_like_typed_text(self, bench: Workbench) -> None:
        """Case and width do not count, wildcards are characters."""
        made = [
            bench.specimen(custom={"c_text": text})
            for text in ("STRASSE", "100%", "ＡＢＣ", "a\\b")
        ]
        bench.add(*made)

        assert {made[0].id} == bench.ids(F.c_text.contains("straße"))
        assert {made[1].id} == bench.ids(F.c_text.contains("%"))
        assert {made[2].id} == bench.ids(F.c_text.starts_with("ab"))
        assert {made[3].id} == bench.ids(F.c_text.starts_with("A\\"))

    def test_custom_lists(self, bench: Workbench) -> None:
        """Items of custom lists are found whole."""
        first = bench.specimen(custom={"c_tags": ("a", "b"), "c_colours": ("$blue",)})
        second = bench.specimen(custom={"c_tags": ("ab",)})
        bench.add(first, second)

        assert {first.id} == bench.ids(F.c_tags.any_of(["a"]))
        assert {second.id} == bench.ids(F.c_tags.any_of(["ab", "x"]))
        assert {first.id} == bench.ids(F.c_colours.any_of(["$blue"]))
        assert {second.id} == bench.ids(F.c_colours.is_null())
        assert {first.id} == bench.ids(F.c_tags.all_of(["b", "a"]))

    def test_custom_money(self, bench: Workbench) -> None:
        """Custom money has amount and currency."""
        eur = bench.specimen(custom={"c_money": Money(Decimal("9.5"), "EUR")})
        usd = bench.specimen(custom={"c_money": Money(Decimal(10), "USD")})
        bench.add(eur, usd)

        assert {eur.id} == bench.ids(F.c_money < 10)
        assert {usd.id} == bench.ids(F.c_money == Money(Decimal(10), "USD"))
        assert {eur.id} == bench.ids(F.c_money.currency == "EUR")
        assert [eur, usd] == bench.find(Everything(), F.c_money.asc())

    def test_numbers_over_custom_values(self, bench: Workbench) -> None:
        """Custom numbers are added up exactly, custom keys make groups."""
        largest = 2**63 - 1
        for text, number in [("a", largest), ("a", largest), (None, 5), ("A", None)]:
            custom = {"c_text": text, "c_integer": number}
            bench.add(
                bench.specimen(
                    custom={k: v for k, v in custom.items() if v is not None}
                )
            )

        found = bench.aggregate(
            ("count", None),
            ("sum", F.c_integer),
            ("max", F.c_integer),
            by=[(F.c_text, None)],
        )

        assert {
            ("a", 2, 2 * largest, largest),
            (None, 1, 5, 5),
            ("A", 1, None, None),
        } == found

    def test_a_change_of_custom_values_is_searched_at_once(
        self, bench: Workbench
    ) -> None:
        """Folded text and indexes follow each update."""
        old = bench.specimen(custom={"c_text": "Old", "c_integer": 1})
        bench.add(old)

        new = following(old, custom={"c_text": "New"})
        with bench.transaction() as transaction:
            transaction.update(bench.entity(Specimen), [Update(old, new)])

        assert set() == bench.ids(F.c_text.contains("old"))
        assert {old.id} == bench.ids(F.c_text.contains("NEW"))
        assert {old.id} == bench.ids(F.c_integer.is_null())

    def test_a_field_that_was_added_later_is_missing(self, bench: Workbench) -> None:
        """Old records simply lack the values of new fields; new ones have them."""
        old = bench.specimen(name="old")
        bench.add(old)
        added = fields.custom("c_added", Integer(), indexed=True)
        bench.add_fields(Specimen, added)
        new = bench.specimen(custom={"c_added": 5})
        bench.add(new)

        assert {old.id} == bench.ids(F.c_added.is_null())
        assert {new.id} == bench.ids(F.c_added == 5)
        assert [old, new] == bench.find(Everything(), F.c_added.asc())
        assert new == bench.load(new)
