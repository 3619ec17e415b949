"""References: what a batch refers to is loaded at once, and must be there and visible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from crmcore.criteria import from_json, predicate
from crmcore.records import (
    AnyReference,
    EntityDef,
    FieldDef,
    ListOf,
    Record,
    Ref,
    Reference,
)
from crmcore.unit.changes import Changes
from crmcore.unit.derived_values import meet
from crmcore.unit.drafts import Draft
from crmcore.unit.forms import rules_follow
from crmcore.unit.formula_fields import follows, formulas_of
from crmcore.unit.relations import RelationVerbs
from crmcore.unit.typed_references import references_in

__all__ = ["ReferenceChecks"]


class ReferenceChecks(RelationVerbs):
    """Loads and checks what drafts refer to."""

    def load_references(
        self,
        drafts: Sequence[Draft],
        changes: Changes,
        *,
        everything: bool = False,
        strict: bool = True,
    ) -> None:
        """Load what the drafts refer to, one statement per entity, and check it.

        A reference to a record that the actor may not see is refused like one to no
        record at all; those that a list holds already stay. ``everything`` loads what
        the unchanged fields refer to as well.
        """
        wanted = [
            (draft, field, ref)
            for draft in drafts
            for field in draft.entity.references
            for ref in _wanted(draft, field, everything)
        ]
        derived = [
            ref
            for draft in drafts
            if draft.old is not None
            and (changes.may_rekey(draft) or self._reads_others(draft))
            for field in draft.entity.references
            for ref in _stored(draft, field)
        ]
        self._meet_writers_of_inputs(drafts)
        self._load_into(changes, {*(ref for _, _, ref in wanted), *derived})
        if strict:
            for draft, field, ref in wanted:
                self._check_reference(draft, field, ref, changes)
            self._refuse_circles(drafts)

    def _reads_others(self, draft: Draft) -> bool:
        """Tell whether a rule or formula needs what the unchanged fields refer to."""
        schema, entity = self.schema, draft.entity
        return rules_follow(schema, entity.name) or follows(schema, entity)

    def _meet_writers_of_inputs(self, drafts: Iterable[Draft]) -> None:
        """Let those who change what formulas of the drafts read go first, or wait."""
        places = {
            (ref.entity, ref.id)
            for draft in drafts
            for one in formulas_of(self.schema, draft.entity)
            for name in one.followed
            if draft.is_new or draft.changes(*one.inputs)
            for ref in references_in(draft.entity.fields[name], draft[name])
        }
        for entity, identity in sorted(places):
            meet(self.transaction, entity, identity)

    def _load_into(self, changes: Changes, refs: set[Ref]) -> None:
        by_entity: dict[str, set[UUID]] = {}
        for ref in refs:
            if ref.entity != "user" and ref.entity in self.schema.entities:
                by_entity.setdefault(ref.entity, set()).add(ref.id)
        for name, ids in sorted(by_entity.items()):
            missing = [i for i in sorted(ids) if (name, i) not in changes.references]
            if missing:
                entity = self.schema.entity(name)
                for identity, record in self.transaction.load(entity, missing).items():
                    changes.references[name, identity] = record

    def _check_reference(
        self, draft: Draft, field: FieldDef, ref: Ref, changes: Changes
    ) -> None:
        if ref.entity == "user":
            known = self.context.organisation.users.get(ref.id)
            if known is None:
                draft.refuse(field.name, "not_found")
            elif field.name == "owner_id" and not (
                self.context.organisation.is_active(ref.id)
            ):
                draft.refuse(field.name, "unknown_user")
            return
        if changes.writes(ref.entity, ref.id):
            # Written by the same verb, maybe for an owner whom the actor cannot follow.
            return
        target = self.schema.entities.get(ref.entity)
        record = changes.references.get((ref.entity, ref.id))
        if target is None or record is None or not self.visible(target, record):
            draft.refuse(field.name, "not_found")
        elif record.invalid_at is not None:
            draft.refuse(field.name, "invalid_record")
        elif field.belongs and _takes_no_activities(field, target):
            draft.refuse(field.name, "no_activities")
        elif not self._fits(field, target, record, changes):
            draft.refuse(field.name, "not_fitting")

    def _fits(
        self, field: FieldDef, target: EntityDef, record: Record, changes: Changes
    ) -> bool:
        """Tell whether a reference's filter lets a record be chosen."""
        kind = field.type.item if isinstance(field.type, ListOf) else field.type
        if not isinstance(kind, Reference) or kind.filter is None:
            return True
        chosen = self._trusted.criteria(target, from_json(kind.filter))
        return predicate(chosen, changes.follow)(record)

    # -- circles -----------------------------------------------------------------------

    def _refuse_circles(self, drafts: Sequence[Draft]) -> None:
        """Refuse references that lead back to their record, through whatever others."""
        for draft in drafts:
            for field in draft.entity.acyclic_fields:
                if draft.old is not None and draft.values.get(field.name) is not None:
                    self._refuse_circle(draft, draft.old, field, drafts)

    def _refuse_circle(
        self, draft: Draft, start: Record, field: FieldDef, drafts: Sequence[Draft]
    ) -> None:
        given = {
            other.old.id: other
            for other in drafts
            if other.old is not None and other.entity is draft.entity
        }
        path: list[Record] = [start]
        place: UUID | None = draft.values[field.name]
        while place is not None and place not in {record.id for record in path}:
            change = given.get(place)
            record = change.old if change else self._above(draft, place)
            if record is None:
                return
            path.append(record)
            place = change[field.name] if change else record[field.name]
        if place == start.id:
            names = [self._shown(draft, record) for record in (*path, start)]
            draft.refuse(field.name, "cycle", path=" → ".join(names))

    def _above(self, draft: Draft, identity: UUID) -> Record | None:
        """Return a record on the way up, locked: nobody else may move it now."""
        self.lock_targets.add((draft.entity.name, identity))
        found = self.transaction.load(draft.entity, (identity,), lock=True)
        return found.get(identity)

    def _shown(self, draft: Draft, record: Record) -> str:
        seen = self.visible(draft.entity, record)
        return draft.entity.display_name(record) if seen else "…"


def _takes_no_activities(field: FieldDef, target: EntityDef) -> bool:
    """Tell whether an administrator closed an object to tasks and notes (REC-17)."""
    tied = isinstance(field.type, AnyReference) and target.custom_object
    return tied and "activities" not in target.switches


def _wanted(draft: Draft, field: FieldDef, everything: bool) -> Iterable[Ref]:
    """Return the references to load and check: all, or those that a change adds."""
    if everything:
        return references_in(field, draft[field.name])
    if field.name not in draft.values:
        return ()
    kept = set(_stored(draft, field))
    return [r for r in references_in(field, draft.values[field.name]) if r not in kept]


def _stored(draft: Draft, field: FieldDef) -> Iterable[Ref]:
    if draft.old is None:
        return ()
    return references_in(field, draft.entity.value_of(draft.old, field.name))
