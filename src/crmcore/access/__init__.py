"""Access: who may do what, and why.

Takes an actor, the organisation and the policy; returns scopes (criteria) and decisions.
One scope answers lists, counts and single records, so that they cannot disagree.
Knows no business entity and never reads a store.
Neighbours: ``unit`` applies the scopes, ``criteria`` expresses them.
"""

from crmcore.access.decisions import Cause, Decisions, Explanation
from crmcore.access.entities import USER_STATUS, User
from crmcore.access.organisation import Organisation
from crmcore.access.policy import ACTIONS, SYSTEM, AccessPolicy, Actor, Profile
from crmcore.access.service import AccessService

__all__ = [
    "ACTIONS",
    "SYSTEM",
    "USER_STATUS",
    "AccessPolicy",
    "AccessService",
    "Actor",
    "Cause",
    "Decisions",
    "Explanation",
    "Organisation",
    "Profile",
    "User",
]
