"""``session.leads``: planning and carrying out conversions (LEAD-03)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar, cast
from uuid import UUID

import attrs

from crmcore.activities import activities_of
from crmcore.criteria import F
from crmcore.errors import (
    AlreadyConverted,
    DuplicateFound,
    Problem,
    StaleRecord,
    TransitionRefused,
    UniqueViolation,
    ValidationError,
)
from crmcore.leads.conversion import (
    LINKING_FIELDS,
    Choice,
    ConversionPlan,
    ConversionResult,
    ConversionSettings,
    Create,
    Obstacle,
    Skip,
    TargetPlan,
    Use,
    plan_target,
)
from crmcore.leads.entities import LEAD_STATUS, Lead
from crmcore.matching import Evidence, Match
from crmcore.parties import Account, Contact
from crmcore.records import Record, Ref, identity_key
from crmcore.sales import Opportunity
from crmcore.unit import Changes, Draft, UnitOfWork

__all__ = ["LeadService"]

R = TypeVar("R", bound=Record)

_TARGETS: dict[str, type[Record]] = {
    "account": Account,
    "contact": Contact,
    "opportunity": Opportunity,
}


class LeadService:
    """What a session offers as ``session.leads``."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    # -- planning ----------------------------------------------------------------------

    def plan_conversion(
        self,
        lead: Lead | UUID,
        *,
        account: Choice = Create(),  # noqa: B008 - immutable
        contact: Choice = Create(),  # noqa: B008 - immutable
        opportunity: Choice = Create(),  # noqa: B008 - immutable
        owner_id: UUID | None = None,
        **settings: Any,
    ) -> ConversionPlan:
        """Return what a conversion would do; nothing is written.

        ``account``, ``contact`` and ``opportunity`` are ``Create(values)``, ``Use(id)``
        or ``Skip()``; ``owner_id`` owns what is made; ``settings`` override single
        fields of :class:`ConversionSettings`.

        Raises AlreadyConverted, NotFound, AccessDenied, ValidationError. What stands in
        the way of applying the plan is in its ``obstacles``.
        """
        identity = lead if isinstance(lead, UUID) else lead.id
        choices = {"account": account, "contact": contact, "opportunity": opportunity}
        return self._unit.recall(
            "leads.plan_conversion",
            [identity, choices, owner_id, settings],
            lambda: self._plan(identity, choices, owner_id, settings),
            ConversionPlan,
            TargetPlan,
            ConversionSettings,
            Obstacle,
            Match,
            Evidence,
        )

    def _plan(
        self,
        identity: UUID,
        asked: Mapping[str, Choice],
        owner_id: UUID | None,
        settings: Mapping[str, Any],
    ) -> ConversionPlan:
        unit = self._unit
        current = self._shown(unit.get(Lead, identity))
        chosen = attrs.evolve(unit.settings(ConversionSettings), **settings)
        self._check_convertible(current, chosen)
        choices = dict(asked)
        obstacles: list[Obstacle] = []
        choices["account"] = self._resolve_account(
            current, choices["account"], chosen, obstacles
        )
        if chosen.on_duplicate != "create_anyway":
            self._check_look_alikes(current, choices, chosen, obstacles)
        targets = self._plan_targets(current, choices, chosen)
        self._check_contact_account(targets, choices, chosen)
        return ConversionPlan(
            lead_id=current.id,
            lead_version=current.version,
            owner_id=self._owner(current, owner_id, chosen),
            account=targets["account"],
            contact=targets["contact"],
            opportunity=targets["opportunity"],
            settings=chosen,
            activities=len(activities_of(unit, current)),
            obstacles=tuple(obstacles),
        )

    def _check_convertible(self, lead: Lead, settings: ConversionSettings) -> None:
        unit = self._unit
        unit.require_scope(unit.schema.entity(Lead), lead, "convert")
        if lead.is_converted:
            raise AlreadyConverted(
                lead_id=lead.id,
                account_id=lead.converted_account_id,
                contact_id=lead.converted_contact_id,
                opportunity_id=lead.converted_opportunity_id,
            )
        allowed = settings.convert_from
        if allowed is not None and lead.status not in allowed:
            raise TransitionRefused(
                source=lead.status,
                target="converted",
                reason="not_convertible",
            )

    def _resolve_account(
        self,
        lead: Lead,
        choice: Choice,
        settings: ConversionSettings,
        obstacles: list[Obstacle],
    ) -> Choice:
        """Look the account's name up; note it as an obstacle or reuse it."""
        if not isinstance(choice, Create):
            return choice
        name = choice.values.get("name") or lead.company_name
        if not isinstance(name, str) or not name.strip():
            return choice
        existing = self._account_named(name)
        if existing is None:
            return choice
        visible = self._unit.visible(self._unit.schema.entity(Account), existing)
        if settings.existing_account == "reuse" and visible:
            return Use(existing.id)
        known = existing.id if visible else None
        obstacles.append(Obstacle("account_exists", "account", (), known))
        return choice

    def _account_named(self, name: str) -> Account | None:
        """Return the account that holds a name, visible to the actor or not."""
        held = self._unit.holder_of("account.name", identity_key(name))
        return held if isinstance(held, Account) else None

    def _check_look_alikes(
        self,
        lead: Lead,
        choices: dict[str, Choice],
        settings: ConversionSettings,
        obstacles: list[Obstacle],
    ) -> None:
        """Look for contacts and accounts that are probably the ones to be made."""
        for entity in ("account", "contact"):
            choice = choices[entity]
            exists = any(o.entity == entity for o in obstacles)
            if not isinstance(choice, Create) or exists:
                continue
            matches = self._look_alikes(lead, entity, choice)
            usable = [m for m in matches if self._fits(m, choices["account"], settings)]
            if settings.on_duplicate == "use_best" and usable:
                best = usable[0].id
                assert best is not None
                choices[entity] = Use(best)
            elif matches:
                obstacles.append(Obstacle("duplicate", entity, matches))

    def _fits(
        self, match: Match, account: Choice, settings: ConversionSettings
    ) -> bool:
        """Tell whether the actor may use a match together with the chosen account."""
        contact = match.record
        if not isinstance(contact, Contact):
            return match.readable
        if settings.link_contact_to_account or isinstance(account, Skip):
            return True
        wanted = account.id if isinstance(account, Use) else None
        return contact.account_id == wanted

    def _look_alikes(
        self, lead: Lead, entity: str, choice: Create
    ) -> tuple[Match, ...]:
        unit = self._unit
        if entity == "contact":
            return unit.duplicates_of([lead], among=("contact",))[0].matches
        planned = plan_target(
            unit.schema,
            lead,
            entity,
            choice,
            None,
            ConversionSettings(),
            self._today(),
        )
        if planned.action != "create":
            return ()
        account = unit.schema.entity("account")
        fields = account.input_fields
        typed = {
            name: value
            for name, value in planned.values.items()
            if name in fields and not fields[name].custom
        }
        return unit.duplicates(account.record_class(**typed)).matches

    def _plan_targets(
        self, lead: Lead, choices: dict[str, Choice], settings: ConversionSettings
    ) -> dict[str, TargetPlan]:
        return {
            entity: plan_target(
                self._unit.schema,
                lead,
                entity,
                choice,
                self._existing(entity, choice),
                settings,
                self._today(),
                self._closed(entity),
            )
            for entity, choice in choices.items()
        }

    def _today(self) -> date:
        context = self._unit.context
        return context.now.astimezone(context.conventions.timezone).date()

    def _existing(self, entity: str, choice: Choice) -> Record | None:
        if not isinstance(choice, Use):
            return None
        return self._shown(self._unit.get(_TARGETS[entity], choice.id))

    def _shown(self, record: R) -> R:
        """Return a record as the actor may see it: what is hidden is not taken over."""
        entity = self._unit.schema.entity(record)
        return cast(R, self._unit.rights(entity).shown(entity, record))

    def _closed(self, entity: str) -> frozenset[str]:
        """Return the fields of a target that the actor may not write."""
        rights = self._unit.rights(self._unit.schema.entity(entity))
        return rights.hidden_in(None) | rights.fixed_in(None)

    def _check_contact_account(
        self,
        targets: dict[str, TargetPlan],
        choices: dict[str, Choice],
        settings: ConversionSettings,
    ) -> None:
        """Refuse an existing contact of another account (LEAD-03)."""
        contact = self._existing("contact", choices["contact"])
        if not isinstance(contact, Contact) or settings.link_contact_to_account:
            return
        account = targets["account"]
        if account.action != "skip" and contact.account_id != account.id:
            raise ValidationError.of("contact", "wrong_account")

    def _owner(
        self, lead: Lead, owner_id: UUID | None, settings: ConversionSettings
    ) -> UUID | None:
        if owner_id is not None:
            return owner_id
        actor = self._unit.actor.id
        return (actor if settings.owner == "actor" else None) or lead.owner_id

    # -- applying ----------------------------------------------------------------------

    def convert(self, plan: ConversionPlan | Lead, **choices: Any) -> ConversionResult:
        """Carry a conversion out: all of it in one unit of work, or nothing (LEAD-03).

        ``plan`` is a plan, or a lead to be planned with ``choices`` and converted.

        Raises UniqueViolation when the account exists, DuplicateFound with candidates,
        AlreadyConverted, StaleRecord when the lead changed since it was planned,
        AccessDenied without the right to convert or to make one of the records.
        """
        if isinstance(plan, Lead):
            asked: Any = [plan, choices]
            lead = plan
            return self._unit.perform(
                "leads.convert",
                asked,
                lambda: self._convert(self.plan_conversion(lead, **choices)),
                ConversionResult,
            )
        ready = plan
        return self._unit.perform(
            "leads.convert", [ready], lambda: self._convert(ready), ConversionResult
        )

    def _convert(self, plan: ConversionPlan) -> ConversionResult:
        unit = self._unit
        lead = self._lock_lead(plan)
        self._check_convertible(lead, plan.settings)
        if lead.version != plan.lead_version:
            raise StaleRecord(entity="lead", id=lead.id, expected=plan.lead_version)
        self._raise_obstacles(plan)
        changes = unit.changes()
        changes.references["lead", lead.id] = lead
        account = self._make(plan, "account", changes, {})
        contact = self._make(plan, "contact", changes, _account_link(account))
        links = {**_account_link(account), **_contact_link(contact)}
        opportunity = self._make(plan, "opportunity", changes, links)
        made = [r for r in (opportunity, account, contact) if r is not None]
        converted = self._close_lead(lead, account, contact, opportunity, changes)
        self._carry_activities(lead, made, plan.settings, changes)
        if plan.settings.contacts == "link" and account is not None:
            self._link_contacts(lead, account, contact, changes)
        unit.apply(changes)
        account, contact, opportunity = (
            None if one is None else changes.stored(one)
            for one in (account, contact, opportunity)
        )
        assert account is None or isinstance(account, Account)
        assert contact is None or isinstance(contact, Contact)
        assert opportunity is None or isinstance(opportunity, Opportunity)
        return ConversionResult(converted, account, contact, opportunity)

    def _lock_lead(self, plan: ConversionPlan) -> Lead:
        entity = self._unit.schema.entity(Lead)
        found = self._unit.transaction.load(entity, (plan.lead_id,), lock=True)
        lead = self._unit.require_visible(entity, plan.lead_id, found.get(plan.lead_id))
        assert isinstance(lead, Lead)
        return lead

    def _raise_obstacles(self, plan: ConversionPlan) -> None:
        for obstacle in plan.obstacles:
            if obstacle.kind == "account_exists":
                raise UniqueViolation(
                    [Problem("name", "unique")],
                    entity="account",
                    field="name",
                    existing_id=obstacle.existing_id,
                )
        if plan.obstacles:
            matches = tuple(m for o in plan.obstacles for m in o.matches)
            raise DuplicateFound(
                [Problem(o.entity, "duplicate") for o in plan.obstacles],
                candidates=matches,
                count=len(matches),
            )

    def _make(
        self,
        plan: ConversionPlan,
        entity: str,
        changes: Changes,
        links: dict[str, Any],
    ) -> Record | None:
        """Plan the target's creation or completion and return it."""
        target: TargetPlan = getattr(plan, entity)
        if target.action == "skip":
            return None
        if target.action == "use":
            return self._complete(plan, entity, target, changes, links)
        definition = self._unit.schema.entity(entity)
        values = {**links, "owner_id": plan.owner_id, **target.values}
        own = {*links, *LINKING_FIELDS, "owner_id"}
        drafts = self._unit.drafts_of_new(
            [(definition.record_class(), values)], derived=own
        )
        (made,) = self._unit.plan_creation(drafts, changes)
        changes.references[entity, made.id] = made
        return made

    def _complete(
        self,
        plan: ConversionPlan,
        entity: str,
        target: TargetPlan,
        changes: Changes,
        links: dict[str, Any],
    ) -> Record:
        unit = self._unit
        assert target.id is not None
        current = unit.get(_TARGETS[entity], target.id)
        unit.require_scope(unit.schema.entity(entity), current, "edit")
        if current.version != target.version:
            raise StaleRecord(entity=entity, id=current.id, expected=target.version)
        values = dict(target.values)
        if entity == "contact":
            if plan.settings.link_contact_to_account or current["account_id"] is None:
                values.update(links)
        elif entity == "opportunity":
            values.update({n: v for n, v in links.items() if current[n] is None})
        draft = unit.update_draft(current, values, derived=links.keys())
        (completed,) = unit.plan_updates([draft], changes)
        changes.references[entity, completed.id] = completed
        return completed

    def _close_lead(
        self,
        lead: Lead,
        account: Record | None,
        contact: Record | None,
        opportunity: Record | None,
        changes: Changes,
    ) -> Lead:
        unit = self._unit
        draft = Draft(
            unit.schema.entity(Lead),
            unit.context,
            lead,
            {
                "status": LEAD_STATUS.keys_of("converted")[0],
                "converted_at": unit.context.now,
                "converted_by": unit.actor.id,
                "converted_account_id": account.id if account else None,
                "converted_contact_id": contact.id if contact else None,
                "converted_opportunity_id": opportunity.id if opportunity else None,
            },
            privileged=True,
        )
        converted = changes.update(draft, "converted")
        assert isinstance(converted, Lead)
        return converted

    def _carry_activities(
        self,
        lead: Lead,
        made: list[Record],
        settings: ConversionSettings,
        changes: Changes,
    ) -> None:
        """Tie tasks and notes of the lead to what was made, whoever owns them."""
        if settings.activities == "leave" or not made:
            return
        new = [Ref.to(record) for record in made]
        old = Ref.to(lead)
        for activity in activities_of(self._unit, lead):
            kept = [link for link in (activity.links or ()) if link != old]
            was_main = activity.related_to == old
            main = new[0] if was_main else activity.related_to
            further = new if settings.activities == "move" else [*new, old]
            links = dict.fromkeys([*kept, *(ref for ref in further if ref != main)])
            draft = Draft(
                self._unit.schema.entity(activity),
                self._unit.context,
                activity,
                {"related_to": main, "links": tuple(links) or None},
                privileged=True,
            )
            changes.update(draft)

    def _link_contacts(
        self, lead: Lead, account: Record, done: Record | None, changes: Changes
    ) -> None:
        """Link the lead's other contacts to the account; ``done`` is linked already."""
        for contact in self._unit.all_of(Contact, F.lead_id == lead.id):
            if done is not None and contact.id == done.id:
                continue
            if contact.account_id is None:
                draft = self._unit.update_draft(
                    contact, {"account_id": account.id}, derived=("account_id",)
                )
                self._unit.plan_updates([draft], changes)


def _account_link(account: Record | None) -> dict[str, Any]:
    return {"account_id": account.id} if account is not None else {}


def _contact_link(contact: Record | None) -> dict[str, Any]:
    return {"contact_id": contact.id} if contact is not None else {}
