"""T7: everybody converts the same leads, each lead under one operation key."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from crmcore import SYSTEM, Account, Contact, F, Lead, Opportunity, Record, Session
from crmcore.errors import Conflict
from tests.faults.places import Place
from tests.faults.processes import results_of

WORKERS = 16
LEADS = 20
TARGETS: tuple[type[Record], ...] = (Account, Contact, Opportunity)

pytestmark = pytest.mark.timeout(300)

Places = Callable[[str], Place]
Made = tuple[UUID, ...]


def convert(lead: UUID) -> Callable[[Session], Made]:
    """Return the work that converts a lead; it gives the ids of what was made."""

    def work(session: Session) -> Made:
        done = session.leads.convert(session.get(Lead, lead))
        made = (done.account, done.contact, done.opportunity)
        return tuple(record.id for record in made if record is not None)

    return work


def convert_all(place: Place, leads: list[UUID], worker: int) -> list[Made]:
    """Convert every lead, beginning with another one than the other workers."""
    start = worker % len(leads)
    made: dict[UUID, Made] = {}
    with place.crm() as crm:
        for lead in leads[start:] + leads[:start]:
            while lead not in made:
                try:
                    key = f"convert/{lead}"
                    made[lead] = crm.run(SYSTEM, convert(lead), operation_key=key)
                except Conflict:
                    continue
    return [made[lead] for lead in leads]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb", "mongodb"])
@pytest.mark.capability("LEAD-03")
def test_a_lead_is_converted_once(kind: str, place_on: Places) -> None:
    """One account, contact and opportunity a lead; every caller gets their ids."""
    place = place_on(kind)
    with place.crm() as crm, crm.session(SYSTEM) as session:
        leads = session.create_many(
            Lead(last_name=f"Lead {n}", company_name=f"Company {n}")
            for n in range(LEADS)
        )
    ids = [lead.id for lead in leads]
    answers = results_of(convert_all, [(place, ids, n) for n in range(WORKERS)])

    assert answers == answers[:1] * WORKERS
    made = [{conversion[n] for conversion in answers[0]} for n in range(3)]
    with place.crm() as crm, crm.session(SYSTEM) as session:
        for target, expected in zip(TARGETS, made, strict=True):
            stored = [record.id for record in session.stream(target)]
            assert len(stored) == LEADS
            assert set(stored) == expected
        assert session.count(Lead, F.converted_at.is_null()) == 0
