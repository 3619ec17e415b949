"""What makes a lead the same person as another lead or a contact."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from crmcore.leads.entities import Lead
from crmcore.matching import Follow, MatchKey, PersonKeys
from crmcore.records import Record

__all__ = ["LEAD_KEYS"]


@attrs.frozen(kw_only=True)
class LeadKeys(PersonKeys):
    """Keys of a person who is still a lead: a converted one is found as a contact."""

    def depends_on(self, changed: Collection[str]) -> bool:
        """Tell whether the lead converts, or what makes the keys of a person changes."""
        return "converted_at" in changed or super().depends_on(changed)

    def derive(self, record: Record, follow: Follow) -> Iterator[MatchKey]:
        """Yield the keys of a lead that was not converted."""
        if not isinstance(record, Lead) or not record.is_converted:
            yield from super().derive(record, follow)


LEAD_KEYS = LeadKeys(
    emails=("email", "secondary_email", "emails"),
    phones=("phone", "mobile", "phones"),
    company="company_name",
)
