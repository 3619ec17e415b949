"""Chapter: what a salesperson, her superior and a stranger see, and why."""

from __future__ import annotations

from typing import Any

from crmcore.access import SYSTEM, User
from crmcore.cli.demo.conversion import open_leads
from crmcore.cli.demo.narrator import Narrator
from crmcore.cli.demo.people import Cast
from crmcore.cli.output import Heading
from crmcore.criteria import F
from crmcore.crm import CRM
from crmcore.errors import NotFound
from crmcore.leads import Lead
from crmcore.parties import Account
from crmcore.records import Record
from crmcore.sales import Opportunity
from crmcore.session import Session

__all__ = ["show_sight"]

_COUNTED: dict[str, type[Record]] = {
    "leads": Lead,
    "accounts": Account,
    "opportunities": Opportunity,
}
_NAMES = 3


def show_sight(crm: CRM, cast: Cast, tell: Narrator) -> dict[str, Any]:
    """Show three people's view side by side, and the reasons for one record."""
    tell.chapter("Everybody sees what is theirs")
    parts = {
        "salesperson": cast.salesperson,
        "superior": cast.superior,
        "stranger": cast.stranger,
    }
    views = {part: _view(crm, user) for part, user in parts.items()}
    _show_views(parts, views, tell)
    with crm.session(cast.salesperson) as session:
        deal = _last_deal(session, cast.salesperson)
    reasons = _reasons(crm, parts, deal)
    tell.say(f"Why? The opportunity {deal.name} belongs to {cast.salesperson.name}:")
    tell.table(
        ("who asks", "may read", "because"),
        [
            (f"{parts[part].name}, {part}", "yes" if allowed else "no", why)
            for part, (allowed, why) in reasons.items()
        ],
    )
    refused = _try_to_read(crm, cast.stranger, deal, tell)
    hit = _ask_colleagues(crm, cast, tell)
    return {
        part: {
            "user": parts[part].username,
            **views[part],
            "may_read": reasons[part][0],
            "because": reasons[part][1],
        }
        for part in parts
    } | {"refused": refused, "colleague_hit": hit}


def _view(crm: CRM, user: User) -> dict[str, Any]:
    with crm.session(user) as session:
        counted: dict[str, Any] = {
            name: session.count(kind) for name, kind in _COUNTED.items()
        }
        first = session.find(Account, order_by=F.name, limit=_NAMES)
        counted["names"] = [account.name for account in first.items]
    return counted


def _show_views(
    parts: dict[str, User], views: dict[str, dict[str, Any]], tell: Narrator
) -> None:
    columns: list[Heading] = [
        "sees",
        *((f"{user.name}\n{part}", "right") for part, user in parts.items()),
    ]
    rows = [(name, *(views[part][name] for part in parts)) for name in _COUNTED]
    names = ("accounts such as", *("\n".join(views[part]["names"]) for part in parts))
    tell.table(columns, [*rows, names])


def _last_deal(session: Session, owner: User) -> Opportunity:
    mine = F.owner_id == owner.id
    return session.find(Opportunity, mine, order_by=F.name.desc(), limit=1).items[0]


def _reasons(
    crm: CRM, parts: dict[str, User], deal: Opportunity
) -> dict[str, tuple[bool, str]]:
    found = {}
    with crm.session(SYSTEM) as session:
        for part, user in parts.items():
            explanation = session.access.explain(user, deal, "read")
            causes = [
                " ".join((cause.kind.replace("_", " "), " < ".join(cause.via))).strip()
                for cause in explanation.causes
            ]
            found[part] = (explanation.allowed, ", ".join(causes))
    return found


def _try_to_read(
    crm: CRM, stranger: User, deal: Opportunity, tell: Narrator
) -> str | None:
    """Have the stranger open the record by its id: to him, there is none."""
    try:
        with crm.session(stranger) as session:
            session.get(Opportunity, deal.id)
    except NotFound as error:
        tell.say(f"{stranger.name} asks for it by its id all the same:")
        tell.refusal(error)
        return error.code
    return None


def _ask_colleagues(crm: CRM, cast: Cast, tell: Narrator) -> dict[str, Any] | None:
    """Have the stranger ask whether a colleague is already on somebody (DUP-03)."""
    with crm.session(cast.salesperson) as session:
        wanted = open_leads() & F.email.is_null(False)
        mine = wanted & (F.owner_id == cast.salesperson.id)
        known = session.find(Lead, mine, order_by=[F.email], limit=1).items
    if not known:
        return None
    with crm.session(cast.stranger) as session:
        asked = Lead(last_name=known[0].last_name, email=known[0].email)
        hits = [match for match in session.duplicates(asked) if not match.readable]
        owners = session.context.organisation.users
    if not hits or hits[0].owner_id is None:
        return None
    hit, owner = hits[0], owners[hits[0].owner_id]
    tell.say(
        f"About to call {known[0].email}, {cast.stranger.name} asks whether a "
        f"colleague is on it: yes, {hit.name} is a {hit.entity} of {owner.name}. No "
        "more is told."
    )
    return {"name": hit.name, "entity": hit.entity, "owner": owner.username}
