"""Kinds of accounts: what an organisation, a person and a unit customer need (PTY-02)."""

from __future__ import annotations

from crmcore.records import full_name
from crmcore.unit import Draft

__all__ = ["check_kind", "check_unit_section"]

#: Fields that apply to unit customers only.
UNIT_SECTION = ("unit_category", "market_class", "market_subclass")


def check_kind(draft: Draft) -> None:
    """Refuse a person without first and last name (PTY-02).

    A person's account is called by the person's name where no other name is given.
    """
    if draft["kind"] != "person":
        return
    if not draft.is_new and not draft.changes("kind", "first_name", "last_name"):
        return
    for name in ("last_name", "first_name"):
        if draft[name] is None:
            draft.refuse(name, "name_incomplete")
    if draft["name"] is None and draft["last_name"] and draft["first_name"]:
        draft.set("name", full_name(draft["last_name"], draft["first_name"]))


def check_unit_section(draft: Draft) -> None:
    """Keep the unit section for unit customers; a filled one keeps the attribute."""
    if draft["attribute"] != "individual":
        return
    for name in UNIT_SECTION:
        if draft.values.get(name) is not None:
            draft.refuse(name, "unit_section")
        elif draft.changes("attribute") and draft[name] is not None:
            draft.refuse("attribute", "unit_section_filled")
