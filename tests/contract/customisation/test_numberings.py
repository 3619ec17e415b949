"""Number formats that administrators store (REC-15)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import AccessDenied, Lead, UniqueViolation, ValidationError
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons

pytestmark = pytest.mark.capability("REC-15")


def lead(**values: Any) -> Lead:
    return Lead(last_name="Li", company_name="Acme", **values)


def put(office: Office, actor: str = "admin", **shown: Any) -> None:
    with office.session(actor) as s:
        s.customisation.put("numbering", "number", shown, object="lead")


def test_a_stored_format_numbers_a_declared_field(office: Office) -> None:
    """From the next session on, of this tenant; values that stood there stay unique."""
    with office.session() as s:
        s.create(lead(number="LEA1"))
    put(office, prefix="LEA", manual=True)
    with office.session() as s:
        assert ["LEA2", "LEA3"] == [
            one.number for one in s.create_many([lead(), lead()])
        ]
        with pytest.raises(UniqueViolation):
            s.create(lead(number="lea1"))


def test_a_changed_format_goes_on_behind_the_last_number(office: Office) -> None:
    """Prefix and padding change, the counter does not begin anew."""
    put(office, prefix="A")
    with office.session() as s:
        assert "A1" == s.create(lead()).number
    put(office, prefix="B", padding=3)
    with office.session() as s:
        assert "B002" == s.create(lead()).number


def test_only_administrators_change_a_format(office: Office) -> None:
    """Somebody who sells is refused."""
    with pytest.raises(AccessDenied):
        put(office, "alice", prefix="A")


@pytest.mark.parametrize(
    ("key", "shown", "reason"),
    [
        ("number", {"reset": "year"}, "reset_not_shown"),
        ("number", {"prefix": "\u202e"}, "invisible_characters"),
        ("number", {"padding": "x"}, "malformed"),
        ("number", {"__class__": "x"}, "unknown_setting"),
        ("annual_revenue", {}, "not_numbered"),
        ("created_by", {}, "not_numbered"),
        ("nothing", {}, "unknown_field_in"),
    ],
)
def test_a_bad_format_is_refused(
    office: Office, key: str, shown: dict[str, Any], reason: str
) -> None:
    """The plan names what is wrong; nothing is stored."""
    with office.session("admin") as s, pytest.raises(ValidationError) as caught:
        s.customisation.put("numbering", key, shown, object="lead")

    assert reason in reasons(caught).values()


def test_a_custom_field_is_numbered_by_its_type(office: Office) -> None:
    """A field of the type auto_number is read-only and filled for new records."""
    with office.session("admin") as s:
        s.customisation.add_field(
            "lead", "code", "auto_number", options={"prefix": "K", "padding": 3}
        )
    with office.session() as s:
        made = s.create(lead())
        assert "K001" == made["code"]
        with pytest.raises(ValidationError):
            s.update(made, code="K9")
