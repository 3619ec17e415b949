"""Records: what is stored comes back equal, and only where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from crmcore.criteria import Everything
from crmcore.errors import Conflict
from crmcore.records import Address, ContactPoint, Money, Ref
from crmcore.storage import Claim, Insertion, Store
from crmcore.testing.clock import START
from crmcore.testing.specimens import Habitat, Specimen
from crmcore.testing.storage_suite.workbench import (
    Chapter,
    Workbench,
    coverage,
    insert,
    reason_of,
)

#: Texts that some server treats in a way of its own.
HARD_TEXTS = (
    "plain",
    "O'Brien; DROP TABLE specimens; --",
    '"double" \\ backslash \\\\',
    "100% _under_ [x] ^ $ * ?",
    "$where",
    "a.b.c",
    "{'$gt': ''}",
    "Straße İstanbul ﬁ ＡＢＣ",
    "深圳某公司 😀 👩‍👩‍👧",
    "tab\tinside\nline\r\nend",
    "\x01\x1b\x7f\x85x",
    "a\N{ZERO WIDTH SPACE}b\N{BYTE ORDER MARK}c",
    "null",
    "NaN",
    "0",
    "x" * 255,
    "\U0010ffff\uffff\ue000",
)


def full_custom(habitat_id: UUID) -> dict[str, object]:
    """Return a custom value of every kind."""
    return {
        "c_text": "O'Brien \\ %",
        "c_story": "深圳\n" * 100,
        "c_integer": -(2**63 - 1),
        "c_decimal": Decimal("-0.001"),
        "c_percent": Decimal("99.99"),
        "c_money": Money(Decimal("-12.3400"), "EUR"),
        "c_boolean": False,
        "c_date": date(1999, 12, 31),
        "c_datetime": datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC),
        "c_colour": "$blue",
        "c_colours": ("zwölf", "red"),
        "c_tags": ("b", "a", "$c"),
        "c_email": "ada@example.com",
        "c_phone": "+442079460001",
        "c_website": "https://example.com/?a=1",
        "c_habitat_id": habitat_id,
        "c_about": Ref("habitat", habitat_id),
        "c_code": "C-1",
    }


def full_specimen(bench: Workbench, habitat: Habitat) -> Specimen:
    """Return a specimen with a value in every field."""
    return bench.specimen(
        owner_id=bench.new_id(),
        created_by=bench.new_id(),
        updated_by=bench.new_id(),
        deleted_at=START,
        deleted_by=bench.new_id(),
        name="Ada",
        story="two\n\nparagraphs",
        plain="plain",
        code="A-1",
        size=42,
        weight=Decimal("0.0001"),
        share=Decimal("33.33"),
        price=Money(Decimal("1234.5678"), "CNY"),
        alive=True,
        born=date(2000, 2, 29),
        seen_at=datetime(2026, 10, 25, 1, 30, 0, 1000, tzinfo=UTC),
        colour="red",
        colours=("red", "Red", "$blue"),
        tags=("z", "a"),
        email="ada@example.com",
        phone="+442079460000",
        phones=(ContactPoint("+442079460000", "mobile"), ContactPoint("110", "work")),
        website="https://example.com",
        address=Address(street="1 Main", city="深圳", country="CN"),
        habitat_id=habitat.id,
        about=Ref.to(habitat),
        custom=full_custom(habitat.id),
    )


class RecordsChapter(Chapter):
    """Storing and loading records."""

    def test_a_closed_capability_has_a_written_reason(
        self, store: Store, record_property: Callable[[str, object], None]
    ) -> None:
        """Whatever a store cannot do is named with its reason, never left out."""
        capabilities = store.capabilities
        flags = ("durable", "concurrent_writers", "joins_host", "savepoints")
        for flag in flags:
            if not getattr(capabilities, flag):
                assert reason_of(flag, capabilities)
        assert set(capabilities.reasons) <= {
            f for f in flags if not getattr(capabilities, f)
        }
        record_property(
            "storage_suite", f"{store.name}: {coverage(type(self), capabilities)}"
        )

    def test_a_value_of_every_kind_comes_back_equal(self, bench: Workbench) -> None:
        """A record is loaded exactly as it was stored, in type and value."""
        habitat = bench.habitat(name="Sea")
        specimen = full_specimen(bench, habitat)
        bench.add(habitat, specimen)

        stored = bench.load(specimen)

        assert specimen == stored
        assert stored is not None
        for field in bench.entity(Specimen).fields:
            assert type(specimen[field]) is type(stored[field]), field

    def test_missing_values_come_back_missing(self, bench: Workbench) -> None:
        """A record without values is loaded without values."""
        empty = bench.specimen()
        bench.add(empty)

        stored = bench.load(empty)

        assert empty == stored
        assert stored is not None
        assert dict(stored.custom) == {}

    @pytest.mark.parametrize("text", HARD_TEXTS)
    def test_text_comes_back_character_by_character(
        self, bench: Workbench, text: str
    ) -> None:
        """No text is cut, folded, escaped or interpreted."""
        specimen = bench.specimen(
            name=text, story=text, tags=(text[:60],), custom={"c_text": text}
        )
        bench.add(specimen)

        stored = bench.load(specimen)

        assert specimen == stored

    def test_the_longest_text_is_kept(self, bench: Workbench) -> None:
        """Long text holds 32,000 characters of any script."""
        specimen = bench.specimen(
            story="😀" * 32_000, custom={"c_story": "深" * 32_000}
        )
        bench.add(specimen)

        assert specimen == bench.load(specimen)

    @pytest.mark.parametrize(
        "values",
        [
            {"size": 2**63 - 1, "weight": Decimal("922337203685477.5807")},
            {"size": -(2**63 - 1), "weight": Decimal("-922337203685477.5807")},
            {"size": 0, "weight": Decimal("0.0000"), "alive": False},
            {"born": date(1, 1, 1), "seen_at": datetime(1, 1, 1, tzinfo=UTC)},
            {
                "born": date(9999, 12, 31),
                "seen_at": datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
            },
            {"price": Money(Decimal("922337203685477.5807"), "USD")},
            {"price": Money(Decimal("-0.0001"), "JPY")},
        ],
    )
    def test_extreme_values_are_kept(
        self, bench: Workbench, values: dict[str, object]
    ) -> None:
        """The bounds of every type are stored exactly, in typed and custom fields."""
        custom = {"size": "c_integer", "price": "c_money", "born": "c_date"}
        custom["seen_at"] = "c_datetime"
        specimen = bench.specimen(
            **values, custom={custom[n]: v for n, v in values.items() if n in custom}
        )
        bench.add(specimen)

        assert specimen == bench.load(specimen)

    def test_what_is_missing_is_left_out(self, bench: Workbench) -> None:
        """Loading ids that nobody has gives nothing, and no error."""
        with bench.transaction() as transaction:
            entity = bench.entity(Specimen)
            assert transaction.load(entity, []) == {}
            assert transaction.load(entity, [bench.new_id()]) == {}

    def test_many_ids_are_loaded_at_once(self, bench: Workbench) -> None:
        """One call loads thousands of records."""
        made = bench.specimens("size", range(3_000))
        wanted = [record.id for record in made] + [bench.new_id() for _ in range(3_000)]

        with bench.transaction() as transaction:
            found = transaction.load(bench.entity(Specimen), wanted)

        assert {record.id: record for record in made} == found

    def test_an_id_that_is_asked_for_twice_is_found_once(
        self, bench: Workbench
    ) -> None:
        """The same id may be asked for several times."""
        specimen = bench.specimen()
        bench.add(specimen)

        with bench.transaction() as transaction:
            found = transaction.load(bench.entity(Specimen), [specimen.id] * 3)

        assert {specimen.id: specimen} == found

    def test_deleted_records_are_loaded(self, bench: Workbench) -> None:
        """Soft deletion is a value like others: the store hides nothing."""
        deleted = bench.specimen(deleted_at=START)
        bench.add(deleted)

        assert deleted == bench.load(deleted)
        assert [deleted] == bench.find(Everything())

    def test_what_was_loaded_belongs_to_the_caller(self, bench: Workbench) -> None:
        """Changing an answer changes nothing in the store."""
        specimen = bench.specimen()
        bench.add(specimen)

        with bench.transaction() as transaction:
            transaction.load(bench.entity(Specimen), [specimen.id]).clear()
            transaction.select(bench.query()).clear()

            assert [specimen] == transaction.select(bench.query())

    def test_an_id_is_taken_once(self, bench: Workbench) -> None:
        """Inserting an id that exists is a Conflict and changes nothing."""
        specimen = bench.specimen(name="first")
        bench.add(specimen)

        with pytest.raises(Conflict), bench.transaction() as transaction:
            insert(
                transaction, bench.schema, [bench.specimen(id=specimen.id, name="2")]
            )

        assert specimen == bench.load(specimen)

    def test_entities_do_not_mix(self, bench: Workbench) -> None:
        """Records of two entities may have the same id."""
        specimen = bench.specimen()
        habitat = bench.habitat(id=specimen.id)
        bench.add(specimen, habitat)

        assert (specimen, habitat) == (bench.load(specimen), bench.load(habitat))

    def test_records_of_tenants_do_not_mix(self, bench: Workbench) -> None:
        """Nothing of one tenant is loaded, found, counted or changed in another."""
        mine = bench.specimen(name="mine")
        theirs = bench.specimen(id=mine.id, name="theirs")
        bench.add(mine)
        with bench.transaction(f"{bench.tenant}-2") as transaction:
            entity = bench.entity(Specimen)
            assert transaction.load(entity, [mine.id]) == {}
            assert transaction.select(bench.query()) == []
            insert(transaction, bench.schema, [theirs])
            transaction.purge(entity, [bench.new_id()])
            assert transaction.count(entity, bench.bound(Everything())) == 1

        assert [mine] == bench.find()

    def test_a_purge_leaves_nothing(self, bench: Workbench) -> None:
        """A purged record is gone with its match keys and its claims."""
        gone, kept = bench.specimen(), bench.specimen()
        entity = bench.entity(Specimen)
        with bench.transaction() as transaction:
            keys = frozenset({"shared"})
            transaction.insert(entity, [Insertion(gone, keys), Insertion(kept, keys)])
            transaction.claim(
                [Claim("s", "gone", gone.id), Claim("s", "kept", kept.id)]
            )

        with bench.transaction() as transaction:
            transaction.purge(entity, [gone.id, bench.new_id()])

        with bench.transaction() as transaction:
            hits = transaction.match(entity, ["shared"], 10)
            held = transaction.holders([("s", "gone"), ("s", "kept")])
        assert [kept] == bench.find()
        assert [kept.id] == [hit.record_id for hit in hits]
        assert [Claim("s", "kept", kept.id)] == held
