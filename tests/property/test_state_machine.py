"""Any sequence of verbs leads to the same outcome and the same end on every store.

The machine does each step on all stores at once, with the same ids and the same clock,
and compares what came out: the result, or the error with its details. In the end the
records, histories, outbox events and taken names are compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    CRMError,
    Lead,
    Note,
    Opportunity,
    Record,
    Ref,
    Session,
    Skip,
    Task,
    Use,
    User,
)
from crmcore.errors import ValidationError
from crmcore.records import identity_key
from crmcore.storage import Event
from crmcore.testing import FixedClock, SeededIds, small_organisation
from tests.conftest import STORES

#: Few names, some of them one name by the rule of unique values: they collide.
NAMES = ("Acme", "ACME ", "ａｃｍｅ", "Straße", "STRASSE", "Äcme", "Zoë")
ACTORS = ("alice", "bob", "carol", "boss")
STAGES = (
    "qualification",
    "proposal",
    "negotiation",
    "closed_won",
    "closed_lost",
    "none",
)

Outcome = tuple[str, Any]
Work = Callable[[Session], Any]


@attrs.define
class Side:
    """One store of the machine."""

    crm: CRM
    clock: FixedClock


class AllStores(RuleBasedStateMachine):
    """Works on all stores at once; ``stores`` is set by the test."""

    stores: ClassVar[dict[str, Any]] = {}

    accounts = Bundle("accounts")
    leads = Bundle("leads")
    opportunities = Bundle("opportunities")

    def __init__(self) -> None:
        super().__init__()
        tenant, seed = f"m-{secrets.token_hex(6)}", secrets.randbits(32)
        self.sides = {}
        for name, store in self.stores.items():
            clock = FixedClock()
            crm = CRM(store, clock=clock, ids=SeededIds(seed)).tenant(tenant)
            self.sides[name] = Side(crm, clock)
        self.seen: list[tuple[type[Record], UUID]] = []

    @initialize()
    def people(self) -> None:
        """The same people work everywhere."""
        made = {small_organisation(side.crm) for side in self.sides.values()}
        assert len(made) == 1

    # -- comparing -----------------------------------------------------------------------

    def everywhere(self, actor: str, work: Work) -> Any:
        """Do one unit of work on every store; the outcomes must be the same."""
        outcomes = {}
        for name, side in self.sides.items():
            side.clock.advance(timedelta(seconds=1))
            outcomes[name] = outcome(side.crm, actor, work)
        expected = outcomes["memory"]
        for name, found in outcomes.items():
            assert expected == found, name
        return expected[1] if expected[0] == "done" else None

    def remember(self, *records: Record | None) -> None:
        self.seen.extend((type(r), r.id) for r in records if r is not None)

    # -- steps ---------------------------------------------------------------------------

    @rule(target=accounts, actor=st.sampled_from(ACTORS), name=st.sampled_from(NAMES))
    def create_account(self, actor: str, name: str) -> UUID | None:
        """A name may be taken."""
        made = self.everywhere(actor, lambda s: s.create(Account(name=name)))
        self.remember(made)
        return None if made is None else UUID(int=made.id.int)

    @rule(
        target=leads,
        actor=st.sampled_from(ACTORS),
        company=st.none() | st.sampled_from(NAMES),
        mail=st.sampled_from([None, "ada@example.com", "Ada@example.com"]),
    )
    def create_lead(self, actor: str, company: str | None, mail: str | None) -> UUID:
        """A lead with a task and a note."""

        def work(session: Session) -> Lead:
            lead = session.create(
                Lead(
                    last_name="Lovelace",
                    first_name="Ada",
                    company_name=company,
                    email=mail,
                )
            )
            session.create(Task(subject="Call", related_to=Ref.to(lead)))
            session.create(Note(body="Said", links=(Ref.to(lead),)))
            return lead

        made = self.everywhere(actor, work)
        self.remember(made)
        return made.id  # type: ignore[no-any-return]

    @rule(
        account=accounts,
        actor=st.sampled_from(ACTORS),
        name=st.sampled_from(NAMES),
        stale=st.booleans(),
    )
    def rename(self, account: UUID | None, actor: str, name: str, stale: bool) -> None:
        """A former name is free again; a stale version is refused."""

        def work(session: Session) -> Account:
            current = session.get(Account, account or UUID(int=1))
            if stale:
                current = Account(id=current.id, version=current.version - 1)
            return session.update(current, name=name)

        self.everywhere(actor, work)

    @rule(first=accounts, second=accounts, actor=st.sampled_from(ACTORS))
    def swap_names(self, first: UUID | None, second: UUID | None, actor: str) -> None:
        """Two accounts exchange their names in one unit of work."""

        def work(session: Session) -> Any:
            one = session.get(Account, first or UUID(int=1))
            other = session.get(Account, second or UUID(int=1))
            return session.update_many(
                [(one, {"name": other.name}), (other, {"name": one.name})]
            )

        self.everywhere(actor, work)

    @rule(account=accounts, actor=st.sampled_from(ACTORS))
    def delete(self, account: UUID | None, actor: str) -> None:
        """A soft deletion frees the name."""

        def work(session: Session) -> None:
            session.delete(session.get(Account, account or UUID(int=1)))

        self.everywhere(actor, work)

    @rule(account=accounts, actor=st.sampled_from(ACTORS))
    def restore(self, account: UUID | None, actor: str) -> None:
        """A restored account claims its name again, or cannot come back."""

        def work(session: Session) -> Account:
            known = session.get(Account, account or UUID(int=1), deleted=True)
            return session.restore(known)

        self.everywhere(actor, work)

    @rule(account=consumes(accounts))
    def purge(self, account: UUID | None) -> None:
        """An administrator removes what was deleted before."""

        def work(session: Session) -> None:
            known = session.get(Account, account or UUID(int=1), deleted=True)
            session.purge(known)

        self.everywhere("admin", work)

    @rule(first=accounts, second=accounts, actor=st.sampled_from(ACTORS))
    def fill_and_delete(
        self, first: UUID | None, second: UUID | None, actor: str
    ) -> None:
        """As in a merge: one takes what the other has, the other goes."""

        def work(session: Session) -> Any:
            master = session.get(Account, first or UUID(int=1))
            loser = session.get(Account, second or UUID(int=1))
            session.delete(loser)
            return session.update(
                master,
                website="https://merged.example.com",
                description=f"{master.name} and {loser.name}",
                code=str(loser.id),
            )

        self.everywhere(actor, work)

    @rule(
        target=opportunities,
        lead=leads,
        actor=st.sampled_from(ACTORS),
        use=st.none() | accounts,
        skip=st.booleans(),
        options=st.sampled_from(
            [{}, {"on_duplicate": "create_anyway"}, {"existing_account": "reuse"}]
        ),
    )
    def convert(
        self,
        lead: UUID,
        actor: str,
        use: UUID | None,
        skip: bool,
        options: dict[str, str],
    ) -> UUID | None:
        """A conversion succeeds, or fails as a whole, in the same way everywhere."""
        choices: dict[str, Any] = dict(options)
        if use is not None:
            choices["account"] = Use(use)
        elif skip:
            choices["account"] = Skip()

        def work(session: Session) -> Any:
            plan = session.leads.plan_conversion(session.get(Lead, lead), **choices)
            return session.leads.convert(plan)

        done = self.everywhere(actor, work)
        if done is None:
            return None
        self.remember(done.account, done.contact, done.opportunity)
        made = done.opportunity
        return None if made is None else UUID(int=made.id.int)

    @rule(
        lead=leads,
        actor=st.sampled_from(ACTORS),
        status=st.sampled_from(["assigned", "dead", "converted", "x"]),
    )
    def update_lead(self, lead: UUID, actor: str, status: str) -> None:
        """Converted leads are read-only; bad values are refused."""
        self.everywhere(
            actor, lambda s: s.update(s.get(Lead, lead), status=status, rating="hot")
        )

    @rule(
        opportunity=opportunities,
        actor=st.sampled_from(ACTORS),
        stage=st.sampled_from(STAGES),
        reason=st.sampled_from([None, "price", "unknown"]),
    )
    def move(
        self, opportunity: UUID | None, actor: str, stage: str, reason: str | None
    ) -> None:
        """Stages are entered, or the step is refused with its guard."""

        def work(session: Session) -> Any:
            current = session.get(Opportunity, opportunity or UUID(int=1))
            given = {} if reason is None else {"lost_reason": reason}
            return session.sales.move(current, stage, **given)

        self.everywhere(actor, work)

    @rule(account=accounts, actor=st.sampled_from(ACTORS), name=st.sampled_from(NAMES))
    def half_done(self, account: UUID | None, actor: str, name: str) -> None:
        """The second verb fails: the first leaves nothing."""

        def work(session: Session) -> None:
            session.create(Lead(last_name="Never"))
            session.create(Account(name=f"{name} never"))
            session.update(session.get(Account, account or UUID(int=1)), name=None)
            raise ValidationError.of("never", "required")

        self.everywhere(actor, work)

    @rule(actor=st.sampled_from(ACTORS), name=st.sampled_from(NAMES))
    def go_on_after_a_refusal(self, actor: str, name: str) -> None:
        """A refused name leaves the session usable."""

        def work(session: Session) -> Any:
            try:
                made: Any = session.create(Account(name=name))
            except ValidationError as error:
                made = session.create(
                    Lead(last_name="Instead", company_name=str(error))
                )
            return made

        self.remember(self.everywhere(actor, work))

    @rule(actor=st.sampled_from(ACTORS))
    def look(self, actor: str) -> None:
        """Each actor sees the same lists and the same duplicates everywhere."""

        def work(session: Session) -> Any:
            probe = Lead(
                last_name="Lovelace",
                first_name="Ada",
                email="ADA@example.com",
                company_name="acme",
            )
            return (
                session.find(Account, limit=100, total="exact"),
                session.find(Lead, limit=100),
                session.duplicates(probe),
                session.duplicates(Account(name="Acme")),
            )

        self.everywhere(actor, work)

    # -- the end -------------------------------------------------------------------------

    def teardown(self) -> None:
        """Compare everything that is left."""
        ends = {name: self.end(side) for name, side in self.sides.items()}
        for name, end in ends.items():
            for part, expected in ends["memory"].items():
                assert expected == end[part], (name, part)

    def end(self, side: Side) -> dict[str, Any]:
        events: list[Event] = []
        with side.crm.session(SYSTEM) as session:
            records = {
                kind: [*session.stream(kind)]
                for kind in (User, Account, Contact, Lead, Opportunity, Task, Note)
            }
            histories = [
                self.history_of(session, kind, identity) for kind, identity in self.seen
            ]
            free = [name for name in NAMES if is_free(session, name)]
        side.crm.deliver(events.append, limit=10_000)
        return {
            "records": records,
            "histories": histories,
            "free": free,
            "events": events,
        }

    @staticmethod
    def history_of(session: Session, kind: type[Record], identity: UUID) -> Any:
        try:
            record = session.get(kind, identity, deleted=True)
        except LookupError:
            return "purged"
        return record, session.history(record)


def is_free(session: Session, name: str) -> bool:
    """Tell whether nobody holds a name."""
    return session.holder_of("account.name", identity_key(name)) is None


def outcome(crm: CRM, actor: str, work: Work) -> Outcome:
    """What a unit of work gave: its result, or its error with all details."""
    try:
        with crm.session(actor) as session:
            result = work(session)
    except CRMError as error:
        problems = getattr(error, "problems", ())
        return type(error).__name__, (error.details, problems)
    return "done", result


@pytest.mark.capability("REC-01")
@pytest.mark.capability("REC-05")
@pytest.mark.capability("REC-08")
def test_all_stores_end_alike(stores: Any) -> None:
    """Random sequences of verbs have the same outcomes and the same end everywhere."""
    known: dict[str, Any] = {}
    for parameter in STORES:
        name = str(parameter.values[0])
        try:
            known[name] = stores.installed(name)
        except pytest.skip.Exception:
            continue
    AllStores.stores = known
    run_state_machine_as_test(
        AllStores,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
