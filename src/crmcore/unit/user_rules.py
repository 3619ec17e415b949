"""What must hold for users: known profile, real time zone, no circle (ACC-08)."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crmcore.access import Organisation, User
from crmcore.errors import ValidationError
from crmcore.i18n.dates import DATE_PATTERNS
from crmcore.records import Record, identity_key
from crmcore.unit.drafts import Draft

__all__ = [
    "check_date_pattern",
    "check_department",
    "check_profile",
    "check_timezone",
    "refuse_circles",
]


def check_profile(draft: Draft) -> None:
    """Refuse a profile that this set-up does not have (ACC-16)."""
    policy = draft.context.policy
    profile = draft.values.get("profile")
    if profile is not None and policy.profile(profile) is None:
        draft.refuse("profile", "not_an_option", value=profile)
    for further in draft.values.get("further_profiles") or ():
        if policy.profile(further) is None:
            draft.refuse("further_profiles", "not_an_option", value=further)


def check_timezone(draft: Draft) -> None:
    """Refuse a time zone that there is not."""
    name = draft.values.get("timezone")
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        draft.refuse("timezone", "not_an_option", value=name)


def check_date_pattern(draft: Draft) -> None:
    """Refuse a way of writing dates that the library does not know (I18N-04)."""
    pattern = draft.values.get("date_pattern")
    if pattern is not None and pattern not in DATE_PATTERNS:
        draft.refuse("date_pattern", "not_an_option", value=pattern)


def check_department(draft: Draft) -> None:
    """Keep departments one tree, with names of their own among siblings (ACC-07)."""
    if not (draft.is_new or draft.changes("name", "parent_id")):
        return
    own = draft.old.id if draft.old is not None else None
    known = draft.context.organisation.departments.values()
    siblings = [d for d in known if d.parent_id == draft["parent_id"] and d.id != own]
    if draft["parent_id"] is None and siblings:
        draft.refuse("parent_id", "second_root")
    name = draft["name"]
    if name and identity_key(name) in {identity_key(d.name or "") for d in siblings}:
        draft.refuse("name", "unique")


def refuse_circles(organisation: Organisation, written: Iterable[Record]) -> None:
    """Raise ValidationError where a written user is below itself (ACC-08).

    ``organisation`` holds the users as written.
    """
    for user in written:
        if not isinstance(user, User):
            continue  # trees of units are kept by their references
        if user.manager_id is None or user.deleted_at is not None:
            continue
        circle = organisation.cycle(user.id, user.manager_id)
        if circle:
            names = [organisation.users[i].username or str(i) for i in circle]
            raise ValidationError.of("manager_id", "cycle", path=" → ".join(names))
