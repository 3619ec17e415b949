"""Access: who may do what, and why.

Takes an actor, the organisation and the policy; returns scopes (criteria) and decisions.
One scope answers lists, counts and single records, so that they cannot disagree.
Knows no business entity and never reads a store.
Neighbours: ``unit`` applies the scopes, ``criteria`` expresses them.
"""

from crmcore.access.decisions import Cause, Decisions, Explanation
from crmcore.access.entities import (
    ORGANISATION,
    USER_STATUS,
    Department,
    Role,
    User,
    UserGroup,
)
from crmcore.access.field_rights import FREE, FieldRights
from crmcore.access.organisation import Organisation
from crmcore.access.policy import SYSTEM, AccessPolicy, Actor
from crmcore.access.profiles import ACTIONS, FIELD_LEVELS, SCOPES, Profile, Profiles
from crmcore.access.service import AccessService, Allowed, Difference, WhoCan
from crmcore.access.sharing import LEVELS, SharingRule, principal_of

__all__ = [
    "ACTIONS",
    "FIELD_LEVELS",
    "FREE",
    "LEVELS",
    "ORGANISATION",
    "SCOPES",
    "SYSTEM",
    "USER_STATUS",
    "AccessPolicy",
    "AccessService",
    "Actor",
    "Allowed",
    "Cause",
    "Decisions",
    "Department",
    "Difference",
    "Explanation",
    "FieldRights",
    "Organisation",
    "Profile",
    "Profiles",
    "Role",
    "SharingRule",
    "User",
    "UserGroup",
    "WhoCan",
    "principal_of",
]
