"""The references that a field's value makes, whatever kind of field it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crmcore.records import AnyReference, FieldDef, Link, ListOf, Ref, Reference

__all__ = ["references_in"]


def references_in(field: FieldDef, value: Any) -> Iterable[Ref]:
    """Return the typed references that a field's value makes."""
    if value is None:
        return ()
    kind = field.type
    if isinstance(kind, Reference):
        return (Ref(kind.entity, value),)
    if isinstance(kind, AnyReference):
        return (value,)
    if isinstance(kind, ListOf) and isinstance(kind.item, Reference):
        return tuple(Ref(kind.item.entity, item) for item in value)
    if isinstance(kind, ListOf) and isinstance(kind.item, (AnyReference, Link)):
        return tuple(value)
    return ()
