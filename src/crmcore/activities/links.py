"""Which activities belong to a record: found by an index, never by reading them all."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from crmcore.activities.entities import Note, Task
from crmcore.matching import Follow, KeyDeriver, MatchKey
from crmcore.records import Record, Ref
from crmcore.unit import UnitOfWork

__all__ = ["LINK_KEYS", "activities_of"]


@attrs.frozen
class LinkKeys(KeyDeriver):
    """Keys of an activity: the records that it is tied to."""

    def derive(self, record: Record, follow: Follow) -> Iterator[MatchKey]:
        """Yield one key for each record that the activity is tied to."""
        if isinstance(record, (Task, Note)):
            main = () if record.related_to is None else (record.related_to,)
            for reference in dict.fromkeys((*main, *(record.links or ()))):
                yield link_key(reference)

    def depends_on(self, changed: Collection[str]) -> bool:
        """Tell whether the ties are among the changed fields."""
        return "related_to" in changed or "links" in changed


LINK_KEYS = LinkKeys()


def link_key(reference: Ref) -> MatchKey:
    """Return the key under which activities of a record are found."""
    return MatchKey("link", f"{reference.entity}:{reference.id}", ("related_to",))


def activities_of(unit: UnitOfWork, record: Record) -> tuple[Task | Note, ...]:
    """Return all live tasks and notes tied to a record, oldest first, whoever owns them.

    For services that have asked for the right to ``record``.
    """
    key = link_key(Ref.to(record)).text
    return (*unit.sharing(Task, key), *unit.sharing(Note, key))
