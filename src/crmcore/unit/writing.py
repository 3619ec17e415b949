"""Writing verbs: create and update, and the one path by which anything is written.

authorise -> load in one batch -> decide purely -> write in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast, overload
from uuid import UUID

import attrs

from crmcore.access import ORGANISATION
from crmcore.errors import (
    AccessDenied,
    Problem,
    ReadOnlyRecord,
    StaleRecord,
    UniqueViolation,
    ValidationError,
)
from crmcore.records import EntityDef, Record
from crmcore.records.record_types import DRAFT
from crmcore.storage import Claim
from crmcore.unit.changes import Changes
from crmcore.unit.derived_values import maintain
from crmcore.unit.drafts import Draft, EntityRule, new_draft, update_draft
from crmcore.unit.environment import ORGANISATION_SEQUENCE
from crmcore.unit.finishing import finish
from crmcore.unit.forms import form_rules
from crmcore.unit.numbering import number_new_records
from crmcore.unit.operation_log import logged
from crmcore.unit.record_settings import RecordSettings
from crmcore.unit.references import ReferenceChecks
from crmcore.unit.triggers import happened, run_after, run_before
from crmcore.unit.user_rules import refuse_circles

__all__ = ["WritingVerbs"]

R = TypeVar("R", bound=Record)


class WritingVerbs(ReferenceChecks):
    """What a session can write; each verb takes effect as a whole or not at all."""

    # -- create ------------------------------------------------------------------------

    @overload
    def create(self, record: R, *, parent: Record | None = ..., **values: Any) -> R: ...

    @overload
    def create(
        self, record: str, *, parent: Record | None = ..., **values: Any
    ) -> Record: ...

    def create(
        self, record: R | str, *, parent: Record | None = None, **values: Any
    ) -> R | Record:
        """Store a new record and return it with its id, stamps and owner (REC-02).

        ``record`` is the record or the name of its entity; ``values`` add to the
        record's own, custom fields among them. The owner is the actor unless one is
        given. ``parent`` fills the reference to the record in whose related list it is
        made (REC-20).

        Raises ValidationError naming every bad field, UniqueViolation, AccessDenied.
        """
        if isinstance(record, str):
            new: R | Record = self.schema.entity(record).record_class()
        else:
            new = record
        if parent is not None:
            values = {**self.preset(self.schema.entity(new), parent), **values}
        return self.perform(
            "create", [new, values], lambda: self._create([(new, values)])[0]
        )

    def create_many(self, records: Iterable[R]) -> tuple[R, ...]:
        """Store many new records of one or several entities, all or none.

        Raises like :meth:`create`; a problem's ``details["row"]`` counts from 0.
        """
        batch = [(record, _NO_VALUES) for record in records]
        return self.perform(
            "create_many", [r for r, _ in batch], lambda: tuple(self._create(batch))
        )

    def _create(self, batch: Sequence[tuple[R, Mapping[str, Any]]]) -> list[R]:
        changes = self.changes()
        drafts = self.drafts_of_new(batch)
        created = self.plan_creation(drafts, changes)
        self.apply(changes)
        return [cast(R, changes.stored(record)) for record in created]

    def drafts_of_new(
        self,
        batch: Sequence[tuple[Record, Mapping[str, Any]]],
        *,
        managed: bool = False,
        derived: Collection[str] = (),
    ) -> list[Draft]:
        """Return drafts of new records with their defaults, not yet finished.

        ``managed`` is for services that write a managed entity's records; ``derived``
        names values that the library worked out.
        """
        drafts = []
        for record, values in batch:
            entity = self.schema.entity(record)
            if not managed:
                self._require_unmanaged(entity, "create")
                self.decisions.require(entity, "create")
            draft = new_draft(
                entity,
                record,
                values,
                self.context,
                trusted=managed,
                derived=derived,
            )
            if draft.values.get("owner_id") is None:
                draft.values["owner_id"] = self.actor.id
            drafts.append(draft)
        return drafts

    def plan_creation(self, drafts: Sequence[Draft], changes: Changes) -> list[Record]:
        """Finish the drafts and add their records to ``changes``."""
        self.load_references(drafts, changes)
        self._finish_all(drafts, changes)
        return [changes.create(draft) for draft in drafts]

    def _finish_all(self, drafts: Sequence[Draft], changes: Changes) -> None:
        finish_one = self.finisher(changes)
        problems: list[Problem] = []
        for row, draft in enumerate(drafts):
            try:
                finish_one(draft)
            except ValidationError as error:
                problems.extend(_numbered(error.problems, row, len(drafts)))
            self.warnings.extend(_numbered(draft.warnings, row, len(drafts)))
        if problems:
            raise ValidationError(problems)

    def finisher(self, changes: Changes) -> Callable[[Draft], None]:
        """Return what runs all rules of a draft, those of administrators too.

        It raises ValidationError with every problem of the draft. The records that the
        drafts refer to have been loaded into ``changes``.
        """
        rules: dict[str, tuple[tuple[EntityRule, ...], tuple[EntityRule, ...]]] = {}

        def finish_one(draft: Draft) -> None:
            name = draft.entity.name
            if name not in rules:
                forms = form_rules(self.schema, name, changes.follow)
                own = self.environment.rules_of(name)
                if name in self.schema.triggers:
                    own = (*own, run_before)
                rules[name] = (own, forms)
            finish(draft, *rules[name])

        return finish_one

    # -- update ------------------------------------------------------------------------

    def update(self, record: R, **values: Any) -> R:
        """Change some fields and return the new version (REC-04).

        Fields not given stay; None empties a field. Where nothing changes, the stored
        record is returned as it is.

        Raises StaleRecord when the record was changed since ``record`` was read,
        ValidationError, UniqueViolation, NotFound, AccessDenied.
        """
        return self.perform(
            "update", [record, values], lambda: self._update([(record, values)])[0]
        )

    def update_many(
        self, records: Iterable[R | tuple[R, Mapping[str, Any]]], **values: Any
    ) -> tuple[R, ...]:
        """Change many records, all or none, and return the new versions.

        ``values`` apply to all; an item may be a pair of a record and its own values.
        """
        batch = [
            (item[0], {**values, **item[1]})
            if isinstance(item, tuple)
            else (item, values)
            for item in records
        ]
        return self.perform("update_many", batch, lambda: tuple(self._update(batch)))

    def _update(
        self,
        batch: Sequence[tuple[R, Mapping[str, Any]]],
        *,
        privileged: bool = False,
    ) -> list[R]:
        changes = self.changes()
        stored = self.load_current([record for record, _ in batch])
        drafts = []
        for (_, values), old in zip(batch, stored, strict=True):
            draft = self.update_draft(old, values)
            draft.privileged = privileged
            drafts.append(draft)
        updated = self.plan_updates(drafts, changes)
        self.apply(changes)
        return [cast(R, changes.stored(record)) for record in updated]

    def submit(self, record: R, **values: Any) -> R:
        """Submit a draft: from now on the record has everything that is required.

        Only record types with ``drafts`` have them (REC-02); a record that is none is
        changed like with :meth:`update`. Raises ValidationError naming every field that
        is missing, and as :meth:`update` does.
        """
        return self.perform(
            "submit", [record, values], lambda: self._submit(record, values)
        )

    def _submit(self, record: R, values: Mapping[str, Any]) -> R:
        changes = self.changes()
        (stored,) = self.load_current([record])
        draft = self.update_draft(stored, values)
        if draft.is_unfinished:
            self.require_scope(draft.entity, stored, "edit")
            draft.values[DRAFT] = False
        (submitted,) = self.plan_updates([draft], changes)
        self.apply(changes)
        return cast(R, changes.stored(submitted))

    def update_draft(
        self,
        old: Record,
        values: Mapping[str, Any],
        *,
        derived: Collection[str] = (),
    ) -> Draft:
        """Return the draft of a change after asking whether the actor may make it.

        ``derived`` names the values that the library worked out: nobody's right to
        their fields is asked.
        """
        entity = self.schema.entity(old)
        draft = update_draft(entity, old, values, self.context, derived=derived)
        if draft.values or draft.problems:
            self.require_scope(entity, old, "edit")
        if draft.changes("owner_id"):
            self.require_scope(entity, old, "assign")
        return draft

    def plan_updates(self, drafts: Sequence[Draft], changes: Changes) -> list[Record]:
        """Finish the drafts and add the new versions to ``changes``."""
        self.load_references(drafts, changes)
        self._finish_all(drafts, changes)
        return [changes.update(draft) for draft in drafts]

    def _require_unmanaged(self, entity: EntityDef, action: str) -> None:
        if entity.managed:
            raise AccessDenied(action=action, entity=entity.name)

    def require_scope(self, entity: EntityDef, record: Record, action: str) -> None:
        """Raise AccessDenied where the actor may see a record but not do this."""
        self._require_unmanaged(entity, action)
        self.decisions.require(entity, action)
        if not self.decisions.covers(entity, record, action):
            raise AccessDenied(action=action, entity=entity.name, id=record.id)
        _refuse_read_only(entity, record, action)

    def load_current(
        self, records: Sequence[Record], *, deleted: bool = False
    ) -> list[Record]:
        """Return the stored versions, locked, one statement per entity.

        Raises NotFound for what the actor may not see, StaleRecord where a stored
        version is not the one at hand.
        """
        loaded = self._load_locked(records)
        result = []
        for record in records:
            entity = self.schema.entity(record)
            stored = loaded.get((entity.name, record.id))
            stored = self.require_visible(entity, record.id, stored, deleted=deleted)
            checked = self.settings(RecordSettings).checks_version(entity.name)
            if checked and stored.version != record.version:
                raise StaleRecord(
                    entity=entity.name, id=record.id, expected=record.version
                )
            result.append(stored)
        return result

    def _load_locked(self, records: Iterable[Record]) -> dict[tuple[str, UUID], Record]:
        wanted: dict[str, list[UUID]] = {}
        for record in records:
            name = self.schema.entity(record).name
            wanted.setdefault(name, []).append(record.id)
            self.lock_targets.add((name, record.id))
        return {
            (name, identity): record
            for name, ids in sorted(wanted.items())
            for identity, record in self.transaction.load(
                self.schema.entity(name), sorted(set(ids)), lock=True
            ).items()
        }

    # -- the one way in which anything is written --------------------------------------

    def changes(self) -> Changes:
        """Return an empty collection of changes for this unit of work."""
        return Changes(self.context, self.environment.derivers)

    def apply(self, changes: Changes) -> None:
        """Write everything that a verb decided, in one batch.

        Raises UniqueViolation before anything else is written, ValidationError where
        superiors would go round in a circle.
        """
        units = _units_in(changes)
        if units:
            known = self.context.organisation
            refuse_circles(known.with_records(units, known.version), units)
        self._claim(changes)
        for name, logs in logged(self.schema, changes.history, self.context).items():
            changes.insertions[name].extend(logs)
        with self._writing():
            number_new_records(self, changes)
            for name, insertions in changes.insertions.items():
                self.transaction.insert(self.schema.entity(name), insertions)
            for name, updates in changes.updates.items():
                self.transaction.update(self.schema.entity(name), updates)
            maintain(self, changes)
            self._reorganise(units)
        self.log(changes.history, changes.events)
        self._set_off(changes)

    def _set_off(self, changes: Changes) -> None:
        """Run the triggers of what was written; a failure gives the work up."""
        self._learn(changes)
        writes = happened(self.schema, changes)
        if not writes:
            return
        self._applied.append(changes)
        try:
            with self._writing():
                self.log((), run_after(self, writes, len(self._applied) - 1))
        finally:
            self._applied.pop()

    def _learn(self, changes: Changes) -> None:
        """Tell the verbs around this one what its triggers made of their records."""
        for outer in self._applied:
            for updates in changes.updates.values():
                outer.numbered.update({one.new.id: one.new for one in updates})

    def _claim(self, changes: Changes) -> None:
        doubled = _doubled(changes.claims)
        if doubled is not None:
            raise self._unique_violation(doubled)
        if changes.releases:
            with self._writing():
                self.transaction.release(changes.releases)
        if not changes.claims:
            return
        with self._writing():
            taken = self.transaction.claim(changes.claims)
            if taken:
                self.transaction.release(_not_among(taken, changes.claims))
                self.transaction.claim(changes.releases)
        if taken:
            raise self._unique_violation(taken[0])

    def _unique_violation(self, claim: Claim) -> UniqueViolation:
        name, _, field = claim.scope.partition(".")
        entity = self.schema.entity(name)
        holder = self.transaction.load(entity, [claim.record_id]).get(claim.record_id)
        if field in self.rights(entity).sometimes_hidden:
            # Whoever may not read the field learns that something is taken, not what.
            return UniqueViolation([Problem("record", "unique")], entity=name)
        details: dict[str, Any] = {"entity": name, "field": field}
        if self.visible(entity, holder):
            details["existing_id"] = claim.record_id
        return UniqueViolation([Problem(field, "unique")], **details)

    def holder_of(self, scope: str, key: str) -> Record | None:
        """Return the record that holds a unique value, visible or not, none if free."""
        held = self.transaction.holders([(scope, key)])
        if not held:
            return None
        entity = self.schema.entity(scope.partition(".")[0])
        return self.transaction.load(entity, (held[0].record_id,)).get(
            held[0].record_id
        )

    def _reorganise(self, units: Sequence[Record]) -> None:
        """Use the organisation with what was just written from now on."""
        if not units:
            return
        version = self.transaction.next_numbers(ORGANISATION_SEQUENCE, 1)
        known = self.context.organisation
        if known.version == version - 1:
            organisation = known.with_records(units, version)
        else:
            organisation = self.environment.read_organisation(self.transaction, version)
            refuse_circles(organisation, units)
        self.context = attrs.evolve(self.context, organisation=organisation)
        self.decisions = self.context.decisions


def _refuse_read_only(entity: EntityDef, record: Record, action: str) -> None:
    """Raise ReadOnlyRecord for an invalid record, and for an archived one (REC-06)."""
    state = None
    if record.invalid_at is not None:
        state = "invalid"
    elif record.archived_at is not None and action != "unarchive":
        state = "archived"
    if state is not None:
        raise ReadOnlyRecord(
            action=action, entity=entity.name, id=record.id, state=state
        )


def _units_in(changes: Changes) -> list[Record]:
    """Return the written users, departments, roles and groups."""
    written: list[Record] = []
    for name in ORGANISATION & changes.insertions.keys():
        written += [one.record for one in changes.insertions[name]]
    for name in ORGANISATION & changes.updates.keys():
        written += [one.new for one in changes.updates[name]]
    return written


def _numbered(problems: Iterable[Problem], row: int, rows: int) -> Iterable[Problem]:
    if rows == 1:
        return problems
    return [Problem(p.field, p.reason, {**p.details, "row": row}) for p in problems]


def _doubled(claims: Sequence[Claim]) -> Claim | None:
    """Return a claim that two records of the same batch make."""
    seen: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        other = seen.setdefault((claim.scope, claim.key), claim)
        if other.record_id != claim.record_id:
            return claim
    return None


def _not_among(taken: Sequence[Claim], claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims that were free: a server would lock the others in vain."""
    held = {(claim.scope, claim.key) for claim in taken}
    return [claim for claim in claims if (claim.scope, claim.key) not in held]


_NO_VALUES: Mapping[str, Any] = {}
