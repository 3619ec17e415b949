"""Verbs on picklists: add options, merge two of them with all records (REC-13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from crmcore.criteria import F
from crmcore.customisation.changing import Changing
from crmcore.customisation.items import ItemKey, Items
from crmcore.customisation.picklists import picklist_to_data
from crmcore.customisation.planning import Change, CustomisationPlan, Put
from crmcore.customisation.structuring import plain
from crmcore.errors import ValidationError
from crmcore.records import EntityDef, FieldDef, Option, Picklist, Record
from crmcore.records.schema import picklist_of
from crmcore.unit.drafts import Draft

__all__ = ["OptionMerge", "PicklistVerbs"]

#: Records that one call of a merge rewrites at most.
MOST_REWRITTEN = 1_000


@attrs.frozen
class OptionMerge:
    """How far the merge of two options has come; call again until it is ``done``."""

    rewritten: int
    done: bool


class PicklistVerbs(Changing):
    """What administrators do with picklists and their options."""

    def add_picklist(
        self, key: str, options: Iterable[Option | str], **settings: Any
    ) -> CustomisationPlan:
        """Add a value set that fields can share.

        An option may be given by its key alone; its label is then made of it. Raises
        ValidationError for a key that is taken.
        """
        item = ItemKey("picklist", "", key)
        definition = {"options": [option_to_data(o) for o in options], **settings}

        def decide(items: Items) -> Iterator[Change]:
            if items.get(item) is not None or key in self.unit.schema.picklists:
                place = f"picklist.{key}"[:120]
                raise ValidationError.of(place, "key_taken", key=key[:60])
            yield Put(item, definition)

        return self.change("add_picklist", [key, definition], decide)

    def put_options(
        self, picklist: str, options: Iterable[Option | str]
    ) -> CustomisationPlan:
        """Add options to a picklist, a declared one too, or change those of their key.

        A set of any size is loaded at once. Raises ValidationError for an unknown list
        and for what the library's own rules rely on.
        """
        given = [option_to_data(option) for option in options]

        def decide(items: Items) -> Iterator[Change]:
            present = self._definition(picklist, items)
            by_key = {option["key"]: option for option in present["options"]}
            by_key.update({option["key"]: option for option in given})
            yield Put(
                ItemKey("picklist", "", picklist),
                {**present, "options": list(by_key.values())},
            )

        return self.change("put_options", [picklist, given], decide)

    def deactivate_option(self, picklist: str, key: str) -> CustomisationPlan:
        """Let an option be chosen no more; records that have it keep and show it."""
        return self._with_option(picklist, key, {"active": False})

    def _with_option(
        self, picklist: str, key: str, settings: Mapping[str, Any]
    ) -> CustomisationPlan:
        def decide(items: Items) -> Iterator[Change]:
            present = self._definition(picklist, items)
            known = [option["key"] for option in present["options"]]
            if key not in known:
                place = f"picklist.{picklist}"[:120]
                raise ValidationError.of(place, "not_an_option", value=key[:60])
            options = [
                {**option, **settings} if option["key"] == key else option
                for option in present["options"]
            ]
            item = ItemKey("picklist", "", picklist)
            yield Put(item, {**present, "options": options})

        return self.change("option", [picklist, key, dict(settings)], decide)

    def remove_option(self, picklist: str, key: str) -> CustomisationPlan:
        """Remove an option that no record has; used ones are deactivated (REC-13)."""

        def decide(items: Items) -> Iterator[Change]:
            present = self._definition(picklist, items)
            options = [o for o in present["options"] if o["key"] != key]
            if len(options) == len(present["options"]):
                place = f"picklist.{picklist}"[:120]
                raise ValidationError.of(place, "not_an_option", value=key[:60])
            if key in self._declared_keys(picklist):
                place = f"picklist.{picklist}.{key}"[:120]
                raise ValidationError.of(place, "declared_in_python")
            item = ItemKey("picklist", "", picklist)
            yield Put(item, {**present, "options": options})

        return self.change("remove_option", [picklist, key], decide)

    def _definition(self, picklist: str, items: Items) -> dict[str, Any]:
        present = items.get(ItemKey("picklist", "", picklist))
        known = self.unit.schema.picklists.get(picklist)
        if known is None and present is None:
            raise ValidationError.of(
                "picklist", "unknown_picklist", value=picklist[:60]
            )
        stored: dict[str, Any] = dict(present.definition) if present else {}
        shown = picklist_to_data(known) if known else {}
        options = list(stored.get("options", ()))
        keys = {option["key"] for option in options}
        options += [o for o in shown.get("options", ()) if o["key"] not in keys]
        return {**shown, **stored, "options": options}

    def _declared_keys(self, picklist: str) -> set[str]:
        declared = self.schemas.base.picklists.get(picklist)
        return set(declared.by_key) if declared else set()

    # -- merging two options -------------------------------------------------------------

    def merge_options(
        self,
        picklist: str,
        losing: str,
        winning: str,
        *,
        limit: int = MOST_REWRITTEN,
    ) -> OptionMerge:
        """Rewrite the records of one option to another one, which takes its place.

        At the first call the losing option is deactivated; each call rewrites at most
        ``limit`` records, with their history. When none is left it is removed, or stays
        inactive where it is declared in Python. Call again until the answer is done.

        Raises ValidationError for unknown options, AccessDenied for those who do not
        administer.
        """
        self.require_administrator()
        return self.unit.perform(
            "customisation.merge_options",
            [picklist, losing, winning, limit],
            lambda: self._merge(picklist, losing, winning, limit),
            OptionMerge,
        )

    def _merge(
        self, picklist: str, losing: str, winning: str, limit: int
    ) -> OptionMerge:
        known = self.unit.schema.picklists.get(picklist)
        self._require_options(known, picklist, losing, winning)
        assert known is not None
        if known.by_key[losing].active:
            self.deactivate_option(picklist, losing)
        rewritten = 0
        for entity, field in self._fields_of(picklist):
            rewritten += self._rewrite(
                entity, field, losing, winning, limit - rewritten
            )
            if rewritten >= limit:
                return OptionMerge(rewritten, done=False)
        if losing not in self._declared_keys(picklist):
            self.remove_option(picklist, losing)
        return OptionMerge(rewritten, done=True)

    def _require_options(
        self, known: Picklist | None, picklist: str, losing: str, winning: str
    ) -> None:
        if known is None:
            raise ValidationError.of(
                "picklist", "unknown_picklist", value=picklist[:60]
            )
        for key in (losing, winning):
            if key not in known.by_key:
                raise ValidationError.of("picklist", "not_an_option", value=key[:60])
        if losing == winning or not known.by_key[winning].active:
            raise ValidationError.of("picklist", "not_an_option", value=winning[:60])
        if known.by_key[losing].category != known.by_key[winning].category:
            raise ValidationError.of("picklist", "other_category", value=winning[:60])

    def _fields_of(self, picklist: str) -> list[tuple[EntityDef, FieldDef]]:
        return [
            (entity, field)
            for entity in self.unit.schema.entities.values()
            for field in entity.fields.values()
            if (known := picklist_of(field)) is not None and known.name == picklist
        ]

    def _rewrite(
        self, entity: EntityDef, field: FieldDef, losing: str, winning: str, limit: int
    ) -> int:
        subject = F[field.name]
        plural = field.type.plural
        chosen = subject.any_of([losing]) if plural else subject == losing
        records = self.unit.select_all(entity, chosen, limit)
        if not records:
            return 0
        changes = self.unit.changes()
        drafts = [
            Draft(
                entity,
                self.unit.context,
                record,
                {field.name: _replaced(entity, field, record, losing, winning)},
                privileged=True,
            )
            for record in records
        ]
        self.unit.load_references(drafts, changes, strict=False)
        for draft in drafts:
            changes.update(draft)
        self.unit.apply(changes)
        return len(records)


def _replaced(
    entity: EntityDef, field: FieldDef, record: Record, losing: str, winning: str
) -> Any:
    value = entity.value_of(record, field.name)
    if not isinstance(value, tuple):
        return winning
    return tuple(dict.fromkeys(winning if key == losing else key for key in value))


def option_to_data(option: Option | str) -> dict[str, Any]:
    """Return an option as plain data; its label is made of its key where none is given."""
    if isinstance(option, str):
        return {"key": option, "label": option.replace("_", " ").capitalize()}
    return plain(option)
