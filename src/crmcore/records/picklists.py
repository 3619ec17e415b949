"""Picklists: choices with a stable key, a category for logic and labels for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import attrs

__all__ = ["Option", "Picklist"]


@attrs.frozen
class Option:
    """One choice. Rules read its ``category``, people read its ``label`` (REC-13).

    ``labels`` are translations by language. ``parent`` is the option of the controlling
    list under which this one may be chosen (REC-14). ``default`` marks the option that
    a new record has; an inactive one stays on old records only.
    """

    key: str
    label: str
    category: str | None = None
    active: bool = True
    order: int = 0
    colour: str | None = None
    default: bool = False
    parent: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict, hash=False)


@attrs.frozen(slots=False)
class Picklist:
    """An ordered list of choices; ``name`` identifies it.

    ``parent`` names the list whose options the ``parent`` of each option stands in.
    """

    name: str
    options: tuple[Option, ...]
    parent: str | None = None

    @cached_property
    def by_key(self) -> Mapping[str, Option]:
        """Return the options by their key."""
        return {option.key: option for option in self.options}

    @cached_property
    def default(self) -> str | None:
        """Return the key of the option that new records have, if one is marked."""
        return next((o.key for o in self.options if o.default and o.active), None)

    def allowed(self, controlling: str | None) -> tuple[Option, ...]:
        """Return the active options that may be chosen under a controlling value.

        Options without a parent may be chosen under any value (REC-14).
        """
        return tuple(
            option
            for option in self.options
            if option.active and option.parent in (None, controlling)
        )

    def category(self, key: str | None) -> str | None:
        """Return the category of an option, None for a missing or unknown key."""
        option = self.by_key.get(key) if key is not None else None
        return option.category if option else None

    def keys_of(self, *categories: str) -> tuple[str, ...]:
        """Return the keys of all options in the given categories."""
        return tuple(o.key for o in self.options if o.category in categories)
