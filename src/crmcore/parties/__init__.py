"""Parties: accounts and contacts, the people and organisations of the business.

Takes and returns Account and Contact records; their rules are pure.
Offers ``session.parties``: account with contacts, rename, individual to unit.
Never converts leads and never merges: that is ``leads`` and ``matching``.
Neighbours: ``leads`` makes parties, ``sales`` sells to them.
"""

from crmcore.parties.entities import Account, Contact
from crmcore.parties.figures import account_figures
from crmcore.parties.kinds import check_kind, check_unit_section
from crmcore.parties.matching import (
    ACCOUNT_KEYS,
    COMPANY_RULE,
    CONTACT_KEYS,
    PERSON_RULE,
)
from crmcore.parties.names import keep_former_name
from crmcore.parties.service import AccountWithContacts, PartyService
from crmcore.unit import Area

__all__ = [
    "AREA",
    "Account",
    "AccountWithContacts",
    "Contact",
    "PartyService",
    "account_figures",
]

AREA = Area(
    name="parties",
    entities=(Account, Contact),
    rules={"account": (check_kind, check_unit_section, keep_former_name)},
    keys={"account": ACCOUNT_KEYS, "contact": CONTACT_KEYS},
    match_rules=(PERSON_RULE, COMPANY_RULE),
    service=PartyService,
)
