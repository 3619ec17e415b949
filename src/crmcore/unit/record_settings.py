"""Settings of records: how they are deleted, compared and logged, by entity."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import attrs
from attrs.validators import deep_mapping, in_, instance_of

from crmcore.records import EntityDef

__all__ = ["RecordSettings"]

#: Says what holds for all entities that are not named.
ALL: Final = "*"


def _by_entity(given: Any) -> Mapping[str, str]:
    return MappingProxyType({ALL: given} if isinstance(given, str) else dict(given))


def _choice(*allowed: str) -> Any:
    return attrs.field(
        default=allowed[0],
        converter=_by_entity,
        validator=cast(
            "Any",
            deep_mapping(key_validator=instance_of(str), value_validator=in_(allowed)),
        ),
    )


@attrs.frozen(kw_only=True)
class RecordSettings:
    """How records are treated: one word for all entities, or a mapping by entity.

    ``delete_mode``: ``soft``, which can be restored, or ``hard`` (REC-05).
    ``concurrency``: ``version_check``, or ``last_write_wins`` (REC-01).
    ``confirm_deletes``: deletions have to say ``confirm=True`` (REC-05).
    ``unlogged``: entities whose changes leave no history (REC-08).
    """

    delete_mode: Mapping[str, str] = _choice("soft", "hard")
    concurrency: Mapping[str, str] = _choice("version_check", "last_write_wins")
    confirm_deletes: bool = False
    unlogged: frozenset[str] = frozenset()

    def deletes_for_good(self, entity: str) -> bool:
        """Tell whether deleted records of an entity are gone at once."""
        return self._of(self.delete_mode, entity) == "hard"

    def checks_version(self, entity: str) -> bool:
        """Tell whether a change of an old version is refused."""
        return self._of(self.concurrency, entity) != "last_write_wins"

    def logs_changes(self, entity: EntityDef) -> bool:
        """Tell whether changes of an entity's records are kept as history."""
        if entity.custom_object and "history" not in entity.switches:
            return False
        return entity.name not in self.unlogged

    def _of(self, choices: Mapping[str, str], entity: str) -> str | None:
        return choices.get(entity, choices.get(ALL))
