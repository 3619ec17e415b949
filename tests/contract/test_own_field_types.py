"""Field types that a host makes: one class, one registration, every store (REC-10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs
import pytest

from crmcore import CRM, F, Lead, UniqueViolation, ValidationError, extends, fields
from crmcore.criteria import Sort
from crmcore.records import Conventions, FieldType, Integer, Refused, Text
from crmcore.records.registry import KINDS, TypeKind, register
from crmcore.records.type_settings import whole
from crmcore.testing import (
    FixedClock,
    Office,
    SeededIds,
    memory_crm,
    small_organisation,
)
from tests.contract.customisation.reasons import reasons

pytestmark = pytest.mark.capability("REC-10")


@attrs.frozen(kw_only=True)
class Grade(Text):
    """A letter from A, the best, to the last that is allowed."""

    kind: ClassVar[str] = "grade"
    last: int = 5

    def coerce(self, value: Any, conventions: Conventions) -> str | None:
        text = super().coerce(value, conventions)
        if text is None:
            return None
        if len(text) != 1 or not 0 <= ord(text.upper()) - ord("A") < self.last:
            raise Refused("not_an_option", value=text[:20])
        return text.upper()


@attrs.frozen
class Size:
    """Width and height in millimetres."""

    width: int
    height: int


_SIDE = Integer(minimum=1)


@attrs.frozen(kw_only=True)
class SizeField(FieldType):
    """Two sides, of which each is a column."""

    kind: ClassVar[str] = "size"
    ordered: ClassVar[bool] = False
    comparable: ClassVar[bool] = True

    @property
    def parts(self) -> Mapping[str, FieldType]:
        return {"width": _SIDE, "height": _SIDE}

    @property
    def json_type(self) -> Mapping[str, Any]:
        return {"type": "object", "required": ["width", "height"]}

    def split(self, value: Size | None) -> tuple[Any, ...]:
        return (None, None) if value is None else (value.width, value.height)

    def join(self, stored: tuple[Any, ...]) -> Size | None:
        return None if stored[0] is None else Size(*stored)

    def coerce(self, value: Any, conventions: Conventions) -> Size:
        given = Size(**value) if isinstance(value, Mapping) else value
        if not isinstance(given, Size):
            raise Refused("malformed")
        sides = (_SIDE.coerce(side, conventions) for side in attrs.astuple(given))
        return Size(*sides)

    def to_json(self, value: Size) -> dict[str, int]:
        return attrs.asdict(value)


@extends(Lead)
class GradedLead(Lead):
    """A lead with fields of both types."""

    grade: str | None = fields.of_type(Grade(last=3), indexed=True)
    sign: Size | None = fields.of_type(SizeField())


@pytest.fixture
def known() -> Iterator[None]:
    before = dict(KINDS)
    register(TypeKind(cls=Grade, settings={"last": whole(1, 26)}))
    register(TypeKind(cls=SizeField))
    yield
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def office(store: Any, tenant: str, known: None) -> Office:
    clock, ids = FixedClock(), SeededIds()
    whole_crm = CRM(store, entities=[GradedLead], clock=clock, ids=ids)
    whole_crm.install()
    crm = whole_crm.tenant(tenant)
    office = Office(crm, clock, ids, small_organisation(crm))
    with office.session("admin") as s:
        add = s.customisation.add_field
        add("lead", "mark", "grade", options={"last": 4}, unique=True)
        add("lead", "poster", "size")
    return office


def test_own_types_are_kept_compared_and_ordered(office: Office) -> None:
    """As attributes of an extension and as fields that administrators add."""
    with office.session() as s:
        b = s.create(GradedLead(last_name="B", grade="b", sign=Size(20, 10)), mark="d")
        s.create(
            GradedLead(last_name="A", grade=" a"), poster={"width": 3, "height": 4}
        )
    with office.session() as s:
        by_grade = s.find(GradedLead, F.grade >= "A", order_by=[Sort(("grade",))]).items
        stored = s.get(GradedLead, b.id)
        equal = s.find(GradedLead, F.sign == Size(20, 10)).items
        wide = s.find(GradedLead, F.poster.width < 5).items
        words = s.find(GradedLead, F.mark.starts_with("D")).items
        changed = s.update(stored, sign=None, grade="c", poster=Size(1, 1))
        entry = s.history(changed)[-1]
        with pytest.raises(UniqueViolation):
            s.create(Lead(last_name="C"), mark="D")

    assert [lead.last_name for lead in by_grade] == ["A", "B"]
    assert (stored.grade, stored.sign, stored["mark"]) == ("B", Size(20, 10), "D")
    assert list(equal) == list(words) == [stored]
    assert [lead["poster"] for lead in wide] == [Size(3, 4)]
    assert {c.field: (c.old, c.new) for c in entry.changes} == {
        "sign": ({"width": 20, "height": 10}, None),
        "grade": ("B", "C"),
        "poster": (None, {"width": 1, "height": 1}),
    }


def test_own_types_refuse_what_does_not_fit(office: Office) -> None:
    """With the field and their own reason, also within criteria."""
    with office.session() as s:
        with pytest.raises(ValidationError) as written:
            s.create(
                Lead(last_name="X"),
                grade="D",
                mark="E",
                sign=5,
                poster=Size(0, 1),
            )
        with pytest.raises(ValidationError) as asked:
            s.count(Lead, F.grade == "Z")
        with pytest.raises(ValidationError) as ordered:
            s.find(Lead, order_by=[Sort(("sign",))])

    assert reasons(written) == {
        "grade": "not_an_option",
        "mark": "not_an_option",
        "sign": "malformed",
        "poster": "too_small",
    }
    assert reasons(asked) == {"grade": "not_an_option"}
    assert reasons(ordered) == {"sign": "not_sortable"}


def test_definitions_and_forms_know_own_types(office: Office) -> None:
    """Their settings are read strictly, and told again."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as setting:
            s.customisation.add_field("lead", "x", "grade", options={"last": 99})
        with pytest.raises(ValidationError) as unknown:
            s.customisation.add_field("lead", "x", "mood")
    form = office.crm.schema("lead").describe()
    told = {one["name"]: (one["type"], one["options"]) for one in form["fields"]}
    schema = office.crm.schema("lead").json_schema()["properties"]

    assert set(reasons(setting).values()) == {"out_of_range"}
    assert set(reasons(unknown).values()) == {"unknown_type"}
    assert told["mark"] == ("grade", {"last": 4})
    assert told["grade"] == ("grade", {"last": 3})
    assert schema["poster"]["type"] == schema["sign"]["type"] == "object"
    assert (schema["grade"]["type"], schema["grade"]["maxLength"]) == ("string", 255)


def test_a_name_belongs_to_one_type(known: None) -> None:
    """A type that forgets its own name, or takes another's, is refused."""

    @attrs.frozen(kw_only=True)
    class Nameless(FieldType):
        pass

    @attrs.frozen(kw_only=True)
    class Forgetful(Integer):
        pass

    @attrs.frozen(kw_only=True)
    class Spaced(Integer):
        kind: ClassVar[str] = "two words"

    refused: dict[str, str] = {}
    for cls in (Nameless, Forgetful, Spaced):
        with pytest.raises(ValidationError) as error:
            register(TypeKind(cls=cls))
        refused |= reasons(error)
    register(TypeKind(cls=Grade))

    assert refused == {
        "Nameless": "bad_key",
        "Forgetful": "key_taken",
        "Spaced": "bad_key",
    }
    assert KINDS["integer"].cls is Integer


def test_a_type_that_is_not_registered_is_for_python_only() -> None:
    """Declared fields work; definitions cannot name it."""
    office = memory_crm(entities=[GradedLead])
    with office.session("admin") as s:
        lead = s.create(GradedLead(last_name="B", grade="b"))
        with pytest.raises(ValidationError) as refused:
            s.customisation.add_field("lead", "mark", "grade")

    assert lead.grade == "B"
    assert set(reasons(refused).values()) == {"unknown_type"}
