"""What all units of work of one CRM share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from crmcore.access import (
    ORGANISATION,
    AccessPolicy,
    Actor,
    Organisation,
    User,
)
from crmcore.criteria import BoundConstant, BoundSort, Query
from crmcore.criteria.binding import Subject
from crmcore.errors import CRMError, UnknownActor
from crmcore.matching import KeyDeriver, MatchRule
from crmcore.ports import Clock, IdFactory, Randomness
from crmcore.records import Conventions, EntityDef, Record, Schema
from crmcore.storage import Event, Store, Transaction
from crmcore.unit.areas import Area
from crmcore.unit.drafts import EntityRule
from crmcore.unit.number_blocks import NumberBlocks

__all__ = ["Environment", "Subscriber"]

Subscriber = Callable[[Event], None]

#: The sequence whose last number is the version of a tenant's organisation.
ORGANISATION_SEQUENCE = "crmcore.organisation"
#: The sequence whose last number is the version of what a tenant's administrators shaped.
CUSTOMISATION_SEQUENCE = "crmcore.customisation"


class SchemaSource(Protocol):
    """Makes the schemas of tenants whose administrators shaped something."""

    def read(self, tenant: str, transaction: Transaction, version: int) -> Schema:
        """Return the tenant's schema as it is stored at ``version``."""
        ...


#: Schemas of tenants that are kept in memory.
MOST_SCHEMAS = 1_000


@attrs.frozen
class Versions:
    """Which organisation and which customisation of a tenant are current."""

    organisation: int
    customisation: int

    @classmethod
    def of(cls, transaction: Transaction) -> Versions:
        """Return the versions of a tenant now, in one statement."""
        found = transaction.current_numbers(
            (ORGANISATION_SEQUENCE, CUSTOMISATION_SEQUENCE)
        )
        return cls(found[ORGANISATION_SEQUENCE], found[CUSTOMISATION_SEQUENCE])


log = logging.getLogger("crmcore")


@attrs.frozen(kw_only=True, eq=False)
class Environment:
    """Store, schema, ports, policies and areas of one CRM."""

    store: Store
    schema: Schema
    clock: Clock
    ids: IdFactory
    randomness: Randomness
    conventions: Conventions
    policy: AccessPolicy
    areas: tuple[Area, ...]
    settings: Mapping[type[Any], Any]
    cross_visibility_hits: bool = True
    #: By tenant: nothing crosses between tenants.
    subscribers: dict[str, list[Subscriber]] = attrs.field(factory=dict)
    schemas: SchemaSource
    #: Numbers leased ahead, for sequences that may have gaps.
    numbers: NumberBlocks = attrs.field(factory=NumberBlocks)
    #: What areas keep for all units of work, under names of their own.
    shared: dict[str, Any] = attrs.field(factory=dict)
    _organisations: dict[str, Organisation] = attrs.field(factory=dict)
    #: Tenants whose custom objects are known to have their storage.
    _prepared: set[str] = attrs.field(factory=set)
    _by_tenant: dict[str, tuple[int, Schema]] = attrs.field(factory=dict)

    def rules_of(self, entity: str) -> tuple[EntityRule, ...]:
        """Return the rules of an entity, in the order of the areas."""
        return tuple(r for area in self.areas for r in area.rules.get(entity, ()))

    @property
    def derivers(self) -> dict[str, KeyDeriver]:
        """Return how match keys are derived, by entity."""
        return {name: d for area in self.areas for name, d in area.keys.items()}

    @property
    def match_rules(self) -> tuple[MatchRule, ...]:
        """Return all match rules."""
        return tuple(rule for area in self.areas for rule in area.match_rules)

    def schema_of(
        self,
        tenant: str,
        transaction: Transaction,
        version: int,
        *,
        remember: bool = True,
    ) -> Schema:
        """Return the tenant's schema at a version of its customisation.

        It is read only when it changed. ``remember`` as for :meth:`organisation`.
        """
        if version == 0:
            return self.schema
        kept = self._by_tenant.get(tenant)
        if kept is not None and kept[0] == version:
            return kept[1]
        schema = self.schemas.read(tenant, transaction, version)
        if remember:
            if len(self._by_tenant) >= MOST_SCHEMAS:
                self._by_tenant.clear()
            self._by_tenant[tenant] = (version, schema)
        return schema

    def let_in(self, tenant: str) -> None:
        """Raise what the gate of an area raises for a tenant that may not work."""
        for area in self.areas:
            if area.gate is not None:
                area.gate(self, tenant)

    def prepare_tenant(self, tenant: str) -> None:
        """Make sure, once in a process, that the tenant's objects have their storage.

        Whoever defines an object makes it after the commit; a crash may come between.
        Not done within a unit of work, which has a connection already.
        """
        if tenant not in self._prepared:
            self.store.extend(self.current_schema(tenant))
            self._prepared.add(tenant)

    def current_schema(self, tenant: str) -> Schema:
        """Return the tenant's schema as it is committed now."""
        with self.store.transaction(tenant, self.schema) as transaction:
            version = transaction.current_number(CUSTOMISATION_SEQUENCE)
            return self.schema_of(tenant, transaction, version)

    def prepare_schema(self, tenant: str) -> None:
        """Build what the tenant's schema asks of the store: objects and indexes.

        The change itself is committed: a failure here is only logged, since doing it
        all again would not mend it. ``crm.build_indexes()`` does.
        """
        try:
            self.store.build_indexes(self.current_schema(tenant))
        except CRMError:
            log.exception("the indexes of %s are not built", tenant)

    def policy_of(self, schema: Schema) -> AccessPolicy:
        """Return the policy with the profiles that administrators stored (ACC-16)."""
        stored = schema.added("profile")
        if not stored:
            return self.policy
        kept: dict[int, AccessPolicy] = schema.__dict__.setdefault("policies", {})
        found = kept.get(id(self.policy))
        if found is None:
            found = self.policy.with_profiles(stored.values())
            kept[id(self.policy)] = found
        return found

    def organisation(
        self,
        tenant: str,
        transaction: Transaction,
        version: int,
        *,
        remember: bool = True,
    ) -> Organisation:
        """Return the tenant's organisation at a version, read only when it changed.

        ``remember`` keeps it for others; never in a transaction that may hold users
        who were not committed.
        """
        known = self._organisations.get(tenant)
        if known is None or known.version != version:
            known = Organisation.of(self._organisation_records(transaction), version)
            if remember:
                self._organisations[tenant] = known
        return known

    def read_organisation(self, transaction: Transaction, version: int) -> Organisation:
        """Return the organisation with the uncommitted changes of a unit of work."""
        return Organisation.of(self._organisation_records(transaction), version)

    def remember_organisation(self, tenant: str, organisation: Organisation) -> None:
        """Keep the organisation that a unit of work has just committed."""
        known = self._organisations.get(tenant)
        if known is None or known.version < organisation.version:
            self._organisations[tenant] = organisation

    def _organisation_records(self, transaction: Transaction) -> Iterable[Record]:
        """Yield the live users, departments, roles and groups of a tenant."""
        for name in sorted(ORGANISATION):
            entity = self.schema.entity(name)
            query = Query(
                entity=entity, where=BoundConstant(True), order=(_by_id(entity),)
            )
            for chunk in transaction.stream(query):
                yield from (one for one in chunk if one.deleted_at is None)

    def actor(
        self, who: Actor | User | UUID | str, organisation: Organisation
    ) -> Actor:
        """Return the actor for a user, its id or its user name (ACC-01).

        Raises UnknownActor for somebody unknown or not active.
        """
        if isinstance(who, Actor) and who.user is None:
            return who
        user = self._user(who, organisation)
        if user is None or not organisation.is_active(user.id):
            raise UnknownActor
        return Actor(user)

    def _user(
        self, who: Actor | User | UUID | str, organisation: Organisation
    ) -> User | None:
        if isinstance(who, str):
            return organisation.named(who)
        if isinstance(who, Actor):
            identity = who.id
        else:
            identity = who if isinstance(who, UUID) else who.id
        return organisation.users.get(identity) if identity else None

    def conventions_for(
        self, language: str | None, timezone: str | None
    ) -> Conventions:
        """Return the conventions with a user's own language and time zone."""
        own = self.conventions
        try:
            zone = ZoneInfo(timezone) if timezone else own.timezone
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = own.timezone
        return attrs.evolve(own, locale=language or own.locale, timezone=zone)

    def publish(self, tenant: str, events: Iterable[Event]) -> None:
        """Tell a tenant's subscribers what was committed; failures are only logged."""
        for event in events:
            for subscriber in tuple(self.subscribers.get(tenant, ())):
                try:
                    subscriber(event)
                except Exception:
                    log.exception("a subscriber failed on %s", event.kind)


def _by_id(entity: EntityDef) -> BoundSort:
    return BoundSort(Subject(entity.fields["id"], entity, None, None).column(), False)
