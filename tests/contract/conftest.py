"""A CRM with three people, for the contract tests of imports."""

from __future__ import annotations

import pytest

from crmcore import CRM, SYSTEM, User


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
