"""Roll-ups as data: what is counted or summed up over the records that refer here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["RollUp"]


@attrs.frozen(kw_only=True)
class RollUp:
    """A number over the children of a record (REC-16).

    ``child`` is their entity, ``relation`` their reference to the record, ``function``
    one of ``count``, ``sum``, ``min``, ``max``, ``average``, ``field`` what it is asked
    of, ``where`` criteria in JSON form that a child has to meet.
    """

    child: str
    relation: str
    function: str = "count"
    field: str | None = None
    where: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
