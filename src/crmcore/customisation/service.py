"""``session.customisation``: what administrators shape, checked before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from crmcore.customisation.change_sets import ChangeSet
from crmcore.customisation.field_verbs import FieldVerbs, name_of
from crmcore.customisation.items import ItemKey, Items
from crmcore.customisation.picklist_verbs import PicklistVerbs
from crmcore.customisation.planning import CustomisationPlan, Put, Remove
from crmcore.customisation.rates import rate_key
from crmcore.customisation.recalculation import RecalculationVerbs
from crmcore.errors import ValidationError
from crmcore.i18n.captions import Caption
from crmcore.records import Record

__all__ = ["CustomisationService"]


class CustomisationService(FieldVerbs, PicklistVerbs, RecalculationVerbs):
    """Plans and applies changes of a tenant's customisation; administrators only.

    A change counts from the next session on: a running one keeps its schema.
    """

    def add_object(self, key: str, *, label: str, **settings: Any) -> CustomisationPlan:
        """Add an object type: records of an own kind (REC-17).

        ``settings`` are those of :class:`ObjectDefinition`. Raises ValidationError for
        a key that is taken.
        """
        item = ItemKey("object", "", key)
        definition = {"label": label, **settings}

        def decide(items: Any) -> list[Put]:
            if items.get(item) is not None or key in self.unit.schema.entities:
                place = f"object.{key}"[:120]
                raise ValidationError.of(place, "key_taken", key=key[:60])
            return [Put(item, definition)]

        return self.change("add_object", [key, definition], decide)

    def translate(self, key: str, language: str, text: str) -> CustomisationPlan:
        """Give a label the tenant's own words in a language (I18N-01).

        ``key`` is that of an entity (``lead``), a field (``lead.industry``) or an option
        (``lead_source:web``); a blank text takes the words back. Keys never change.
        """
        item = ItemKey("label", "", key)

        def decide(items: Items) -> list[Put | Remove]:
            present = items.get(item)
            before = present.definition if present else {}
            known = Caption(key=key, translations=before.get("translations", {}))
            after = known.translated(language, text).translations
            if not after and present is not None:
                return [Remove(item)]
            return [Put(item, {**before, "translations": dict(after)})]

        return self.change("translate", [key, language, text], decide)

    def set_exchange_rate(
        self, source: str, target: str, rate: Decimal | str, valid_from: date
    ) -> CustomisationPlan:
        """Say what one unit of a currency is worth from a day on (I18N-03).

        Amounts that were converted before stay as they are.
        """
        definition = {
            "source": source,
            "target": target,
            "rate": str(rate),
            "valid_from": valid_from.isoformat(),
        }
        return self.put(
            "exchange_rate", rate_key(source, target, valid_from), definition
        )

    def put(
        self,
        kind: str,
        key: str,
        definition: Mapping[str, Any],
        *,
        object: str | type[Record] = "",  # noqa: A002
    ) -> CustomisationPlan:
        """Store a definition of any kind: layout, record_type, validation_rule ...

        ``object`` names the entity that it belongs to. Raises ValidationError with
        everything that is wrong, AccessDenied for those who do not administer.
        """
        item = ItemKey(kind, name_of(object) if object else "", key)
        put = Put(item, dict(definition))
        return self.change("put", [item.identity, definition], lambda _: [put])

    def remove(
        self,
        kind: str,
        key: str,
        *,
        object: str | type[Record] = "",  # noqa: A002
    ) -> CustomisationPlan:
        """Remove an item of any kind for good.

        Refused while others need it, or while records hold values of it.
        """
        item = ItemKey(kind, name_of(object) if object else "", key)
        return self.change("remove", item.identity, lambda _: [Remove(item)])

    def export(self) -> ChangeSet:
        """Return the tenant's whole customisation, to be kept or applied elsewhere."""
        return ChangeSet(self.items())

    def plan_import(
        self, change_set: ChangeSet, *, replace: bool = False
    ) -> CustomisationPlan:
        """Return what a change set would do here (IMP-07); nothing is stored.

        ``replace`` also removes what is not in it.
        """
        present = self.items()
        return self.plan(change_set.changes_from(present, replace=replace))
