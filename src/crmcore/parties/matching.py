"""What makes two accounts or two contacts the same."""

from __future__ import annotations

from crmcore.matching import CompanyKeys, MatchRule, PersonKeys

__all__ = ["ACCOUNT_KEYS", "COMPANY_RULE", "CONTACT_KEYS", "PERSON_RULE"]

ACCOUNT_KEYS = CompanyKeys(
    former_names="former_names",
    emails=("email", "emails"),
    website="website",
    address="billing_address",
)

CONTACT_KEYS = PersonKeys(
    emails=("email", "secondary_email", "emails"),
    phones=("phone", "mobile", "home_phone", "other_phone", "phones"),
    company_record=("account_id", "account", "name"),
)

#: E-mail, phone, or full name with company or own domain; a name alone never matches.
PERSON_RULE = MatchRule(
    "person",
    ("lead", "contact"),
    {"email": 0.95, "phone": 0.9, "name_company": 0.85, "name_domain": 0.8},
)

#: Own domain, or legal name within a country.
COMPANY_RULE = MatchRule("company", ("account",), {"company": 0.9, "domain": 0.85})
