"""The unit of work: all generic verbs, and how it begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from uuid import UUID

from crmcore.access import Actor, User
from crmcore.errors import CRMError, OperationConflict
from crmcore.records import Conventions
from crmcore.storage import Operation, Transaction
from crmcore.unit.context import Context
from crmcore.unit.environment import Environment, Versions
from crmcore.unit.linking import LinkVerbs
from crmcore.unit.operations import Journal

__all__ = ["UnitOfWork", "begin", "unit_of_work"]


class UnitOfWork(LinkVerbs):
    """One actor's work in one transaction; areas add their verbs to it."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Open a context whose exception undoes only what was done inside it."""
        self.write_log()
        before = (len(self.events), self.context, self.decisions)
        with self.transaction.savepoint():
            try:
                with self._journal_of_savepoint():
                    yield
            except BaseException as error:
                if self.environment.store.capabilities.savepoints:
                    events, self.context, self.decisions = before
                    self.forget_log(events)
                else:
                    # Nothing is undone: the whole unit of work has to be given up.
                    self._failure = error
                raise

    @contextmanager
    def _journal_of_savepoint(self) -> Iterator[None]:
        """Note when all inside is undone; a retry does it once more and undoes it."""
        journal = self._journal
        if journal is None or self._depth:
            yield
            return
        start = len(journal.entries)
        again = journal.skip_undone()
        self._journal = None if again else journal
        try:
            yield
            journal.require(not again)
        except BaseException:
            journal.undo_to(start)
            raise
        finally:
            self._journal = journal

    def check_failure(self) -> None:
        """Raise the error of a write that broke off, even if the caller caught it."""
        if self._failure is not None:
            raise self._failure


def begin(
    kind: type[UnitOfWork],
    environment: Environment,
    tenant: str,
    actor: Actor | User | UUID | str,
    transaction: Transaction,
    operation_key: str | None,
    *,
    joined: bool = False,
) -> UnitOfWork:
    """Return a unit of work for an actor; raises AccessDenied for nobody active.

    ``joined`` tells that the transaction is the host's, who may have written users in
    it and may yet take them back.
    """
    versions = Versions.of(transaction)
    organisation = environment.organisation(
        tenant, transaction, versions.organisation, remember=not joined
    )
    known = environment.actor(actor, organisation)
    schema = environment.schema_of(
        tenant, transaction, versions.customisation, remember=not joined
    )
    context = Context(
        tenant=tenant,
        actor=known,
        now=environment.clock.now(),
        ids=environment.ids,
        randomness=environment.randomness,
        conventions=_conventions(environment, known),
        schema=schema,
        policy=environment.policy_of(schema),
        organisation=organisation,
        settings=MappingProxyType(dict(environment.settings)),
    )
    journal = None
    if operation_key is not None:
        operation = Operation(operation_key, context.now, known.id)
        transaction.begin_writing()
        done = transaction.begin_operation(operation)
        if done is not None and done.by != known.id:
            raise OperationConflict(key=operation_key)
        journal = Journal(operation_key, done)
    return kind(environment, context, transaction, journal)


def _conventions(environment: Environment, actor: Actor) -> Conventions:
    """Return the set-up's conventions with the user's own language and time zone."""
    user = actor.user
    if user is None or not (user.language or user.timezone):
        return environment.conventions
    return environment.conventions_for(user.language, user.timezone)


@contextmanager
def unit_of_work(
    kind: type[UnitOfWork],
    environment: Environment,
    tenant: str,
    actor: Actor | User | UUID | str,
    *,
    operation_key: str | None = None,
    within: Any = None,
) -> Iterator[UnitOfWork]:
    """Run a unit of work: commit at the end, roll back on an error, then publish."""
    locale = environment.conventions.locale
    try:
        environment.let_in(tenant)
        if within is None:
            environment.prepare_tenant(tenant)
        with environment.store.transaction(
            tenant, environment.schema, within=within
        ) as transaction:
            unit = begin(
                kind,
                environment,
                tenant,
                actor,
                transaction,
                operation_key,
                joined=within is not None,
            )
            locale = unit.context.conventions.locale
            yield unit
            unit.check_failure()
            unit.write_log()
            finish_operation(unit)
    except CRMError as error:
        error.locale = locale
        raise
    if within is None:
        environment.remember_organisation(tenant, unit.context.organisation)
        if unit.schema_changed:
            environment.prepare_schema(tenant)
        environment.publish(tenant, unit.events)


def finish_operation(unit: UnitOfWork) -> None:
    """Store the journal of a new operation, or check that a retry did the same."""
    journal = unit._journal  # noqa: SLF001 - the life cycle belongs to the unit
    if journal is None:
        return
    if journal.replaying:
        journal.check_complete()
        return
    unit.transaction.finish_operation(
        Operation(
            journal.key,
            unit.context.now,
            unit.actor.id,
            tuple(journal.entries),
        )
    )
