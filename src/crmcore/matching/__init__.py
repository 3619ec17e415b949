"""Matching: which records are the same, found by stored keys.

Takes records; returns match keys to store and explained matches.
Keys are derived by rules, so that a check of one record costs one index look-up.
Knows no business entity: the areas say which fields make a person or a company.
Neighbours: ``unit`` stores the keys with each record and looks candidates up.
"""

from crmcore.matching.keys import (
    CompanyKeys,
    Follow,
    KeyDeriver,
    MatchKey,
    PersonKeys,
    match_keys,
)
from crmcore.matching.matches import (
    Duplicates,
    Evidence,
    Match,
    MatchRule,
    evidence_of,
    readable_match,
    redacted_match,
    score,
)
from crmcore.matching.normalise import company_name, person_name

__all__ = [
    "CompanyKeys",
    "Duplicates",
    "Evidence",
    "Follow",
    "KeyDeriver",
    "Match",
    "MatchKey",
    "MatchRule",
    "PersonKeys",
    "company_name",
    "evidence_of",
    "match_keys",
    "person_name",
    "readable_match",
    "redacted_match",
    "score",
]
