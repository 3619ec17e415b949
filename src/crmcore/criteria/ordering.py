"""The order of records: several keys, missing values smallest, ties broken by id."""

from __future__ import annotations

import attrs

__all__ = ["Sort"]


@attrs.frozen
class Sort:
    """One sort key; text sorts by code point."""

    path: tuple[str, ...]
    descending: bool = False
