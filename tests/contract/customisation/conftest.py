"""A CRM of a tenant of its own, with an administrator, for what administrators shape."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import CRM
from crmcore.testing import FixedClock, Office, SeededIds, small_organisation


@pytest.fixture
def office(store: Any, tenant: str) -> Office:
    clock, ids = FixedClock(), SeededIds()
    crm = CRM(store, clock=clock, ids=ids).tenant(tenant)
    return Office(crm, clock, ids, small_organisation(crm))
