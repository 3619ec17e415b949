"""A CRM in memory with a few people in it, for the tests of host applications."""

from __future__ import annotations

from contextlib import AbstractContextManager
from random import Random
from typing import Any

import attrs

from crmcore.access import SYSTEM, Actor, User
from crmcore.crm import CRM
from crmcore.session import Session
from crmcore.storage import MemoryStore
from crmcore.testing.clock import FixedClock
from crmcore.testing.ids import SeededIds

__all__ = ["Office", "People", "memory_crm", "small_organisation"]


@attrs.frozen
class People:
    """A small organisation.

    ``boss`` is the superior of ``alice`` and ``bob``, who sell; ``carol`` sells in
    another branch, with no superior; ``admin`` administers and sees everything.
    """

    admin: User
    boss: User
    alice: User
    bob: User
    carol: User


@attrs.frozen
class Office:
    """A CRM in memory: the ``crm``, its ``clock`` and ``ids``, and its ``people``."""

    crm: CRM
    clock: FixedClock
    ids: SeededIds
    people: People

    def session(
        self, actor: Actor | User | str = "alice", **options: Any
    ) -> AbstractContextManager[Session]:
        """Open a unit of work; ``options`` are those of ``CRM.session``."""
        return self.crm.session(actor, **options)


def small_organisation(crm: CRM) -> People:
    """Store the people of :class:`People` in ``crm`` and return them."""
    with crm.session(SYSTEM) as session:
        admin = session.create(_user("admin", "administrator"))
        boss = session.create(_user("boss", "manager"))
        alice = session.create(_user("alice", "sales"), manager_id=boss.id)
        bob = session.create(_user("bob", "sales"), manager_id=boss.id)
        carol = session.create(_user("carol", "sales"))
    return People(admin=admin, boss=boss, alice=alice, bob=bob, carol=carol)


def _user(name: str, profile: str) -> User:
    return User(username=name, name=name.capitalize(), profile=profile)


def memory_crm(**options: Any) -> Office:
    """Return a CRM in memory with a fixed clock, seeded ids and a small organisation.

    ``options`` are those of :class:`crmcore.CRM`, such as ``areas`` or ``fields``.
    """
    clock, ids = FixedClock(), SeededIds()
    given = {
        "clock": clock,
        "ids": ids,
        "randomness": Random(0),  # noqa: S311 - repeatable on purpose
        **options,
    }
    crm = CRM(MemoryStore(), **given)
    crm.install()
    return Office(crm, given["clock"], given["ids"], small_organisation(crm))
