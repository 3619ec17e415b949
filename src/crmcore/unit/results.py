"""What verbs returned or refused, as JSON data and back, for the journal of operations.

A record is kept as a reference to one of its versions; whatever else a result holds is
kept as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmcore.errors import CRMError, Problem, ValidationError
from crmcore.records import Address, ContactPoint, Money, Record, Ref

__all__ = ["Load", "error_from_json", "error_to_json", "from_json", "to_json"]

#: Returns a version of a record by entity, id and version.
Load = Callable[[str, UUID, int], Record]
Kinds = Mapping[str, type[Any]]

_VALUES = (Address, ContactPoint, Money, Ref, Problem)

_WORDS: tuple[
    tuple[type[Any], str, Callable[[Any], str], Callable[[str], Any]], ...
] = (
    (UUID, "uuid", str, UUID),
    (datetime, "time", datetime.isoformat, datetime.fromisoformat),
    (date, "date", date.isoformat, date.fromisoformat),
    (Decimal, "number", str, Decimal),
)


def to_json(value: Any) -> Any:
    """Return a verb's result as JSON data; raises TypeError for what it cannot keep."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Record):
        return {"record": [value.entity_name(), str(value.id), value.version]}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((to_json(item) for item in value), key=repr)}
    if isinstance(value, Mapping):
        return {"map": {key: to_json(item) for key, item in value.items()}}
    for kind, word, write, _ in _WORDS:
        if isinstance(value, kind):
            return {word: write(value)}
    if attrs.has(type(value)):
        given = attrs.asdict(value, recurse=False)
        values = {name: to_json(item) for name, item in given.items()}
        return {"value": [type(value).__name__, values]}
    raise TypeError(type(value).__name__)


def from_json(data: Any, load: Load, kinds: Iterable[type[Any]] = ()) -> Any:
    """Return the result of its JSON data; ``kinds`` are the classes it may hold."""
    return _read(data, load, {kind.__name__: kind for kind in (*_VALUES, *kinds)})


def _read(data: Any, load: Load, kinds: Kinds) -> Any:
    if isinstance(data, list):
        return tuple(_read(item, load, kinds) for item in data)
    if not isinstance(data, Mapping):
        return data
    ((word, content),) = data.items()
    if word == "record":
        entity, identity, version = content
        return load(entity, UUID(identity), version)
    if word == "set":
        return frozenset(_read(item, load, kinds) for item in content)
    if word == "map":
        return {key: _read(item, load, kinds) for key, item in content.items()}
    if word == "value":
        name, values = content
        return kinds[name](**{n: _read(v, load, kinds) for n, v in values.items()})
    return {w: parse for _, w, _, parse in _WORDS}[word](content)


def error_to_json(error: CRMError) -> dict[str, Any]:
    """Return an error that a verb raised as JSON data."""
    problems = error.problems if isinstance(error, ValidationError) else ()
    return {
        "code": error.code,
        "details": to_json(error.details),
        "problems": to_json(problems),
        "locale": error.locale,
    }


def error_from_json(
    data: Mapping[str, Any], load: Load, kinds: Iterable[type[Any]] = ()
) -> CRMError:
    """Return the error of its JSON data."""
    known = tuple(kinds)
    kind = _error_classes()[data["code"]]
    details = from_json(data["details"], load, known)
    if issubclass(kind, ValidationError):
        error: CRMError = kind(from_json(data["problems"], load, known), **details)
    else:
        error = kind(**details)
    error.locale = data["locale"]
    return error


def _error_classes() -> dict[str, type[CRMError]]:
    classes, waiting = {CRMError.code: CRMError}, [CRMError]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            classes[kind.code] = kind
            waiting.append(kind)
    return classes
