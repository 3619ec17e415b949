"""Whether an enterprise can begin to work (TEN-03)."""

from __future__ import annotations

from collections.abc import Iterator

from crmcore.errors import Problem
from crmcore.records import Schema

__all__ = ["missing_in"]

#: What an enterprise needs at least one object of.
NEEDED = ("work_order", "customer")


def missing_in(schema: Schema) -> Iterator[Problem]:
    """Yield what an enterprise lacks: an object for work orders, one for customers.

    Accounts are customers, whichever objects administrators define beside them.
    """
    there = {entity.data_type for entity in schema.entities.values()}
    if "account" in schema.entities:
        there.add("customer")
    for data_type in NEEDED:
        if data_type not in there:
            yield Problem("objects", "object_missing", {"value": data_type})
