"""Working formulas and roll-ups out for records that were there before (REC-16)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import attrs

from crmcore.criteria import Everything, F
from crmcore.criteria.evaluation import Follow
from crmcore.customisation.changing import Changing
from crmcore.customisation.field_verbs import name_of
from crmcore.errors import ValidationError
from crmcore.records import Record
from crmcore.unit.currencies import reconvert_amounts
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

        Only records whose formulas change get a new version; ``changed`` counts values.
        Call again with ``after=answer.next`` until that is none; a broken-off run goes
        on where it stopped. Raises AccessDenied for those who do not administer.
        """
        return self._batch("recalculate", object, after, limit, self._recalculate)

    def reconvert(
        self,
        object: str | type[Record],  # noqa: A002
        *,
        after: UUID | None = None,
        limit: int = 1_000,
    ) -> Recalculation:
        """Convert the amounts of up to ``limit`` records anew (I18N-03).

        For those who changed the default currency, or corrected rates: each amount gets
        its worth at the rate of its own day. Go on like with :meth:`recalculate`. Raises
        ValidationError naming a missing rate, AccessDenied for those who do not
        administer.
        """
        return self._batch("reconvert", object, after, limit, self._reconvert)

    def _batch(
        self,
        verb: str,
        kind: str | type[Record],
        after: UUID | None,
        limit: int,
        work: Callable[[str, UUID | None, int], Recalculation],
    ) -> Recalculation:
        self.require_administrator()
        if type(limit) is not int or not 1 <= limit <= MOST_AT_ONCE:
            bounds = {"minimum": 1, "maximum": MOST_AT_ONCE}
            raise ValidationError.of("limit", "out_of_range", **bounds)
        name = name_of(kind)
        return self.unit.perform(
            f"customisation.{verb}",
            [name, str(after), limit],
            lambda: work(name, after, limit),
            Recalculation,
        )

    def _reconvert(self, name: str, after: UUID | None, limit: int) -> Recalculation:
        records, drafts = self._store_anew(
            name, after, limit, lambda d, _: reconvert_amounts(d), "reconverted"
        )
        return Recalculation(len(drafts), _next(records, limit))

    def _recalculate(self, name: str, after: UUID | None, limit: int) -> Recalculation:
        records, drafts = self._store_anew(
            name, after, limit, recalculated, "recalculated"
        )
        entity = self.unit.schema.entity(name)
        ids = [record.id for record in records]
        counted = sum(
            len(recount(self.unit, entity, field, ids))
            for field in entity.fields.values()
            if ids and field.roll_up is not None
        )
        return Recalculation(len(drafts) + counted, _next(records, limit))

    def _store_anew(
        self,
        name: str,
        after: UUID | None,
        limit: int,
        changes_of: Callable[[Draft, Follow], bool],
        action: str,
    ) -> tuple[list[Record], list[Draft]]:
        """Store what becomes different in the next records; return both."""
        unit = self.unit
        entity = unit.schema.entity(name)
        behind = Everything() if after is None else F.id > after
        records = unit.select_all(entity, behind, limit)
        changes = unit.changes()
        asked = [Draft(entity, unit.context, record, {}) for record in records]
        unit.load_references(asked, changes, everything=True, strict=False)
        drafts = [draft for draft in asked if changes_of(draft, changes.follow)]
        for draft in drafts:
            changes.update(draft, action)
        unit.apply(changes)
        return records, drafts


def _next(records: Sequence[Record], limit: int) -> UUID | None:
    return records[-1].id if len(records) == limit else None
