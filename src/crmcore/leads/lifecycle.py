"""What may happen to a lead: converted only by conversion, read-only afterwards."""

from __future__ import annotations

from crmcore.leads.entities import LEAD_STATUS, Lead
from crmcore.unit import Draft

__all__ = ["guard_conversion"]

CONVERSION_FIELDS = (
    "converted_at",
    "converted_by",
    "converted_account_id",
    "converted_contact_id",
    "converted_opportunity_id",
)


def guard_conversion(draft: Draft) -> None:
    """Keep "converted" for the conversion and converted leads as they are (LEAD-03)."""
    if draft.privileged:
        return
    if isinstance(draft.old, Lead) and draft.old.is_converted:
        for name in draft.values:
            draft.refuse(name, "read_only")
        return
    for name in CONVERSION_FIELDS:
        if draft.values.get(name) is not None:
            draft.refuse(name, "read_only")
    if LEAD_STATUS.category(draft.values.get("status")) == "converted":
        draft.refuse("status", "read_only")
