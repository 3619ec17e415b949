"""The tag: a record, so that renaming it renames it everywhere (REC-23)."""

from __future__ import annotations

from crmcore.records import Record, entity, fields

__all__ = ["Tag"]


@entity("tag", plural="tags", managed=True, indexes=(("object", "name"),))
class Tag(Record):
    """A word for records of one entity, or of all where ``object`` is empty.

    Tags of one ``dimension`` answer one question, such as "Interest" or "Trade fair".
    ``identity`` is made of object, dimension and name, and keeps them unique. Tags are
    written by ``session.tags``.
    """

    name: str | None = fields.text(80, required=True)
    dimension: str | None = fields.text(60)
    object: str | None = fields.text(60, searchable=False)
    colour: str | None = fields.text(20, searchable=False)
    identity: str | None = fields.text(
        500, required=True, unique=True, searchable=False
    )
