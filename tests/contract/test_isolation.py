"""Two tenants of one store: nothing of one is seen, counted or taken in the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from crmcore import CRM, SYSTEM, F, Lead, NotFound, NumberFormat
from crmcore.session import Session

pytestmark = pytest.mark.capability("TEN-01")

NOBODY = UUID("01890000-0000-7000-8000-000000000000")


@pytest.fixture
def crms(store: Any, tenant: str) -> tuple[CRM, CRM]:
    crm = CRM(store, numbering={"lead.number": NumberFormat(prefix="LEA")})
    return crm.tenant(f"{tenant}-a"), crm.tenant(f"{tenant}-b")


def make(crm: CRM, operation_key: str | None = None) -> Lead:
    with crm.session(SYSTEM, operation_key=operation_key) as s:
        return s.create(Lead(last_name="Li", company_name="Acme", external_id="x"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda s, one: s.get(Lead, one.id),
        lambda s, one: s.get(Lead, one.id, deleted=True),
        lambda s, one: s.update(one, title="CEO"),
        lambda s, one: s.delete(one),
        lambda s, one: s.restore(one),
        lambda s, one: s.purge(one),
        lambda s, one: s.history(one),
        lambda s, one: s.leads.plan_conversion(one),
    ],
    ids="get get_deleted update delete restore purge history convert".split(),
)
def test_a_foreign_record_is_absent(
    crms: tuple[CRM, CRM], verb: Callable[[Session, Lead], Any]
) -> None:
    """Each verb answers of another tenant's record as of one that never was."""
    ours, theirs = crms
    foreign = make(theirs)
    absent = foreign.evolved(id=NOBODY)
    texts = []
    for record in (foreign, absent):
        with pytest.raises(NotFound) as caught, ours.session(SYSTEM) as s:
            verb(s, record)
        texts.append(str(caught.value).replace(str(record.id), "ID"))

    assert texts[0] == texts[1]
    with theirs.session(SYSTEM) as s:
        assert foreign == s.get(Lead, foreign.id)


def test_lists_counts_and_duplicates_do_not_cross(crms: tuple[CRM, CRM]) -> None:
    """Only the records of the own tenant are found, counted or thought alike."""
    ours, theirs = crms
    make(theirs)
    with ours.session(SYSTEM) as s:
        assert () == s.find(Lead).items
        assert 0 == s.count(Lead, F.last_name == "Li")
        alike = s.duplicates(Lead(last_name="Li", company_name="Acme"))
        assert () == alike.matches


def test_unique_values_numbers_and_operation_keys_do_not_cross(
    crms: tuple[CRM, CRM],
) -> None:
    """Both tenants hold the same external id, first number and operation key."""
    one, other = (make(crm, operation_key="k") for crm in crms)

    assert one.id != other.id
    assert ("LEA1", "LEA1") == (one.number, other.number)


def test_events_do_not_cross(crms: tuple[CRM, CRM]) -> None:
    """Neither subscribers nor the outbox of one tenant hear of the other."""
    ours, theirs = crms
    heard: list[Any] = []
    ours.subscribe(heard.append)
    make(theirs)

    assert 0 == ours.deliver(heard.append)
    assert [] == heard
