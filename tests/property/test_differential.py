"""Every store gives the same answers as a naive oracle, on random data and questions.

One wide schema with every kind of field, typed and custom, is installed once per store;
each example fills a tenant of its own in all stores and asks many questions.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmcore import CRM, SYSTEM, Address, ContactPoint, Money, Ref
from crmcore.criteria import (
    Bucket,
    Criteria,
    Everything,
    F,
    Measure,
    Sort,
    from_json,
    to_json,
)
from crmcore.errors import ValidationError
from crmcore.records import Record
from crmcore.session import Session
from crmcore.testing import FixedClock, Oracle, SeededIds
from crmcore.testing.clock import START
from crmcore.testing.specimens import (
    CUSTOM_FIELDS,
    SPECIMENS,
    Habitat,
    Specimen,
    specimen_schema,
)
from crmcore.testing.strategies import (
    DataSet,
    aggregates,
    criteria,
    data_sets,
    orders,
    texts,
)
from tests.conftest import STORES

SCHEMA = specimen_schema()
NAMES = [str(parameter.values[0]) for parameter in STORES]

# Without shrinking: it would fill thousands of tenants; the messages of the asserts
# name the one question that was answered differently.
few = settings(
    max_examples=14,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture(scope="module")
def crms(stores: Any) -> dict[str, CRM]:
    """A CRM on each store that can be had here."""
    found = {}
    for name in NAMES:
        try:
            store = stores.installed(name)
        except pytest.skip.Exception:
            continue
        crm = CRM(
            store,
            areas=[SPECIMENS],
            fields=CUSTOM_FIELDS,
            clock=FixedClock(),
            ids=SeededIds(),
        )
        crm.install()
        found[name] = crm
    return found


def fresh(crm: CRM, seed: int, tenant: str) -> CRM:
    """A tenant that nobody used, in which ids come out the same on every store."""
    environment = attrs.evolve(
        crm.environment, clock=FixedClock(), ids=SeededIds(seed), organisations={}
    )
    bound = crm.tenant(tenant)
    bound._environment = environment
    return bound


@attrs.frozen
class World:
    """One data set in all stores, and the oracle that knows it."""

    crms: dict[str, CRM]
    oracle: Oracle
    specimens: tuple[Specimen, ...]
    habitats: tuple[Habitat, ...]


def filled(crms: dict[str, CRM], data: DataSet) -> World:
    """Store a data set everywhere; what is stored must be the same everywhere."""
    seed, tenant = secrets.randbits(32), f"d-{secrets.token_hex(6)}"
    bound = {name: fresh(crm, seed, tenant) for name, crm in crms.items()}
    stored = {name: store_data(crm, data) for name, crm in bound.items()}
    first = stored["memory"]
    for name, (habitats, specimens) in stored.items():
        assert (habitats, specimens) == first, name
        with bound[name].session(SYSTEM) as session:
            read = {record.id: record for record in session.stream(Specimen)}
        assert read == {record.id: record for record in first[1]}, name
    tables = {
        "habitat": {h.id: plain(h) for h in first[0]},
        "specimen": {s.id: plain(s) for s in first[1]},
    }
    return World(bound, Oracle(kinds(), tables, START.date()), first[1], first[0])


def store_data(
    crm: CRM, data: DataSet
) -> tuple[tuple[Habitat, ...], tuple[Specimen, ...]]:
    with crm.session(SYSTEM) as session:
        habitats = session.create_many(made(Habitat, row) for row in data.habitats)
        rows = [linked(row, habitats) for row in data.specimens]
        specimens = session.create_many(made(Specimen, row) for row in rows)
    return habitats, specimens


def linked(row: Any, habitats: tuple[Habitat, ...]) -> dict[str, Any]:
    """Put habitats in the place of their numbers."""
    values = dict(row)
    for name in ("habitat_id", "c_habitat_id"):
        if name in row:
            values[name] = habitats[row[name]].id
    for name in ("about", "c_about"):
        if name in row:
            values[name] = Ref.to(habitats[row[name]])
    return values


def made(kind: type[Any], values: Mapping[str, Any]) -> Any:
    fields = SCHEMA.entity(kind).fields
    custom = {n: v for n, v in values.items() if fields[n].custom}
    return kind(**{n: v for n, v in values.items() if n not in custom}, custom=custom)


_KINDS = {
    **dict.fromkeys(("long_text", "email", "phone", "url", "picklist"), "text"),
    "percent": "decimal",
    "multi_picklist": "list",
    "contact_points": "points",
}


def kinds() -> dict[str, dict[str, str]]:
    """What the oracle is told of the schema."""
    return {
        entity: {
            field.name: f"reference:{field.type.entity}"  # type: ignore[attr-defined]
            if field.type.kind == "reference"
            else _KINDS.get(field.type.kind, field.type.kind)
            for field in SCHEMA.entity(entity).fields.values()
        }
        for entity in ("specimen", "habitat")
    }


def plain(record: Record) -> dict[str, Any]:
    """A record as plain values."""
    names = SCHEMA.entity(record).fields
    return {name: plain_value(record[name]) for name in names}


def plain_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, (Money, Address, ContactPoint, Ref)):
        return attrs.asdict(value)
    return value


def question(wanted: Criteria) -> Any:
    """Criteria in the JSON form in which the oracle reads them."""
    return json.loads(json.dumps(to_json(wanted)))


@few
@given(data=st.data())
def test_lists_are_the_same_everywhere(
    crms: dict[str, CRM], data: st.DataObject
) -> None:
    """Filter, order, count and JSON round trip agree with the oracle on every store."""
    drawn = data.draw(data_sets(SCHEMA))
    world = filled(crms, drawn)
    wanted = data.draw(st.lists(criteria(SCHEMA, drawn), min_size=15, max_size=30))
    sorts = data.draw(st.lists(orders(SCHEMA, drawn), min_size=4, max_size=4))
    for place, one in enumerate(wanted):
        order = sorts[place % len(sorts)]
        asked = question(one)
        keys = [(".".join(sort.path), sort.descending) for sort in order]
        expected = world.oracle.find("specimen", asked, keys)
        again = from_json(asked)
        assert asked == question(again)
        for name, crm in world.crms.items():
            with crm.session(SYSTEM) as session:
                page = session.find(Specimen, one, order_by=order, limit=2_000)
                assert expected == [r.id for r in page], (name, one, order)
                assert len(expected) == session.count(Specimen, again), (name, one)


@few
@given(data=st.data())
def test_numbers_are_the_same_everywhere(
    crms: dict[str, CRM], data: st.DataObject
) -> None:
    """Counts, sums, averages, minima, maxima per group agree with the oracle."""
    drawn = data.draw(data_sets(SCHEMA))
    world = filled(crms, drawn)
    asked = data.draw(
        st.lists(
            st.tuples(aggregates(SCHEMA, drawn), criteria(SCHEMA, drawn, 2)),
            min_size=15,
            max_size=25,
        )
    )
    for (measure, groups), wanted in asked:
        expected = world.oracle.aggregate(
            "specimen",
            question(wanted),
            measure.function,
            ".".join(measure.path) or None,
            [
                (".".join(g.path), g.unit if isinstance(g, Bucket) else None)
                for g in groups
            ],
        )
        for name, crm in world.crms.items():
            with crm.session(SYSTEM) as session:
                found = numbers(session, measure, groups, wanted)
            assert rounded(expected, measure) == found, (name, measure, groups, wanted)


def numbers(
    session: Session,
    measure: Measure,
    groups: tuple[Bucket | Sort, ...],
    wanted: Criteria,
) -> dict[tuple[Any, ...], Any]:
    by = [g if isinstance(g, Bucket) else field(g.path) for g in groups]
    found = session.aggregate(Specimen, {"number": measure}, wanted, group_by=by)
    return {tuple(group.keys.values()): group["number"] for group in found}


def field(path: tuple[str, ...]) -> Any:
    expression = F[path[0]]
    for name in path[1:]:
        expression = expression[name]
    return expression


def rounded(
    expected: dict[tuple[Any, ...], Any], measure: Measure
) -> dict[tuple[Any, ...], Any]:
    if measure.function != "average":
        return expected
    return {key: mean(value) for key, value in expected.items()}


def mean(value: Fraction | None) -> Decimal | None:
    """Six digits after the point, half to even, reckoned without decimals."""
    return None if value is None else Decimal(round(value * 10**6)).scaleb(-6)


@few
@given(data=st.data())
def test_the_laws_of_logic_hold(crms: dict[str, CRM], data: st.DataObject) -> None:
    """De Morgan, double negation, and complements that add up to the whole."""
    drawn = data.draw(data_sets(SCHEMA, most=10))
    world = filled(crms, drawn)
    two = st.tuples(criteria(SCHEMA, drawn, 3), criteria(SCHEMA, drawn, 3))
    pairs = data.draw(st.lists(two, min_size=3, max_size=5))
    for name, crm in world.crms.items():
        with crm.session(SYSTEM) as session:
            whole = session.count(Specimen)

            def ids(wanted: Criteria, session: Session = session) -> set[Any]:
                return {r.id for r in session.find(Specimen, wanted, limit=2_000)}

            for left, right in pairs:
                where = (name, left, right)
                assert ids(~(left & right)) == ids(~left | ~right), where
                assert ids(~(left | right)) == ids(~left & ~right), where
                assert ids(~~left) == ids(left), where
                assert ids(left & right) == ids(left) & ids(right), where
                assert ids(left | right) == ids(left) | ids(right), where
                number, rest = (
                    session.count(Specimen, left),
                    session.count(Specimen, ~left),
                )
                assert whole == number + rest, where


@few
@given(data=st.data())
def test_a_walk_through_pages_sees_each_record_once(
    crms: dict[str, CRM], data: st.DataObject
) -> None:
    """Forward and backward, in the oracle's order, while others insert records."""
    drawn = data.draw(data_sets(SCHEMA, most=20))
    world = filled(crms, drawn)
    wanted = data.draw(criteria(SCHEMA, drawn, 2) | st.just(Everything()))
    order = data.draw(orders(SCHEMA, drawn))
    size = data.draw(st.integers(1, 5))
    keys = [(".".join(sort.path), sort.descending) for sort in order]
    expected = world.oracle.find("specimen", question(wanted), keys)
    for name, crm in world.crms.items():
        where = (name, wanted, order, size)
        forward, cursor = walk(crm, wanted, order, size, "next", None)
        assert expected == forward, where
        if cursor is not None:
            backward, _ = walk(crm, wanted, order, size, "previous", cursor)
            assert expected[: len(backward)] == backward, where
            assert set(expected) == set(backward) | set(forward[len(backward) :]), where
        known = set(expected)
        disturbed, _ = walk(crm, wanted, order, size, "next", None, disturbing=drawn)
        assert len(disturbed) == len(set(disturbed)), where
        assert expected == [i for i in disturbed if i in known], where


def walk(
    crm: CRM,
    wanted: Criteria,
    order: tuple[Sort, ...],
    size: int,
    direction: str,
    cursor: str | None,
    disturbing: DataSet | None = None,
) -> tuple[list[Any], str | None]:
    """Return the ids of all pages in one direction, and the last page's way back."""
    seen: list[Any] = []
    back = None
    for turn in range(200):
        options = {"after" if direction == "next" else "before": cursor}
        with crm.session(SYSTEM) as session:
            page = session.find(Specimen, wanted, order_by=order, limit=size, **options)  # type: ignore[call-overload]
            if disturbing is not None and turn < 3:
                row = disturbing.specimens[turn % len(disturbing.specimens)]
                inserted = {
                    n: v for n, v in row.items() if "about" not in n and "_id" not in n
                }
                session.create(made(Specimen, inserted))
        ids = [record.id for record in page]
        seen = [*seen, *ids] if direction == "next" else [*ids, *seen]
        cursor = page.next if direction == "next" else page.previous
        back = page.previous or back
        if cursor is None:
            return seen, page.previous
    raise AssertionError((wanted, order))


@few
@given(data=st.data())
def test_a_cursor_is_refused_elsewhere(
    crms: dict[str, CRM], data: st.DataObject
) -> None:
    """A cursor made for one filter and order is refused for another."""
    drawn = data.draw(data_sets(SCHEMA, most=6))
    world = filled({"memory": crms["memory"]}, drawn)
    order, other = data.draw(orders(SCHEMA, drawn)), data.draw(orders(SCHEMA, drawn))
    wanted = data.draw(criteria(SCHEMA, drawn, 3))
    with world.crms["memory"].session(SYSTEM) as session:
        cursor = session.find(Specimen, order_by=order, limit=1).next
        assert cursor is not None
        for changed, sorts in ((wanted, order), (Everything(), other)):
            if question(changed) == {"and": []} and sorts == order:
                continue
            with pytest.raises(ValidationError) as raised:
                session.find(Specimen, changed, order_by=sorts, limit=1, after=cursor)
            assert ["foreign_cursor"] == [p.reason for p in raised.value.problems]
        with pytest.raises(ValidationError):
            session.find(Habitat, limit=1, after=cursor)


@settings(few, max_examples=12)
@given(values=st.lists(texts(), min_size=2, max_size=20, unique=True), part=texts(4))
def test_every_text_keeps_its_place(
    crms: dict[str, CRM], values: list[str], part: str
) -> None:
    """Sorting, ranges, equality and search agree on text of any kind."""
    rows = tuple({"name": v, "c_text": v, "tags": [v.strip()[:60]]} for v in values)
    world = filled(crms, DataSet(({"name": "x"},), rows))
    probes = [
        *(F.name == v for v in values[:5]),
        *(F.c_text < v for v in values[:5]),
        *(F.name > v for v in values[:5]),
        F.name.contains(part),
        F.c_text.starts_with(part[:2]),
        F.c_text.contains(values[0]),
        F.name.starts_with(values[0]),
        F.tags.any_of([values[0].strip()[:60]]),
    ]
    for probe in probes:
        for order in ([F.name.asc()], [F.c_text.desc()]):
            keys = [(".".join(s.path), s.descending) for s in order]
            expected = world.oracle.find("specimen", question(probe), keys)
            for name, crm in world.crms.items():
                with crm.session(SYSTEM) as session:
                    found = session.find(Specimen, probe, order_by=order, limit=2_000)
                assert expected == [r.id for r in found], (name, probe, order)


def test_the_clock_of_the_oracle_is_that_of_the_stores() -> None:
    """Relative dates mean the same day for both."""
    assert FixedClock().now() == START
    assert datetime.fromisoformat(START.isoformat()) == START


@pytest.fixture(autouse=True)
def _give_memory_back(crms: dict[str, CRM]) -> Iterator[None]:
    yield
    crms["memory"].store._data.records.clear()  # type: ignore[attr-defined]
