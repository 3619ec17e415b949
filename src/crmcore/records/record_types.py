"""Record types: kinds of records within one entity, such as a cold visit (REC-18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

__all__ = ["DRAFT", "RECORD_TYPE", "RecordType", "default_type"]

#: The key of the field that holds a record's type.
RECORD_TYPE = "record_type"
#: The key of the field that tells drafts, where some type of an entity has them.
DRAFT = "draft"


@attrs.frozen(kw_only=True)
class RecordType:
    """A kind of records: what it demands and offers beyond its entity.

    ``options`` narrows picklists to some of their keys, by field; ``required`` names
    fields that must be filled; ``profiles`` those whose users may create such records
    (none named: everybody); ``process`` is the key of the pipeline or flow it follows.
    With ``drafts`` a new record is a draft, which may lack what is required, until it is
    submitted (REC-02).
    """

    key: str
    label: str
    labels: Mapping[str, str] = attrs.field(factory=dict)
    default: bool = False
    active: bool = True
    options: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    required: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    process: str | None = None
    drafts: bool = False


def default_type(types: Iterable[RecordType]) -> RecordType | None:
    """Return the type that a record has where none is chosen: the default, or the first."""
    active = [one for one in types if one.active]
    marked = [one for one in active if one.default]
    return next(iter([*marked, *active]), None)
