"""Shaping: objects and indexes that come while the store is at work (REC-09, REC-17)."""

from __future__ import annotations

import secrets
from typing import Any, cast

import attrs
import pytest

from crmcore.criteria import F, Query
from crmcore.records import EntityDef, Integer, Record, Schema, Text, fields
from crmcore.records.record import envelope_fields
from crmcore.storage import Insertion, Update
from crmcore.testing.specimens import Specimen
from crmcore.testing.storage_suite.workbench import (
    Chapter,
    Workbench,
    following,
    race,
    randomness,
)


def custom_object(schema: Schema) -> tuple[Schema, EntityDef]:
    """Return the schema with one object more, as an administrator defines it."""
    made = cast(
        "type[Record]",
        attrs.make_class("Burrow", [], bases=(Record,), frozen=True, kw_only=True),
    )
    entity = EntityDef(
        name="burrow",
        plural=f"x_{secrets.token_hex(5)}_burrow",
        label="Burrow",
        record_class=made,
        fields={
            **envelope_fields(),
            "name": fields.custom("name", Text(), indexed=True),
            "depth": fields.custom("depth", Integer(), indexed=True),
        },
        display=("name",),
        custom_object=True,
    )
    made.__entity__ = entity
    return schema.with_entity(entity), entity


class ShapingChapter(Chapter):
    """What administrators define is there without an installation."""

    def test_an_object_gets_a_place_of_its_own(self, bench: Workbench) -> None:
        """Its records are written, changed and found; another tenant has none."""
        bench.schema, entity = custom_object(bench.schema)
        bench.store.extend(bench.schema)
        bench.store.extend(bench.schema)
        burrows = [
            bench.new(entity.record_class, custom={"name": f"B{n}", "depth": n})
            for n in range(5)
        ]
        with bench.transaction() as transaction:
            transaction.insert(entity, [Insertion(one) for one in burrows])
        deeper = following(burrows[0], custom={"name": "B0", "depth": 9})
        with bench.transaction() as transaction:
            transaction.update(entity, [Update(burrows[0], deeper)])

        assert {9, 3, 4} == depths(bench, entity, F.depth >= 3)
        assert {1, 2} == depths(bench, entity, F.name.in_(["B1", "B2"]))
        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.count(entity, bound(bench, entity, F.depth >= 0)) == 0

    def test_several_may_add_an_object_at_once(self, bench: Workbench) -> None:
        """All of them find it there afterwards."""
        bench.schema, entity = custom_object(bench.schema)

        def extend() -> int:
            bench.store.extend(bench.schema)
            with bench.transaction() as transaction:
                one = bench.new(entity.record_class, custom={"name": "B"})
                transaction.insert(entity, [Insertion(one)])
            return 1

        retrying = [lambda: bench.store.retrying(extend, randomness())] * 4
        assert race(*retrying) == [1, 1, 1, 1]
        assert {None} == depths(bench, entity, F.name == "B")

    def test_indexes_are_built_once_and_change_no_answer(
        self, bench: Workbench
    ) -> None:
        """Whatever was missing is there afterwards; values of any kind stay stored."""
        key = f"rank_{secrets.token_hex(4)}"
        bench.schema = bench.schema.extended(
            "specimen", [fields.custom(key, Integer(), indexed=True)]
        )
        bench.add(*(bench.specimen(custom={key: n}) for n in range(20)))
        asked = F[key].between(3, 6)
        before = bench.ids(asked)
        missing = {one.name for one in bench.store.missing_indexes(bench.schema)}

        built = set(bench.store.build_indexes(bench.schema))
        assert missing == built
        assert not bench.store.missing_indexes(bench.schema)
        assert bench.store.build_indexes(bench.schema) == ()

        bench.add(bench.specimen(custom={key: 5}), bench.specimen())
        assert len(before) == 4
        assert len(bench.ids(asked)) == 5

    def test_one_key_may_hold_other_values_in_another_tenant(
        self, bench: Workbench
    ) -> None:
        """An index that one tenant asked for refuses no value of another."""
        key = f"code_{secrets.token_hex(4)}"
        plain = bench.schema
        bench.schema = plain.extended(
            "specimen", [fields.custom(key, Integer(), indexed=True)]
        )
        bench.store.build_indexes(bench.schema)
        bench.add(bench.specimen(custom={key: 5}))

        other = Workbench(bench.store, f"{bench.tenant}-2")
        other.schema = plain.extended(
            "specimen", [fields.custom(key, Text(), indexed=True)]
        )
        other.store.build_indexes(other.schema)
        text = other.specimen(custom={key: "five"})
        other.add(text)
        assert text == other.load(text)
        assert len(bench.ids(F[key] == 5)) == 1

    @pytest.mark.parametrize("limit", [None, 10])
    def test_an_explanation_reads_and_changes_nothing(
        self, bench: Workbench, limit: int | None
    ) -> None:
        """A filter that no index answers is told to scan, in the server's words."""
        specimen = bench.specimen(custom={"c_integer": 5})
        bench.add(specimen)
        query = bench.query(F.name.contains("nothing"), limit=limit)
        with bench.transaction() as transaction:
            plan = transaction.explain(query)
        assert plan.scans
        assert not plan.uses_index
        assert plan.text
        assert specimen == bench.load(specimen)
        assert Specimen.entity_name() == query.entity.name


def bound(bench: Workbench, entity: EntityDef, criteria: Any) -> Any:
    """Return checked criteria of any entity."""
    return bench.binder.criteria(entity, criteria)


def depths(bench: Workbench, entity: EntityDef, criteria: Any) -> set[Any]:
    """Return the depths of the burrows that match."""
    order = bench.binder.order(entity, ())
    query = Query(entity=entity, where=bound(bench, entity, criteria), order=order)
    with bench.transaction() as transaction:
        return {one.custom.get("depth") for one in transaction.select(query)}
