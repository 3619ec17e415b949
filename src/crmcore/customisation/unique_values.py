"""Values that become unique, or stop being so: they are claimed for all records at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crmcore.criteria import BoundSort, Query
from crmcore.criteria.binding import Subject
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, FieldDef, Record, Schema
from crmcore.storage import Claim
from crmcore.unit import UnitOfWork
from crmcore.unit.base import live

__all__ = ["claim_values"]

#: Records whose values are claimed by one statement.
AT_ONCE = 1_000


def claim_values(unit: UnitOfWork, before: Schema, after: Schema) -> None:
    """Claim the values of fields that become unique; release those of all others.

    Raises ValidationError naming the field and how many records share a value (DUP-01).
    """
    for name, entity in after.entities.items():
        old = before.entities.get(name)
        for field in entity.fields.values():
            was = old.fields.get(field.name) if old else None
            if was is None or was.unique == field.unique or old is None:
                continue
            if field.unique:
                _claim(unit, entity, field)
            else:
                _release(unit, old, field)


def _claim(unit: UnitOfWork, entity: EntityDef, field: FieldDef) -> None:
    shared = 0
    for claims in _claims(unit, entity, field):
        seen: dict[str, Claim] = {}
        doubled = [c for c in claims if seen.setdefault(c.key, c) is not c]
        shared += len(doubled) + len(unit.transaction.claim(list(seen.values())))
    if shared:
        problem = Problem(
            f"field.{entity.name}.{field.name}", "values_shared", {"count": shared}
        )
        raise ValidationError([problem])


def _release(unit: UnitOfWork, entity: EntityDef, field: FieldDef) -> None:
    for claims in _claims(unit, entity, field):
        unit.transaction.release(claims)


def _claims(
    unit: UnitOfWork, entity: EntityDef, field: FieldDef
) -> Iterator[list[Claim]]:
    by_id = Subject(entity.fields["id"], entity, None, None).column()
    query = Query(entity=entity, where=live(entity), order=(BoundSort(by_id, False),))
    scope = f"{entity.name}.{field.name}"
    for chunk in unit.transaction.stream(query, AT_ONCE):
        yield list(_of_chunk(entity, field, scope, chunk))


def _of_chunk(
    entity: EntityDef, field: FieldDef, scope: str, records: Iterable[Record]
) -> Iterator[Claim]:
    for record in records:
        key = entity.unique_keys(record).get(field.name)
        if key is not None:
            yield Claim(scope, key, record.id)
