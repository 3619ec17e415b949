"""Copies: a record as the draft of a new one, and save-and-copy (REC-07)."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType
from typing import Any, TypeVar

from crmcore.errors import ValidationError
from crmcore.records import AnyReference, EntityDef, FieldDef, MasterDetail, Record
from crmcore.records.layouts import layout_for
from crmcore.records.record_types import RECORD_TYPE
from crmcore.unit.mass_edit import MassVerbs

__all__ = ["CopyVerbs", "copy_of"]

R = TypeVar("R", bound=Record)


class CopyVerbs(MassVerbs):
    """What a session can make of a record that is there."""

    def copy(self, record: R, groups: Collection[str] | None = None) -> R:
        """Return an unsaved record with the values of a stored one; nothing is written.

        Id, stamps, owner, unique values and fields that are not ``copied`` (number,
        conversion, stage) are left out. With ``groups`` only the fields of these groups,
        or sections of a layout, and the links to its parents are taken over.

        Raises NotFound, ValidationError for a group that no field has (REC-07).
        """
        entity = self.schema.entity(record)
        stored = self._get(entity, record.id)
        names = None if groups is None else self._fields_of(entity, groups)
        made = copy_of(entity, stored, names)
        assert isinstance(made, type(record))
        return made

    def save_and_copy(
        self, record: R, groups: Collection[str] | None = None, **values: Any
    ) -> R:
        """Store a copy of a record with some values of its own and return it (REC-07).

        Without ``groups`` the sections that the actor's layout marks as ``copied`` are
        taken over, all fields where it marks none. Raises like :meth:`copy` and
        :meth:`create`.
        """
        if groups is None:
            groups = self._copied_sections(record) or None
        return self.create(self.copy(record, groups), **values)

    def _copied_sections(self, record: Record) -> tuple[str, ...]:
        entity = self.schema.entity(record)
        user = self.actor.user
        layout = layout_for(
            self.schema.layouts.get(entity.name, ()),
            record_type=record[RECORD_TYPE],
            profile=user.profile if user else None,
        )
        return tuple(s.key for s in layout.sections if s.copied) if layout else ()

    def _fields_of(self, entity: EntityDef, groups: Collection[str]) -> frozenset[str]:
        """Return the fields of groups and of sections of layouts, by their keys."""
        known: dict[str, set[str]] = {}
        for field in entity.fields.values():
            if field.group:
                known.setdefault(field.group, set()).add(field.name)
        for layout in self.schema.layouts.get(entity.name, ()):
            for section in layout.sections:
                names = {one.field for one in section.fields}
                known.setdefault(section.key, set()).update(names)
        for group in groups:
            if group not in known:
                value = str(group)[:60]
                raise ValidationError.of("groups", "not_an_option", value=value)
        return frozenset(name for group in groups for name in known[group])


def copy_of(
    entity: EntityDef, record: Record, chosen: Collection[str] | None = None
) -> Record:
    """Return a new record with the values of ``record`` that may be copied.

    With ``chosen`` only those of these fields, and the links to its parents.
    """
    values = {
        name: value
        for name, value in entity.input_values(record).items()
        if value is not None and _is_copied(entity.fields[name], chosen)
    }
    typed = {n: v for n, v in values.items() if not entity.fields[n].custom}
    custom = {n: v for n, v in values.items() if entity.fields[n].custom}
    return entity.record_class(**typed, custom=MappingProxyType(custom))


def _is_copied(field: FieldDef, chosen: Collection[str] | None) -> bool:
    if field.unique or not field.copied or field.name == "owner_id":
        return False
    is_parent = isinstance(field.type, (AnyReference, MasterDetail))
    return chosen is None or is_parent or field.belongs or field.name in chosen
