"""What earlier rows of the file hold: their match keys, unique values and names.

A dry run writes nothing, so that it has to remember the whole file; it keeps no more
than a number for each key.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crmcore.storage import Claim

__all__ = ["Seen"]


@attrs.define(eq=False)
class Seen:
    """Keys and unique values of rows that are made, with the line of each."""

    _keys: dict[int, int] = attrs.field(factory=dict)
    _claims: dict[int, int] = attrs.field(factory=dict)

    def line_of_keys(self, keys: Iterable[str]) -> tuple[int, list[str]] | None:
        """Return the first line that shares a match key, and the keys it shares."""
        shared: dict[int, list[str]] = {}
        for key in sorted(keys):
            line = self._keys.get(hash(key))
            if line is not None:
                shared.setdefault(line, []).append(key)
        if not shared:
            return None
        line = min(shared)
        return line, shared[line]

    def line_of_claim(self, scope: str, key: str) -> int | None:
        """Return the line that holds a unique value."""
        return self._claims.get(hash((scope, key)))

    def add(self, line: int, keys: Iterable[str], claims: Iterable[Claim]) -> None:
        """Remember a row that is made."""
        for key in keys:
            self._keys.setdefault(hash(key), line)
        for claim in claims:
            self._claims.setdefault(hash((claim.scope, claim.key)), line)
