"""``session.tags``: choosing and making tags, and putting them on records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import attrs

from crmcore.criteria import Criteria, Everything, F, Page
from crmcore.errors import UniqueViolation, ValidationError
from crmcore.records import EntityDef, ListOf, Record
from crmcore.tags.entities import Tag
from crmcore.tags.lookup import cleaned_identity, tags_named
from crmcore.tags.naming import identity_of
from crmcore.unit import Draft, UnitOfWork
from crmcore.unit.drafts import update_draft
from crmcore.unit.referring import Referrer, referrers

__all__ = ["TagCount", "TagService"]

R = TypeVar("R", bound=Record)

#: The field in which records hold the ids of their tags.
FIELD = "tag_ids"
#: A deleted tag is taken off so many records at once.
_TOGETHER = 500


@attrs.frozen
class TagCount:
    """A tag, and how many records have it that the actor may see."""

    tag: Tag
    records: int


class TagService:
    """What a session offers as ``session.tags`` (REC-23).

    Whoever may edit a record tags it, with known tags or new ones, as far as the
    profile allows to create tags. Changing and deleting them is the administrators'.
    """

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    # -- tags of records ---------------------------------------------------------------

    def tag(self, record: R, *tags: Tag | str, dimension: str | None = None) -> R:
        """Put tags on a record and return its new version (REC-23).

        A word stands for the tag of that name in ``dimension``: one of the record's own
        entity, else one of all entities, else a new one. Tags that the record has
        already stay. Raises as ``session.update`` does.
        """
        return self._unit.perform(
            "tags.tag",
            [record, tags, dimension],
            lambda: self._tag([record], tags, dimension)[0],
        )

    def tag_many(
        self, records: Iterable[R], *tags: Tag | str, dimension: str | None = None
    ) -> tuple[R, ...]:
        """Put tags on many records, all or none, as :meth:`tag` does."""
        given = list(records)
        return self._unit.perform(
            "tags.tag_many",
            [given, tags, dimension],
            lambda: self._tag(given, tags, dimension),
        )

    def _tag(
        self, records: Sequence[R], tags: Sequence[Tag | str], dimension: str | None
    ) -> tuple[R, ...]:
        entities = [self._taggable(record) for record in records]
        stored = self._unit.load_current(records)
        for entity, record in zip(entities, stored, strict=True):
            self._unit.require_scope(entity, record, "edit")
        chosen = {
            entity.name: self._chosen(entity, _words(tags), dimension)
            for entity in dict.fromkeys(entities)
        }
        changes = []
        for entity, record in zip(entities, stored, strict=True):
            named = chosen[entity.name]
            added = [named[t].id if isinstance(t, str) else t.id for t in tags]
            held = entity.value_of(record, FIELD) or ()
            wanted = tuple(dict.fromkeys((*held, *added))) or None
            changes.append((cast(R, record), {FIELD: wanted}))
        return self._unit.update_many(changes)

    def untag(self, record: R, *tags: Tag | str, dimension: str | None = None) -> R:
        """Take tags off a record and return its new version (REC-23).

        Those that it does not have are passed over. Raises as ``session.update`` does.
        """
        return self._unit.perform(
            "tags.untag",
            [record, tags, dimension],
            lambda: self._untag(record, tags, dimension),
        )

    def _untag(self, record: R, tags: Sequence[Tag | str], dimension: str | None) -> R:
        entity = self._taggable(record)
        (stored,) = self._unit.load_current([record])
        named = tags_named(self._unit, entity, _words(tags), dimension)
        given = [tag for tag in tags if not isinstance(tag, str)]
        gone = {tag.id for tag in (*named.values(), *given)}
        held = entity.value_of(stored, FIELD) or ()
        kept = tuple(identity for identity in held if identity not in gone)
        return self._unit.update(cast(R, stored), **{FIELD: kept or None})

    def of(self, record: Record) -> tuple[Tag, ...]:
        """Return the tags of a record, in the order in which they were put on it."""
        entity = self._taggable(record)
        held = entity.value_of(record, FIELD) or ()
        loaded = self._unit.transaction.load(self._tags, held) if held else {}
        return tuple(
            cast(Tag, loaded[identity])
            for identity in held
            if self._unit.visible(self._tags, loaded.get(identity))
        )

    def _chosen(
        self, entity: EntityDef, words: Iterable[str], dimension: str | None
    ) -> dict[str, Tag]:
        """Return the tags that words stand for, new ones where there are none."""
        given = tuple(dict.fromkeys(words))
        found = tags_named(self._unit, entity, given, dimension)
        for word in given:
            if word in found:
                continue
            try:
                found[word] = self._make(
                    {"name": word, "dimension": dimension, "object": entity.name}
                )
            except UniqueViolation:
                # Another spelling of a word before, or made by somebody meanwhile.
                found.update(tags_named(self._unit, entity, [word], dimension))
                if word not in found:
                    raise
        return found

    # -- the tags themselves -----------------------------------------------------------

    def create(
        self,
        name: str,
        kind: type[Record] | str | None = None,
        *,
        dimension: str | None = None,
        colour: str | None = None,
    ) -> Tag:
        """Make a tag for records of ``kind``, or of all entities (REC-23).

        Raises UniqueViolation where there is one of this name, AccessDenied.
        """
        place = None if kind is None else self._taggable(kind).name
        values = {"name": name, "dimension": dimension, "object": place}
        return self._unit.perform(
            "tags.create",
            [values, colour],
            lambda: self._make({**values, "colour": colour}),
        )

    def _make(self, values: dict[str, Any]) -> Tag:
        unit = self._unit
        unit.decisions.require(self._tags, "create")
        parts = (values["name"], values["dimension"], values["object"])
        identity = cleaned_identity(unit, *parts)
        changes = unit.changes()
        new = [(Tag(), {**values, "identity": identity})]
        (made,) = unit.plan_creation(unit.drafts_of_new(new, managed=True), changes)
        unit.apply(changes)
        return cast(Tag, changes.stored(made))

    def change(self, tag: Tag, **values: Any) -> Tag:
        """Give a tag another ``name``, ``dimension`` or ``colour``; administrators only.

        It changes on all records that have it (REC-23). Raises UniqueViolation where
        another tag has the name, StaleRecord, AccessDenied.
        """
        self._unit.decisions.require_administrator("edit", "tag")
        return self._unit.perform(
            "tags.change", [tag, values], lambda: self._change(tag, values)
        )

    def _change(self, tag: Tag, values: dict[str, Any]) -> Tag:
        unit = self._unit
        for name in values:
            if name not in ("name", "dimension", "colour"):
                raise ValidationError.of(str(name)[:80], "read_only")
        (stored,) = unit.load_current([tag])
        draft = update_draft(self._tags, stored, values, unit.context)
        if draft.changes("name", "dimension") and draft["name"]:
            draft.set(
                "identity",
                identity_of(draft["name"], draft["dimension"], draft["object"]),
            )
        changes = unit.changes()
        (changed,) = unit.plan_updates([draft], changes)
        unit.apply(changes)
        return cast(Tag, changes.stored(changed))

    def delete(self, tag: Tag) -> Tag:
        """Delete a tag and take it off all records; administrators only (REC-23).

        Nothing else is deleted. Raises StaleRecord, AccessDenied.
        """
        self._unit.decisions.require_administrator("delete", "tag")
        return self._unit.perform("tags.delete", [tag], lambda: self._delete(tag))

    def _delete(self, tag: Tag) -> Tag:
        unit = self._unit
        (stored,) = unit.load_current([tag])
        for referrer in referrers(unit.schema, "tag"):
            if isinstance(referrer.field.type, ListOf):
                self._take_off(stored, referrer)
        gone = unit.write_deletion(unit.dependents_of([stored]))
        return cast(Tag, gone[unit.place_of(stored)])

    def _take_off(self, tag: Record, referrer: Referrer) -> None:
        """Take a tag off the records of an entity, those that may be restored too."""
        unit, name = self._unit, referrer.field.name
        place = unit.place_of(tag)
        wanted = referrer.criteria("tag", [tag.id])
        while found := unit.select_all(referrer.entity, wanted, _TOGETHER):
            drafts = [
                Draft(
                    referrer.entity,
                    unit.context,
                    record,
                    {name: referrer.cleared(record, {place})},
                )
                for record in found
            ]
            changes = unit.changes()
            unit.load_references(drafts, changes, strict=False)
            for draft in drafts:
                changes.update(draft)
            unit.apply(changes)

    # -- finding -----------------------------------------------------------------------

    def known(
        self,
        kind: type[Record] | str | None = None,
        *,
        dimension: str | None = None,
        contains: str = "",
        limit: int = 50,
        after: Any = None,
    ) -> Page[Tag]:
        """Return a page of the tags to choose from for ``kind``, by name (REC-23)."""
        wanted: Criteria = Everything()
        if kind is not None:
            name = self._taggable(kind).name
            wanted &= F.object.is_null() | (F.object == name)
        if dimension is not None:
            wanted &= F.dimension == dimension
        if contains:
            wanted &= F.name.contains(contains)
        return self._unit.find(Tag, wanted, order_by=[F.name], limit=limit, after=after)

    def named(
        self, kind: type[Record] | str, *names: str, dimension: str | None = None
    ) -> tuple[Tag, ...]:
        """Return the tags of these names for records of ``kind``, for criteria.

        ``F.tag_ids.any_of(s.tags.named(Contact, "VIP"))``. Raises ValidationError that
        names those that there are not.
        """
        entity = self._taggable(kind)
        found = tags_named(self._unit, entity, names, dimension)
        missing = [name for name in names if name not in found]
        if missing:
            shown = ", ".join(missing)[:200]
            raise ValidationError.of(FIELD, "unknown_tag", value=shown)
        return tuple(found[name] for name in names)

    def counts(
        self,
        kind: type[Record] | str,
        criteria: Criteria = Everything(),  # noqa: B008 - immutable
        *,
        tags: Iterable[Tag] | None = None,
    ) -> tuple[TagCount, ...]:
        """Return how many records have each tag, the most frequent first (REC-23).

        Of ``tags``, or the first 200 to choose from; one statement for each. Only
        records count that the actor may see and that match ``criteria``.
        """
        entity = self._taggable(kind)
        asked = self.known(kind, limit=200).items if tags is None else tuple(tags)
        counted = [
            TagCount(
                tag,
                self._unit.count(
                    entity.record_class, criteria & F[FIELD].any_of([tag.id])
                ),
            )
            for tag in asked
        ]
        return tuple(sorted(counted, key=lambda one: (-one.records, one.tag.name)))

    # -- checks ------------------------------------------------------------------------

    @property
    def _tags(self) -> EntityDef:
        return self._unit.schema.entity(Tag)

    def _taggable(self, kind: type[Record] | Record | str) -> EntityDef:
        entity = self._unit.schema.entity(kind)
        if FIELD not in entity.fields:
            raise ValidationError.of(FIELD, "unknown_field", entity=entity.name)
        return entity


def _words(tags: Iterable[Tag | str]) -> list[str]:
    return [tag for tag in tags if isinstance(tag, str)]
