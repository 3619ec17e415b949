"""The state that all verbs of a unit of work share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmcore.access import Actor, Decisions, User
from crmcore.criteria import Binder, Bound, BoundAnd, Criteria, Operator, Test
from crmcore.criteria.binding import Subject
from crmcore.errors import CRMError, NotFound
from crmcore.records import EntityDef, Record, Schema
from crmcore.storage import Event, Transaction
from crmcore.unit.context import Context
from crmcore.unit.environment import Environment
from crmcore.unit.operations import Journal, fingerprint

__all__ = ["UnitBase", "live"]

T = TypeVar("T")
S = TypeVar("S")


@lru_cache(maxsize=1_000)
def live(entity: EntityDef) -> Bound:
    """Return the condition that a record is not deleted; the same for everybody."""
    subject = Subject(entity.fields["deleted_at"], entity, None, None)
    return Test(subject.column(), Operator.NULL)


class UnitBase:
    """One actor, one transaction, one moment."""

    def __init__(
        self,
        environment: Environment,
        context: Context,
        transaction: Transaction,
        journal: Journal | None = None,
    ) -> None:
        self.environment = environment
        self.context = context
        self.transaction = transaction
        self.events: list[Event] = []
        #: What was locked, or was to be when the unit of work broke off.
        self.lock_targets: set[tuple[str, UUID]] = set()
        self.decisions = context.decisions
        self._journal = journal
        self._depth = 0
        self._failure: BaseException | None = None
        self._binder = Binder(context.schema, context.conventions, context.now)
        self._trusted = attrs.evolve(self._binder, trusted=True)

    @property
    def schema(self) -> Schema:
        """Return the schema that the unit of work started with."""
        return self.context.schema

    @property
    def actor(self) -> Actor:
        """Return on whose behalf everything is done."""
        return self.context.actor

    def settings(self, kind: type[S]) -> S:
        """Return an area's settings: those given to the CRM, or the defaults."""
        found: S | None = self.context.settings.get(kind)
        return kind() if found is None else found

    def bind(
        self, entity: EntityDef, criteria: Criteria, action: str = "read"
    ) -> Bound:
        """Return criteria joined with the actor's scope, checked; live records only."""
        wanted = self._binder.criteria(entity, criteria)
        return BoundAnd((wanted, self._scope(entity, action), live(entity)))

    def _scope(self, entity: EntityDef, action: str) -> Bound:
        scope = self.decisions.scope(entity, action)
        return self._trusted.criteria(entity, scope)

    def decisions_of(self, who: Actor | User | UUID | str) -> Decisions:
        """Return what somebody else may do."""
        actor = self.environment.actor(who, self.context.organisation)
        return Decisions(actor, self.context.policy, self.context.organisation)

    def visible(
        self, entity: EntityDef, record: Record | None, *, deleted: bool = False
    ) -> bool:
        """Tell whether the actor may read a record."""
        if record is None or (record.deleted_at is not None and not deleted):
            return False
        return self.decisions.covers(entity, record)

    def require_visible(
        self,
        entity: EntityDef,
        identity: UUID,
        record: Record | None,
        *,
        deleted: bool = False,
    ) -> Record:
        """Return ``record``; raise NotFound where it is absent or invisible alike."""
        if not self.visible(entity, record, deleted=deleted):
            raise NotFound(entity=entity.name, id=identity)
        assert record is not None
        return record

    def perform(
        self,
        verb: str,
        payload: Any,
        work: Callable[[], T],
        result: type[Any] | None = None,
    ) -> T:
        """Run a writing verb: once per operation key, as a whole or not at all.

        ``payload`` is what the caller asked for; ``result`` the class of the result
        where it is a value made of records.
        """
        if self._failure is not None:
            raise self._failure
        if self._journal is None or self._depth:
            return self._nested(work)
        mark = fingerprint(verb, payload)
        if self._journal.replaying:
            replayed: T = self._journal.replay(mark, result, self._load_any)
            return replayed
        answer = self._nested(work)
        self._journal.record(mark, answer)
        return answer

    def _nested(self, work: Callable[[], T]) -> T:
        self._depth += 1
        try:
            self.transaction.begin_writing()
            return work()
        except CRMError as error:
            error.locale = self.context.conventions.locale
            raise
        finally:
            self._depth -= 1

    def _load_any(self, entity: str, identity: UUID) -> Record:
        definition = self.schema.entity(entity)
        found = self.transaction.load(definition, [identity])
        if identity not in found:
            raise NotFound(entity=entity, id=identity)
        return found[identity]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Doom the unit of work when a write breaks off half-way."""
        try:
            yield
        except BaseException as error:
            self._failure = error
            raise
