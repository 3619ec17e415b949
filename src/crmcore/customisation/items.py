"""Items: what administrators shaped, as values, apart from their records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

__all__ = ["Item", "ItemKey", "Items"]


@attrs.frozen(order=True)
class ItemKey:
    """What names an item: its kind, the object it belongs to, and its key there."""

    kind: str
    object: str
    key: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.place)))

    @property
    def identity(self) -> str:
        """Return the text that no two items of a tenant share."""
        return f"{self.kind}/{self.object}/{self.key}"

    @property
    def place(self) -> str:
        """Return object and key as people write them: lead.budget."""
        return ".".join(filter(None, (self.object, self.key)))


@attrs.frozen
class Item:
    """One thing that an administrator shaped; ``definition`` is plain data."""

    key: ItemKey
    definition: Mapping[str, Any] = attrs.field(eq=lambda data: _comparable(data))  # noqa: PLW0108 - defined below
    retired: bool = False


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_comparable(item) for item in value]
    return value


class Items:
    """All items of a tenant at one moment, by key; never changed in place."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._by_key = {item.key: item for item in items}

    def __iter__(self) -> Any:
        return iter(sorted(self._by_key.values(), key=lambda item: item.key))

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: ItemKey) -> Item | None:
        """Return the item of a key, retired ones too."""
        return self._by_key.get(key)

    def of_kind(self, kind: str, object: str | None = None) -> list[Item]:  # noqa: A002
        """Return the items of a kind in the order of their keys, retired ones left out."""
        return [
            item
            for item in self
            if item.key.kind == kind
            and not item.retired
            and object in (None, item.key.object)
        ]

    def retired(self, kind: str) -> list[Item]:
        """Return the retired items of a kind."""
        return [item for item in self if item.key.kind == kind and item.retired]

    def changed(self, changes: Iterable[Item | ItemKey]) -> Items:
        """Return the items after some were put, or removed where only a key is given."""
        by_key = dict(self._by_key)
        for change in changes:
            if isinstance(change, Item):
                by_key[change.key] = change
            else:
                by_key.pop(change, None)
        return Items(by_key.values())
