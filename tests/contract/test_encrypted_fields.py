"""Encrypted fields: people read them, stores and histories do not (REC-11)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from itertools import count as numbers
from typing import Any

import pytest

from crmcore import CRM, SYSTEM, F, Lead, MemoryStore, User, ValidationError
from crmcore.criteria import count
from crmcore.records import Integer, LongText, Text, fields
from tests.contract.customisation.reasons import reasons

PASSPORT = fields.custom("passport", Text(maximum=20), encrypted=True)


class Masquerade:
    """A cipher for tests only: no text looks twice the same, and anybody can read it."""

    def __init__(self) -> None:
        self._salts = numbers()

    def encrypt(self, text: str) -> str:
        salted = f"{next(self._salts)}:{text}"
        return "sealed:" + b64encode(salted.encode()).decode()

    def decrypt(self, text: str) -> str:
        assert text.startswith("sealed:")
        return b64decode(text.removeprefix("sealed:")).decode().partition(":")[2]


def crm_on(store: Any, tenant: str = "t") -> CRM:
    made = CRM(store, fields={Lead: [PASSPORT]}, cipher=Masquerade()).tenant(tenant)
    with made.session(SYSTEM) as s:
        s.create(User(username="ann", profile="administrator"))
    return made


@pytest.mark.capability("REC-11")
def test_people_read_what_stores_do_not(store: Any, tenant: str) -> None:
    """The stored form is told by a set-up that knows the field as a plain text."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu"), passport=" C01X ")
        assert "C01X" == lead["passport"]
        lead = s.update(lead, passport="C02Y")
        assert lead == s.update(lead, passport="C02Y")
    with crm.session("ann") as s:
        assert "C02Y" == s.get(Lead, lead.id)["passport"]
        assert ["C02Y"] == [one["passport"] for one in s.find(Lead)]
        (change,) = s.history(lead, "passport")[-1].changes
        assert change.new.startswith("sealed:")
        assert "C02Y" not in str(change)
        assert "C02Y" == s.copy(lead)["passport"]

    if store.name == "memory":
        return  # keeps the records themselves, and writes nothing down
    plain = fields.custom("passport", LongText())
    with CRM(store, fields={Lead: [plain]}).tenant(tenant).session(SYSTEM) as s:
        assert s.get(Lead, lead.id)["passport"].startswith("sealed:")


@pytest.mark.capability("REC-11")
def test_lists_ask_only_whether_it_is_there(store: Any, tenant: str) -> None:
    """Nothing that would compare the encrypted texts is allowed."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        s.create(Lead(last_name="Wu"), passport="C01X")
        s.create(Lead(last_name="Li"))
        assert 1 == s.count(Lead, F.passport.is_null())
        asks: list[tuple[Any, str]] = [
            (lambda: s.find(Lead, F.passport == "C01X"), "sealed"),
            (lambda: s.find(Lead, F.passport.in_(["C01X"])), "sealed"),
            (lambda: s.find(Lead, F.passport.contains("C01")), "sealed"),
            (lambda: s.find(Lead, order_by=F.passport), "not_sortable"),
            (lambda: s.aggregate(Lead, {"n": F.passport.max()}), "not_aggregable"),
            (
                lambda: s.aggregate(Lead, {"n": count()}, group_by=[F.passport]),
                "not_groupable",
            ),
        ]
        for ask, reason in asks:
            with pytest.raises(ValidationError) as caught:
                ask()
            assert {"passport": reason} == reasons(caught)


@pytest.mark.capability("REC-11")
def test_values_are_checked_before_they_are_encrypted(store: Any, tenant: str) -> None:
    """The rules of its type hold as for any other text."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s, pytest.raises(ValidationError) as caught:
        s.create(Lead(last_name="Wu"), passport="x" * 21)
    assert {"passport": "too_long"} == reasons(caught)


@pytest.mark.capability("REC-11")
def test_administrators_store_encrypted_fields(store: Any, tenant: str) -> None:
    """Switching it on or off is refused while records hold values."""
    crm = crm_on(store, tenant)
    with crm.session("ann") as s:
        s.customisation.add_field("lead", "iban", "text", encrypted=True)
        with pytest.raises(ValidationError) as caught:
            s.customisation.add_field(
                "lead", "pin", "text", encrypted=True, unique=True
            )
        assert {"field.lead.pin.encrypted": "sealed"} == reasons(caught)
    with crm.session("ann") as s:
        lead = s.create(Lead(last_name="Wu"), iban="DE00")
        assert lead["iban"] == s.get(Lead, lead.id)["iban"] == "DE00"
        with pytest.raises(ValidationError) as caught:
            s.customisation.change_field("lead", "iban", encrypted=False)
        assert {"field.lead.iban.type": "type_in_use"} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.customisation.add_field("lead", "f", "text", formula='iban & "!"')
        assert "not_in_formulas" in reasons(caught).values()
    described = {f["name"]: f for f in crm.schema("lead").describe()["fields"]}
    assert ("text", True) == (described["iban"]["type"], described["iban"]["encrypted"])


@pytest.mark.capability("REC-11")
@pytest.mark.parametrize(
    ("field", "cipher", "reason"),
    [
        (PASSPORT, None, "no_cipher"),
        (
            fields.custom("n", Integer(), encrypted=True),
            Masquerade(),
            "not_encryptable",
        ),
        (
            fields.custom("n", Text(), encrypted=True, indexed=True),
            Masquerade(),
            "sealed",
        ),
    ],
)
def test_what_cannot_be_encrypted_is_refused(
    field: Any, cipher: Any, reason: str
) -> None:
    """No set-up begins with it."""
    with pytest.raises(ValidationError) as caught:
        CRM(MemoryStore(), fields={Lead: [field]}, cipher=cipher)
    assert [reason] == [problem.reason for problem in caught.value.problems]
