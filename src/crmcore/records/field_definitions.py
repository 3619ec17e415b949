"""What a field is, as data: its type, every rule declared with it, its stored parts."""

from __future__ import annotations

from typing import Any

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.records.composites import Reference
from crmcore.records.conventions import Conventions
from crmcore.records.roll_ups import RollUp
from crmcore.records.types import FieldType, Refused, Storage

__all__ = ["Column", "FieldDef", "columns_of"]


@attrs.frozen(kw_only=True)
class FieldDef:
    """One field: its type and every rule that is declared with it (REC-11).

    ``encrypted``: stores and histories keep the text encrypted (REC-11).
    ``unique``: no two live records share its :func:`identity_key`.
    ``indexed``: stores keep an index for filters and sorting.
    ``searchable``: ``contains`` and ``starts_with`` work, without regard to case.
    ``sensitive``: personal data.
    ``acyclic``: a reference within its own entity that never leads back to the record.
    ``system``: kept by the library; callers never set it.
    ``computed``: a value that the library works out, by a ``formula`` for instance
    (REC-16); callers never set it either.
    ``required_on_add`` and ``required_on_modify`` ask for a value at one of the two
    only; ``required`` means both (REC-03). ``creatable`` and ``updatable`` say when it
    may be given a value, ``sortable`` whether lists may be ordered by it.
    ``enabled``: shown and filled; ``always_on`` fields cannot be switched off.
    ``minimum_length``: characters of a text. ``controlling_field``: the picklist field
    on whose value the choices depend (REC-14). ``copied``: copies of a record
    take the value over (REC-07). ``on_delete``: what becomes of this
    reference when the record behind it is deleted: ``keep``, ``block``, ``clear`` or
    ``cascade`` (REC-20). ``belongs``: the record is part of the one that the reference
    leads to, and is invalid with it (REC-06). ``shows``: another entity's field
    (``opportunity.amount``) whose value is repeated here, and hidden with it (ACC-09).
    For forms (REC-12): ``help``, ``group``, ``sort_number`` (smaller stands further in
    front), ``compact`` (asked for on a small screen), ``applies_to`` (the kinds of
    records that have the field, by the entity's ``kind``, else its ``record_type``),
    ``subordinates_may_edit`` (ACC-09).
    """

    name: str
    type: FieldType
    label: str
    required: bool = False
    unique: bool = False
    indexed: bool = False
    searchable: bool = False
    sensitive: bool = False
    encrypted: bool = False
    acyclic: bool = False
    system: bool = False
    custom: bool = False
    default: Any = None
    computed: bool = False
    formula: str | None = None
    roll_up: RollUp | None = None
    required_on_add: bool = False
    required_on_modify: bool = False
    creatable: bool = True
    updatable: bool = True
    sortable: bool = True
    enabled: bool = True
    always_on: bool = False
    minimum_length: int | None = None
    controlling_field: str | None = None
    on_delete: str = "keep"
    belongs: bool = False
    shows: str | None = None
    copied: bool = True
    help: str = ""
    group: str = ""
    sort_number: int = 0
    compact: bool = False
    applies_to: tuple[str, ...] = ()
    subordinates_may_edit: bool = False

    @property
    def relation(self) -> str | None:
        """Return the name under which a reference is followed: account_id -> account."""
        if isinstance(self.type, Reference):
            return self.name.removesuffix("_id")
        return None

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical form of ``value``.

        Raises ValidationError that names this field.
        """
        try:
            return self.type.coerce(value, conventions)
        except Refused as refused:
            problem = Problem(self.name, refused.reason, refused.details)
            raise ValidationError([problem]) from None


@attrs.frozen
class Column:
    """One stored part of a field.

    Typed fields are columns of their own; those of custom fields are keys of the
    ``custom`` document, under the same name.
    """

    name: str
    storage: Storage
    field: FieldDef
    part: str
    type: FieldType
    position: int

    @property
    def is_custom(self) -> bool:
        """Tell whether the part lives in the ``custom`` document."""
        return self.field.custom


def columns_of(field: FieldDef) -> tuple[Column, ...]:
    """Return the stored parts of ``field``: amount, amount_currency."""
    return tuple(
        Column(
            name=f"{field.name}_{part}" if part else field.name,
            storage=part_type.storage,
            field=field,
            part=part,
            type=part_type,
            position=position,
        )
        for position, (part, part_type) in enumerate(field.type.parts.items())
    )
