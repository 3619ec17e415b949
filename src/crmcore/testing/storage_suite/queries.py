"""Queries: every operator, missing values, references and the order of values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from crmcore.criteria import Criteria, Everything, F, FieldExpression
from crmcore.records import Address, ContactPoint, Money, Ref
from crmcore.testing.specimens import Habitat, Specimen
from crmcore.testing.storage_suite.workbench import Chapter, Workbench

_MOMENT = datetime(2026, 3, 14, 12, tzinfo=UTC)

#: Field -> three values in ascending order; each is tried with every comparison.
ORDERED: dict[str, tuple[Any, Any, Any]] = {
    "name": ("Zoe", "anna", "Émile"),
    "story": ("A", "a", "深"),
    "size": (-10, 9, 10),
    "weight": (Decimal("-9.5"), Decimal("9.5"), Decimal(10)),
    "share": (Decimal(0), Decimal("9.99"), Decimal(100)),
    "born": (date(1, 1, 1), date(1999, 12, 31), date(2000, 1, 1)),
    "seen_at": (
        _MOMENT,
        _MOMENT + timedelta(milliseconds=1),
        _MOMENT + timedelta(days=1),
    ),
    "colour": ("$blue", "Red", "red"),
    "email": ("Ada@example.com", "a@example.com", "b@example.com"),
    "habitat_id": (UUID(int=1), UUID(int=2**64), UUID(int=2**127)),
}

#: Texts in the order of their code points, where servers like to differ.
CODE_POINTS = (
    "!",
    "0",
    "A",
    "AA",
    "Z",
    "Zoe",
    "_",
    "a",
    "a\x01b",
    "a b",
    "a-b",
    "aa",
    "zoe",
    "zoe%",
    "~",
    "\x7f",
    "\xad",
    "Émile",
    "ß",
    "é",
    "ı",
    "Ω",
    "\u200b",
    "中",
    "深",
    "\ue000",
    "\uff21",
    "\uffff",
    "😀",
    "\U0010ffff",
)


class QueriesChapter(Chapter):
    """Filters and orders."""

    @pytest.mark.parametrize("name", sorted(ORDERED))
    def test_comparisons_of_each_kind(self, bench: Workbench, name: str) -> None:
        """All six comparisons answer as the order of the values says."""
        low, middle, high = ORDERED[name]
        low_id, middle_id, high_id, none_id = (
            record.id for record in bench.specimens(name, [low, middle, high, None])
        )
        field: FieldExpression = F[name]

        assert {middle_id} == bench.ids(field == middle)
        assert {low_id, high_id, none_id} == bench.ids(field != middle)
        assert {low_id} == bench.ids(field < middle)
        assert {low_id, middle_id} == bench.ids(field <= middle)
        assert {high_id} == bench.ids(field > middle)
        assert {middle_id, high_id} == bench.ids(field >= middle)
        assert {low_id, middle_id} == bench.ids(field.between(low, middle))
        assert {low_id, high_id} == bench.ids(field.in_([low, high]))
        assert {low_id, none_id} == bench.ids(field.in_([low, None]))
        assert {none_id} == bench.ids(field.is_null())
        assert {low_id, middle_id, high_id} == bench.ids(field.is_null(False))

    def test_a_missing_value_matches_only_its_absence(self, bench: Workbench) -> None:
        """Comparisons with a missing value are false, their negations are true."""
        (missing,) = bench.specimens("size", [None])
        tests: list[Criteria] = [
            F.size == 3,
            F.size < 3,
            F.size >= 3,
            F.size.in_([3]),
            F.size.between(0, 9),
            F.name.contains("a"),
            F.tags.any_of(["a"]),
            F.habitat.size > 0,
        ]
        for test in tests:
            assert set() == bench.ids(test)
            assert {missing.id} == bench.ids(~test)
            assert set() == bench.ids(~~test)
        assert {missing.id} == bench.ids((F.size != 3) & F.size.is_null())

    def test_a_negation_is_the_exact_complement(self, bench: Workbench) -> None:
        """De Morgan holds with missing values on both sides."""
        records = [
            bench.specimen(name=name, size=size)
            for name in ("x", "y", None)
            for size in (1, 2, None)
        ]
        bench.add(*records)
        everything = {record.id for record in records}
        left, right = F.name == "x", F.size == 1

        both, either = bench.ids(left & right), bench.ids(left | right)

        assert (len(both), len(either)) == (1, 5)
        assert (
            everything - both == bench.ids(~(left & right)) == bench.ids(~left | ~right)
        )
        assert (
            everything - either
            == bench.ids(~(left | right))
            == bench.ids(~left & ~right)
        )

    def test_no_condition_and_the_impossible_one(self, bench: Workbench) -> None:
        """Everything matches all records, its negation and an empty list none."""
        bench.specimens("size", [1, None])

        assert bench.count(Everything()) == 2
        assert bench.count(~Everything()) == 0
        assert bench.count(F.size.in_([])) == 0
        assert bench.count(~F.size.in_([])) == 2
        assert bench.count(F.tags.any_of([])) == 0
        assert bench.count(F.tags.all_of([])) == 2

    def test_booleans_are_compared_as_such(self, bench: Workbench) -> None:
        """False is less than true, and neither is missing."""
        false, true, missing = bench.specimens("alive", [False, True, None])

        assert {false.id} == bench.ids(F.alive == False)  # noqa: E712 - builds criteria
        assert {true.id, missing.id} == bench.ids(F.alive != False)  # noqa: E712 - as above
        assert {false.id} == bench.ids(F.alive < True)
        assert [missing, false, true] == bench.find(Everything(), F.alive.asc())
        assert [true, false, missing] == bench.find(Everything(), F.alive.desc())

    def test_text_is_compared_character_by_character(self, bench: Workbench) -> None:
        """Equality knows no collation: case, accents and width count."""
        words = ["a", "A", "ä", "ä\u0301", "ａ", "ß", "ss", "a\x01", "ı", "i"]
        made = bench.specimens("name", words)

        for record in made:
            assert {record.id} == bench.ids(F.name == record.name)
            assert {record.id} == bench.ids(F.name.in_([record.name]))

    def test_text_is_ordered_by_code_point(self, bench: Workbench) -> None:
        """Every store sorts text alike, whatever its collation."""
        for field in ("name", "story"):
            made = bench.specimens(field, reversed(CODE_POINTS))
            ids = [record.id for record in made]
            found = bench.find(F.id.in_(ids), F[field].asc())
            assert list(CODE_POINTS) == [record[field] for record in found]
            backwards = bench.find(F.id.in_(ids), F[field].desc())
            assert list(reversed(CODE_POINTS)) == [r[field] for r in backwards]

    def test_text_ranges_agree_with_the_order(self, bench: Workbench) -> None:
        """``<`` and ``>=`` cut the list exactly where the order has the value."""
        bench.specimens("name", CODE_POINTS)
        for place, text in enumerate(CODE_POINTS):
            assert place == bench.count(F.name < text), text
            assert len(CODE_POINTS) - place == bench.count(F.name >= text), text

    @pytest.mark.parametrize(
        ("part", "expected"),
        [
            ("anna", {"Anna", "ANNA-LENA", "Joanna"}),
            ("ANNA", {"Anna", "ANNA-LENA", "Joanna"}),
            ("100%", {"100% sure"}),
            ("0_0", {"0_0"}),
            ("%", {"100% sure"}),
            ("_", {"0_0"}),
            ("\\", {"back\\slash"}),
            ("'", {"it's"}),
            ("straße", {"Straße", "STRASSE"}),
            ("strasse", {"Straße", "STRASSE"}),
            ("ａｃｍｅ", {"Acme", "ＡＣＭＥ"}),
            ("é", {"Émile", "e\u0301toile"}),
            ("某公", {"深圳某公司"}),
            ("😀", {"smile 😀"}),
            (".", {"a.b*c"}),
            ("b*c", {"a.b*c"}),
            ("(", {"f(x) ^$"}),
            ("^$", {"f(x) ^$"}),
            (
                "s",
                {"100% sure", "it's", "smile 😀", "back\\slash", "Straße", "STRASSE"},
            ),
        ],
    )
    def test_parts_of_text_are_found_whatever_case_and_width(
        self, bench: Workbench, part: str, expected: set[str]
    ) -> None:
        """``contains`` knows no wildcards, no patterns, no case, no width."""
        words = [
            *("Anna", "ANNA-LENA", "Joanna", "100% sure", "100 percent", "0_0", "0x0"),
            *("back\\slash", "it's", "Straße", "STRASSE", "Acme", "ＡＣＭＥ", "Émile"),
            *("e\u0301toile", "Emile", "深圳某公司", "smile 😀", "a.b*c", "f(x) ^$"),
        ]
        bench.specimens("name", [w for w in words if w != "e\u0301toile"])
        bench.specimens("name", ["\u00e9toile", None])
        expected = {w.replace("e\u0301", "\u00e9") for w in expected}

        found = {record.name for record in bench.find(F.name.contains(part))}

        assert expected == found

    def test_beginnings_of_text(self, bench: Workbench) -> None:
        """``starts_with`` knows no wildcards and ends where the prefix ends."""
        words = [
            "Acme",
            "ACME Inc",
            "acmé",
            "Acm",
            "a_me",
            "%acme",
            "ＡＣＭＥ",
            "\uffffx",
            "\U0010ffff",
        ]
        bench.specimens("name", words)

        def found(prefix: str) -> set[str | None]:
            return {record.name for record in bench.find(F.name.starts_with(prefix))}

        assert {"Acme", "ACME Inc", "ＡＣＭＥ"} == found("acme")
        assert {"a_me"} == found("A_")
        assert {"%acme"} == found("%")
        assert {"\uffffx"} == found("\uffff")
        assert {"\U0010ffff"} == found("\U0010ffff")
        assert set() == found("acme inc.")
        assert set(words) == found("") | found(" ")

    def test_items_of_lists(self, bench: Workbench) -> None:
        """``any_of`` finds whole items, ``all_of`` asks for each; nothing is a part."""
        ab = bench.specimen(tags=("a", "b"))
        bc = bench.specimen(tags=("b", 'c"'))
        none = bench.specimen()
        longer = bench.specimen(tags=("aa", "%"))
        bench.add(ab, bc, none, longer)

        assert {ab.id} == bench.ids(F.tags.any_of(["a"]))
        assert {ab.id, bc.id} == bench.ids(F.tags.any_of(["b", "x"]))
        assert {bc.id} == bench.ids(F.tags.any_of(['c"']))
        assert {ab.id} == bench.ids(F.tags.all_of(["b", "a"]))
        assert {none.id} == bench.ids(F.tags.is_null())
        assert {bc.id, none.id, longer.id} == bench.ids(~F.tags.any_of(["a"]))
        assert {longer.id} == bench.ids(F.tags.any_of(["%"]))

    def test_items_of_other_lists(self, bench: Workbench) -> None:
        """Choices are found by their key, contact points by their number."""
        first = bench.specimen(colours=("red", "$blue"))
        second = bench.specimen(
            colours=("Red",),
            phones=(ContactPoint("+4420", "work"), ContactPoint("110", "home")),
        )
        bench.add(first, second)

        assert {first.id} == bench.ids(F.colours.any_of(["$blue", "green"]))
        assert {second.id} == bench.ids(F.colours.any_of(["Red"]))
        assert {second.id} == bench.ids(F.phones.any_of(["110"]))
        assert set() == bench.ids(F.phones.any_of(["111"]))

    def test_money(self, bench: Workbench) -> None:
        """Money compares within its currency, a bare number with any amount."""
        usd, eur, more, none = bench.specimens(
            "price",
            [
                Money(Decimal(10), "USD"),
                Money(Decimal(10), "EUR"),
                Money(Decimal("10.5"), "EUR"),
                None,
            ],
        )

        assert {usd.id} == bench.ids(F.price == Money(Decimal(10), "USD"))
        assert {usd.id, eur.id} == bench.ids(F.price == 10)
        assert {more.id} == bench.ids(F.price > Money(Decimal(10), "EUR"))
        assert {more.id} == bench.ids(F.price > 10)
        assert {eur.id, more.id} == bench.ids(F.price.currency == "EUR")
        assert {usd.id, more.id, none.id} == bench.ids(
            F.price != Money(Decimal(10), "EUR")
        )
        assert {none.id} == bench.ids(F.price.is_null())
        assert {usd.id, more.id} == bench.ids(
            F.price.in_([Money(Decimal(10), "USD"), Decimal("10.5")])
        )

    def test_parts_of_an_address(self, bench: Workbench) -> None:
        """Each part of an address is a value of its own."""
        here = bench.specimen(address=Address(city="深圳", country="CN"))
        there = bench.specimen(address=Address(city="Berlin"))
        none = bench.specimen()
        bench.add(here, there, none)

        assert {here.id} == bench.ids(F.address.city == "深圳")
        assert {there.id, none.id} == bench.ids(F.address.country.is_null())
        assert {none.id} == bench.ids(F.address.is_null())
        assert [none, there, here] == bench.find(Everything(), F.address.city.asc())

    def test_references_are_followed_one_hop(self, bench: Workbench) -> None:
        """Fields of the referenced record are tested; without one they are missing."""
        sea = bench.habitat(name="Sea", size=3, price=Money(Decimal(1), "USD"))
        wood = bench.habitat(name="Wood", deleted_at=_MOMENT, custom={"c_integer": 7})
        in_sea = bench.specimen(habitat_id=sea.id)
        in_wood = bench.specimen(habitat_id=wood.id)
        lost = bench.specimen(habitat_id=bench.new_id())
        none = bench.specimen(custom={"c_habitat_id": sea.id})
        bench.add(sea, wood, in_sea, in_wood, lost, none)

        assert {in_sea.id} == bench.ids(F.habitat.name == "Sea")
        assert {in_wood.id, lost.id, none.id} == bench.ids(F.habitat.name != "Sea")
        assert {in_wood.id} == bench.ids(F.habitat.name.contains("OO"))
        assert {in_wood.id, lost.id, none.id} == bench.ids(F.habitat.size.is_null())
        assert {lost.id, none.id} == bench.ids(F.habitat.name.is_null())
        assert {in_sea.id} == bench.ids(F.habitat.price.currency == "USD")
        assert {in_wood.id} == bench.ids(F.habitat.c_integer == 7)
        assert {none.id} == bench.ids(F.c_habitat.name == "Sea")
        assert {in_sea.id, none.id} == bench.ids(
            (F.habitat.name == "Sea") | (F.c_habitat.name == "Sea")
        )
        assert [lost, none, in_sea, in_wood] == bench.find(
            Everything(), F.habitat.name.asc()
        )

    def test_references_to_any_entity(self, bench: Workbench) -> None:
        """A typed reference is equal only with entity and id."""
        identity = bench.new_id()
        first = bench.specimen(about=Ref("habitat", identity))
        second = bench.specimen(about=Ref("specimen", identity))
        bench.add(first, second)

        assert {first.id} == bench.ids(F.about == Ref("habitat", identity))
        assert {second.id} == bench.ids(F.about.entity == "specimen")
        assert {second.id} == bench.ids(F.about != Ref("habitat", identity))

    def test_relative_dates(self, bench: Workbench) -> None:
        """Periods are resolved by the clock: the last day is in, the next one out."""
        days = [
            date(2026, 2, 28),
            date(2026, 3, 1),
            date(2026, 3, 31),
            date(2026, 4, 1),
        ]
        before, first, last, after = bench.specimens("born", days)

        assert {first.id, last.id} == bench.ids(F.born.during("this_month"))
        assert {before.id} == bench.ids(F.born.during("last_month"))
        assert {after.id} == bench.ids(F.born.during("next_quarter"))

    def test_missing_values_are_the_smallest(self, bench: Workbench) -> None:
        """They come first upwards and last downwards, for every kind."""
        for name, values in ORDERED.items():
            made = bench.specimens(name, [*values, None])
            low, middle, high, none = made
            mine = F.id.in_([record.id for record in made])
            assert [none, low, middle, high] == bench.find(mine, F[name].asc()), name
            assert [high, middle, low, none] == bench.find(mine, F[name].desc()), name

    def test_several_keys_in_several_directions(self, bench: Workbench) -> None:
        """Later keys order what earlier ones leave equal; the id comes last."""
        records = [
            bench.specimen(name=name, size=size)
            for name in ("b", None, "a")
            for size in (1, None, 2, 1)
        ]
        bench.add(*records)

        found = bench.find(Everything(), F.name.desc(), F.size.asc(), F.id.desc())

        def key(record: Specimen) -> tuple[Any, ...]:
            name = [-ord(c) for c in record.name] if record.name else [1]
            size = (record.size is not None, record.size or 0)
            return (name, size, -record.id.int)

        assert sorted(records, key=key) == found

    def test_a_limit_takes_the_first(self, bench: Workbench) -> None:
        """The limit cuts after filter and order."""
        bench.specimens("size", [3, 1, 2, 4])

        found = bench.find(F.size > 1, F.size.desc(), limit=2)

        assert [record.size for record in found] == [4, 3]

    def test_counting_stops_at_its_cap(self, bench: Workbench) -> None:
        """A capped count never exceeds the cap."""
        bench.specimens("size", range(10))

        assert bench.count(Everything()) == 10
        assert bench.count(Everything(), cap=11) == 10
        assert bench.count(Everything(), cap=4) == 4
        assert bench.count(F.size > 100, cap=4) == 0

    def test_a_stream_gives_everything_in_chunks(self, bench: Workbench) -> None:
        """Chunks are never larger than asked, and in order."""
        made = bench.specimens("size", range(25))

        with bench.transaction() as transaction:
            chunks = list(
                transaction.stream(bench.query(Everything(), F.size.asc()), 10)
            )

        assert [len(chunk) for chunk in chunks] == [10, 10, 5]
        assert made == [record for chunk in chunks for record in chunk]

    def test_long_lists_of_values(self, bench: Workbench) -> None:
        """Scopes of managers are lists of thousands of ids."""
        owned = bench.specimens("owner_id", [bench.new_id() for _ in range(3)])
        others = [bench.new_id() for _ in range(15_000)]

        found = bench.ids(F.owner_id.in_([*others, owned[1].owner_id]))

        assert {owned[1].id} == found
        assert bench.count(~F.owner_id.in_([*others, owned[1].owner_id])) == 2

    def test_many_conditions_at_once(self, bench: Workbench) -> None:
        """Hundreds of conditions, deeply nested, are one query."""
        (seven,) = bench.specimens("size", [7])
        wide = F.size == -1
        for number in range(300):
            wide = wide | (F.size == number)
        deep: Criteria = F.size == 7
        for _ in range(40):
            deep = ~deep

        assert {seven.id} == bench.ids(wide)
        assert {seven.id} == bench.ids(deep)

    def test_habitats_are_found_as_well(self, bench: Workbench) -> None:
        """Each entity has its own records and fields."""
        bench.add(bench.habitat(name="Sea"), bench.specimen(name="Sea"))

        (found,) = bench.find(F.name == "Sea", kind=Habitat)

        assert isinstance(found, Habitat)
