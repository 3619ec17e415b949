"""Activities: tasks and notes around any record.

Takes and returns Task and Note records, tied to others by ``related_to`` and ``links``.
A completed task carries its time of completion.
Never decides who sees an activity: that is ``access``.
Neighbours: ``leads`` carries activities over when it converts.
"""

from crmcore.activities.completion import stamp_completion
from crmcore.activities.entities import TASK_PRIORITY, TASK_STATUS, Note, Task
from crmcore.activities.links import LINK_KEYS, activities_of
from crmcore.unit import Area

__all__ = ["AREA", "TASK_PRIORITY", "TASK_STATUS", "Note", "Task", "activities_of"]

AREA = Area(
    name="activities",
    entities=(Task, Note),
    rules={"task": (stamp_completion,)},
    keys={"task": LINK_KEYS, "note": LINK_KEYS},
)
