"""Whatever happens in one tenant, another one sees nothing of it (TEN-01)."""

from __future__ import annotations

import secrets
from random import Random
from typing import Any

import pytest

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    CRMError,
    F,
    Lead,
    MemoryStore,
    Money,
    Opportunity,
    Session,
    Task,
    User,
)
from crmcore.criteria import count
from crmcore.records import NumberFormat, Ref
from crmcore.tenancy import TenancySettings

OPERATIONS = 30
KINDS = (User, Lead, Account, Opportunity, Task)
#: The same few words in both tenants, so that what crossed would be found.
WORDS = ("Wu", "Li", "Acme")


def crm_on(store: Any) -> CRM:
    return CRM(
        store,
        numbering={"lead.number": NumberFormat(prefix="LEA")},
        settings=[TenancySettings()],
    )


def begin(crm: CRM) -> None:
    with crm.session(SYSTEM) as s:
        s.create(User(username="ann", profile="administrator"))


def step(crm: CRM, random: Random) -> None:
    """Do one random thing; what is refused is fine as well."""
    word = random.choice(WORDS)
    with crm.session("ann") as s:
        leads = list(s.stream(Lead, order_by=F.id))
        works: list[Any] = [
            lambda: s.create(Lead(last_name=word, email=f"{word}@x.example")),
            lambda: s.create(Account(name=word, external_id=word)),
            lambda: s.create(Opportunity(name=word, amount=Money(5, "EUR"))),
            lambda: s.update(random.choice(leads), title=word),
            lambda: s.delete(random.choice(leads)),
            lambda: s.leads.convert(random.choice(leads)),
            lambda: s.create(
                Task(subject=word, related_to=Ref.to(random.choice(leads)))
            ),
            lambda: s.mass_update(Lead, F.last_name == word, {"department": word}),
            lambda: s.tags.tag(random.choice(leads), word),
            lambda: s.tenancy.set_setting("organisation.name", word),
            lambda: s.customisation.add_field("lead", f"f_{word.lower()}", "text"),
            lambda: s.customisation.add_object(f"o_{word.lower()}", label=word),
            lambda: s.create(User(username=word, profile="sales")),
        ]
        try:
            random.choice(works)()
        except (CRMError, IndexError):
            return


def seen(crm: CRM) -> Any:
    """Return everything that the reading verbs tell in a tenant."""
    with crm.session("ann") as s:
        return [_told(s), _shape(crm, s), _figures(s)]


def _told(s: Session) -> list[Any]:
    told: list[Any] = []
    for kind in KINDS:
        records = list(s.stream(kind, order_by=F.id))
        told.append([(one, s.history(one)) for one in records])
        told.append(s.find(kind, total="exact").total)
    probe = Lead(last_name="Wu", email="Wu@x.example")
    told.append(len(s.duplicates(probe)))
    told.append([m.name for m in s.duplicates(Account(name="Acme"))])
    return told


def _shape(crm: CRM, s: Session) -> list[Any]:
    schema = crm.schema()
    fields = sorted(schema.entity("lead").fields)
    items = [str(item.key) for item in s.customisation.items()]
    return [sorted(schema.entities), fields, items]


def _figures(s: Session) -> list[Any]:
    grouped = s.aggregate(Lead, {"n": count()}, group_by=[F.last_name])
    return [
        [(dict(g.keys), dict(g.values)) for g in grouped],
        s.reporting.funnel().rows,
        s.preview_number(Lead, "number"),
        s.tenancy.settings(),
        [tag.name for tag in s.tags.known(Lead)],
    ]


def crossings(store: Any, mine: str, theirs: str, seed: int) -> int:
    """Return how often somebody saw what was done next door."""
    random = Random(seed)
    crm = crm_on(store)
    crms = [crm.tenant(mine), crm.tenant(theirs)]
    for one in dict.fromkeys((mine, theirs)):
        begin(crm.tenant(one))
    found = 0
    before = [seen(one) for one in crms]
    for _ in range(OPERATIONS):
        acting = random.randrange(2)
        step(crms[acting], random)
        other = 1 - acting
        now = seen(crms[other])
        found += now != before[other]
        before[other] = now
        before[acting] = seen(crms[acting])
    return found


@pytest.mark.capability("TEN-01")
@pytest.mark.parametrize("seed", range(2))
def test_nothing_crosses_between_tenants(store: Any, seed: int) -> None:
    """Records, histories, figures, numbers, settings, shapes: on every store."""
    mark = secrets.token_hex(6)
    assert 0 == crossings(store, f"a-{mark}", f"b-{mark}", seed)


@pytest.mark.capability("TEN-01")
def test_nothing_crosses_in_many_histories() -> None:
    """The same for many more sequences, in memory."""
    for seed in range(100, 130):
        assert 0 == crossings(MemoryStore(), "a", "b", seed), seed


@pytest.mark.capability("TEN-01")
def test_the_control_sees_what_is_done_in_its_own_tenant() -> None:
    """Where both are one tenant, nearly every operation is seen."""
    assert crossings(MemoryStore(), "a", "a", 1) > OPERATIONS // 3
