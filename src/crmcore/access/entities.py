"""Users and the units they belong to: who acts, who owns, who is above whom (ACC-02)."""

from __future__ import annotations

from uuid import UUID

from crmcore.records import (
    AnyReference,
    Option,
    Picklist,
    Record,
    Ref,
    Reference,
    Text,
    entity,
    fields,
)

__all__ = ["ORGANISATION", "USER_STATUS", "Department", "Role", "User", "UserGroup"]

#: The entities that make the organisation; administrators write them.
ORGANISATION = frozenset({"user", "department", "role", "user_group"})

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
    """A person who works with the records; ``manager_id`` is the direct superior.

    ``department_id`` is the main department; there may be ``department_ids`` beside it.
    """

    username: str | None = fields.text(100, required=True, unique=True)
    name: str | None = fields.text(100)
    email: str | None = fields.email()
    phone: str | None = fields.phone()
    number: str | None = fields.text(40)
    manager_id: UUID | None = fields.reference("user")
    profile: str | None = fields.text(60)
    department_id: UUID | None = fields.reference("department", on_delete="block")
    department_ids: tuple[UUID, ...] | None = fields.list_of(
        Reference(entity="department"), label="Further departments"
    )
    role_id: UUID | None = fields.reference("role", on_delete="block")
    further_profiles: tuple[str, ...] | None = fields.list_of(Text(maximum=60))
    status: str | None = fields.picklist(USER_STATUS, default="active")
    language: str | None = fields.text(20)
    timezone: str | None = fields.text(60)
    first_weekday: int | None = fields.integer(minimum=0, maximum=6)
    clock_24: bool | None = fields.boolean(label="24-hour clock")
    date_pattern: str | None = fields.text(20)
    region: str | None = fields.text(80)
    external_id: str | None = fields.text(80, unique=True, label="External id")


@entity("department", plural="departments")
class Department(Record):
    """A unit of the organisation; its heads see the records of all in and below it.

    All departments make one tree (ACC-07).
    """

    name: str | None = fields.text(120, required=True)
    parent_id: UUID | None = fields.reference(
        "department", acyclic=True, on_delete="block"
    )
    head_ids: tuple[UUID, ...] | None = fields.list_of(
        Reference(entity="user"), label="Heads"
    )


@entity("role", plural="roles")
class Role(Record):
    """A position, such as regional manager; roles make a tree (ACC-15)."""

    name: str | None = fields.text(120, required=True, unique=True)
    parent_id: UUID | None = fields.reference("role", acyclic=True, on_delete="block")


@entity("user_group", plural="user_groups")
class UserGroup(Record):
    """A set of users, departments, roles and other groups, across all levels (ACC-11)."""

    name: str | None = fields.text(120, required=True, unique=True)
    member_refs: tuple[Ref, ...] | None = fields.list_of(
        AnyReference(entities=("user", "department", "role", "user_group")),
        label="Members",
    )
