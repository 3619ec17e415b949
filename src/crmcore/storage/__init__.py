"""Stores: what keeps records, and the one that keeps them in memory.

Takes bound queries and batches of changes; returns frozen records.
One transaction carries records, match keys, claims, history, events and operations.
Never decides: no permission, validation or rule lives here.
Neighbours: ``crmcore_sql`` and ``crmcore_mongo`` implement the protocols.
"""

from crmcore.storage.changes import (
    Claim,
    Event,
    FieldChange,
    HistoryEntry,
    Insertion,
    MatchHit,
    Operation,
    Update,
)
from crmcore.storage.memory import MemoryStore
from crmcore.storage.protocols import (
    Capabilities,
    HealthReport,
    MissingIndex,
    QueryPlan,
    Store,
    Transaction,
)

__all__ = [
    "Capabilities",
    "Claim",
    "Event",
    "FieldChange",
    "HealthReport",
    "HistoryEntry",
    "Insertion",
    "MatchHit",
    "MemoryStore",
    "MissingIndex",
    "Operation",
    "QueryPlan",
    "Store",
    "Transaction",
    "Update",
]
