"""Encrypted texts: stores and histories keep what only the host's cipher reads (REC-11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from crmcore.errors import Problem
from crmcore.ports import Cipher
from crmcore.records.conventions import Conventions
from crmcore.records.types import FieldType, Storage, Text

if TYPE_CHECKING:
    from crmcore.records.definitions import EntityDef
    from crmcore.records.field_definitions import FieldDef

__all__ = ["Encrypted", "encryption_problems", "with_cipher"]


@attrs.frozen(kw_only=True)
class Encrypted(FieldType):
    """A text of the type ``item`` that is stored encrypted.

    No store can compare it: lists ask only whether it is there.
    """

    kind: ClassVar[str] = "encrypted"
    storage: ClassVar[Storage] = Storage.LONG_TEXT
    ordered: ClassVar[bool] = False
    sealed: ClassVar[bool] = True
    item: FieldType
    cipher: Cipher = attrs.field(repr=False, eq=False)

    @property
    def json_type(self) -> Mapping[str, Any]:
        """Return how JSON Schema describes a value: a text."""
        return {"type": "string"}

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical text, as the type of the item has it."""
        return self.item.coerce(value, conventions)

    def to_stored(self, value: str) -> str:
        """Return the encrypted text."""
        return self.cipher.encrypt(value)

    def from_stored(self, stored: str) -> str:
        """Return the text of its encrypted form."""
        return self.cipher.decrypt(stored)

    def to_json(self, value: str) -> str:
        """Return the encrypted text: histories keep no other."""
        return self.cipher.encrypt(value)

    def from_json(self, data: Any, conventions: Conventions) -> Any:
        """Return the text of its encrypted form."""
        return self.coerce(self.cipher.decrypt(data), conventions)


def with_cipher(field: FieldDef, cipher: Cipher | None) -> FieldDef:
    """Return a field that is encrypted where its definition says so."""
    if not field.encrypted or cipher is None or isinstance(field.type, Encrypted):
        return field
    sealed = Encrypted(item=field.type, cipher=cipher)
    return attrs.evolve(field, type=sealed, searchable=False)


def encryption_problems(entity: EntityDef, cipher: Cipher | None) -> Iterator[Problem]:
    """Yield what is wrong with the encrypted fields of an entity."""
    for field in entity.fields.values():
        if not field.encrypted:
            continue
        place = f"field.{entity.name}.{field.name}.encrypted"
        if cipher is None:
            yield Problem(place, "no_cipher")
        kind = field.type.item if isinstance(field.type, Encrypted) else field.type
        if not field.custom or not isinstance(kind, Text):
            yield Problem(place, "not_encryptable")
        if field.unique or field.indexed or field.formula or field.roll_up:
            yield Problem(place, "sealed")
