"""Users: who acts, who owns records, who is whose superior (ACC-02, ACC-08)."""

from __future__ import annotations

from uuid import UUID

from crmcore.records import Option, Picklist, Record, Text, entity, fields

__all__ = ["USER_STATUS", "User"]

USER_STATUS = Picklist(
    "user_status",
    (
        Option("active", "Active", "active"),
        Option("inactive", "Inactive", "inactive"),
        Option("pending", "Pending", "inactive"),
    ),
)


@entity("user", plural="users", display=("name",), indexes=(("status", "name"),))
class User(Record):
    """A person who works with the records; ``manager_id`` is the direct superior."""

    username: str | None = fields.text(100, required=True, unique=True)
    name: str | None = fields.text(100)
    email: str | None = fields.email()
    phone: str | None = fields.phone()
    number: str | None = fields.text(40)
    manager_id: UUID | None = fields.reference("user")
    profile: str | None = fields.text(60)
    further_profiles: tuple[str, ...] | None = fields.list_of(Text(maximum=60))
    status: str | None = fields.picklist(USER_STATUS, default="active")
    language: str | None = fields.text(20)
    timezone: str | None = fields.text(60)
    first_weekday: int | None = fields.integer(minimum=0, maximum=6)
    clock_24: bool | None = fields.boolean(label="24-hour clock")
    date_pattern: str | None = fields.text(20)
    region: str | None = fields.text(80)
    external_id: str | None = fields.text(80, unique=True, label="External id")
