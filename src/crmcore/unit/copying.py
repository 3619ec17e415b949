"""Copies: a record as the draft of a new one, and save-and-copy (REC-07)."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType
from typing import Any, TypeVar

from crmcore.errors import ValidationError
from crmcore.records import AnyReference, EntityDef, FieldDef, MasterDetail, Record
from crmcore.unit.mass_edit import MassVerbs

__all__ = ["CopyVerbs", "copy_of"]

R = TypeVar("R", bound=Record)


class CopyVerbs(MassVerbs):
    """What a session can make of a record that is there."""

    def copy(self, record: R, groups: Collection[str] | None = None) -> R:
        """Return an unsaved record with the values of a stored one; nothing is written.

        Id, stamps, owner, unique values and fields that are not ``copied`` (number,
        conversion, stage) are left out. With ``groups`` only the fields of these groups
        and the links to its parents are taken over.

        Raises NotFound, ValidationError for a group that no field has (REC-07).
        """
        entity = self.schema.entity(record)
        stored = self._get(entity, record.id)
        made = copy_of(entity, stored, groups)
        assert isinstance(made, type(record))
        return made

    def save_and_copy(
        self, record: R, groups: Collection[str] | None = None, **values: Any
    ) -> R:
        """Store a copy of a record with some values of its own and return it (REC-07).

        Raises like :meth:`copy` and :meth:`create`.
        """
        return self.create(self.copy(record, groups), **values)


def copy_of(
    entity: EntityDef, record: Record, groups: Collection[str] | None = None
) -> Record:
    """Return a new record with the values of ``record`` that may be copied."""
    if groups is not None:
        _refuse_unknown(entity, groups)
    values = {
        name: value
        for name, value in entity.input_values(record).items()
        if value is not None and _is_copied(entity.fields[name], groups)
    }
    typed = {n: v for n, v in values.items() if not entity.fields[n].custom}
    custom = {n: v for n, v in values.items() if entity.fields[n].custom}
    return entity.record_class(**typed, custom=MappingProxyType(custom))


def _is_copied(field: FieldDef, groups: Collection[str] | None) -> bool:
    if field.unique or not field.copied or field.name == "owner_id":
        return False
    is_parent = isinstance(field.type, (AnyReference, MasterDetail))
    return groups is None or is_parent or field.group in groups


def _refuse_unknown(entity: EntityDef, groups: Collection[str]) -> None:
    known = {field.group for field in entity.fields.values() if field.group}
    for group in groups:
        if group not in known:
            raise ValidationError.of("groups", "not_an_option", value=str(group)[:60])
