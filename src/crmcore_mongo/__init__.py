"""The store on MongoDB: a replica set of version 5.0 or newer, through pymongo.

Takes bound queries and batches of changes; returns frozen records.
Everything of a unit of work is one transaction: snapshot reads, majority writes.
Never decides: no permission, validation or rule lives here.
Neighbours: implements the protocols of ``crmcore.storage``; ``crmcore_sql`` is its twin.
"""

from __future__ import annotations

from crmcore.errors import MissingExtra

try:
    import pymongo as _pymongo
    import tenacity as _tenacity
except ImportError:
    raise MissingExtra(feature="MongoStore", extra="mongo") from None

from crmcore_mongo.store import MongoStore

del _pymongo, _tenacity

__all__ = ["MongoStore"]
