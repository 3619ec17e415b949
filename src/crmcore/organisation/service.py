"""``session.organisation``: disabling people without orphaning their records (ACC-19)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from crmcore.access import ORGANISATION, USER_STATUS, Department, Role, User, UserGroup
from crmcore.criteria import Criteria, F
from crmcore.errors import ValidationError
from crmcore.organisation.handover import (
    Handover,
    HandoverPlan,
    HandoverReport,
    Owned,
    distributed,
)
from crmcore.records import Choice, EntityDef, Record, Reference
from crmcore.unit import Draft, UnitOfWork

__all__ = ["OrganisationService"]

Target = User | UserGroup | Department | Role
#: Records that one plan moves at most.
MOST_AT_ONCE = 5_000


class OrganisationService:
    """What a session offers as ``session.organisation``; administrators only."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def plan_handover(
        self,
        user: User,
        to: Target | Iterable[User],
        *,
        kinds: Iterable[type[Record] | str] | None = None,
        open_only: bool = False,
        together: bool = False,
        disable: bool = True,
        superior: User | None = None,
        limit: int = 1_000,
    ) -> HandoverPlan:
        """Return who gets the records of a user; nothing is written (ACC-19).

        ``to`` is one user, several, or a group, department or role, whose active
        members get them in turn, by user name. ``kinds`` are the entities, all where
        none are named; ``open_only`` leaves closed records with the user. With
        ``together`` what belongs to one account goes to one person. ``disable`` makes
        the user inactive in the end, and ``superior``, or the user's own superior,
        follows as superior of those below.

        Up to ``limit`` records are planned at once, oldest first: apply the plan and
        plan again until ``is_complete``. What broke off goes on in the same way. Raises
        ValidationError where nobody active follows, AccessDenied.
        """
        unit = self._unit
        unit.decisions.require_administrator("assign", "user")
        if type(limit) is not int or not 1 <= limit <= MOST_AT_ONCE:
            bounds = {"minimum": 1, "maximum": MOST_AT_ONCE}
            raise ValidationError.of("limit", "out_of_range", **bounds)
        targets = self._targets(user, to)
        entities = self._entities(kinds)
        owned = list(self._owned(user, entities, open_only, limit + 1))
        known = unit.context.organisation.users
        below = sorted(u.id for u in known.values() if u.manager_id == user.id)
        follower = superior.id if superior is not None else user.manager_id
        if superior is not None and superior.id == user.id:
            raise ValidationError.of("superior", "unknown_user")
        return HandoverPlan(
            user_id=user.id,
            disable=disable,
            is_complete=len(owned) <= limit,
            moves=distributed(owned[:limit], targets, together=together),
            subordinates=tuple(below) if disable else (),
            successor_id=follower,
        )

    def _targets(self, user: User, to: Target | Iterable[User]) -> list[UUID]:
        known = self._unit.context.organisation
        if isinstance(to, Record):
            ids: Iterable[UUID] = known.members(to.entity_name(), to.id)
        else:
            ids = [one.id for one in to]
        active = {i for i in ids if i != user.id and known.is_active(i)}
        if not active:
            raise ValidationError.of("to", "unknown_user")
        return sorted(active, key=lambda i: (known.users[i].username or "", i))

    def _entities(self, kinds: Iterable[type[Record] | str] | None) -> list[EntityDef]:
        schema = self._unit.schema
        if kinds is None:
            found = [e for e in schema.entities.values() if not e.managed]
        else:
            found = [schema.entity(kind) for kind in kinds]
        # Accounts first: what belongs to them follows.
        ordered = sorted(found, key=lambda entity: entity.name)
        return [e for e in ordered if e.name not in ORGANISATION]

    def _owned(
        self, user: User, entities: Iterable[EntityDef], open_only: bool, limit: int
    ) -> Iterator[Owned]:
        left = limit
        for entity in entities:
            if left <= 0:
                return
            wanted = (F.owner_id == user.id) & F.deleted_at.is_null()
            if open_only:
                wanted &= _is_open(entity)
            records = self._unit.select_all(entity, wanted, left)
            left -= len(records)
            for record in records:
                group = _group(entity, record)
                yield Owned(entity.name, record.id, record.version, group)

    def hand_over(self, plan: HandoverPlan) -> HandoverReport:
        """Carry a plan out: each record on its own, all of it in one unit of work.

        A record that was changed since it was planned stays and is reported: plan
        again. The user is disabled when the plan is complete and nothing failed.
        """
        self._unit.decisions.require_administrator("assign", "user")
        return self._unit.perform(
            "organisation.hand_over",
            [plan],
            lambda: self._hand_over(plan),
            HandoverReport,
            HandoverPlan,
            Handover,
        )

    def _hand_over(self, plan: HandoverPlan) -> HandoverReport:
        unit = self._unit
        changes = unit.changes()
        drafts: list[Draft] = []
        failed = []
        by_entity: dict[str, dict[UUID, Handover]] = {}
        for move in plan.moves:
            by_entity.setdefault(move.entity, {})[move.record_id] = move
        for name, moves in sorted(by_entity.items()):
            entity = unit.schema.entity(name)
            stored = unit.transaction.load(entity, sorted(moves), lock=True)
            for identity, move in sorted(moves.items()):
                record = stored.get(identity)
                if not self._may_move(plan, move, record):
                    failed.append(identity)
                    continue
                values = {"owner_id": move.to}
                drafts.append(Draft(entity, unit.context, record, values))
        unit.load_references(drafts, changes, everything=True, strict=False)
        for draft in drafts:
            changes.update(draft, "handed_over")
        unit.apply(changes)
        disabled = plan.disable and plan.is_complete and not failed
        if disabled:
            self._disable(plan)
        moved = tuple(sorted(d.old.id for d in drafts if d.old is not None))
        return HandoverReport(moved=moved, failed=tuple(failed), disabled=disabled)

    def _may_move(
        self, plan: HandoverPlan, move: Handover, record: Record | None
    ) -> bool:
        known = self._unit.context.organisation
        return (
            record is not None
            and record.deleted_at is None
            and (record.owner_id, record.version) == (plan.user_id, move.version)
            and known.is_active(move.to)
        )

    def _disable(self, plan: HandoverPlan) -> None:
        unit = self._unit
        entity = unit.schema.entity(User)
        ids = (plan.user_id, *plan.subordinates)
        stored = unit.transaction.load(entity, sorted(set(ids)), lock=True)
        values: list[tuple[Record, dict[str, Any]]] = [
            (stored[i], {"manager_id": plan.successor_id})
            for i in plan.subordinates
            if i in stored and i != plan.successor_id
        ]
        values.append((stored[plan.user_id], {"status": _INACTIVE}))
        unit.update_many(values)


_INACTIVE = USER_STATUS.keys_of("inactive")[0]


def _is_open(entity: EntityDef) -> Criteria:
    """Return the condition that a record is not closed, by the category of its state."""
    kind = entity.fields[entity.state].type if entity.state else None
    if entity.state is None or not isinstance(kind, Choice):
        return ~F.id.is_null()
    closed = [o.key for o in kind.picklist.options if entity.closes(o.category)]
    return ~F[entity.state].in_(closed) | F[entity.state].is_null()


def _group(entity: EntityDef, record: Record) -> UUID:
    """Return the account that a record belongs to, else the record itself."""
    for field in entity.references:
        kind = field.type
        if field.belongs and isinstance(kind, Reference) and kind.entity == "account":
            account = entity.value_of(record, field.name)
            if account is not None:
                found: UUID = account
                return found
    return record.id
