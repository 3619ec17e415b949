"""A CRM with three people, for the contract tests of imports."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import CRM, SYSTEM, User
from crmcore.testing import (
    Factory,
    FixedClock,
    Office,
    SeededIds,
    small_organisation,
)


@pytest.fixture
def crm(store, tenant):
    made = CRM(store).tenant(tenant)
    with made.session(SYSTEM) as s:
        boss = s.create(User(username="boss", name="王总", profile="manager"))
        s.create(
            User(username="alice", name="Alice", manager_id=boss.id, profile="sales")
        )
        s.create(User(username="bob", name="Bob", profile="sales"))
    return made


@pytest.fixture
def office(store: Any, tenant: str) -> Office:
    """A CRM on the store, with a small organisation in a tenant of its own."""
    clock, ids = FixedClock(), SeededIds()
    crm = CRM(store, clock=clock, ids=ids).tenant(tenant)
    return Office(crm, clock, ids, small_organisation(crm))


@pytest.fixture
def factory() -> Factory:
    return Factory()
