"""What makes a lead the same person as another lead or a contact."""

from __future__ import annotations

from crmcore.matching import PersonKeys

__all__ = ["LEAD_KEYS"]

LEAD_KEYS = PersonKeys(
    emails=("email", "secondary_email", "emails"),
    phones=("phone", "mobile", "phones"),
    company="company_name",
)
