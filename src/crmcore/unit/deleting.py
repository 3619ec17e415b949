"""Deleting verbs: delete, restore, purge, and what goes and comes with a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from crmcore.criteria import F
from crmcore.errors import NotFound, Problem, ValidationError
from crmcore.records import EntityDef, MasterDetail, Record
from crmcore.unit.changes import Changes
from crmcore.unit.dependents import MOST_DEPENDENTS, Dependents, Place, problems_of
from crmcore.unit.drafts import Draft
from crmcore.unit.duplicates import DuplicateVerbs
from crmcore.unit.record_settings import RecordSettings
from crmcore.unit.referring import referrers
from crmcore.unit.triggers import why_kept

__all__ = ["DeletingVerbs"]

R = TypeVar("R", bound=Record)


class DeletingVerbs(DuplicateVerbs):
    """What a session can remove and bring back (REC-05)."""

    def delete(self, record: R, *, confirm: bool = False) -> R:
        """Delete a record: softly, so that it can be restored, or for good.

        The setting ``delete_mode`` says which; the unique values are free again. What
        refers to the record is cleared, deleted as well or in the way, as each
        reference declares with ``on_delete``. Returns the deleted version, which
        :meth:`restore` takes.

        Raises StaleRecord, NotFound, AccessDenied, ValidationError where the record is
        in use or the deletion not confirmed (REC-05).
        """
        return self.delete_all([record], confirm, "delete")[0]

    def delete_many(
        self, records: Iterable[R], *, confirm: bool = False
    ) -> tuple[R, ...]:
        """Delete many records like :meth:`delete`, all or none."""
        return self.delete_all(list(records), confirm, "delete_many")

    def delete_by_key(
        self, kind: type[R], field: str, value: Any, *, confirm: bool = False
    ) -> R:
        """Delete the record that holds a unique value (REC-05).

        Raises NotFound where the actor sees none, and as :meth:`delete` does.
        """
        self._require_confirmed(confirm)
        return self.perform(
            "delete_by_key",
            [self.schema.entity(kind).name, field, value],
            lambda: self._delete([self._with_key(kind, field, value)])[0],
        )

    def delete_all(
        self, records: Sequence[R], confirm: bool, verb: str
    ) -> tuple[R, ...]:
        """Delete records as one verb; what is gone for good is returned as it was."""
        self._require_confirmed(confirm)
        names = {self.schema.entity(record).name for record in records}
        if not any(map(self.settings(RecordSettings).deletes_for_good, names)):
            return self.perform(verb, records, lambda: tuple(self._delete(records)))
        # A retry finds no stored version any more: it gets what the caller gave.
        self.perform(verb, records, lambda: self._delete(records) and None)
        stamps = {"deleted_at": self.context.now, "deleted_by": self.actor.id}
        return tuple(record.evolved(**stamps) for record in records)

    def _require_confirmed(self, confirm: bool) -> None:
        if confirm is not True and self.settings(RecordSettings).confirm_deletes:
            raise ValidationError.of("confirm", "not_confirmed")

    def _with_key(self, kind: type[R], field: str, value: Any) -> R:
        entity = self.schema.entity(kind)
        definition = self.readable_field(entity, field)
        if not definition.unique:
            raise ValidationError.of(field, "not_a_key")
        coerced = definition.coerce(value, self.context.conventions)
        own = {"custom": {field: coerced}} if definition.custom else {field: coerced}
        probe = entity.record_class(**cast(Any, own))
        key = entity.unique_keys(probe).get(field)
        found = None if key is None else self.holder_of(f"{entity.name}.{field}", key)
        if not self.visible(entity, found):
            raise NotFound(entity=entity.name, id=value)
        return cast(R, found)

    def _delete(self, records: Sequence[R]) -> list[R]:
        roots = self.load_current(records)
        for stored in roots:
            self.require_scope(self.schema.entity(stored), stored, "delete")
        dependents = self.dependents_of(roots)
        for one in dependents:
            if one.blocked:
                raise ValidationError(problems_of(one.blocked))
        gone = self.write_deletion(dependents)
        return [cast(R, gone[self.place_of(stored)]) for stored in roots]

    def place_of(self, record: Record) -> Place:
        """Return what names a record among those of all entities."""
        return self.schema.entity(record).name, record.id

    def dependents_of(self, roots: Sequence[Record]) -> list[Dependents]:
        """Return what hangs on records that are to be deleted, softly or for good."""
        self._refuse_users_at_work(roots)
        settings = self.settings(RecordSettings)
        parts: dict[bool, dict[Place, Record]] = {}
        for record in roots:
            place = self.place_of(record)
            parts.setdefault(settings.deletes_for_good(place[0]), {})[place] = record
        return [self._follow(part, for_good) for for_good, part in parts.items()]

    def _follow(self, part: Mapping[Place, Record], for_good: bool) -> Dependents:
        found = Dependents(self.schema, self.select_all, for_good).follow(part)
        for place, record in found.gone.items():
            if record.deleted_at is None:
                found.block(place, why_kept(self.context, place[0], record))
        return found

    def _refuse_users_at_work(self, records: Iterable[Record]) -> None:
        """Refuse to delete users who own or made records: they are disabled instead."""
        ids = [r.id for r in records if self.schema.entity(r).name == "user"]
        if not ids:
            return
        theirs = F.owner_id.in_(ids) | F.created_by.in_(ids)
        for entity in self.schema.entities.values():
            if self.exists(entity, theirs & ~F.id.in_(ids)):
                raise ValidationError.of("id", "user_has_records")

    def write_deletion(self, dependents: Iterable[Dependents]) -> dict[Place, Record]:
        """Write deletions with all that hangs on them; return what is deleted."""
        changes = self.changes()
        deleted: dict[Place, Record] = {}
        for part in dependents:
            self._plan_emptied(part, changes)
            if part.for_good:
                self._remove(part.gone.values(), "deleted", changes)
                deleted.update(part.gone)
            else:
                deleted.update(self._plan_deleted(part.gone, changes))
        self.apply(changes)
        return deleted

    def _plan_emptied(self, part: Dependents, changes: Changes) -> None:
        drafts = [
            Draft(
                fields[0].entity,
                self.context,
                record,
                {one.field.name: one.cleared(record, part.gone) for one in fields},
            )
            for record, fields in part.emptied.values()
        ]
        self.load_references(drafts, changes, strict=False)
        for draft in drafts:
            changes.update(draft)

    def _plan_deleted(
        self, gone: Mapping[Place, Record], changes: Changes
    ) -> dict[Place, Record]:
        stamps = {"deleted_at": self.context.now, "deleted_by": self.actor.id}
        return self._plan_turned(gone, "deleted", stamps, changes)

    def _plan_turned(
        self,
        records: Mapping[Place, Record],
        action: str,
        stamps: Mapping[str, Any],
        changes: Changes,
    ) -> dict[Place, Record]:
        drafts = {
            place: Draft(self.schema.entity(record), self.context, record, {})
            for place, record in records.items()
        }
        # Match keys may come from referenced records: all of them have to go.
        self.load_references(
            list(drafts.values()), changes, everything=True, strict=False
        )
        return {
            place: changes.update(draft, action, **stamps)
            for place, draft in drafts.items()
        }

    def _remove(self, records: Iterable[Record], action: str, changes: Changes) -> None:
        """Remove records for good, with their match keys and claims."""
        by_entity: dict[str, list[Record]] = {}
        for record in records:
            by_entity.setdefault(self.schema.entity(record).name, []).append(record)
        for name, some in sorted(by_entity.items()):
            entity = self.schema.entity(name)
            for record in some:
                changes.note_gone(entity, record, action)
            with self._writing():
                self.transaction.purge(entity, [record.id for record in some])

    # -- restore, purge ----------------------------------------------------------------

    def restore(self, record: R) -> R:
        """Bring a deleted record back, with what its deletion took along (REC-05).

        Its unique values are claimed again. Where it looks like another record by now,
        ``warnings`` of the session say so.

        Raises UniqueViolation where another record took a value meanwhile,
        ValidationError where its master is deleted.
        """
        return self.perform("restore", [record], lambda: self._restore(record))

    def _restore(self, record: R) -> R:
        entity = self.schema.entity(record)
        (stored,) = self.load_current([record], deleted=True)
        self.require_scope(entity, stored, "restore")
        if stored.deleted_at is None:
            return cast(R, stored)
        changes = self.changes()
        together = self._deleted_together(stored)
        stamps = {"deleted_at": None, "deleted_by": None}
        back = self._plan_turned(together, "restored", stamps, changes)
        self._require_master(entity, stored, changes)
        self.apply(changes)
        restored = back[self.place_of(stored)]
        self._warn_of_duplicates(restored)
        return cast(R, restored)

    def _deleted_together(self, root: Record) -> dict[Place, Record]:
        """Return a deleted record with those that the same deletion took along."""
        same = (F.deleted_at == root.deleted_at) & (F.deleted_by == root.deleted_by)
        found = {self.place_of(root): root}
        wave = dict(found)
        while wave:
            below: dict[Place, Record] = {}
            for name in sorted({name for name, _ in wave}):
                ids = [identity for entity, identity in wave if entity == name]
                for one in referrers(self.schema, name):
                    if one.on_delete(for_good=False) != "cascade":
                        continue
                    wanted = one.criteria(name, ids) & same
                    chosen = self.select_all(one.entity, wanted, MOST_DEPENDENTS + 1)
                    below.update({(one.entity.name, r.id): r for r in chosen})
            wave = {p: r for p, r in below.items() if p not in found}
            found.update(wave)
        return found

    def _require_master(
        self, entity: EntityDef, record: Record, changes: Changes
    ) -> None:
        for field in entity.references:
            if not isinstance(field.type, MasterDetail):
                continue
            identity = entity.value_of(record, field.name)
            master = identity and changes.follow(field.type.entity, identity)
            if not master or master.deleted_at is not None:
                raise ValidationError.of(field.name, "not_found")

    def _warn_of_duplicates(self, record: Record) -> None:
        found = self.duplicates_of([record])[0]
        if found.matches or found.hidden:
            self.warnings.append(Problem("id", "duplicate"))

    def purge(self, record: Record) -> None:
        """Remove a soft-deleted record for good; only with the right to purge.

        Raises ValidationError where it is not deleted, or others still refer to it.
        """
        self.perform("purge", [record], lambda: self._purge(record))

    def _purge(self, record: Record) -> None:
        entity = self.schema.entity(record)
        self.decisions.require(entity, "purge")
        (stored,) = self.load_current([record], deleted=True)
        self.require_scope(entity, stored, "purge")
        if stored.deleted_at is None:
            raise ValidationError.of("deleted_at", "required")
        part = self._follow({self.place_of(stored): stored}, for_good=True)
        if part.blocked:
            raise ValidationError(problems_of(part.blocked))
        changes = self.changes()
        self._plan_emptied(part, changes)
        self._remove(part.gone.values(), "purged", changes)
        self.apply(changes)
