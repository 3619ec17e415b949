"""Operation keys: a unit of work that is retried does nothing twice.

The journal of an operation lists the outermost writing verbs, each with a fingerprint of
what was asked and a reference to what came out. A retry under the same key is answered
from the journal; another content under the same key is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

import attrs

from crmcore.criteria import Criteria, to_json
from crmcore.errors import OperationConflict
from crmcore.records import UNSAVED, Record
from crmcore.storage import Operation

__all__ = ["Journal", "fingerprint"]

#: Fields of a record that are not what the caller asked for.
_ENVELOPE = frozenset(
    {"version", "created_at", "created_by", "updated_at", "updated_by"}
)

Load = Callable[[str, UUID], Record]


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
        return to_json(value)
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


def _result_to_json(result: Any) -> Any:
    if isinstance(result, Record):
        return {"entity": result.entity_name(), "id": str(result.id)}
    if isinstance(result, (list, tuple)):
        return [_result_to_json(item) for item in result]
    if attrs.has(type(result)):
        fields = attrs.fields(type(result))
        return {
            "fields": {f.name: _result_to_json(getattr(result, f.name)) for f in fields}
        }
    if result is None or isinstance(result, (str, int, float, bool)):
        return {"value": result}
    raise TypeError(type(result).__name__)


def _result_from_json(data: Any, kind: type[Any] | None, load: Load) -> Any:
    if isinstance(data, list):
        return tuple(_result_from_json(item, None, load) for item in data)
    if "value" in data:
        return data["value"]
    if "fields" in data:
        assert kind is not None
        return kind(
            **{n: _result_from_json(v, None, load) for n, v in data["fields"].items()}
        )
    return load(data["entity"], UUID(data["id"]))


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
        self.entries.append({"mark": mark, "result": _result_to_json(result)})

    def replay(self, mark: str, kind: type[Any] | None, load: Load) -> Any:
        """Return the stored result of the next verb.

        Raises OperationConflict where the verb or its content differs.
        """
        assert self.done is not None
        position = len(self.entries)
        if position >= len(self.done.journal):
            raise OperationConflict(key=self.key)
        entry = self.done.journal[position]
        if entry["mark"] != mark:
            raise OperationConflict(key=self.key)
        self.entries.append(entry)
        return _result_from_json(entry["result"], kind, load)

    def check_complete(self) -> None:
        """Raise OperationConflict where a retry did less than the operation."""
        if self.done is not None and len(self.entries) != len(self.done.journal):
            raise OperationConflict(key=self.key)
