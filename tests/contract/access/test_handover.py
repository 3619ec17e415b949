"""Disabling a user and handing the records over: nothing is orphaned (ACC-19)."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    AccessDenied,
    Account,
    Contact,
    F,
    Lead,
    Opportunity,
    UnknownActor,
    User,
    ValidationError,
)
from crmcore.access import Department, UserGroup
from crmcore.records import Ref
from tests.contract.customisation.reasons import reasons

KINDS = (Account, Contact, Lead, Opportunity)


class Staff:
    """A leaver with records, a superior, somebody below, and who may follow."""

    def __init__(self, store: Any, tenant: str) -> None:
        self.crm = CRM(store).tenant(tenant)
        with self.crm.session(SYSTEM) as s:
            self.admin = s.create(User(username="admin", profile="administrator"))
            self.boss = s.create(User(username="boss", profile="manager"))
            self.leaver = s.create(
                User(username="leaver", profile="sales", manager_id=self.boss.id)
            )
            self.below = s.create(
                User(username="below", profile="sales", manager_id=self.leaver.id)
            )
            self.ann = s.create(User(username="ann", profile="sales"))
            self.bob = s.create(User(username="bob", profile="sales"))
            self.gone = s.create(
                User(username="gone", profile="sales", status="inactive")
            )
        with self.crm.session("leaver") as s:
            self.accounts = [s.create(Account(name=f"A{n}")) for n in range(3)]
            for n in range(6):
                account = self.accounts[n % 3]
                s.create(Contact(last_name=f"C{n}", account_id=account.id))
            s.create(Lead(last_name="Open"))
            self.closed = s.create(Lead(last_name="Closed", status="dead"))

    def owners(self, kind: Any) -> dict[str, str]:
        with self.crm.session(SYSTEM) as s:
            users = s.context.organisation.users
            return {
                one.display_name: str(users[one.owner_id].username)
                for one in s.stream(kind, archived=True)
            }


@pytest.fixture
def staff(store: Any, tenant: str) -> Staff:
    return Staff(store, tenant)


@pytest.mark.capability("ACC-19")
def test_a_leaver_is_disabled_and_all_records_follow(staff: Staff) -> None:
    """To one user; those below get the superior, the history keeps the old owner."""
    with staff.crm.session("leaver") as s:
        s.archive(s.create(Account(name="Old")))
        s.invalidate(s.create(Account(name="Wrong")))
    with staff.crm.session("admin") as s:
        plan = s.organisation.plan_handover(staff.leaver, staff.ann)
        assert (3 + 6 + 2 + 2, True) == (len(plan.moves), plan.is_complete)
        assert 5 == plan.counts()["account", staff.ann.id]
        assert {"leaver"} == set(staff.owners(Lead).values())

        report = s.organisation.hand_over(plan)
        assert (13, (), True) == (len(report.moved), report.failed, report.disabled)
    assert {"ann"} == {o for kind in KINDS for o in staff.owners(kind).values()}
    with staff.crm.session(SYSTEM) as s:
        assert staff.boss.id == s.get(User, staff.below.id).manager_id
        entry = s.history(s.get(Account, staff.accounts[0].id))[-1]
        assert ("handed_over", str(staff.leaver.id)) == (
            entry.action,
            entry.changes[0].old,
        )
    with pytest.raises(UnknownActor), staff.crm.session("leaver"):
        pass


@pytest.mark.capability("ACC-19")
def test_a_team_gets_them_in_turn(staff: Staff) -> None:
    """Active members only, in a fixed order; together, what belongs to an account."""
    with staff.crm.session("admin") as s:
        team = s.create(
            UserGroup(
                name="Team",
                member_refs=(
                    Ref.to(staff.bob),
                    Ref.to(staff.ann),
                    Ref.to(staff.gone),
                    Ref.to(staff.leaver),
                ),
            )
        )
        plan = s.organisation.plan_handover(
            staff.leaver, team, kinds=[Account, "contact"], together=True, disable=False
        )
        assert not s.organisation.hand_over(plan).disabled
    accounts = staff.owners(Account)
    assert {"A0": "ann", "A1": "bob", "A2": "ann"} == accounts
    with staff.crm.session(SYSTEM) as s:
        users = s.context.organisation.users
        for contact in s.stream(Contact):
            assert contact.account_id is not None
            account = s.get(Account, contact.account_id)
            assert contact.owner_id is not None
            assert users[contact.owner_id].username == accounts[account.display_name]
    assert {"leaver"} == set(staff.owners(Lead).values())

    with staff.crm.session("admin") as s:
        apart = s.organisation.plan_handover(staff.ann, [staff.bob, staff.boss])
        assert {staff.bob.id, staff.boss.id} == {move.to for move in apart.moves}


@pytest.mark.capability("ACC-19")
def test_closed_records_may_stay(staff: Staff) -> None:
    """The category of the state tells; then nobody is disabled by mistake."""
    with staff.crm.session("admin") as s:
        plan = s.organisation.plan_handover(
            staff.leaver, staff.ann, kinds=[Lead], open_only=True, disable=False
        )
        s.organisation.hand_over(plan)
    assert {"Open": "ann", "Closed": "leaver"} == staff.owners(Lead)


@pytest.mark.capability("ACC-19")
def test_a_handover_goes_on_in_batches(staff: Staff) -> None:
    """Planned anew until complete; what others changed meanwhile is reported and kept."""
    rounds = 0
    while True:
        with staff.crm.session("admin") as s:
            plan = s.organisation.plan_handover(staff.leaver, staff.ann, limit=4)
        if rounds == 0:
            with staff.crm.session("leaver") as s:
                changed = s.get(Account, staff.accounts[0].id)
                s.update(changed, region="North")
        with staff.crm.session("admin") as s:
            report = s.organisation.hand_over(plan)
        assert (rounds == 0) == bool(report.failed)
        rounds += 1
        if report.disabled:
            break
    assert 3 == rounds
    assert {"ann"} == {o for kind in KINDS for o in staff.owners(kind).values()}


@pytest.mark.capability("ACC-19")
def test_a_retry_moves_nothing_twice(staff: Staff) -> None:
    """The same operation key gets the first report."""
    with staff.crm.session("admin") as s:
        plan = s.organisation.plan_handover(staff.leaver, staff.ann)
    reports = []
    for _ in range(2):
        with staff.crm.session("admin", operation_key="leave") as s:
            reports.append(s.organisation.hand_over(plan))
    assert reports[0] == reports[1]
    with staff.crm.session(SYSTEM) as s:
        assert 2 == s.get(Account, staff.accounts[0].id).version


@pytest.mark.capability("ACC-19")
def test_a_bad_handover_is_refused(staff: Staff) -> None:
    """Somebody active has to follow; only administrators do it."""
    with staff.crm.session("admin") as s:
        empty = s.create(Department(name="Empty"))
        targets: list[Any] = [staff.gone, staff.leaver, [], [staff.gone], empty]
        for to in targets:
            with pytest.raises(ValidationError) as caught:
                s.organisation.plan_handover(staff.leaver, to)
            assert {"to": "unknown_user"} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.organisation.plan_handover(staff.leaver, staff.ann, superior=staff.leaver)
        assert {"superior": "unknown_user"} == reasons(caught)
        for limit in (0, 5_001):
            with pytest.raises(ValidationError):
                s.organisation.plan_handover(staff.leaver, staff.ann, limit=limit)
        plan = s.organisation.plan_handover(staff.leaver, staff.ann)
    with staff.crm.session("boss") as s:
        with pytest.raises(AccessDenied):
            s.organisation.plan_handover(staff.leaver, staff.ann)
        with pytest.raises(AccessDenied):
            s.organisation.hand_over(plan)
        assert 3 == s.count(Account, F.owner_id == staff.leaver.id)
