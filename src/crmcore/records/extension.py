"""Extensions: fields that a host adds to an entity of the library, in Python (REC-10).

::

    @extends(Lead)
    class MyLead(Lead):
        budget: Money | None = fields.money()

The extension stays the same entity: it has the name, the table and the rights of its
base, and takes its place in every CRM that it is given to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast, dataclass_transform

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.records.definitions import EntityDef
from crmcore.records.field_definitions import FieldDef, columns_of
from crmcore.records.record import Record, declared_fields

__all__ = ["definitions_of", "extends"]

R = TypeVar("R", bound=Record)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def extends(base: type[Record]) -> Callable[[type[R]], type[R]]:
    """Make a subclass of an entity's class that entity, with the fields that it adds.

    Give it to ``CRM(entities=[...])``: all verbs then return it, also where they are
    asked for ``base`` or get a record of it.

    Raises ValidationError naming each field that has the name of another field, of its
    stored parts or of something else in ``base``, and for a class that does not
    inherit from ``base``.
    """
    definition = _definition(base)

    def decorate(cls: type[R]) -> type[R]:
        if not issubclass(cls, base):
            details = {"base": base.__name__}
            problem = Problem(cls.__name__[:80], "not_an_extension", details)
            raise ValidationError([problem])
        made = attrs.frozen(kw_only=True)(cls)
        own = {a.name for a in attrs.fields(cast(Any, made)) if not a.inherited}
        known = declared_fields(made)
        problems = list(_problems(definition, base, own, known))
        if problems:
            raise ValidationError(problems)
        added = {name: field for name, field in known.items() if name in own}
        made.__entity__ = attrs.evolve(
            definition,
            record_class=made,
            fields={**definition.fields, **added},
            extension=definition.extension | own,
        )
        return made

    return decorate


def _definition(kind: Any) -> EntityDef:
    """Return what a class was declared as; raises ValidationError for any other class."""
    found = vars(kind).get("__entity__") if isinstance(kind, type) else None
    if not isinstance(found, EntityDef):
        shown = getattr(kind, "__name__", str(kind))[:80]
        raise ValidationError.of(shown, "not_declared")
    return found


def _problems(
    definition: EntityDef,
    base: type[Record],
    own: Iterable[str],
    known: dict[str, FieldDef],
) -> Iterator[Problem]:
    taken = {c.name for c in definition.columns} | set(definition.relations)
    taken |= definition.fields.keys()
    for name in sorted(own):
        place = f"{definition.name}.{name}"[:80]
        field = known.get(name)
        if name in definition.fields:
            yield Problem(place, "field_exists", {"entity": definition.name})
        elif field is None:
            yield Problem(place, "not_a_field")
        elif name.startswith("_") or name in _VERB_WORDS or hasattr(base, name):
            yield Problem(place, "reserved_key", {"key": name[:60]})
        else:
            wanted = {c.name for c in columns_of(field)} | {name, field.relation}
            for one in sorted(filter(None, wanted & taken)):
                yield Problem(place, "key_collides", {"key": one})
            taken |= {one for one in wanted if one}


#: Words that the verbs of a session take beside the fields of a record.
_VERB_WORDS = frozenset({"parent", "record"})


def definitions_of(kinds: Iterable[type[Record]]) -> tuple[EntityDef, ...]:
    """Return the entities of declared classes, each in its furthest extension.

    Raises ValidationError where two classes want to be one entity, and neither extends
    the other.
    """
    found: dict[str, EntityDef] = {}
    for kind in kinds:
        definition = _definition(kind)
        present = found.get(definition.name)
        if present is None or issubclass(kind, present.record_class):
            found[definition.name] = definition
        elif not issubclass(present.record_class, kind):
            names = sorted((present.record_class.__name__, kind.__name__))
            details = {"one": names[0], "other": names[1]}
            raise ValidationError.of(definition.name, "declared_twice", **details)
    return tuple(found.values())
