"""The five operations as a user of the library writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmcore import CRM, F, Lead, Note, Ref, Session, Task, User

__all__ = ["ByLibrary", "convertible_leads"]


class ByLibrary:
    """The five operations for one user."""

    def __init__(self, crm: CRM, user: User) -> None:
        self._crm = crm
        self._user = user.username or ""

    def session(self) -> Any:
        return self._crm.session(self._user)

    def work(self, ids: Sequence[UUID], values: dict[str, Any]) -> None:
        """Read three leads, change two fields of each, create one; one commit."""
        with self.session() as session:
            read = [session.get(Lead, identity) for identity in ids]
            session.update_many(read, status="assigned", rating="hot")
            session.create(Lead(**values))

    def create(self, batch: Sequence[dict[str, Any]]) -> Sequence[Lead]:
        """Create leads."""
        with self.session() as session:
            return session.create_many(Lead(**values) for values in batch)

    def convert(self, identity: UUID) -> None:
        """Plan the conversion of a lead and carry it out."""
        with self.session() as session:
            plan = session.leads.plan_conversion(identity)
            session.leads.convert(plan)


def page(session: Session, after: Any) -> Any:
    """Return 50 leads, the newest first."""
    return session.find(Lead, order_by=[F.created_at.desc()], limit=50, after=after)


def convertible_leads(ours: ByLibrary, batch: Sequence[dict[str, Any]]) -> list[UUID]:
    """Create leads with a task and a note each and return their ids."""
    leads = ours.create(batch)
    with ours.session() as session:
        session.create_many(
            record
            for lead in leads
            for record in (
                Task(subject="Call back", related_to=Ref.to(lead)),
                Note(title="Call", body="Wants a quote", related_to=Ref.to(lead)),
            )
        )
    return [lead.id for lead in leads]
