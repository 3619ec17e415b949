"""Plans of customisation: what would change, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from crmcore.customisation.items import Item, ItemKey, Items
from crmcore.errors import Problem, ValidationError
from crmcore.records import (
    AutoNumber,
    DecimalNumber,
    EntityDef,
    FieldDef,
    FieldType,
    ListOf,
    Reference,
    Schema,
    Text,
)
from crmcore.records.schema import LINK, picklist_of

__all__ = [
    "CustomisationPlan",
    "Difference",
    "Put",
    "Question",
    "Remove",
    "Restore",
    "Retire",
    "differences",
    "questions",
    "target",
]


@attrs.frozen
class Put:
    """Store a definition, new or in place of the one that is there."""

    key: ItemKey
    definition: Mapping[str, Any]


@attrs.frozen
class Retire:
    """Take an item out of use; values are kept and its key stays taken (REC-09)."""

    key: ItemKey


@attrs.frozen
class Restore:
    """Bring a retired item back."""

    key: ItemKey


@attrs.frozen
class Remove:
    """Remove an item for good; its key may be given again."""

    key: ItemKey


Change = Put | Retire | Restore | Remove


@attrs.frozen
class Difference:
    """What becomes of one item; ``before`` and ``after`` are none where there is none."""

    key: ItemKey
    before: Item | None
    after: Item | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.key}"
        if self.after is None:
            return f"- {self.key}"
        if self.after.retired != self.before.retired:
            return f"{'x' if self.after.retired else 'o'} {self.key}"
        names = ", ".join(_changed_settings(self.before, self.after))
        return f"~ {self.key}: {names}"


def _changed_settings(before: Item, after: Item) -> list[str]:
    names = sorted({*before.definition, *after.definition})
    return [n for n in names if before.definition.get(n) != after.definition.get(n)]


@attrs.frozen
class CustomisationPlan:
    """Changes of a tenant's customisation, checked as a whole.

    ``version`` is that of the customisation for which it was made; ``problems`` say why
    it cannot be applied. ``str(plan)`` shows a line for each difference.
    """

    version: int
    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self.differences)) or "nothing changes"

    def refuse_problems(self) -> None:
        """Raise ValidationError with everything that is wrong."""
        if self.problems:
            raise ValidationError(self.problems)


def target(items: Items, changes: Iterable[Change]) -> Items:
    """Return the items after some changes.

    Raises ValidationError for a retired key that is given anew, and for items that are
    not there.
    """
    result = items
    problems = []
    for change in changes:
        present = result.get(change.key)
        place = f"{change.key.kind}.{change.key.place}"
        if isinstance(change, Put):
            if present is not None and present.retired:
                details = {"key": change.key.key}
                problems.append(Problem(place, "retired_key", details))
            else:
                result = result.changed([Item(change.key, change.definition)])
        elif present is None:
            problems.append(Problem(place, "no_item", {"key": change.key.place[:100]}))
        elif isinstance(change, Remove):
            result = result.changed([change.key])
        else:
            gone = isinstance(change, Retire)
            result = result.changed([attrs.evolve(present, retired=gone)])
    if problems:
        raise ValidationError(problems)
    return result


def differences(before: Items, after: Items) -> tuple[Difference, ...]:
    """Return what becomes of each item that is not the same afterwards."""
    keys = sorted({item.key for item in before} | {item.key for item in after})
    pairs = [(key, before.get(key), after.get(key)) for key in keys]
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


# -- what only the records can tell -----------------------------------------------------


@attrs.frozen
class Question:
    """What must not be among the records if a plan is to be applied.

    ``kind``: ``filled`` (the field has values), ``chosen`` (an option is used),
    ``present`` (the object has records), ``linked`` (a relation has links), ``unique``
    (no two records share a value),
    ``profile`` (users have a profile that nothing declares any more).
    """

    kind: str
    entity: EntityDef
    field: FieldDef | None
    problem: Problem
    value: str | None = None


def questions(before: Schema, after: Schema) -> Iterable[Question]:
    """Yield what has to be asked of the records before ``after`` replaces ``before``."""
    for name, old in before.entities.items():
        new = after.entities.get(name)
        if new is None:
            problem = Problem(f"object.{name}", "in_use")
            yield Question("present", old, None, problem)
            continue
        for field in old.fields.values():
            changed = new.fields.get(field.name)
            if changed is None or changed is field:
                continue
            yield from _of_field(old, new, field, changed)
        yield from _gone(old, new)
    links = before.entities.get(LINK)
    for key, relation in before.relations.items():
        later = after.relations.get(key)
        if links is not None and (later is None or later.ends != relation.ends):
            problem = Problem(f"relation.{key}", "in_use")
            yield Question("linked", links, links.fields["relation"], problem, key)
    yield from _gone_profiles(before, after)


def _of_field(
    old: EntityDef, new: EntityDef, field: FieldDef, changed: FieldDef
) -> Iterable[Question]:
    place = f"field.{old.name}.{field.name}"
    if field.type.parts and not stored_alike(field.type, changed.type):
        problem = Problem(f"{place}.type", "type_in_use")
        yield Question("filled", old, field, problem)
    if changed.unique and not field.unique:
        yield Question("unique", new, changed, Problem(f"{place}.unique", "unique"))
    before, after = picklist_of(field), picklist_of(changed)
    if before is None or after is None:
        return
    for option in before.options:
        if option.key not in after.by_key:
            place = f"picklist.{before.name}.{option.key}"
            problem = Problem(place, "option_in_use", {"value": option.key})
            yield Question("chosen", old, field, problem, option.key)


def _gone(old: EntityDef, new: EntityDef) -> Iterable[Question]:
    """Yield questions on fields that are gone for good: they must hold nothing."""
    kept = {field.name for field in new.retired} | set(new.fields)
    for field in (*old.custom_fields, *old.retired):
        if field.name not in kept and field not in old.retired:
            problem = Problem(f"field.{old.name}.{field.name}", "in_use")
            yield Question("filled", old, field, problem)


def _gone_profiles(before: Schema, after: Schema) -> Iterable[Question]:
    """Yield questions on profiles that are gone: nobody may have them (ACC-15)."""
    users = before.entity("user")
    for place in before.added("profile").keys() - after.added("profile").keys():
        problem = Problem(f"profile.{place[1]}", "in_use")
        for name in ("profile", "further_profiles"):
            yield Question("profile", users, users.fields[name], problem, place[1])


def stored_alike(one: FieldType, other: FieldType) -> bool:
    """Tell whether the values of one type can be read as those of the other."""
    if {type(one), type(other)} == {Text, AutoNumber}:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, DecimalNumber) and isinstance(other, DecimalNumber):
        return one.digits == other.digits
    if isinstance(one, Reference) and isinstance(other, Reference):
        return one.entity == other.entity
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        return stored_alike(one.item, other.item)
    return True
