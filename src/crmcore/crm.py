"""The CRM: store, schema, policies and areas; hands out sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, overload
from uuid import UUID

from crmcore import (
    activities,
    customisation,
    exchange,
    leads,
    parties,
    reporting,
    sales,
    tags,
    tenancy,
)
from crmcore.access import AccessPolicy, Actor, Department, Role, User, UserGroup
from crmcore.customisation import EntitySchema, TenantSchemas
from crmcore.customisation.declaring import declared_schema
from crmcore.errors import ValidationError
from crmcore.ports import (
    Cipher,
    Clock,
    IdFactory,
    Randomness,
    SystemClock,
    UUID7Factory,
    default_randomness,
)
from crmcore.records import (
    Conventions,
    FieldDef,
    ManyToMany,
    NumberFormat,
    Record,
    Schema,
    Trigger,
)
from crmcore.records.triggers import Action
from crmcore.session import Session
from crmcore.storage import Event, HealthReport, Store
from crmcore.unit import Area, Environment, unit_of_work
from crmcore.unit.attempts import Attempts
from crmcore.unit.environment import Subscriber
from crmcore.unit.record_link import RecordLink
from crmcore.unit.user_rules import (
    check_date_pattern,
    check_department,
    check_profile,
    check_timezone,
)

__all__ = ["CRM", "installed_areas"]

T = TypeVar("T")

#: The tenant of set-ups that have only one.
DEFAULT_TENANT = "default"

_ORGANISATION = Area(
    name="organisation",
    entities=(User, Department, Role, UserGroup),
    rules={
        "user": (check_profile, check_timezone, check_date_pattern),
        "department": (check_department,),
    },
)

#: The rooms of the house, in the order of their rules.
STANDARD_AREAS = (
    _ORGANISATION,
    parties.AREA,
    leads.AREA,
    activities.AREA,
    tags.AREA,
    sales.AREA,
    exchange.AREA,
    reporting.AREA,
    customisation.AREA,
    tenancy.AREA,
    Area(name="relations", entities=(RecordLink,)),
)


class CRM:
    """Opens a store and hands out sessions.

    ``areas`` adds third-party rooms; ``entities`` classes of your own, new ones (see
    :func:`entity`) and extensions of the library's (:func:`extends`); ``settings`` are the areas' settings objects (such
    as ``SalesSettings``); ``fields`` custom fields per entity; ``rules`` overrides
    of declared fields, such as ``{"lead.company_name": {"required": True}}``;
    ``numbering`` fields that are numbered, such as
    ``{"lead.number": NumberFormat(prefix="LEA")}``; ``triggers`` what is done before and
    after records of an entity are written, ``actions`` the functions that they call;
    ``relations`` those of many records with many;
    ``region``, ``currency``, ``locale`` and ``timezone`` say how unmarked input is read.
    ``cipher`` encrypts the fields that are ``encrypted``.
    ``clock``, ``ids`` and ``randomness`` replace the machine's own in tests.
    """

    def __init__(
        self,
        store: Store,
        *,
        areas: Iterable[Area] = (),
        entities: Iterable[type[Record]] = (),
        settings: Iterable[object] = (),
        fields: Mapping[Any, Iterable[FieldDef]] | None = None,
        rules: Mapping[str, Mapping[str, Any]] | None = None,
        numbering: Mapping[str, NumberFormat] | None = None,
        triggers: Mapping[Any, Iterable[Trigger]] | None = None,
        actions: Mapping[str, Action] | None = None,
        relations: Iterable[ManyToMany] = (),
        policy: AccessPolicy | None = None,
        conventions: Conventions | None = None,
        cross_visibility_hits: bool = True,
        clock: Clock | None = None,
        ids: IdFactory | None = None,
        randomness: Randomness | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        rooms = (*STANDARD_AREAS, *areas)
        schema = declared_schema(
            (*(kind for room in rooms for kind in room.entities), *entities),
            fields=fields or {},
            rules=rules or {},
            numbering=numbering or {},
            relations=relations,
            triggers=triggers or {},
            actions=actions or {},
            cipher=cipher,
        )
        self._environment = Environment(
            store=store,
            schema=schema,
            schemas=TenantSchemas(schema),
            clock=clock or SystemClock(),
            ids=ids or UUID7Factory(),
            randomness=randomness or default_randomness(),
            conventions=conventions or Conventions(),
            policy=policy or AccessPolicy(),
            areas=rooms,
            settings=_settings(settings),
            cross_visibility_hits=cross_visibility_hits,
        )
        self._tenant = DEFAULT_TENANT

    @property
    def store(self) -> Store:
        """Return the store that keeps the records."""
        return self._environment.store

    @property
    def environment(self) -> Environment:
        """Return what all sessions share."""
        return self._environment

    @property
    def declared_schema(self) -> Schema:
        """Return the entities as they are declared in Python, the same for all tenants."""
        return self._environment.schema

    @overload
    def schema(self) -> Schema: ...

    @overload
    def schema(self, kind: type[Record] | str) -> EntitySchema: ...

    def schema(self, kind: type[Record] | str | None = None) -> Schema | EntitySchema:
        """Return the tenant's entities with all fields, or what is known of one entity.

        What administrators stored counts at once, whichever process stored it.
        """
        current = self._environment.current_schema(self._tenant)
        if kind is None:
            return current
        entity = current.entity(kind)
        return EntitySchema(self._environment, self._tenant, current, entity)

    def install(self) -> None:
        """Create or upgrade the store's schema; idempotent, safe to run concurrently."""
        self.store.install(self._environment.schema)
        self.build_indexes()

    def build_indexes(self) -> tuple[str, ...]:
        """Build what the tenant's custom objects and fields lack in the store.

        Done after each change of the customisation; needed again only where that was
        interrupted. Writers are not held up where the server can avoid it. Returns the
        names of what was built.
        """
        return self.store.build_indexes(self._environment.current_schema(self._tenant))

    def health(self) -> HealthReport:
        """Return the store's versions and state, and what is wrong with it."""
        return self.store.health(self._environment.schema)

    def tenant(self, name: str) -> CRM:
        """Return this CRM bound to a tenant; nothing crosses between tenants.

        ``name`` has 1 to 64 letters, digits, dots, dashes or underscores.
        """
        if not _is_tenant_name(name):
            raise ValidationError.of("tenant", "malformed")
        bound = CRM.__new__(CRM)
        bound._environment = self._environment  # noqa: SLF001 - the same class
        bound._tenant = name  # noqa: SLF001 - the same class
        return bound

    @contextmanager
    def session(
        self,
        actor: Actor | User | UUID | str,
        *,
        operation_key: str | None = None,
        within: Any = None,
    ) -> Iterator[Session]:
        """Open a unit of work as ``actor``: a User, its id or its user name.

        Commits on exit, rolls back on an error. With an ``operation_key`` it takes
        effect exactly once, however often the actor runs it: a retry must ask for the
        same again and gets what the first run got. Plans are remembered as well; other
        reads answer of today, so no verb may depend on them. ``within`` joins the
        host's transaction (SQLAlchemy ``Connection``, pymongo ``ClientSession``): the
        host commits and then calls :meth:`publish`.

        Raises AccessDenied for an unknown or inactive actor, OperationConflict where
        the key serves other work or another actor, and whatever the work raises.
        """
        if operation_key is not None:
            _check_operation_key(operation_key)
        with unit_of_work(
            Session,
            self._environment,
            self._tenant,
            actor,
            operation_key=operation_key,
            within=within,
        ) as unit:
            assert isinstance(unit, Session)
            yield unit

    def run(
        self,
        actor: Actor | User | UUID | str,
        work: Callable[[Session], T],
        *,
        operation_key: str | None = None,
        payload: Any = None,
        returns: tuple[type[Any], ...] = (),
    ) -> T:
        """Run ``work(session)`` as one unit of work, again where others interfere.

        Conflicts with concurrent work are retried a bounded number of times; with an
        ``operation_key`` lost connections are as well. Returns what ``work`` returns.

        Under an operation key ``work`` takes effect once: a retry does not run it again
        but gets its stored result, which has to be made of records, plain values and
        the classes that ``returns`` names. ``payload`` is what the operation is asked
        to do; another one under the same key raises OperationConflict.
        """
        attempts = Attempts(exactly_once=operation_key is not None)

        def once() -> T:
            with self.session(actor, operation_key=operation_key) as session:
                attempts.begin(session)
                if operation_key is None:
                    return work(session)
                return session.perform("run", payload, lambda: work(session), *returns)

        return attempts.finish(
            lambda: self.store.retrying(
                lambda: attempts.attempt(once), self._environment.randomness
            )
        )

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have ``subscriber(event)`` called after each commit of this tenant.

        Returns the way out. A subscriber's failure is logged and changes nothing. What
        must not be missed is taken from the outbox with :meth:`deliver`.
        """
        known = self._environment.subscribers.setdefault(self._tenant, [])
        known.append(subscriber)
        return lambda: known.remove(subscriber)

    def publish(self, session: Session) -> None:
        """Tell the subscribers of a session that joined a transaction now committed."""
        self._environment.publish(session.context.tenant, session.events)

    def deliver(
        self,
        handler: Callable[[Event], None],
        *,
        limit: int = 100,
        lease: timedelta = timedelta(minutes=5),
    ) -> int:
        """Hand undelivered events to ``handler``, each at least once; return how many.

        An event whose handler fails is offered again when its ``lease`` has run out.
        """
        now = self._environment.clock.now()
        schema = self._environment.schema
        with self.store.transaction(self._tenant, schema) as transaction:
            events = transaction.take_events(limit, now, now + lease)
        done = []
        try:
            for event in events:
                handler(event)
                done.append(event.id)
        finally:
            if done:
                with self.store.transaction(self._tenant, schema) as transaction:
                    transaction.finish_events(done)
        return len(done)

    def close(self) -> None:
        """Give all connections of the store back."""
        self.store.close()


def _settings(given: Iterable[object]) -> dict[type[Any], Any]:
    items = tuple(given)
    by_type = {type(item): item for item in items}
    if len(by_type) != len(items):
        msg = "two settings of one type were given"
        raise ValueError(msg)
    return by_type


def _is_tenant_name(name: object) -> bool:
    if not isinstance(name, str):
        return False
    allowed = all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    return 1 <= len(name) <= 64 and allowed


def _check_operation_key(key: object) -> None:
    known = isinstance(key, str) and key.isprintable()
    if not known or not 1 <= len(str(key)) <= 200:
        raise ValidationError.of("operation_key", "malformed")


def installed_areas() -> tuple[Area, ...]:
    """Return the areas that installed packages offer (entry point crmcore.areas)."""
    from importlib.metadata import entry_points

    found = entry_points(group="crmcore.areas")
    return tuple(point.load() for point in sorted(found, key=lambda p: p.name))
