"""Invalid and archived records: to be looked at, and no more (REC-06)."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from crmcore.criteria import F
from crmcore.errors import ValidationError
from crmcore.records import EntityDef, Record
from crmcore.unit.deleting import DeletingVerbs
from crmcore.unit.dependents import MOST_DEPENDENTS, Place
from crmcore.unit.referring import referrers

__all__ = ["RecordStateVerbs"]

R = TypeVar("R", bound=Record)

_INVALID = {"invalid_at": None, "invalid_by": None}
_ARCHIVED = {"archived_at": None, "archived_by": None}


class RecordStateVerbs(DeletingVerbs):
    """What a session can close to every change, and what an administrator opens again."""

    def invalidate(self, record: R) -> R:
        """Mark a record as invalid, with all that belongs to it; it can be viewed only.

        Every other operation on it is refused with ReadOnlyRecord, and new records
        cannot refer to it; those that do still show it. Only an administrator brings it
        back, with :meth:`revalidate`.

        Raises StaleRecord, NotFound, AccessDenied, ValidationError where more records
        belong to it than one verb can write.
        """
        return self.perform("invalidate", [record], lambda: self._invalidate(record))

    def revalidate(self, record: R) -> R:
        """Bring an invalid record back, with what became invalid together with it.

        Raises AccessDenied to all but administrators, StaleRecord, NotFound.
        """
        return self.perform("revalidate", [record], lambda: self._revalidate(record))

    def archive(self, record: R) -> R:
        """Put a closed record into the archive: read-only, out of lists, in reports.

        ``find(..., archived=True)`` finds it. A record is closed when the category of
        its state says so; one of an entity without states always is.

        Raises ValidationError for one that is open, StaleRecord, NotFound, AccessDenied.
        """
        return self.perform("archive", [record], lambda: self._archive(record))

    def unarchive(self, record: R) -> R:
        """Take a record out of the archive again.

        Raises StaleRecord, NotFound, AccessDenied.
        """
        return self.perform("unarchive", [record], lambda: self._unarchive(record))

    def _invalidate(self, record: R) -> R:
        entity, stored = self._current(record)
        self.require_scope(entity, stored, "invalidate")
        stamps = {"invalid_at": self.context.now, "invalid_by": self.actor.id}
        parts = self._parts(stored, F.invalid_at.is_null())
        return cast(R, self._turn(stored, parts, "invalidated", stamps))

    def _revalidate(self, record: R) -> R:
        entity, stored = self._current(record)
        self.decisions.require_administrator("revalidate", entity.name)
        if stored.invalid_at is None:
            return cast(R, stored)
        same = F.invalid_at == stored.invalid_at
        parts = self._parts(stored, same & (F.invalid_by == stored.invalid_by))
        return cast(R, self._turn(stored, parts, "revalidated", _INVALID))

    def _archive(self, record: R) -> R:
        entity, stored = self._current(record)
        self.require_scope(entity, stored, "archive")
        if not entity.is_closed(stored):
            raise ValidationError.of(entity.state or "archived_at", "not_closed")
        stamps = {"archived_at": self.context.now, "archived_by": self.actor.id}
        return cast(R, self._turn(stored, {}, "archived", stamps))

    def _unarchive(self, record: R) -> R:
        entity, stored = self._current(record)
        if stored.archived_at is None:
            return cast(R, stored)
        self.require_scope(entity, stored, "unarchive")
        return cast(R, self._turn(stored, {}, "unarchived", _ARCHIVED))

    def _current(self, record: Record) -> tuple[EntityDef, Record]:
        (stored,) = self.load_current([record])
        return self.schema.entity(record), stored

    def _turn(
        self, root: Record, parts: dict[Place, Record], action: str, stamps: Any
    ) -> Any:
        changes = self.changes()
        together = {self.place_of(root): root, **parts}
        turned = self._plan_turned(together, action, stamps, changes)
        self.apply(changes)
        return turned[self.place_of(root)]

    def _parts(self, root: Record, chosen: Any) -> dict[Place, Record]:
        """Return the records that belong to another, however deep, of those chosen."""
        found: dict[Place, Record] = {}
        wave = {self.place_of(root): root}
        while wave:
            below: dict[Place, Record] = {}
            for name in sorted({name for name, _ in wave}):
                ids = sorted(identity for entity, identity in wave if entity == name)
                for one in referrers(self.schema, name):
                    if not one.belongs:
                        continue
                    wanted = one.criteria(name, ids) & F.deleted_at.is_null() & chosen
                    some = self.select_all(one.entity, wanted, MOST_DEPENDENTS + 1)
                    below.update({(one.entity.name, r.id): r for r in some})
            wave = {
                place: record
                for place, record in below.items()
                if place not in found and place != self.place_of(root)
            }
            found.update(wave)
            if len(found) > MOST_DEPENDENTS:
                raise ValidationError.of(
                    "id", "too_many_dependents", maximum=MOST_DEPENDENTS
                )
        return found
