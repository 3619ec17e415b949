"""Names in cells to records: one look-up for all rows of a batch (IMP-02).

A record is named by its id here, its external id, another unique value such as an
account's name, or - where its entity has a plain name - by a name that only one record
has. A user is named by user name, external id or full name. Records that the actor may
not see are not found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from crmcore.access import User
from crmcore.criteria import F
from crmcore.records import EntityDef, identity_key
from crmcore.tags.lookup import tags_named
from crmcore.unit import UnitOfWork

__all__ = ["AMBIGUOUS", "Found", "resolve"]

#: Several records have the name.
AMBIGUOUS = "ambiguous"

#: Name in a cell -> the record's id, AMBIGUOUS, or missing where nothing was found.
Found = dict[str, UUID | str]


def resolve(
    unit: UnitOfWork, target: str, names: Collection[str], referring: EntityDef
) -> Found:
    """Return the ids of the records of entity ``target`` that cells name.

    The cells fill fields of ``referring``.
    """
    if target == "user":
        return _users(unit, names)
    if target == "tag":
        tags = tags_named(unit, referring, names)
        return {name: tag.id for name, tag in tags.items()}
    entity = unit.schema.entity(target)
    found = _by_unique_value(unit, entity, names)
    missing = [name for name in names if name not in found]
    name_field = entity.fields.get("name")
    if missing and name_field is not None and not name_field.unique:
        found.update(_by_name(unit, entity, missing))
    return found


def _users(unit: UnitOfWork, names: Collection[str]) -> Found:
    organisation = unit.context.organisation
    users = organisation.users.values()
    external = {u.external_id: u.id for u in users if u.external_id}
    full: Found = _distinct((u.name, u.id) for u in users if u.name)
    found: Found = {}
    for name in names:
        user: User | None = organisation.named(name)
        identity = user.id if user else external.get(name) or _known_user(unit, name)
        chosen = identity or full.get(identity_key(name))
        if chosen is not None:
            found[name] = chosen
    return found


def _known_user(unit: UnitOfWork, name: str) -> UUID | None:
    identity = _as_id(name)
    return identity if identity in unit.context.organisation.users else None


def _distinct(pairs: Iterable[tuple[str, UUID]]) -> Found:
    found: Found = {}
    for name, identity in pairs:
        key = identity_key(name)
        found[key] = AMBIGUOUS if key in found else identity
    return found


def _as_id(text: str) -> UUID | None:
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def _by_unique_value(
    unit: UnitOfWork, entity: EntityDef, names: Collection[str]
) -> Found:
    fields = sorted(entity.unique_fields, key=lambda f: f.name != "external_id")
    keys = {name: identity_key(name) for name in names}
    wanted = sorted(
        {(f"{entity.name}.{f.name}", k) for f in fields for k in keys.values()}
    )
    held = {(c.scope, c.key): c.record_id for c in unit.transaction.holders(wanted)}
    candidates: dict[str, UUID] = {}
    for name, key in keys.items():
        identity = _as_id(name)
        places = (held.get((f"{entity.name}.{f.name}", key)) for f in fields)
        chosen = identity or next(filter(None, places), None)
        if chosen is not None:
            candidates[name] = chosen
    ids = sorted(set(candidates.values()))
    loaded = unit.transaction.load(entity, ids) if ids else {}
    return {
        name: identity
        for name, identity in candidates.items()
        if unit.visible(entity, loaded.get(identity))
    }


def _by_name(unit: UnitOfWork, entity: EntityDef, names: Collection[str]) -> Found:
    records = unit.stream(entity.record_class, F.name.in_(sorted(names)))
    distinct = _distinct((str(r["name"]), r.id) for r in records)
    keys = ((name, identity_key(name)) for name in names)
    return {name: distinct[key] for name, key in keys if key in distinct}
