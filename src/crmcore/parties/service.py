"""``session.parties``: verbs for accounts and contacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from crmcore.parties.entities import Account, Contact
from crmcore.unit import UnitOfWork

__all__ = ["AccountWithContacts", "PartyService"]


@attrs.frozen
class AccountWithContacts:
    """An account and the contacts that were made with it."""

    account: Account
    contacts: tuple[Contact, ...]


class PartyService:
    """What a session offers as ``session.parties``."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def create_with_contacts(
        self, account: Account, contacts: Iterable[Contact]
    ) -> AccountWithContacts:
        """Store an account together with its contacts, all or nothing (PTY-01).

        Raises like ``session.create``; nothing is stored where one of them is refused.
        """
        given = tuple(contacts)
        return self._unit.perform(
            "parties.create_with_contacts",
            [account, given],
            lambda: self._create(account, given),
            AccountWithContacts,
        )

    def _create(
        self, account: Account, contacts: tuple[Contact, ...]
    ) -> AccountWithContacts:
        unit = self._unit
        changes = unit.changes()
        (stored,) = unit.plan_creation(unit.drafts_of_new([(account, {})]), changes)
        assert isinstance(stored, Account)
        changes.references["account", stored.id] = stored
        drafts = unit.drafts_of_new(
            [(contact, {"account_id": stored.id}) for contact in contacts]
        )
        made = unit.plan_creation(drafts, changes)
        unit.apply(changes)
        written = map(changes.stored, made)
        people = tuple(c for c in written if isinstance(c, Contact))
        kept = changes.stored(stored)
        assert isinstance(kept, Account)
        return AccountWithContacts(kept, people)

    def rename(self, account: Account, name: str, note: str | None = None) -> Account:
        """Give an account a new name; the former one stays searchable (PTY-03).

        ``note`` is shown after the name.
        """
        changes: dict[str, Any] = {"name": name}
        if note is not None:
            changes["name_note"] = note
        return self._unit.update(account, **changes)

    def convert_to_unit(self, account: Account, **unit_section: Any) -> Account:
        """Turn an individual customer into a unit customer: the same record (PTY-02).

        ``unit_section`` may fill the fields that only unit customers have.
        """
        return self._unit.update(
            account, attribute="unit", kind="organisation", **unit_section
        )
