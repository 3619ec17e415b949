"""Work on one hot record: read, change under a version check, number, write it down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import attrs

from crmcore import CRM, SYSTEM, Account, F, Note, Session
from crmcore.errors import Conflict, OperationConflict
from crmcore.storage import Event
from tests.faults.places import Place

SEQUENCE = "receipts"


def prepare(place: Place, name: str = "Hot") -> UUID:
    """Store the record that everybody wants to change, and return its id."""
    with place.crm() as crm, crm.session(SYSTEM) as session:
        return session.create(Account(name=name), counter=0).id


def count_one(hot: UUID, key: str) -> Callable[[Session], int]:
    """Return the work of one operation: it gives the number that it drew."""

    def work(session: Session) -> int:
        account = session.get(Account, hot)
        session.update(account, counter=account["counter"] + 1)
        number = session.transaction.next_numbers(SEQUENCE, 1)
        session.create(Note(title=key, body="counted"), serial=number)
        return number

    return work


def perform(crm: CRM, hot: UUID, key: str) -> int:
    """Do one operation exactly once; return how often a conflict came through."""
    conflicts = 0
    while True:
        try:
            crm.run(SYSTEM, count_one(hot, key), operation_key=key)
        except OperationConflict:
            # It was done before its worker was killed: the counter that it read then
            # has moved on, so that the same work asks for another value now.
            return conflicts
        except Conflict:
            conflicts += 1
        else:
            return conflicts


def count_up(
    place: Place, hot: UUID, worker: int, operations: int, wrap: Any = None
) -> int:
    """Do a worker's operations; return how many conflicts came through."""
    with place.crm(wrap) as crm:
        return sum(perform(crm, hot, f"{worker}/{n}") for n in range(operations))


@attrs.frozen
class Outcome:
    """What is stored in the end."""

    counter: int
    version: int
    numbers: list[int]
    titles: list[str]
    history: list[tuple[int, Any, Any]]
    announced: list[int]

    @classmethod
    def of(cls, place: Place, hot: UUID) -> Outcome:
        """Read everything that the operations left behind."""
        with place.crm() as crm:
            with crm.session(SYSTEM) as session:
                account = session.get(Account, hot)
                notes = list(session.stream(Note, F.body == "counted"))
                entries = session.history(account)
            announced: list[Event] = []
            while crm.deliver(announced.append, limit=2_000):
                pass
        return cls(
            counter=account["counter"],
            version=account.version,
            numbers=sorted(note["serial"] for note in notes),
            titles=sorted(str(note.title) for note in notes),
            history=[
                (entry.version, change.old, change.new)
                for entry in entries
                for change in entry.changes
                if change.field == "counter" and entry.action == "updated"
            ],
            announced=sorted(
                event.version
                for event in announced
                if event.record_id == hot and event.kind == "account.updated"
            ),
        )


def expected(workers: int, operations: int) -> Outcome:
    """Return what has to be stored after every operation was done exactly once."""
    total = workers * operations
    keys = [f"{worker}/{n}" for worker in range(workers) for n in range(operations)]
    return Outcome(
        counter=total,
        version=total + 1,
        numbers=list(range(1, total + 1)),
        titles=sorted(keys),
        history=[(n + 1, n - 1, n) for n in range(1, total + 1)],
        announced=list(range(2, total + 2)),
    )
