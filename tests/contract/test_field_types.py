"""Each type of field is written, read, filtered and sorted alike on every store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from crmcore import CRM, SYSTEM, F, Lead, Money, ValidationError
from crmcore.criteria import Sort
from crmcore.records import (
    NOT_APPLICABLE,
    Address,
    FieldDef,
    FileReference,
    Option,
    Picklist,
    Position,
    fields,
)
from crmcore.records.registry import type_from_data
from crmcore.storage import Store

SIZES = Picklist("sizes", (Option("s", "Small"), Option("m", "Medium")))


@attrs.frozen
class Case:
    """A type with two values, the first of which sorts before the other."""

    kind: str
    low: Any
    high: Any
    options: dict[str, Any] = attrs.field(factory=dict)
    ordered: bool = True
    equal: bool = True


def _file(kind: str, name: str) -> FileReference:
    return FileReference(f"f/{name}", name, kind, 5)


CASES = [
    Case("text", "a'b", "🎉 $where"),
    Case("long_text", "one\ntwo", "x" * 5_000),
    Case("integer", -(2**63) + 1, 2**63 - 1),
    Case("decimal", Decimal("-0.5000"), Decimal("12.3456")),
    Case("percent", Decimal("99.50"), Decimal("250.00"), {"maximum": 1_000}),
    Case("money", Money("1", "EUR"), Money("2.5", "EUR")),
    Case("boolean", False, True),
    Case("date", date(1, 1, 1), date(9999, 12, 31)),
    Case(
        "datetime",
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 3, 4, 5, 6, 7_000, UTC),
    ),
    Case("picklist", "m", "s", {"picklist": "sizes"}),
    Case("open_picklist", "m", "third of five", {"picklist": "sizes"}),
    Case("email", "a@example.com", "b@example.com"),
    Case("phone", "+4930901820", "+8675512345678"),
    Case("url", "https://a.example.com", "https://b.example.com"),
    Case("or_not_applicable", 5, 7, {"item": {"type": "integer"}}),
    Case(
        "geolocation",
        Position("52.500000", "13.250000"),
        Position("-33.900000", "151.200000"),
        ordered=False,
    ),
    Case(
        "file",
        _file("text/plain", "a.txt"),
        _file("application/pdf", "b.pdf"),
        ordered=False,
    ),
    Case("image", _file("image/png", "a"), _file("image/webp", "b"), ordered=False),
    Case("audio", _file("audio/ogg", "a"), _file("audio/mp4", "b"), ordered=False),
    Case(
        "address",
        Address(city="深圳"),
        Address(city="Köln"),
        ordered=False,
        equal=False,
    ),
    Case(
        "multi_picklist",
        ("s",),
        ("m", "s"),
        {"picklist": "sizes"},
        ordered=False,
        equal=False,
    ),
    Case(
        "list",
        ("b", "a"),
        ("c",),
        {"item": {"type": "text"}},
        ordered=False,
        equal=False,
    ),
]


def _crm(store: Store, tenant: str, *added: FieldDef) -> CRM:
    return CRM(store, fields={Lead: added}).tenant(tenant)


def _field(case: Case) -> FieldDef:
    kind = type_from_data(case.kind, case.options, {"sizes": SIZES})
    return fields.custom("probe", kind)


@pytest.mark.capability("REC-10")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_type_is_the_same_on_every_store(
    case: Case, store: Store, tenant: str
) -> None:
    """Values come back, are found when equal, missing or in range, and sort."""
    crm = _crm(store, tenant, _field(case))
    with crm.session(SYSTEM) as s:
        none = s.create(Lead(last_name="None"))
        high = s.create(Lead(last_name="High"), probe=case.high)
        low = s.create(Lead(last_name="Low"), probe=case.low)

    with crm.session(SYSTEM) as s:
        assert (case.low, case.high, None) == tuple(
            s.get(Lead, one.id)["probe"] for one in (low, high, none)
        )
        assert (none,) == s.find(Lead, F.probe.is_null()).items
        if case.equal:
            assert (low,) == s.find(Lead, F.probe == case.low).items
            assert {high.id, none.id} == {
                one.id for one in s.find(Lead, F.probe != case.low).items
            }
        if case.ordered:
            assert (high,) == s.find(Lead, F.probe > case.low).items
            order = [Sort(("probe",))]
            assert (none, low, high) == s.find(Lead, order_by=order).items
        else:
            with pytest.raises(ValidationError):
                s.find(Lead, order_by=[Sort(("probe",))])

    with crm.session(SYSTEM) as s:
        assert case.high == s.update(low, probe=case.high)["probe"]
        assert s.update(high, probe=None)["probe"] is None
        assert 2 == s.count(Lead, F.probe.is_null())


@pytest.mark.capability("REC-10", "PTY-11")
def test_a_value_may_be_declared_not_applicable(store: Store, tenant: str) -> None:
    """It is filled, is found as such, and is in no range."""
    kind = type_from_data("or_not_applicable", {"item": {"type": "integer"}}, {})
    crm = _crm(store, tenant, fields.custom("capacity", kind, required=True))
    with crm.session(SYSTEM) as s:
        maker = s.create(Lead(last_name="Maker"), capacity=500)
        trader = s.create(Lead(last_name="Trader"), capacity=NOT_APPLICABLE)

    with crm.session(SYSTEM) as s:
        assert NOT_APPLICABLE is s.get(Lead, trader.id)["capacity"]
        assert (trader,) == s.find(Lead, F.capacity == NOT_APPLICABLE).items
        assert (trader,) == s.find(Lead, F.capacity.not_applicable == True).items  # noqa: E712
        assert 2 == s.count(Lead, F.capacity.in_([500, NOT_APPLICABLE]))
        assert (maker,) == s.find(Lead, F.capacity >= 0).items
        assert 0 == s.count(Lead, F.capacity.is_null())
        with pytest.raises(ValidationError):
            s.count(Lead, F.capacity > NOT_APPLICABLE)
        assert 7 == s.update(trader, capacity=7)["capacity"]


@pytest.mark.capability("REC-10")
def test_parts_of_a_place_are_asked_for_by_name(store: Store, tenant: str) -> None:
    """A box on the map is two ranges."""
    crm = _crm(
        store, tenant, fields.custom("office", type_from_data("geolocation", {}, {}))
    )
    with crm.session(SYSTEM) as s:
        berlin = s.create(Lead(last_name="B"), office=("52.52", "13.405"))
        s.create(Lead(last_name="S"), office=("-33.87", "151.21"))
        box = F.office.latitude.between(50, 55) & F.office.longitude.between(10, 15)

        assert (berlin,) == s.find(Lead, box).items
