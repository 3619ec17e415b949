"""Chapter: the organisation, three levels of people, imported from a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rich.text import Text
from rich.tree import Tree

from crmcore.access import SYSTEM, Organisation, User
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.demo.people import people_of
from crmcore.cli.demo.samples import import_sample
from crmcore.crm import CRM

__all__ = ["found_organisation"]


def found_organisation(crm: CRM, tell: Narrator) -> dict[str, Any]:
    """Import the users with their superiors, and show the tree."""
    tell.chapter("An organisation of three levels")
    import_sample(crm, SYSTEM, "users.csv", User, tell.output, duplicates="off")
    with crm.session(SYSTEM) as session:
        organisation = Organisation.of(session.stream(User))
    depth = max(len(organisation.superiors(i)) for i in organisation.users) + 1
    tell.output.show(_tree(organisation))
    tell.say(f"{len(organisation.users)} people from users.csv, {depth} levels.")
    return {"users": len(organisation.users), "levels": depth}


def _tree(organisation: Organisation) -> Tree:
    people = people_of(organisation.users.values())
    root = Tree("", hide_root=True, guide_style="dim")
    branches: dict[UUID | None, Tree] = {None: root}

    def branch(user: User) -> Tree:
        if user.id not in branches:
            superior = people.get(user.manager_id) if user.manager_id else None
            above = branch(superior) if superior else root
            branches[user.id] = above.add(_label(user))
        return branches[user.id]

    for user in people.values():
        branch(user)
    return root


def _label(user: User) -> Text:
    return Text.assemble(
        (user.name or "", "bold"), f"  {user.username}, {user.profile}"
    )
