"""Operation keys: a unit of work that is retried does nothing twice.

The journal of an operation lists the outermost writing verbs, each with a fingerprint of
what was asked and what came out, or why it was refused. A retry under the same key by the
same actor is answered from the journal; anything else under the same key is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

import attrs

from crmcore.criteria import Criteria
from crmcore.criteria import to_json as criteria_to_json
from crmcore.errors import CRMError, OperationConflict
from crmcore.records import UNSAVED, Record
from crmcore.storage import Operation
from crmcore.unit.results import (
    Load,
    error_from_json,
    error_to_json,
    from_json,
    to_json,
)

__all__ = ["Journal", "fingerprint"]

#: Fields of a record that are not what the caller asked for.
_ENVELOPE = frozenset(
    {"version", "created_at", "created_by", "updated_at", "updated_by"}
)

#: What is left of verbs that a savepoint undid.
_UNDONE: Mapping[str, Any] = {"undone": True}


def fingerprint(verb: str, payload: Any) -> str:
    """Return a mark of what was asked, the same for the same content."""
    text = json.dumps([verb, payload], sort_keys=True, default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        if value.id != UNSAVED:
            return [value.entity_name(), str(value.id)]
        given = attrs.asdict(cast(Any, value), recurse=False)
        return {k: v for k, v in given.items() if k not in _ENVELOPE and v is not None}
    if isinstance(value, Criteria):
        return criteria_to_json(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if attrs.has(type(value)):
        return {"": type(value).__name__, **attrs.asdict(value, recurse=False)}
    return repr(value)


@attrs.define(eq=False)
class Journal:
    """The verbs of one operation: written the first time, replayed on a retry."""

    key: str
    done: Operation | None = None
    entries: list[Mapping[str, Any]] = attrs.field(factory=list)

    @property
    def replaying(self) -> bool:
        """Tell whether the operation was done before."""
        return self.done is not None

    def record(self, mark: str, result: Any) -> None:
        """Note one verb and its result."""
        self.entries.append({"mark": mark, "result": to_json(result)})

    def record_refusal(self, mark: str, error: CRMError) -> None:
        """Note one verb that was refused: whoever went on will go on again."""
        self.entries.append({"mark": mark, "error": error_to_json(error)})

    def replay(self, mark: str, kinds: Iterable[type[Any]], load: Load) -> Any:
        """Return the stored result of the next verb, or raise its stored refusal.

        Raises OperationConflict where the verb or its content differs.
        """
        entry = self._next()
        self.require(entry is not None and entry.get("mark") == mark)
        assert entry is not None
        self.entries.append(entry)
        if "error" in entry:
            raise error_from_json(entry["error"], load, kinds)
        return from_json(entry["result"], load, kinds)

    def undo_to(self, position: int) -> None:
        """Note that all since ``position`` was undone, with its savepoint."""
        if not self.replaying:
            self.entries[position:] = [_UNDONE]

    def skip_undone(self) -> bool:
        """Tell whether what comes next was undone by a savepoint, and pass it by."""
        entry = self._next()
        if entry is None or "mark" in entry:
            return False
        self.entries.append(entry)
        return True

    def _next(self) -> Mapping[str, Any] | None:
        """Return what the operation did next, when it was done."""
        if self.done is None or len(self.entries) >= len(self.done.journal):
            return None
        return self.done.journal[len(self.entries)]

    def check_complete(self) -> None:
        """Raise OperationConflict where a retry did less than the operation."""
        self.require(self.done is None or len(self.entries) == len(self.done.journal))

    def require(self, same: bool) -> None:
        """Raise OperationConflict unless a retry did the same."""
        if not same:
            raise OperationConflict(key=self.key)
