"""Which keys administrators may give: safe in every store, template and language."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from crmcore.errors import Problem
from crmcore.records import EntityDef, Record
from crmcore.records.field_definitions import FieldDef, columns_of

__all__ = ["field_key_problems", "key_problems"]

#: Characters of a key; so many fit the name of an index on every server.
LONGEST_KEY = 40
#: Words that the verbs of a session take beside the fields of a record.
VERB_WORDS = frozenset({"parent", "record"})
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_DOUBLE = re.compile(r"__")


def key_problems(key: str, place: str) -> Iterator[Problem]:
    """Yield why a key cannot be given (REC-09, REC-17).

    Keys are lower-case letters, digits and single underscores, and begin with a letter.
    """
    if len(key) > LONGEST_KEY:
        yield Problem(place, "too_long", {"maximum": LONGEST_KEY})
    elif not _KEY.fullmatch(key) or _DOUBLE.search(key) or key.endswith("_"):
        yield Problem(place, "bad_key", {"key": key[:60]})
    elif keyword.iskeyword(key):
        yield Problem(place, "reserved_key", {"key": key})


def field_key_problems(
    entity: EntityDef, field: FieldDef, place: str
) -> Iterator[Problem]:
    """Yield why a custom field cannot have its key on ``entity``."""
    bad = list(key_problems(field.name, place))
    if bad:
        yield from bad
        return
    if (
        field.name in VERB_WORDS
        or hasattr(Record, field.name)
        or hasattr(entity.record_class, field.name)
    ):
        yield Problem(place, "reserved_key", {"key": field.name})
    wanted = {c.name for c in columns_of(field)} | {field.name, field.relation}
    taken = {
        name
        for other in (*entity.fields.values(), *entity.retired)
        if other.name != field.name
        for name in (other.name, *(c.name for c in columns_of(other)), other.relation)
        if name
    }
    for name in sorted(filter(None, wanted & taken)):
        yield Problem(place, "key_collides", {"key": name})
