"""The record: a frozen value with the envelope that every entity shares (REC-01)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform
from uuid import UUID

import attrs

from crmcore.records import fields
from crmcore.records.definitions import EntityDef
from crmcore.records.field_definitions import FieldDef
from crmcore.records.fields import SPECIFICATION, words

__all__ = ["UNSAVED", "Record", "declared_fields", "entity"]

#: The id of a record that was not stored yet (the nil UUID of RFC 9562).
UNSAVED = UUID(int=0)

_NOTHING: Mapping[str, Any] = MappingProxyType({})

R = TypeVar("R", bound="Record")


C = TypeVar("C")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def _frozen(cls: type[C]) -> type[C]:
    return attrs.frozen(kw_only=True)(cls)


@_frozen
class Record:
    """What every record has: identity, version, stamps, owner, custom values.

    Records are values: they never change. ``session.update`` returns the new version.
    Custom values are read like ``lead["budget"]``.
    """

    __entity__: ClassVar[EntityDef]

    id: UUID = attrs.field(
        default=UNSAVED, metadata=fields.identifier(system=True).metadata
    )
    version: int = attrs.field(default=0, metadata=fields.integer(system=True).metadata)
    owner_id: UUID | None = fields.reference("user")
    created_at: datetime | None = fields.datetime(system=True, indexed=True)
    created_by: UUID | None = fields.identifier(system=True)
    updated_at: datetime | None = fields.datetime(system=True)
    updated_by: UUID | None = fields.identifier(system=True)
    deleted_at: datetime | None = fields.datetime(system=True)
    deleted_by: UUID | None = fields.identifier(system=True)
    invalid_at: datetime | None = fields.datetime(system=True)
    invalid_by: UUID | None = fields.identifier(system=True)
    archived_at: datetime | None = fields.datetime(system=True)
    archived_by: UUID | None = fields.identifier(system=True)
    custom: Mapping[str, Any] = attrs.field(default=_NOTHING, eq=dict, hash=False)

    @classmethod
    def entity_name(cls) -> str:
        """Return the name of the entity, such as ``lead``."""
        return cls.__entity__.name

    @property
    def is_saved(self) -> bool:
        """Tell whether the record has been stored."""
        return self.version > 0

    @property
    def display_name(self) -> str:
        """Return how people call the record."""
        return type(self).__entity__.display_name(self)

    def evolved(self, **values: Any) -> Self:
        """Return a copy with other values; nothing is stored."""
        copy: Self = attrs.evolve(cast(Any, self), **values)
        return copy

    def __getitem__(self, name: str) -> Any:
        """Return a field's value by its key; None for a missing custom value."""
        if name in self.custom:
            return self.custom[name]
        if name in type(self).__entity__.fields:
            return getattr(self, name)
        return None


@dataclass_transform(kw_only_default=True, frozen_default=True)
def entity(
    name: str,
    *,
    plural: str,
    label: str = "",
    display: tuple[str, ...] = ("name",),
    indexes: tuple[tuple[str, ...], ...] = (),
    managed: bool = False,
    state: str | None = None,
) -> Callable[[type[R]], type[R]]:
    """Make a class an entity: a frozen record with the declared fields.

    ``name`` is the stable key, ``plural`` the name of its table or collection,
    ``display`` the fields that make its display name, ``indexes`` compound indexes.
    Records of a ``managed`` entity are written by the library only. ``state`` is the
    picklist field whose category tells open records from closed ones.
    """

    def decorate(cls: type[R]) -> type[R]:
        made = attrs.frozen(kw_only=True)(cls)
        made.__entity__ = EntityDef(
            name=name,
            plural=plural,
            label=label or words(name),
            record_class=made,
            fields=declared_fields(made),
            display=display,
            indexes=indexes,
            managed=managed,
            state=state,
        )
        return made

    return decorate


def envelope_fields() -> dict[str, FieldDef]:
    """Return the fields that the records of every entity have (REC-01)."""
    return declared_fields(Record)


def declared_fields(cls: type[Any]) -> dict[str, FieldDef]:
    """Return the fields that a class declares or inherits."""
    declared = {}
    for attribute in attrs.fields(cls):
        specification = attribute.metadata.get(SPECIFICATION)
        if specification is not None:
            rules = {"label": words(attribute.name), **specification}
            declared[attribute.name] = FieldDef(name=attribute.name, **rules)
    return declared
