"""Field types by name: definitions are read strictly and come back as they were."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore.records import Conventions, FieldType, Integer, Option, Picklist, Refused
from crmcore.records.registry import (
    KINDS,
    TypeKind,
    register,
    type_from_data,
    type_to_data,
)
from crmcore.records.type_settings import whole

COLOURS = Picklist("colours", (Option("red", "Red"), Option("blue", "Blue")))
PICKLISTS = {"colours": COLOURS}
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
EXACT = st.decimals(-(10**9), 10**9, allow_nan=False, places=3).map(str)


def optional(**settings: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=settings)


def ordered(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(numbers, numbers).map(lambda p: sorted(p, key=Decimal))
    return pairs.map(lambda p: {"minimum": p[0], "maximum": p[1]})


SCALARS = st.one_of(
    st.tuples(st.just("text"), optional(maximum=st.integers(1, 2_000))),
    st.tuples(st.just("long_text"), optional(maximum=st.integers(1, 10**6))),
    st.tuples(st.just("integer"), ordered(st.integers(-(2**63) + 1, 2**63 - 1))),
    st.tuples(st.just("decimal"), ordered(EXACT)),
    st.tuples(st.just("decimal"), optional(digits=st.integers(0, 9))),
    st.tuples(st.just("percent"), ordered(EXACT)),
    st.tuples(
        st.sampled_from(["boolean", "date", "datetime", "id", "email", "phone", "url"]),
        st.just({}),
    ),
    st.tuples(st.just("picklist"), st.just({"picklist": "colours"})),
)


def within(item: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"item": {"type": item[0], **({"options": item[1]} if item[1] else {})}}


DEFINITIONS = st.one_of(
    SCALARS,
    st.tuples(st.just("money"), optional(minimum=EXACT)),
    st.tuples(st.sampled_from(["address", "geolocation"]), st.just({})),
    st.tuples(
        st.sampled_from(["file", "image", "audio"]),
        optional(maximum=st.integers(1, 10**12)),
    ),
    st.tuples(
        st.just("open_picklist"),
        st.fixed_dictionaries(
            {"picklist": st.just("colours")},
            optional={"maximum": st.integers(1, 255)},
        ),
    ),
    st.tuples(st.just("multi_picklist"), st.just({"picklist": "colours"})),
    st.tuples(
        st.sampled_from(["reference", "master_detail"]),
        st.fixed_dictionaries(
            {"entity": NAMES},
            optional={"filter": st.just({"field": "status", "op": "==", "value": "x"})},
        ),
    ),
    st.tuples(
        st.just("any_reference"),
        optional(entities=st.lists(NAMES, max_size=5, unique=True)),
    ),
    st.tuples(
        st.just("lookup_value"),
        st.fixed_dictionaries({"relation": NAMES, "field": NAMES}),
    ),
    st.tuples(st.just("list"), SCALARS.map(within)),
    st.tuples(st.just("or_not_applicable"), SCALARS.map(within)),
)


@pytest.mark.capability("REC-10")
@given(DEFINITIONS)
def test_a_type_and_its_definition_are_the_same(
    definition: tuple[str, dict[str, Any]],
) -> None:
    """Data -> type -> data -> JSON -> type is the type again."""
    made = type_from_data(*definition, PICKLISTS)
    kind, options = json.loads(json.dumps(type_to_data(made)))

    assert made == type_from_data(kind, options, PICKLISTS)
    assert definition[0] == kind


@pytest.mark.capability("REC-10")
def test_every_type_that_definitions_may_name_is_known() -> None:
    """The kinds of the manuals' field list are all there."""
    wanted = {
        *("text", "long_text", "integer", "decimal", "money", "percent"),
        *("date", "datetime", "picklist", "multi_picklist", "open_picklist"),
        *("boolean", "email", "phone", "url", "reference", "master_detail"),
        *("any_reference", "auto_number", "image", "audio", "file", "geolocation"),
        *("address", "list", "or_not_applicable", "lookup_value"),
    }

    assert set() == wanted - set(KINDS)
    assert all(name == kind.cls.kind for name, kind in KINDS.items())


HOSTILE = ["__class__", "$where", "a'b", 'a"b', "🎉", "a\u202eb", "x" * 500, ""]


@pytest.mark.capability("REC-10")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    """Neither a type, a setting, an entity nor a picklist may be called anything odd."""
    for kind, options, reason in (
        (name, {}, "unknown_type"),
        ("text", {name: 1}, "unknown_setting_of"),
        ("reference", {"entity": name}, "bad_name"),
        ("any_reference", {"entities": [name]}, "bad_name"),
        ("picklist", {"picklist": name}, "unknown_picklist"),
    ):
        with pytest.raises(Refused) as caught:
            type_from_data(kind, options, PICKLISTS)
        assert reason == caught.value.reason
        assert all(len(str(v)) <= 60 for v in caught.value.details.values())


@pytest.mark.capability("REC-10")
@pytest.mark.parametrize(
    ("kind", "options", "reason", "setting"),
    [
        ("text", {"maximum": 0}, "out_of_range", "maximum"),
        ("text", {"maximum": 2_001}, "out_of_range", "maximum"),
        ("text", {"maximum": "9"}, "not_integer", "maximum"),
        ("text", {"maximum": True}, "not_integer", "maximum"),
        ("text", {"maximum": None}, "not_integer", "maximum"),
        ("integer", {"minimum": 2**63}, "out_of_range", "minimum"),
        ("integer", {"minimum": 2, "maximum": 1}, "bounds_crossed", None),
        ("decimal", {"digits": 10}, "out_of_range", "digits"),
        ("decimal", {"minimum": "1e999999999"}, "not_number", "minimum"),
        ("decimal", {"minimum": "Infinity"}, "not_number", "minimum"),
        ("decimal", {"minimum": 0.1}, "not_number", "minimum"),
        ("decimal", {"minimum": False}, "not_number", "minimum"),
        ("decimal", {"minimum": []}, "not_number", "minimum"),
        ("percent", {"minimum": "5", "maximum": "4.99"}, "bounds_crossed", None),
        ("boolean", {"maximum": 1}, "unknown_setting_of", None),
        ("file", {"maximum": 0}, "out_of_range", "maximum"),
        ("picklist", {}, "setting_missing", None),
        ("picklist", {"picklist": ["colours"]}, "unknown_picklist", "picklist"),
        ("multi_picklist", {}, "setting_missing", None),
        (
            "multi_picklist",
            {"picklist": "colours", "maximum": 3},
            "unknown_setting_of",
            None,
        ),
        ("reference", {}, "setting_missing", None),
        ("reference", {"entity": 5}, "bad_name", "entity"),
        ("reference", {"entity": "lead", "filter": []}, "malformed", "filter"),
        ("any_reference", {"entities": "lead"}, "not_list", "entities"),
        (
            "any_reference",
            {"entities": ["lead", "lead"]},
            "duplicate_item",
            "entities",
        ),
        ("any_reference", {"entities": ["a"] * 101}, "too_large", "entities"),
        ("list", {}, "setting_missing", None),
        ("list", {"item": "text"}, "bad_item", "item"),
        ("list", {"item": {"type": ["text"]}}, "bad_item", "item"),
        ("list", {"item": {"type": "text", "options": 5}}, "bad_item", "item"),
        ("list", {"item": {"type": "text", "spam": 5}}, "bad_item", "item"),
        ("list", {"item": {"type": "address"}}, "bad_item", "item"),
        (
            "list",
            {"item": {"type": "list", "options": {"item": {"type": "text"}}}},
            "bad_item",
            "item",
        ),
        ("or_not_applicable", {"item": {"type": "money"}}, "bad_item", "item"),
        ("or_not_applicable", {"item": {"type": "auto_number"}}, "bad_item", "item"),
    ],
)
def test_a_bad_setting_is_refused_by_name(
    kind: str, options: dict[str, Any], reason: str, setting: str | None
) -> None:
    """The refusal tells the rule, and the setting where one of them breaks it."""
    with pytest.raises(Refused) as caught:
        type_from_data(kind, options, PICKLISTS)

    assert reason == caught.value.reason
    assert setting == caught.value.details.get("setting")


@pytest.mark.capability("REC-10")
def test_percents_beyond_a_hundred_are_an_option() -> None:
    """The bounds of a percent field are its own; without them it ends at 100."""
    growth = type_from_data("percent", {"minimum": -100, "maximum": 1_000}, {})

    assert Decimal("250.00") == growth.coerce("250", Conventions())
    with pytest.raises(Refused):
        type_from_data("percent", {}, {}).coerce("250", Conventions())


@attrs.frozen(kw_only=True)
class Stars(Integer):
    """One to so many stars."""

    kind: ClassVar[str] = "stars"
    most: int = 5

    def coerce(self, value: Any, conventions: Conventions) -> int:
        number = super().coerce(value, conventions)
        if not 1 <= number <= self.most:
            raise Refused("out_of_range", minimum=1, maximum=self.most)
        return number


@pytest.mark.capability("REC-10")
def test_a_host_adds_a_type_by_one_class_and_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Definitions may name it from then on, with its own settings."""
    monkeypatch.delitem(KINDS, "stars", raising=False)
    register(TypeKind(cls=Stars, settings={"most": whole(1, 10)}))
    made: FieldType = type_from_data("stars", {"most": 3}, {})
    KINDS.pop("stars")

    assert Stars(most=3) == made
    assert 3 == made.coerce(3, Conventions())
    with pytest.raises(Refused):
        made.coerce(4, Conventions())
    assert ("stars", {}) == type_to_data(made)
