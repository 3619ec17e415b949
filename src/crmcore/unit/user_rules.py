"""What must hold for users: known profile, active superior, no circle (ACC-08)."""

from __future__ import annotations

from crmcore.unit.drafts import Draft

__all__ = ["check_manager", "check_profile"]


def check_profile(draft: Draft) -> None:
    """Refuse a profile that this set-up does not have (ACC-16)."""
    profile = draft.values.get("profile")
    policy = draft.context.policy
    if profile is not None and policy.profile(profile) is None:
        draft.refuse("profile", "not_an_option", value=profile)


def check_manager(draft: Draft) -> None:
    """Refuse a superior who is below the user: the tree has no circles (ACC-08)."""
    manager = draft.values.get("manager_id")
    if manager is None or draft.old is None:
        return
    organisation = draft.context.organisation
    cycle = organisation.cycle(draft.old.id, manager)
    if cycle:
        names = [organisation.users[i].username or str(i) for i in cycle]
        draft.refuse("manager_id", "cycle", path=" → ".join(names))
