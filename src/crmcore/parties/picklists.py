"""The choices that parties share: where they come from, what they do, who they are."""

from __future__ import annotations

from crmcore.records import Option, Picklist

__all__ = [
    "ACCOUNT_LEVEL",
    "ACCOUNT_STATUS",
    "ACCOUNT_TYPE",
    "CONTACT_ROLE",
    "CUSTOMER_ATTRIBUTE",
    "ENTRY_WAY",
    "GENDER",
    "INDUSTRY",
    "LEAD_SOURCE",
    "PARTY_KIND",
    "RATING",
    "SALUTATION",
]


def _plain(name: str, **labels: str) -> Picklist:
    return Picklist(name, tuple(Option(key, label) for key, label in labels.items()))


LEAD_SOURCE = _plain(
    "lead_source",
    web="Web site",
    call="Call",
    cold_call="Cold call",
    email="E-mail",
    existing_customer="Existing customer",
    customer_referral="Customer referral",
    employee_referral="Employee referral",
    partner="Partner",
    public_relations="Public relations",
    advertisement="Advertisement",
    trade_show="Trade show",
    seminar="Seminar",
    campaign="Campaign",
    social_media="Social media",
    word_of_mouth="Word of mouth",
    purchased_list="Purchased list",
    business_card="Business card",
    other="Other",
)

INDUSTRY = _plain(
    "industry",
    agriculture="Agriculture",
    apparel="Apparel",
    automotive="Automotive",
    banking="Banking",
    biotechnology="Biotechnology",
    chemicals="Chemicals",
    communications="Communications",
    construction="Construction",
    consulting="Consulting",
    consumer_goods="Consumer goods",
    education="Education",
    electronics="Electronics",
    employment="Employment services",
    energy="Energy",
    engineering="Engineering",
    entertainment="Entertainment",
    environmental="Environment",
    finance="Finance",
    food_and_beverage="Food and beverage",
    government="Government",
    healthcare="Health care",
    hospitality="Hospitality",
    insurance="Insurance",
    machinery="Machinery",
    manufacturing="Manufacturing",
    marketing="Marketing",
    media="Media",
    medical="Medical",
    not_for_profit="Not for profit",
    real_estate="Real estate",
    recreation="Recreation",
    retail="Retail",
    services="Services",
    shipping="Shipping",
    software="Software",
    technology="Technology",
    telecommunications="Telecommunications",
    transportation="Transportation",
    utilities="Utilities",
    other="Other",
)

PARTY_KIND = _plain("party_kind", organisation="Organisation", person="Person")

CUSTOMER_ATTRIBUTE = _plain(
    "customer_attribute", unit="Unit customer", individual="Individual customer"
)

ACCOUNT_TYPE = _plain(
    "account_type",
    prospect="Prospect",
    customer="Customer",
    channel_partner="Channel partner",
    technology_partner="Technology partner",
    reseller="Reseller",
    supplier="Supplier",
    competitor="Competitor",
    investor="Investor",
    other="Other",
)

ACCOUNT_STATUS = Picklist(
    "account_status",
    (
        Option("potential", "Potential", "potential"),
        Option("followed", "Followed", "potential"),
        Option("cooperating", "Cooperating", "customer"),
        Option("lost", "Lost", "lost"),
    ),
)

ACCOUNT_LEVEL = _plain("account_level", a="A", b="B", c="C", d="D")

RATING = _plain("rating", hot="Hot", warm="Warm", cold="Cold")

SALUTATION = _plain(
    "salutation", mr="Mr", ms="Ms", mrs="Mrs", dr="Dr", prof="Prof", mx="Mx"
)

GENDER = _plain("gender", female="Female", male="Male", other="Other")

CONTACT_ROLE = _plain(
    "contact_role",
    decision_maker="Decision maker",
    economic_buyer="Economic buyer",
    evaluator="Evaluator",
    influencer="Influencer",
    user="User",
    other="Other",
)

ENTRY_WAY = _plain(
    "entry_way",
    manual="By hand",
    business_card="Business card",
    imported="Import",
    web_form="Web form",
    call="Call",
    conversion="Lead conversion",
)
