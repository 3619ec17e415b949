"""Hostile input is data: it is stored, compared and refused, never interpreted."""

from __future__ import annotations

import base64
import json
import secrets
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from crmcore import CRM, SYSTEM, F, Lead, ValidationError
from crmcore.criteria import Compare, Criteria, from_json, to_json
from crmcore.records import UNSAVED
from crmcore.session import Session
from crmcore.testing import FixedClock, Oracle, SeededIds
from crmcore.testing.clock import START
from crmcore.testing.specimens import CUSTOM_FIELDS, SPECIMENS, Specimen

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

#: Payloads that are always tried; the collections of :data:`DATA` are where present.
PAYLOADS = (
    "' OR '1'='1",
    "'; DROP TABLE specimens; --",
    '" OR ""="',
    "1; SELECT pg_sleep(5)",
    "') UNION SELECT NULL, NULL --",
    "\\'; --",
    "{'$gt': ''}",
    '{"$where": "sleep(5000)"}',
    "$where",
    "$name",
    "$$ROOT",
    "true, $where: '1 == 1'",
    "[$ne]=1",
    "%' OR name LIKE '%",
    "__class__.__mro__",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "%00",
    "\r\nSet-Cookie: a=b",
    ":name",
    "%(name)s",
    "%s",
    "?",
    "/*! UNION */",
    "${7*7}",
    ".*",
    "(?i)a",
    "^(a+)+$",
)


def collected() -> list[str]:
    """All payloads that can be had, each once, that a field of text accepts."""
    found = list(PAYLOADS)
    for file in sorted(DATA.glob("payloads-patt/*/*/*.txt")):
        found += file.read_text(errors="replace").splitlines()[:60]
    strings = DATA / "naughty-strings" / "blns.json"
    if strings.exists():
        found += json.loads(strings.read_text())
    cleaned = dict.fromkeys(text.strip()[:200] for text in found)
    return [t for t in cleaned if t and "\0" not in t and is_whole(t)]


def is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.fixture
def crm(store: Any, tenant: str) -> CRM:
    made = CRM(
        store,
        areas=[SPECIMENS],
        fields=CUSTOM_FIELDS,
        clock=FixedClock(),
        ids=SeededIds(secrets.randbits(32)),
    )
    made.install()
    return made.tenant(tenant)


def test_payloads_are_only_text(crm: CRM) -> None:
    """As values and as questions, on every operator, payloads mean themselves."""
    payloads = collected()
    with crm.session(SYSTEM) as s:
        made = s.create_many(
            Specimen(name=p, tags=(p[:60],), custom={"c_text": p}) for p in payloads
        )
    rows = {
        r.id: {
            "id": r.id,
            "name": r.name,
            "tags": list(r.tags or ()),
            "c_text": r["c_text"],
        }
        for r in made
    }
    kinds = {"specimen": {"id": "id", "name": "text", "tags": "list", "c_text": "text"}}
    oracle = Oracle(kinds, {"specimen": rows}, START.date())
    asked: list[Criteria] = []
    for number, payload in enumerate(payloads):
        if number >= len(PAYLOADS) and number % 6:
            continue
        asked += [F.name == payload, F.c_text.contains(payload)]
        if number % 5 == 0:
            asked += [
                F.name != payload,
                F.c_text < payload,
                F.name >= payload,
                F.c_text.in_([payload, payload.upper()]),
                F.name.starts_with(payload),
                F.c_text.between(payload, payload + "~"),
                F.tags.any_of([payload[:60]]),
                F.tags.all_of([payload[:60], "x"]),
            ]
    with crm.session(SYSTEM) as s:
        for one in asked:
            found = {
                r.id for r in s.find(Specimen, one, order_by=F.id.asc(), limit=2_000)
            }
            expected = oracle.find("specimen", json.loads(json.dumps(to_json(one))))
            assert set(expected) == found, one


FIELDS = (
    "__class__",
    "__init__",
    "_path",
    "$where",
    "name; DROP TABLE specimens",
    "name'",
    'name"',
    "custom",
    "custom.c_text",
    "habitat.__class__",
    "habitat.owner.name",
    "habitat_id.id.id.id",
    "folded",
    "tenant",
    "",
    ".",
    "name.",
    ".name",
    "name\0",
    "\ud800",
    "x" * 100_000,
)

VALUES: tuple[Any, ...] = (
    {"$gt": ""},
    {"$where": "1"},
    {},
    {1: 2},
    {(1, 2): object()},
    [[]],
    [{"$ne": None}],
    object(),
    type,
    b"bytes",
    float("nan"),
    float("inf"),
    1j,
    "\0",
    "\ud800",
    "x" * 1_000_000,
    10**400,
    -(2**63),
    2**63,
    True,
    lambda: None,
    F.name,
)

OPERATORS = (
    *("==", "!=", "<", "<=", ">", ">=", "in", "contains", "starts_with", "is_null"),
    *("between", "any_of", "all_of", "during"),
)


def refused_or_answered(session: Session, wanted: Criteria) -> None:
    """Only an answer or a ValidationError may come out."""
    try:
        session.find(Specimen, wanted)
    except ValidationError as error:
        assert str(error)  # noqa: PT017 - both outcomes are fine


@pytest.mark.parametrize("name", FIELDS, ids=lambda name: repr(name)[:30])
def test_unknown_fields_are_refused(crm: CRM, name: str) -> None:
    """A name that is not a field is refused in filters, orders, groups and writes."""
    field = F[name]
    for ask in (
        lambda s: s.find(Specimen, field == 1),
        lambda s: s.find(Specimen, from_json({"field": name, "op": "==", "value": 1})),
        lambda s: s.find(Specimen, order_by=field.asc()),
        lambda s: s.aggregate(Specimen, {"n": field.max()}),
        lambda s: s.aggregate(Specimen, {}, group_by=[field]),
        lambda s: s.create(Specimen(), **{name: "x"}),
        lambda s: s.create(Specimen(custom={name: "x"})),
    ):
        with pytest.raises(ValidationError) as raised, crm.session(SYSTEM) as s:
            ask(s)
        assert len(str(raised.value)) < 1_000


@pytest.mark.parametrize("operator", OPERATORS)
def test_wrong_values_are_refused(crm: CRM, operator: str) -> None:
    """Values of any type, on any field, are answered or refused, never passed on."""
    fields = (
        *("name", "size", "weight", "price", "alive", "born", "seen_at", "colour"),
        *("tags", "phones", "address", "habitat_id", "about", "c_money", "c_tags"),
    )
    with crm.session(SYSTEM) as s:
        s.create(Specimen(name="a"))
    with crm.session(SYSTEM) as s:
        for name, value in product(fields, VALUES):
            refused_or_answered(s, Compare((name,), operator, value))
            refused_or_answered(s, Compare((name,), operator, (value, value)))
        assert 1 == s.count(Specimen)


def test_expressions_that_are_none_are_refused(crm: CRM) -> None:
    """What is not criteria is refused as malformed."""
    for wanted in (None, 5, "name = 'x'", {"field": "name"}, [F.name == 1], object()):
        with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
            s.find(Specimen, wanted)  # type: ignore[call-overload]
    for order in (
        [5],
        [None],
        "name",
        [F.tags.asc()],
        [F.address.asc()],
        [F.name == 1],
    ):
        with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
            s.find(Specimen, order_by=order)  # type: ignore[arg-type]
    for path, operator in (
        ((), "=="),
        ((1,), "=="),
        (("name",), 5),
        (("name",), "$ne"),
    ):
        with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
            s.find(Specimen, Compare(path, operator, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [60, 5_000, 100_000])
def test_deep_nesting_is_refused(crm: CRM, depth: int) -> None:
    """However deep criteria are nested, they are refused, and nothing breaks."""
    wanted: Criteria = F.name == "a"
    for _ in range(depth):
        wanted = ~wanted

    with pytest.raises(ValidationError) as raised, crm.session(SYSTEM) as s:
        s.find(Specimen, wanted)

    assert ["too_deep"] == [p.reason for p in raised.value.problems]


def test_a_million_values_are_refused(crm: CRM) -> None:
    """Lists of any length are refused before a store sees them."""
    million = range(1_000_000)
    for wanted in (
        F.size.in_(million),
        F.tags.any_of([str(n) for n in million]),
    ):
        with pytest.raises(ValidationError) as raised, crm.session(SYSTEM) as s:
            s.find(Specimen, wanted)
        assert ["too_large"] == [p.reason for p in raised.value.problems]


def test_a_thousand_tests_are_the_limit(crm: CRM) -> None:
    """Wide criteria are refused as well."""
    wanted: Criteria = F.size == 0
    for number in range(1_001):
        wanted = wanted | (F.size == number)

    with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
        s.find(Specimen, wanted)


def forged(cursor: str, place: int, value: Any) -> str:
    """A cursor with another value in it."""
    padded = cursor + "=" * (-len(cursor) % 4)
    data = json.loads(base64.urlsafe_b64decode(padded))
    data[1][place] = value
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


FORGED: tuple[Any, ...] = (
    *(True, False, 10**30, -(10**30), 1.5, "x", "a\0b", "\ud800", [], {}, {"$gt": ""}),
    *("9999-99-99", "2026-01-01", "1' OR '1'='1", float("nan"), "x" * 100_000),
)


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "size",
        "alive",
        "born",
        "seen_at",
        "habitat_id",
        "c_text",
        "c_integer",
        "c_date",
        "c_boolean",
        "price",
    ],
)
def test_forged_cursors_are_refused(crm: CRM, name: str) -> None:
    """A cursor with any other content is answered or refused, on every store."""
    with crm.session(SYSTEM) as s:
        s.create_many(Specimen(name=str(n), size=n) for n in range(3))
        cursor = s.find(Specimen, order_by=F[name].asc(), limit=1).next
    assert cursor is not None
    for place in (0, 1):
        for value in FORGED:
            try:
                with crm.session(SYSTEM) as s:
                    s.find(
                        Specimen,
                        order_by=F[name].asc(),
                        limit=1,
                        after=forged(cursor, place, value),
                    )
            except ValidationError as error:
                assert {"malformed", "foreign_cursor"} >= {  # noqa: PT017
                    p.reason for p in error.problems
                }


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "====", "e30", "bnVsbA", "W10", "WzFd", "\x00", "é", "a" * 100_001),
        *(5, b"e30", None.__class__, [], {"$gt": ""}),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        base64.urlsafe_b64encode(b'["x",' + b"1" * 5_000 + b"]").decode(),
    ],
    ids=lambda cursor: repr(cursor)[:20],
)
def test_malformed_cursors_are_refused(crm: CRM, cursor: Any) -> None:
    """What is no cursor at all is refused in both directions."""
    for options in ({"after": cursor}, {"before": cursor}):
        with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
            s.find(Specimen, **options)


SYSTEM_FIELDS = (
    *("id", "version", "created_at", "created_by", "updated_at", "updated_by"),
    *("deleted_at", "deleted_by", "invalid_at", "invalid_by"),
    *("archived_at", "archived_by"),
)


@pytest.mark.parametrize("name", SYSTEM_FIELDS)
def test_system_fields_cannot_be_assigned(crm: CRM, name: str) -> None:
    """No caller sets identity, version, stamps or deletion (mass assignment)."""
    with crm.session(SYSTEM) as s:
        lead = s.create(Lead(last_name="Lovelace"))
    value: Any = (
        7
        if name == "version"
        else START
        if name.endswith("_at")
        else SeededIds(9).new()
    )
    for assign in (
        lambda s: s.create(Lead(last_name="X", **{name: value})),
        lambda s: s.create(Lead(last_name="X"), **{name: value}),
        lambda s: s.create(Lead(last_name="X", custom={name: value})),
        lambda s: s.update(lead, **{name: value}),
        lambda s: s.update(lead, custom={name: value}),
        lambda s: s.update_many([(lead, {name: value})]),
    ):
        with pytest.raises(ValidationError) as raised, crm.session(SYSTEM) as s:
            assign(s)
        (problem,) = raised.value.problems
        # Inside ``custom`` it is not a custom field at all.
        assert problem.reason in ("read_only", "unknown_field")
        # A record with a version of its own is refused like one with an id.
        assert problem.field == name or (name, problem.field) == ("version", "id")
    with crm.session(SYSTEM) as s:
        assert [lead] == list(s.find(Lead))
        assert lead.id != UNSAVED


@pytest.mark.parametrize("value", ["a\0b", "\0", "a\ud800", "\udfff"])
def test_text_that_no_store_keeps_is_refused(crm: CRM, value: str) -> None:
    """NUL and lone surrogates are refused with the field's name, in every field."""
    for name in (
        "name",
        "story",
        "plain",
        "code",
        "email",
        "phone",
        "website",
        "c_text",
        "c_story",
        "colour",
    ):
        with pytest.raises(ValidationError) as raised, crm.session(SYSTEM) as s:
            s.create(Specimen(), **{name: value})  # type: ignore[call-overload]
        (problem,) = raised.value.problems
        assert name == problem.field
        assert problem.reason in ("null_character", "invalid_unicode")
    for values in (
        {"tags": [value]},
        {"address": {"city": value}},
        {"c_tags": [value]},
    ):
        with pytest.raises(ValidationError), crm.session(SYSTEM) as s:
            s.create(Specimen(), **values)
