"""A field that holds any JSON data: definitions, payloads, snapshots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from crmcore.records.conventions import Conventions
from crmcore.records.text import has_surrogate
from crmcore.records.types import FieldType, Refused, Storage

__all__ = ["Document"]


@attrs.frozen(kw_only=True)
class Document(FieldType):
    """JSON data of at most ``maximum`` characters; never compared, sorted or searched."""

    kind: ClassVar[str] = "document"
    storage: ClassVar[Storage] = Storage.JSON
    ordered: ClassVar[bool] = False
    maximum: int = 200_000

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the data as JSON keeps it; what JSON has no form for is refused."""
        try:
            text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise Refused("not_json") from None
        if len(text) > self.maximum:
            raise Refused("too_long", maximum=self.maximum)
        if has_surrogate(text):
            raise Refused("invalid_unicode")
        if "\\u0000" in text:
            raise Refused("null_character")
        return json.loads(text)

    def from_stored(self, stored: Any) -> Any:
        """Return the data of its text, or as the store gives them."""
        return json.loads(stored) if isinstance(stored, str) else stored


def _plain(value: Any) -> Any:
    """Return mappings and tuples as the types that JSON knows."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
