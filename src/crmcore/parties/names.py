"""Names of accounts: what happens to the former one (PTY-03)."""

from __future__ import annotations

from crmcore.records import ContactPoint
from crmcore.unit import Draft

__all__ = ["keep_former_name"]


def keep_former_name(draft: Draft) -> None:
    """Keep the name that a change replaces, with the day until which it was used."""
    if draft.is_new or not draft.values.get("name"):
        return
    assert draft.old is not None
    former = draft.old["name"]
    known = tuple(draft["former_names"] or ())
    names = {point.value for point in known}
    if former and former not in names and former != draft["name"]:
        today = draft.context.now.astimezone(draft.context.conventions.timezone).date()
        draft.set("former_names", (*known, ContactPoint(former, today.isoformat())))
