"""What administrators shaped, as records: one item for each thing (REC-09, IMP-07)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmcore.records import Record, entity, fields
from crmcore.records.documents import Document

__all__ = ["CustomisationItem"]


@entity(
    "customisation_item",
    plural="customisation_items",
    label="Customisation item",
    display=("kind", "object", "key"),
    managed=True,
)
class CustomisationItem(Record):
    """A field, an object, a picklist, a rule ... with its definition as plain data.

    ``identity`` is made of kind, object and key, and keeps them unique. A retired item
    does not count any more; its key stays taken and its values can be brought back.
    """

    kind: str | None = fields.text(40, required=True, searchable=False)
    object: str | None = fields.text(60, searchable=False)
    key: str | None = fields.text(100, required=True, searchable=False)
    identity: str | None = fields.text(
        200, required=True, unique=True, searchable=False
    )
    retired: bool | None = fields.boolean(default=False)
    definition: Mapping[str, Any] | None = fields.of_type(
        Document(), required=True, searchable=False
    )
