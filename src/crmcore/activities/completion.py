"""When a task was completed."""

from __future__ import annotations

from crmcore.activities.entities import TASK_STATUS
from crmcore.unit import Draft

__all__ = ["stamp_completion"]


def stamp_completion(draft: Draft) -> None:
    """Set the time of completion with the status, and clear it when reopened."""
    if not draft.changes("status"):
        return
    if TASK_STATUS.category(draft["status"]) == "done":
        if draft["completed_at"] is None:
            draft.set("completed_at", draft.context.now)
    elif draft["completed_at"] is not None:
        draft.set("completed_at", None)
