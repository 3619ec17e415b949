"""Which tags words stand for: looked up by their claims, all at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from crmcore.errors import ValidationError
from crmcore.records import EntityDef
from crmcore.tags.entities import Tag
from crmcore.tags.naming import identity_of
from crmcore.unit import UnitOfWork

__all__ = ["cleaned_identity", "tags_named"]


def tags_named(
    unit: UnitOfWork,
    entity: EntityDef,
    words: Iterable[str],
    dimension: str | None = None,
) -> dict[str, Tag]:
    """Return the tags that words stand for on records of ``entity``, in two statements.

    The entity's own go before those of all entities; words without a tag are left out.
    """
    tags = unit.schema.entity(Tag)
    keys: dict[str, list[str]] = {}
    for word in words:
        probes = [
            Tag(identity=cleaned_identity(unit, word, dimension, place))
            for place in (entity.name, None)
        ]
        keys[word] = [tags.unique_keys(probe)["identity"] for probe in probes]
    wanted = sorted({("tag.identity", key) for pair in keys.values() for key in pair})
    if not wanted:
        return {}
    held = {claim.key: claim.record_id for claim in unit.transaction.holders(wanted)}
    loaded = unit.transaction.load(tags, sorted(set(held.values()))) if held else {}
    found = {}
    for word, pair in keys.items():
        for key in pair:
            tag = loaded.get(held[key]) if key in held else None
            if word not in found and unit.visible(tags, tag):
                found[word] = cast(Tag, tag)
    return found


def cleaned_identity(
    unit: UnitOfWork, name: str, dimension: str | None, place: str | None
) -> str:
    """Return what keeps a tag unique, of the canonical form of its parts.

    Raises ValidationError for an empty name and for what is no text.
    """
    fields, conventions = unit.schema.entity(Tag).fields, unit.context.conventions
    cleaned = fields["name"].coerce(name, conventions)
    if cleaned is None:
        raise ValidationError.of("name", "required")
    side = None
    if dimension is not None:
        side = fields["dimension"].coerce(dimension, conventions)
    return identity_of(cleaned, side, place)
