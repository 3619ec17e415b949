"""What an area of the business brings: records, rules, match keys, a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crmcore.matching import KeyDeriver, MatchRule
from crmcore.records import Record
from crmcore.unit.drafts import EntityRule

if TYPE_CHECKING:
    from crmcore.unit.environment import Environment
    from crmcore.unit.work import UnitOfWork

__all__ = ["Area"]


@attrs.frozen(kw_only=True)
class Area:
    """A room of the house, ours or a third party's (entry point ``crmcore.areas``).

    ``service`` makes what a session offers under the area's ``name``. ``gate`` is asked
    before each unit of work of a tenant, and raises where it may not begin.
    """

    name: str
    entities: tuple[type[Record], ...] = ()
    rules: Mapping[str, tuple[EntityRule, ...]] = attrs.field(factory=dict)
    keys: Mapping[str, KeyDeriver] = attrs.field(factory=dict)
    match_rules: tuple[MatchRule, ...] = ()
    service: Callable[[UnitOfWork], Any] | None = None
    gate: Callable[[Environment, str], None] | None = None
