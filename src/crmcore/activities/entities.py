"""Tasks and notes: what is to be done and what was said about a record."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from crmcore.records import Link, Option, Picklist, Record, Ref, entity, fields

__all__ = ["TASK_PRIORITY", "TASK_STATUS", "Note", "Task"]

TASK_STATUS = Picklist(
    "task_status",
    (
        Option("not_started", "Not started", "open"),
        Option("in_progress", "In progress", "open"),
        Option("waiting", "Waiting", "open"),
        Option("completed", "Completed", "done"),
        Option("deferred", "Deferred", "on_hold"),
        Option("canceled", "Canceled", "canceled"),
    ),
)

TASK_PRIORITY = Picklist(
    "task_priority",
    (
        Option("low", "Low"),
        Option("normal", "Normal"),
        Option("high", "High"),
        Option("urgent", "Urgent"),
    ),
)


@entity("task", plural="tasks", display=("subject",), state="status")
class Task(Record):
    """Something to do; ``related_to`` is its main record, ``links`` are further ones."""

    subject: str | None = fields.text(255, required=True)
    status: str | None = fields.picklist(
        TASK_STATUS, default="not_started", copied=False
    )
    priority: str | None = fields.picklist(TASK_PRIORITY, default="normal")
    due_date: dt.date | None = fields.date(indexed=True)
    completed_at: dt.datetime | None = fields.datetime(copied=False)
    related_to: Ref | None = fields.any_reference(belongs=True)
    links: tuple[Ref, ...] | None = fields.list_of(Link())
    tag_ids: tuple[UUID, ...] | None = fields.tags("task")
    description: str | None = fields.long_text()


@entity("note", plural="notes", display=("title",))
class Note(Record):
    """What somebody wrote down about a record."""

    title: str | None = fields.text(255)
    body: str | None = fields.long_text(required=True)
    related_to: Ref | None = fields.any_reference(belongs=True)
    links: tuple[Ref, ...] | None = fields.list_of(Link())
