"""The state that all verbs of a unit of work share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import attrs

from crmcore.access import Actor, Decisions, FieldRights, User
from crmcore.criteria import (
    Binder,
    Bound,
    BoundAnd,
    BoundSort,
    Criteria,
    Everything,
    Operator,
    Query,
    Test,
)
from crmcore.criteria.binding import Subject
from crmcore.errors import (
    Conflict,
    CRMError,
    NotFound,
    Problem,
    StaleRecord,
    StorageError,
    ValidationError,
)
from crmcore.i18n.settings import FormatSettings
from crmcore.records import EntityDef, FieldDef, Record, Schema
from crmcore.records.exchange_rates import Rates
from crmcore.storage import Event, HistoryEntry, Transaction
from crmcore.unit.changes import Changes
from crmcore.unit.context import Context
from crmcore.unit.environment import Environment
from crmcore.unit.operations import Journal, fingerprint
from crmcore.unit.showing import looked_up, mapped
from crmcore.unit.versions import at_version

__all__ = ["UnitBase", "listed", "live"]

T = TypeVar("T")
S = TypeVar("S")


@lru_cache(maxsize=1_000)
def live(entity: EntityDef) -> Bound:
    """Return the condition that a record is not deleted; the same for everybody."""
    subject = Subject(entity.fields["deleted_at"], entity, None, None)
    return Test(subject.column(), Operator.NULL)


@lru_cache(maxsize=1_000)
def listed(entity: EntityDef) -> Bound:
    """Return the condition that lists ask for: not deleted, not archived (REC-06)."""
    subject = Subject(entity.fields["archived_at"], entity, None, None)
    return BoundAnd((live(entity), Test(subject.column(), Operator.NULL)))


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
        self._unlogged: list[HistoryEntry] = []
        self._logged_events = 0
        #: What was locked, or was to be when the unit of work broke off.
        self.lock_targets: set[tuple[str, UUID]] = set()
        self.decisions = context.decisions
        #: Whether this unit of work changed what administrators shape.
        self.schema_changed = False
        #: What rules warned of; the records were stored all the same (REC-21).
        self.warnings: list[Problem] = []
        self._journal = journal
        self._depth = 0
        #: What is being applied while its triggers run, the outermost first.
        self._applied: list[Changes] = []
        self._failure: BaseException | None = None
        self._trusted = Binder(
            context.schema, context.conventions, context.now, trusted=True
        )
        self._binder = attrs.evolve(
            self._trusted,
            trusted=False,
            scope=self._read_scope,
            readable=self._may_use,
        )

    @property
    def schema(self) -> Schema:
        """Return the schema that the unit of work started with."""
        return self.context.schema

    @property
    def read_binder(self) -> Binder:
        """Return what checks criteria for the actor."""
        return self._binder

    # -- fields that the actor may not read (ACC-09) -----------------------------------

    def rights(self, entity: EntityDef) -> FieldRights:
        """Return which fields of an entity the actor may read and write."""
        return self.context.rights(entity)

    def _may_use(self, entity: EntityDef, name: str) -> bool:
        """Tell whether lists may be filtered, ordered and grouped by a field.

        Raises ValidationError where it is hidden in records of some types only: a list
        would show which.
        """
        rights = self.rights(entity)
        if rights.are_free or name not in rights.sometimes_hidden:
            return True
        if name not in rights.always_hidden:
            raise ValidationError.of(name, "partly_hidden")
        return False

    def readable_field(self, entity: EntityDef, name: str) -> FieldDef:
        """Return a field; raises ValidationError for a hidden one as for an unknown."""
        if name in self.rights(entity).always_hidden:
            raise ValidationError.of(name, "unknown_field", entity=entity.name)
        return entity.field(name)

    def shown(self, value: T) -> T:
        """Return a record, or what holds records, as the actor may see it.

        Within a verb of the library everything is as it is stored.
        """
        result: Any = value
        if self._depth:
            return value
        if self.schema.lookups:
            result = looked_up(self, result)
        if self.decisions.hides_fields:
            result = mapped(result, self._masked)
        return cast(T, result)

    def _masked(self, record: Record) -> Record:
        entity = self.schema.entity(record)
        return self.rights(entity).shown(entity, record)

    @property
    def actor(self) -> Actor:
        """Return on whose behalf everything is done."""
        return self.context.actor

    @property
    def rates(self) -> Rates:
        """Return the tenant's exchange rates; others meet across the main currency.

        ``session.rates.convert(money, "EUR", day)`` takes the rate of that day; a
        missing one is a ValidationError that names it (I18N-03).
        """
        stored = self.schema.added("exchange_rate").values()
        return Rates.of(stored, self.context.conventions.currency)

    @property
    def formats(self) -> FormatSettings:
        """Return how the actor writes and reads dates, times and numbers (I18N-04)."""
        user, own = self.actor.user, self.context.conventions
        return FormatSettings(
            language=own.locale,
            timezone=own.timezone,
            first_weekday=user.first_weekday if user else None,
            clock_24=user.clock_24 if user else None,
            date_pattern=user.date_pattern if user else None,
        )

    def settings(self, kind: type[S]) -> S:
        """Return an area's settings: those given to the CRM, or the defaults."""
        found: S | None = self.context.settings.get(kind)
        return kind() if found is None else found

    @property
    def trusted(self) -> Binder:
        """Return what binds criteria of the library itself: nothing is hidden."""
        return self._trusted

    def bind(
        self,
        entity: EntityDef,
        criteria: Criteria,
        action: str = "read",
        *,
        archived: bool = False,
    ) -> Bound:
        """Return criteria joined with the actor's scope, checked; live records only.

        Archived records are among them where ``archived`` says so.
        """
        wanted = self._binder.criteria(entity, criteria)
        there = live(entity) if archived else listed(entity)
        return BoundAnd((wanted, self._scope(entity, action), there))

    def _read_scope(self, entity: EntityDef) -> Criteria:
        return self.decisions.scope(entity)

    def _scope(self, entity: EntityDef, action: str) -> Bound:
        scope = self.decisions.scope(entity, action)
        return self._trusted.criteria(entity, scope)

    def exists(self, entity: EntityDef, criteria: Criteria = Everything()) -> bool:  # noqa: B008 - immutable
        """Tell whether any record meets the criteria, whoever may see it.

        For checks of the library itself; deleted records count, they may come back.
        """
        where = self._trusted.criteria(entity, criteria)
        return self.transaction.count(entity, where, cap=1) > 0

    def select_all(
        self, entity: EntityDef, criteria: Criteria, limit: int
    ) -> list[Record]:
        """Return records that meet the criteria, locked, whoever may see them.

        For work of the library itself; deleted records are among them.
        """
        by_id = Subject(entity.fields["id"], entity, None, None).column()
        query = Query(
            entity=entity,
            where=self._trusted.criteria(entity, criteria),
            order=(BoundSort(by_id, descending=False),),
            limit=limit,
            lock=True,
        )
        return self.transaction.select(query)

    def decisions_of(self, who: Actor | User | UUID | str) -> Decisions:
        """Return what somebody else may do."""
        actor = self.environment.actor(who, self.context.organisation)
        return self.context.decisions_of(actor)

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
        self, verb: str, payload: Any, work: Callable[[], T], *kinds: type[Any]
    ) -> T:
        """Run a writing verb: once per operation key, as a whole or not at all.

        ``payload`` is what the caller asked for; ``kinds`` are the classes of values
        that the result may hold beside records.
        """
        if self._failure is not None:
            raise self._failure
        return self._once(verb, payload, lambda: self._nested(work), kinds)

    def recall(
        self, verb: str, payload: Any, work: Callable[[], T], *kinds: type[Any]
    ) -> T:
        """Run a reading verb whose answer a retry under the same key is to get again.

        For plans: what they were made from has changed when the retry comes.
        """
        return self._once(verb, payload, work, kinds)

    def _once(
        self, verb: str, payload: Any, work: Callable[[], T], kinds: tuple[Any, ...]
    ) -> T:
        return self.shown(self._remembered(verb, payload, work, kinds))

    def _remembered(
        self, verb: str, payload: Any, work: Callable[[], T], kinds: tuple[Any, ...]
    ) -> T:
        journal = self._journal
        if journal is None or self._depth:
            return work()
        mark = fingerprint(verb, payload)
        if journal.replaying:
            replayed: T = journal.replay(mark, kinds, self._load_version)
            return replayed
        try:
            answer = work()
        except CRMError as error:
            if self._failure is None:
                journal.record_refusal(mark, error)
            raise
        journal.record(mark, answer)
        return answer

    def _nested(self, work: Callable[[], T]) -> T:
        self._depth += 1
        try:
            self.transaction.begin_writing()
            return work()
        except CRMError as error:
            error.locale = self.context.conventions.locale
            if _breaks_off(error) and self._failure is None:
                self._failure = error
            raise
        finally:
            self._depth -= 1

    def _load_version(self, entity: str, identity: UUID, version: int) -> Record:
        """Return a record as a verb of this operation returned it."""
        definition = self.schema.entity(entity)
        found = self.transaction.load(definition, [identity])
        if identity not in found:
            raise NotFound(entity=entity, id=identity)
        record = found[identity]
        if record.version == version:
            return record
        history = self.transaction.history(definition, identity)
        return at_version(
            definition, record, version, history, self.context.conventions
        )

    def log(self, history: Iterable[HistoryEntry], events: Iterable[Event]) -> None:
        """Note what a verb did; it is written once, at the end of the unit of work."""
        self._unlogged.extend(history)
        self.events.extend(events)

    def write_log(self) -> None:
        """Write the history and the events that are not written yet."""
        events = self.events[self._logged_events :]
        if self._unlogged or events:
            with self._writing():
                self.transaction.append(self._unlogged, events)
            self._unlogged = []
            self._logged_events = len(self.events)

    def forget_log(self, events: int) -> None:
        """Forget what was noted since there were so many events and all was written."""
        self._unlogged = []
        del self.events[events:]
        self._logged_events = min(self._logged_events, events)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Doom the unit of work when a write breaks off half-way."""
        try:
            yield
        except BaseException as error:
            self._failure = error
            raise


def _breaks_off(error: CRMError) -> bool:
    """Tell whether a server may have ended the transaction with this error."""
    if isinstance(error, StaleRecord):
        return False
    return isinstance(error, (Conflict, StorageError))
