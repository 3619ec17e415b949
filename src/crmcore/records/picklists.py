"""Picklists: choices with a stable key, a category for logic and labels for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import attrs

__all__ = ["Option", "Picklist"]


@attrs.frozen
class Option:
    """One choice. Rules read its ``category``, people read its ``label`` (REC-13)."""

    key: str
    label: str
    category: str | None = None
    active: bool = True


@attrs.frozen(slots=False)
class Picklist:
    """An ordered list of choices; ``name`` identifies it."""

    name: str
    options: tuple[Option, ...]

    @cached_property
    def by_key(self) -> Mapping[str, Option]:
        """Return the options by their key."""
        return {option.key: option for option in self.options}

    def category(self, key: str | None) -> str | None:
        """Return the category of an option, None for a missing or unknown key."""
        option = self.by_key.get(key) if key is not None else None
        return option.category if option else None

    def keys_of(self, *categories: str) -> tuple[str, ...]:
        """Return the keys of all options in the given categories."""
        return tuple(o.key for o in self.options if o.category in categories)
