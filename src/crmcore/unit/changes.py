"""Changes: everything that one verb writes, as a value, applied in one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs

from crmcore.matching import KeyDeriver, match_keys
from crmcore.records import EntityDef, Record
from crmcore.storage import (
    Claim,
    Event,
    FieldChange,
    HistoryEntry,
    Insertion,
    Update,
)
from crmcore.unit.context import Context
from crmcore.unit.drafts import Draft
from crmcore.unit.formula_fields import work_out
from crmcore.unit.record_settings import RecordSettings

__all__ = ["LOGGED", "Changes", "event_of"]


@attrs.define(eq=False)
class Changes:
    """Collects insertions, updates, claims, history and events of one verb.

    Pure: nothing is read or written. ``apply`` of the unit of work writes it all.
    """

    context: Context
    derivers: dict[str, KeyDeriver]
    references: dict[tuple[str, UUID], Record] = attrs.field(factory=dict)
    insertions: dict[str, list[Insertion]] = attrs.field(
        factory=lambda: defaultdict(list)
    )
    updates: dict[str, list[Update]] = attrs.field(factory=lambda: defaultdict(list))
    claims: list[Claim] = attrs.field(factory=list)
    releases: list[Claim] = attrs.field(factory=list)
    #: Records as they are stored, where that is not as they were planned.
    numbered: dict[UUID, Record] = attrs.field(factory=dict)
    #: What was deleted for good.
    gone: list[tuple[EntityDef, Record]] = attrs.field(factory=list)
    history: list[HistoryEntry] = attrs.field(factory=list)
    events: list[Event] = attrs.field(factory=list)

    @property
    def _settings(self) -> RecordSettings:
        given = self.context.settings.get(RecordSettings)
        return RecordSettings() if given is None else given

    def create(self, draft: Draft) -> Record:
        """Plan a new record and return it as it will be stored."""
        work_out(draft, self.follow)
        entity, context = draft.entity, self.context
        values = draft.values
        actor = context.actor.id
        record = entity.record_class(
            **typed_values(entity, values),
            id=context.ids.new(),
            version=1,
            created_at=context.now,
            created_by=actor,
            updated_at=context.now,
            updated_by=actor,
            custom=custom_values(entity, values),
        )
        keys = self._keys(entity, record)
        self.insertions[entity.name].append(Insertion(record, keys))
        if entity.unique_fields:
            self.claims.extend(claims_of(entity, record))
        self._log(entity, record, "created", (), draft.logs)
        return record

    def stored(self, record: Record) -> Record:
        """Return a planned record as it is stored: numbered, or changed by triggers."""
        return self.numbered.get(record.id, record)

    def update(self, draft: Draft, action: str = "updated", **system: Any) -> Record:
        """Plan a record's new version; returns the old one where nothing changes."""
        entity, old = draft.entity, draft.old
        assert old is not None
        if not draft.values and not system:
            return old
        work_out(draft, self.follow)
        new = old.evolved(
            **{n: v for n, v in draft.values.items() if not entity.fields[n].custom},
            **system,
            custom=self._changed_custom(entity, old, draft.values),
            version=old.version + 1,
            updated_at=self.context.now,
            updated_by=self.context.actor.id,
        )
        self._replace(draft, new)
        self._log(entity, new, action, self._differences(draft), draft.logs)
        return new

    def note_gone(self, entity: EntityDef, record: Record, action: str) -> None:
        """Note that a record was removed for good; numbers stay taken."""
        stamps = {"deleted_at": record.deleted_at or self.context.now}
        gone = record.evolved(**stamps, version=record.version + 1)
        self.claims.extend(claims_of(entity, gone))
        if record.deleted_at is None:
            self.gone.append((entity, gone))
        self._log(entity, gone, action, ())

    def _changed_custom(
        self, entity: EntityDef, old: Record, values: dict[str, Any]
    ) -> Any:
        changed = custom_values(entity, values)
        if not any(entity.fields[name].custom for name in values):
            return old.custom
        emptied = {n for n, v in values.items() if v is None}
        kept = {n: v for n, v in old.custom.items() if n not in emptied}
        return MappingProxyType({**kept, **changed})

    def _replace(self, draft: Draft, new: Record) -> None:
        entity, old = draft.entity, draft.old
        assert old is not None
        keys = old_keys = frozenset[str]()
        if self.may_rekey(draft) or old.deleted_at != new.deleted_at:
            old_keys = self._keys(entity, old)
            keys = self._keys(entity, new)
        self.updates[entity.name].append(Update(old, new, keys, old_keys))
        if entity.unique_fields:
            before = set(claims_of(entity, old))
            after = set(claims_of(entity, new))
            self.releases.extend(before - after)
            self.claims.extend(after - before)

    def may_rekey(self, draft: Draft) -> bool:
        """Tell whether a change may give the record other match keys."""
        deriver = self.derivers.get(draft.entity.name)
        return deriver is not None and deriver.depends_on(draft.values)

    def _keys(self, entity: EntityDef, record: Record) -> frozenset[str]:
        deriver = self.derivers.get(entity.name)
        if deriver is None or record.deleted_at is not None:
            return frozenset()
        return frozenset(match_keys(deriver, record, self.follow))

    def writes(self, entity: str, identity: UUID) -> bool:
        """Tell whether these changes make or change the record."""
        made = self.insertions.get(entity, ())
        changed = self.updates.get(entity, ())
        return any(one.record.id == identity for one in made) or any(
            one.new.id == identity for one in changed
        )

    def follow(self, entity: str, identity: UUID) -> Record | None:
        """Return a referenced record that was loaded for this batch."""
        return self.references.get((entity, identity))

    def _differences(self, draft: Draft) -> Iterator[FieldChange]:
        entity, old = draft.entity, draft.old
        assert old is not None
        for name, value in draft.values.items():
            before = entity.value_of(old, name)
            if value == before:
                continue
            to_json = entity.fields[name].type.to_json
            yield FieldChange(
                name,
                None if before is None else to_json(before),
                None if value is None else to_json(value),
            )

    def _log(
        self,
        entity: EntityDef,
        record: Record,
        action: str,
        changes: Any,
        logs: Iterable[tuple[str, str]] = (),
    ) -> None:
        context = self.context
        entry = HistoryEntry(
            entity=entity.name,
            record_id=record.id,
            version=record.version,
            action=action,
            at=context.now,
            by=context.actor.id,
            changes=tuple(changes),
        )
        if self._settings.logs_changes(entity):
            self.history.append(entry)
        fields = [change.field for change in entry.changes]
        payload = {"fields": fields} if fields else {}
        self.events.append(event_of(context, entity, record, action, payload))
        for trigger, text in logs:
            told = {"trigger": trigger, "text": text}
            self.events.append(event_of(context, entity, record, LOGGED, told))


def event_of(
    context: Context,
    entity: EntityDef,
    record: Record,
    action: str,
    payload: Mapping[str, Any],
) -> Event:
    """Return the event that tells that something was done with a record now."""
    return Event(
        id=context.ids.new(),
        kind=f"{entity.name}.{action}",
        entity=entity.name,
        record_id=record.id,
        version=record.version,
        at=context.now,
        by=context.actor.id,
        payload=payload,
    )


#: What events of triggers are called.
LOGGED = "trigger_logged"

_NOTHING: MappingProxyType[str, Any] = MappingProxyType({})


def typed_values(entity: EntityDef, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are attributes of the record."""
    if not entity.custom_fields:
        return values
    return {n: v for n, v in values.items() if not entity.fields[n].custom}


def custom_values(entity: EntityDef, values: dict[str, Any]) -> Any:
    """Return the filled custom values."""
    if not entity.custom_fields:
        return _NOTHING
    fields = entity.fields
    return MappingProxyType(
        {n: v for n, v in values.items() if v is not None and fields[n].custom}
    )


def claims_of(entity: EntityDef, record: Record) -> list[Claim]:
    """Return the unique values that a record holds, also when deleted (DUP-01)."""
    return [
        Claim(f"{entity.name}.{name}", key, record.id)
        for name, key in entity.unique_keys(record).items()
        if record.deleted_at is None or entity.fields[name].type.lasting
    ]
