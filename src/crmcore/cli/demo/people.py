"""Who plays which part: a salesperson, her superior, and a stranger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import attrs

from crmcore.access import Organisation, User

__all__ = ["Cast", "choose_cast", "people_of"]


@attrs.frozen
class Cast:
    """The people of the story; ``director`` stands above all three."""

    director: User
    superior: User
    salesperson: User
    stranger: User


def people_of(users: Iterable[User]) -> dict[UUID, User]:
    """Return the users by their id, in the order of their user names."""
    return {user.id: user for user in sorted(users, key=lambda u: u.username or "")}


def choose_cast(organisation: Organisation, records: Mapping[UUID, int]) -> Cast:
    """Return the parts that an organisation of three levels can play.

    ``records`` counts what each user owns: the salesperson is who has most below two
    superiors, the stranger who has most below another superior.
    """
    users = list(people_of(organisation.users.values()).values())
    below_two = [u for u in users if len(organisation.superiors(u.id)) >= 2]
    busiest = sorted(below_two, key=lambda u: -records.get(u.id, 0))
    salesperson = busiest[0]
    superior, *_, director = organisation.superiors(salesperson.id)
    stranger = next(u for u in busiest if superior not in organisation.superiors(u.id))
    return Cast(
        director=organisation.users[director],
        superior=organisation.users[superior],
        salesperson=salesperson,
        stranger=stranger,
    )
