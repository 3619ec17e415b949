"""The link: a record that joins two others by a relation (REC-20)."""

from __future__ import annotations

from crmcore.records import Record, Ref, entity, fields
from crmcore.records.schema import LINK

__all__ = ["RecordLink"]


@entity(LINK, plural="record_links", display=("relation",), managed=True)
class RecordLink(Record):
    """A link of two records by a relation of many with many, written by ``link``.

    ``identity`` is made of relation, source and target, and keeps them unique.
    """

    relation: str | None = fields.text(60, required=True, searchable=False)
    # Which entities these lead to is said by the relations that there are.
    source: Ref | None = fields.any_reference(LINK, required=True, on_delete="cascade")
    target: Ref | None = fields.any_reference(LINK, required=True, on_delete="cascade")
    role: str | None = fields.text(60, searchable=False)
    identity: str | None = fields.text(
        200, required=True, unique=True, searchable=False
    )
