"""Working formulas and roll-ups out for records that were there before (REC-16)."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmcore.criteria import Everything, F
from crmcore.customisation.changing import Changing
from crmcore.customisation.field_verbs import name_of
from crmcore.errors import ValidationError
from crmcore.records import Record
from crmcore.unit.drafts import Draft
from crmcore.unit.formula_fields import recalculated
from crmcore.unit.roll_ups import recount

__all__ = ["Recalculation", "RecalculationVerbs"]

#: Records that one call looks through at most.
MOST_AT_ONCE = 5_000


@attrs.frozen
class Recalculation:
    """How far a recalculation has come; go on with ``next`` until it is none."""

    changed: int
    next: UUID | None


class RecalculationVerbs(Changing):
    """What administrators do after a formula was added or changed."""

    def recalculate(
        self,
        object: str | type[Record],  # noqa: A002
        *,
        after: UUID | None = None,
        limit: int = 1_000,
    ) -> Recalculation:
        """Work formulas and roll-ups of up to ``limit`` records out anew, in one batch.

        Only records whose formulas change get a new version; ``changed`` counts values. Call again with
        ``after=answer.next`` until that is none; a broken-off run goes on where it
        stopped. Raises AccessDenied for those who do not administer.
        """
        self.require_administrator()
        if type(limit) is not int or not 1 <= limit <= MOST_AT_ONCE:
            bounds = {"minimum": 1, "maximum": MOST_AT_ONCE}
            raise ValidationError.of("limit", "out_of_range", **bounds)
        name = name_of(object)
        return self.unit.perform(
            "customisation.recalculate",
            [name, str(after), limit],
            lambda: self._recalculate(name, after, limit),
            Recalculation,
        )

    def _recalculate(self, name: str, after: UUID | None, limit: int) -> Recalculation:
        unit = self.unit
        entity = unit.schema.entity(name)
        behind = Everything() if after is None else F.id > after
        records = unit.select_all(entity, behind, limit)
        changes = unit.changes()
        drafts = [
            draft
            for record in records
            if recalculated(draft := Draft(entity, unit.context, record, {}))
        ]
        unit.load_references(drafts, changes, strict=False)
        for draft in drafts:
            changes.update(draft, "recalculated")
        unit.apply(changes)
        ids = [record.id for record in records]
        counted = sum(
            recount(unit, entity, field, ids)
            for field in entity.fields.values()
            if ids and field.roll_up is not None
        )
        full = len(records) == limit
        return Recalculation(len(drafts) + counted, records[-1].id if full else None)
