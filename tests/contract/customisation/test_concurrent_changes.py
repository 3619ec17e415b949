"""Administrators who change the customisation at the same time, on every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from crmcore import CRM, Lead
from crmcore.customisation import ItemKey, Put
from crmcore.session import Session
from crmcore.testing import FixedClock, Office

WORKERS, EACH = 6, 3


def add_field(session: Session, *, key: str, indexed: bool) -> None:
    session.customisation.add_field("lead", key, "integer", indexed=indexed)


def create_lead(session: Session, *, name: str) -> None:
    session.create(Lead(last_name=name))


@pytest.mark.capability("REC-09", "REC-17")
def test_no_change_of_several_administrators_is_lost(
    office: Office, tenant: str
) -> None:
    """While others create records; each field counts everywhere in the end."""
    store = office.crm.store

    def add(worker: int) -> None:
        crm = CRM(store, clock=FixedClock()).tenant(tenant)
        for number in range(EACH):
            key = f"w{worker}n{number}"
            crm.run("admin", partial(add_field, key=key, indexed=number == 0))
            crm.run("alice", partial(create_lead, name=key))

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(add, range(WORKERS)))
    keys = {f"w{w}n{n}" for w in range(WORKERS) for n in range(EACH)}
    known = {f.name for f in office.crm.schema().entity("lead").custom_fields}

    assert keys == known
    assert office.crm.schema().version == len(keys)
    assert store.missing_indexes(office.crm.schema()) == ()
    with office.session("admin") as s:
        assert s.count(Lead) == len(keys)


@pytest.mark.capability("REC-09")
def test_a_change_that_breaks_off_leaves_nothing(office: Office) -> None:
    """Neither items nor their version, when the unit of work ends with an error."""

    class Stop(Exception):
        pass

    with pytest.raises(Stop), office.session("admin") as s:  # noqa: PT012
        s.customisation.add_object("project", label="Project")
        s.customisation.add_field("lead", "budget", "integer")
        raise Stop
    with office.session("admin") as s:
        assert len(s.customisation.items()) == 0
        budget = ItemKey("field", "lead", "budget")
        assert s.customisation.plan([Put(budget, {"type": "text"})]).version == 0


@pytest.mark.capability("REC-17")
def test_a_crash_before_the_storage_is_made_is_mended(
    office: Office, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process makes what an object lacks before it is used."""
    environment = office.crm.environment
    monkeypatch.setattr(type(environment), "prepare_schema", lambda *_: None)
    with office.session("admin") as s:
        s.customisation.add_object("project", label="Project")
    monkeypatch.undo()
    second = CRM(office.crm.store, clock=office.clock).tenant(tenant)
    with second.session("alice") as s:
        s.create("project", name="Bridge")
        assert s.count("project") == 1
