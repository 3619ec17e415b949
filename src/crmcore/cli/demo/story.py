"""The whole story: the chapters one after another, and what they amount to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from crmcore.access import SYSTEM, User
from crmcore.cli.demo.conversion import convert_some
from crmcore.cli.demo.figures import show_funnel
from crmcore.cli.demo.intake import import_leads
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.demo.organisation import found_organisation
from crmcore.cli.demo.people import Cast, choose_cast, people_of
from crmcore.cli.demo.selling import work_pipeline
from crmcore.cli.demo.sight import show_sight
from crmcore.criteria import F, count
from crmcore.crm import CRM
from crmcore.leads import Lead

__all__ = ["is_empty", "tell_story"]

#: The choices of the people in the story are drawn from this seed.
_SEED = 2026


def is_empty(crm: CRM) -> bool:
    """Tell whether the tenant holds nothing yet."""
    with crm.session(SYSTEM) as session:
        kinds = [
            entity.record_class for entity in crm.declared_schema.entities.values()
        ]
        return not any(session.find(kind, limit=1) for kind in kinds)


def tell_story(crm: CRM, svg: Path, tell: Narrator) -> dict[str, Any]:
    """Run all chapters on an empty tenant; return their figures.

    ``svg`` is where the funnel's picture goes.
    """
    random = Random(_SEED)  # noqa: S311 - a story, not a secret
    organisation = found_organisation(crm, tell)
    intake = import_leads(crm, tell)
    cast, owners = _parts(crm)
    conversion = convert_some(crm, owners, random, tell)
    pipeline = work_pipeline(crm, owners, random, tell)
    return {
        "organisation": organisation,
        "import": intake,
        "conversion": conversion,
        "pipeline": pipeline,
        "sight": show_sight(crm, cast, tell),
        "funnel": show_funnel(crm, cast.director, svg, tell),
    }


def _parts(crm: CRM) -> tuple[Cast, list[User]]:
    """Return who plays which part, and everybody who owns leads."""
    with crm.session(SYSTEM) as session:
        groups = session.aggregate(
            Lead,
            {"count": count()},
            F.owner_id.is_null(False),
            group_by=[F.owner_id],
        )
        organisation = session.context.organisation
    owned: Counter[UUID] = Counter({g["owner_id"]: g["count"] for g in groups})
    cast = choose_cast(organisation, owned)
    people = people_of(organisation.users.values()).values()
    return cast, [user for user in people if owned[user.id]]
