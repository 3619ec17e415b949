"""Change sets: a tenant's whole customisation as one readable file (IMP-07).

::

    {"format": "crmcore customisation", "version": 1,
     "field": {"lead": {"budget": {"type": "money", "label": "Budget"}}},
     "picklist": {"sizes": {"options": [{"key": "small", "label": "Small"}]}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.customisation.kinds import KINDS
from crmcore.customisation.planning import Put, Remove, Restore, Retire
from crmcore.errors import Problem, ValidationError

__all__ = ["ChangeSet"]

FORMAT, VERSION = "crmcore customisation", 1
#: Characters of a file that is read.
LONGEST_FILE = 20_000_000
_HEAD = ("format", "version")
_RETIRED = "retired"


@attrs.frozen
class ChangeSet:
    """Items of customisation apart from any tenant: to keep, compare, and apply."""

    items: Items

    @classmethod
    def from_text(cls, text: str) -> ChangeSet:
        """Read the text of a file.

        Raises ValidationError for what is no change set, or one of a newer library.
        """
        if len(text) > LONGEST_FILE:
            raise ValidationError.of("file", "too_long", maximum=LONGEST_FILE)
        try:
            data = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise ValidationError.of("file", "malformed") from None
        return cls.from_data(data)

    @classmethod
    def from_data(cls, data: Any) -> ChangeSet:
        """Read a change set from plain data, as :meth:`from_text`."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise ValidationError.of("format", "malformed")
        if data.get("version") != VERSION:
            raise ValidationError.of("version", "newer_file", version=VERSION)
        problems: list[Problem] = []
        items = list(_items(data, problems))
        if problems:
            raise ValidationError(problems)
        return cls(Items(items))

    def to_data(self) -> dict[str, Any]:
        """Return the change set as plain data, in the order of kinds and keys."""
        data: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        for item in self.items:
            place = data.setdefault(item.key.kind, {})
            if item.key.object:
                place = place.setdefault(item.key.object, {})
            definition = dict(item.definition)
            if item.retired:
                definition[_RETIRED] = True
            place[item.key.key] = definition
        return data

    def to_text(self) -> str:
        """Return the text of a file: one setting a line, the same for the same content."""
        text = json.dumps(self.to_data(), indent=2, ensure_ascii=False, sort_keys=False)
        return text + "\n"

    def changes_from(
        self, present: Items, *, replace: bool = False
    ) -> Iterator[Put | Retire | Restore | Remove]:
        """Yield the changes that bring ``present`` to this change set.

        ``replace`` also removes what is not in it.
        """
        for item in self.items:
            other = present.get(item.key)
            was_retired = other is not None and other.retired
            if was_retired and not item.retired:
                yield Restore(item.key)
            same = other is not None and other.definition == item.definition
            if not same and not (was_retired and item.retired):
                yield Put(item.key, item.definition)
            if item.retired and not was_retired:
                yield Retire(item.key)
        if replace:
            for other in present:
                if self.items.get(other.key) is None:
                    yield Remove(other.key)


#: Kinds whose items belong to an object; the others stand by their own key.
OF_OBJECT = {"field"} | {kind.name for kind in KINDS.values() if kind.of_object}


def _items(data: Mapping[str, Any], problems: list[Problem]) -> Iterator[Item]:
    for kind, group in data.items():
        if kind in _HEAD:
            continue
        if not isinstance(group, Mapping):
            problems.append(Problem(str(kind)[:60], "malformed"))
            continue
        for place, entry in group.items():
            if not isinstance(entry, Mapping):
                problems.append(Problem(f"{kind}.{place}"[:120], "malformed"))
            elif kind in OF_OBJECT:
                for key, definition in entry.items():
                    yield from _item(ItemKey(kind, place, key), definition, problems)
            else:
                yield from _item(ItemKey(kind, "", place), entry, problems)


def _item(key: ItemKey, definition: Any, problems: list[Problem]) -> Iterator[Item]:
    if not isinstance(definition, Mapping):
        problems.append(Problem(f"{key.kind}.{key.place}"[:120], "malformed"))
        return
    settings = {k: v for k, v in definition.items() if k != _RETIRED}
    retired = definition.get(_RETIRED, False)
    if not isinstance(retired, bool):
        problems.append(Problem(f"{key.kind}.{key.place}.retired"[:120], "malformed"))
        return
    yield Item(key, settings, retired=retired)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: one of the two would be lost."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError
    return data
