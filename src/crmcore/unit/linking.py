"""Linking verbs: link, unlink, and what is linked in which role (REC-20)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import attrs

from crmcore.errors import UniqueViolation, ValidationError
from crmcore.records import ManyToMany, Record, Ref
from crmcore.unit.copying import CopyVerbs
from crmcore.unit.dependents import Dependents
from crmcore.unit.drafts import update_draft
from crmcore.unit.record_link import RecordLink

__all__ = ["LinkVerbs", "Linked"]


@attrs.frozen
class Linked:
    """A record at the other end of a link."""

    record: Record
    role: str | None
    link: RecordLink


class LinkVerbs(CopyVerbs):
    """Linking records, and telling what is linked; ``related`` pages through it."""

    def link(
        self, record: Record, relation: str, *others: Record, role: str | None = None
    ) -> tuple[RecordLink, ...]:
        """Link a record with others, from either side of a relation (REC-20).

        Whoever may edit ``record`` and see the others links them. Two records have one
        link at most: linked again, it gets the role. Raises ValidationError for what
        the relation does not join and for an unknown role, AccessDenied.
        """
        return self.perform(
            "link",
            [record, relation, others, role],
            lambda: self._link_once(
                record, self._joining(record, relation), others, role
            ),
        )

    def unlink(self, record: Record, relation: str, *others: Record) -> int:
        """Remove links of a record with others; return how many there were (REC-20).

        The records stay. Raises as :meth:`link` does.
        """
        return self.perform(
            "unlink",
            [record, relation, others],
            lambda: self._unlink(record, self._joining(record, relation), others),
        )

    def links(
        self, record: Record, relation: str, *, role: str | None = None
    ) -> tuple[Linked, ...]:
        """Return what a record is linked with, and in which role, oldest first (REC-20).

        Only records that the actor may see. Raises NotFound, ValidationError.
        """
        known = self._joining(record, relation)
        here = self.schema.entity(record)
        self._get(here, record.id)
        far = self.schema.entity(known.other_end(here.name) or "")
        found = [
            link
            for link in self.links_of(known, here.name, record.id)
            if role in (None, link.role)
        ]
        ids = [_far_id(link, record.id) for link in found]
        loaded = self.transaction.load(far, sorted(set(ids))) if ids else {}
        return tuple(
            Linked(loaded[identity], link.role, link)
            for identity, link in zip(ids, found, strict=True)
            if self.visible(far, loaded.get(identity))
        )

    # -- writing -----------------------------------------------------------------------

    def _link_once(
        self,
        record: Record,
        relation: ManyToMany,
        others: Sequence[Record],
        role: str | None,
    ) -> tuple[RecordLink, ...]:
        try:
            return self._link(record, relation, others, role)
        except UniqueViolation:
            # Somebody else made a link meanwhile: it is there now.
            return self._link(record, relation, others, role)

    def _link(
        self,
        record: Record,
        relation: ManyToMany,
        others: Sequence[Record],
        role: str | None,
    ) -> tuple[RecordLink, ...]:
        if role is not None and role not in relation.roles:
            raise ValidationError.of("role", "not_an_option", value=str(role)[:60])
        self._require_editable(record)
        entity, changes = self.schema.entity(RecordLink), self.changes()
        pairs = dict.fromkeys(self._pair(relation, record, other) for other in others)
        present = self._present(relation, list(pairs))
        new = [
            RecordLink(
                relation=relation.key,
                source=pair[0],
                target=pair[1],
                role=role,
                identity=_identity(relation, pair),
            )
            for pair in pairs
            if pair not in present
        ]
        drafts = self.drafts_of_new([(one, {}) for one in new], managed=True)
        made = self.plan_creation(drafts, changes)
        given = [
            update_draft(entity, link, {"role": role}, self.context)
            for link in present.values()
            if role not in (None, link.role)
        ]
        changed = self.plan_updates(given, changes)
        self.apply(changes)
        links = {
            (link.source, link.target): link
            for link in (*present.values(), *made, *changed)
            if isinstance(link, RecordLink)
        }
        return tuple(links[pair] for pair in pairs)

    def _unlink(
        self, record: Record, relation: ManyToMany, others: Sequence[Record]
    ) -> int:
        self._require_editable(record)
        pairs = dict.fromkeys(self._pair(relation, record, other) for other in others)
        found = self._present(relation, list(pairs)).values()
        places = {self.place_of(link): link for link in found}
        gone = Dependents(self.schema, self.select_all, for_good=True).follow(places)
        self.write_deletion([gone])
        return len(places)

    def _require_editable(self, record: Record) -> None:
        entity = self.schema.entity(record)
        self.require_scope(entity, self._get(entity, record.id), "edit")

    def _present(
        self, relation: ManyToMany, pairs: Sequence[tuple[Ref, Ref]]
    ) -> dict[tuple[Ref, Ref], RecordLink]:
        """Return the links that there are, found by what keeps them unique."""
        entity = self.schema.entity(RecordLink)
        keys = {_identity(relation, pair): pair for pair in pairs}
        scope = f"{entity.name}.identity"
        held = self.transaction.holders(sorted((scope, key) for key in keys))
        ids = sorted(claim.record_id for claim in held)
        loaded = self.transaction.load(entity, ids, lock=True) if ids else {}
        return {
            keys[link.identity]: link
            for link in loaded.values()
            if isinstance(link, RecordLink) and link.identity in keys
        }

    # -- ends --------------------------------------------------------------------------

    def _pair(
        self, relation: ManyToMany, record: Record, other: Record
    ) -> tuple[Ref, Ref]:
        """Return the ends of a link in the order in which they are stored."""
        names = (self.schema.entity(record).name, self.schema.entity(other).name)
        here, there = (
            Ref(name, one.id) for name, one in zip(names, (record, other), strict=True)
        )
        if relation.other_end(names[0]) != names[1]:
            raise ValidationError.of(
                "relation", "not_joined", entity=names[0], target=names[1]
            )
        if here == there:
            raise ValidationError.of("relation", "same_record")
        if relation.source == relation.target:
            return (here, there) if here.id < there.id else (there, here)
        return (here, there) if names[0] == relation.source else (there, here)


def _identity(relation: ManyToMany, pair: tuple[Ref, Ref]) -> str:
    return ":".join((relation.key, *(str(ref.id) for ref in pair)))


def _far_id(link: RecordLink, near: UUID) -> UUID:
    assert link.source is not None
    assert link.target is not None
    return link.target.id if link.source.id == near else link.source.id
