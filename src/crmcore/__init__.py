"""crmcore: the logic of a CRM, to embed in your own application.

``CRM(store)`` opens a store, ``crm.session(actor)`` is one unit of work. See the guides.
"""

from crmcore.access import SYSTEM, AccessPolicy, Actor, Profile, User
from crmcore.activities import Note, Task
from crmcore.criteria import (
    Criteria,
    F,
    Group,
    Page,
    Period,
    Total,
    count,
    last_days,
    next_days,
)
from crmcore.crm import CRM, installed_areas
from crmcore.errors import (
    AccessDenied,
    AlreadyConverted,
    Conflict,
    CRMError,
    DuplicateFound,
    ImportRejected,
    MissingExtra,
    NotFound,
    OperationConflict,
    SchemaOutdated,
    StaleRecord,
    StorageError,
    StorageFull,
    StoreRefused,
    StoreUnavailable,
    TransitionRefused,
    UniqueViolation,
    UnknownActor,
    ValidationError,
)
from crmcore.leads import ConversionSettings, Create, Lead, Skip, Use
from crmcore.parties import Account, Contact
from crmcore.records import (
    Address,
    ContactPoint,
    Conventions,
    ManyToMany,
    Money,
    NumberFormat,
    Record,
    Ref,
    entity,
    fields,
)
from crmcore.sales import Opportunity, Pipeline, SalesSettings, Stage, StageChange
from crmcore.session import Session
from crmcore.storage import MemoryStore, Store
from crmcore.tags import Tag
from crmcore.unit import Area
from crmcore.unit.record_link import RecordLink

__all__ = [
    "CRM",
    "SYSTEM",
    "AccessDenied",
    "AccessPolicy",
    "Account",
    "Actor",
    "Address",
    "AlreadyConverted",
    "Area",
    "CRMError",
    "Conflict",
    "Contact",
    "ContactPoint",
    "Conventions",
    "ConversionSettings",
    "Create",
    "Criteria",
    "DuplicateFound",
    "F",
    "Group",
    "ImportRejected",
    "Lead",
    "ManyToMany",
    "MemoryStore",
    "MissingExtra",
    "Money",
    "NotFound",
    "Note",
    "NumberFormat",
    "OperationConflict",
    "Opportunity",
    "Page",
    "Period",
    "Pipeline",
    "Profile",
    "Record",
    "RecordLink",
    "Ref",
    "SalesSettings",
    "SchemaOutdated",
    "Session",
    "Skip",
    "Stage",
    "StageChange",
    "StaleRecord",
    "StorageError",
    "StorageFull",
    "Store",
    "StoreRefused",
    "StoreUnavailable",
    "Tag",
    "Task",
    "Total",
    "TransitionRefused",
    "UniqueViolation",
    "UnknownActor",
    "Use",
    "User",
    "ValidationError",
    "count",
    "entity",
    "fields",
    "installed_areas",
    "last_days",
    "next_days",
]
