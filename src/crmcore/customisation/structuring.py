"""Definitions as plain data and back, read strictly: nothing is guessed or left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_type_hints

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from crmcore.errors import Problem, ValidationError

__all__ = ["plain", "structured", "structured_value"]

T = TypeVar("T")


class _WrongType(Exception):
    """A value of another type than the definition asks for."""


def _exactly(kind: type[Any]) -> Any:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise _WrongType
        return value

    return structure


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(
        forbid_extra_keys=True, detailed_validation=True, omit_if_default=True
    )
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    return converter


_CONVERTER = _converter()


def structured(kind: type[T], data: Any, place: str) -> T:
    """Return the definition that ``data`` describes.

    Raises ValidationError that names every bad part below ``place``.
    """
    if not isinstance(data, Mapping):
        raise ValidationError.of(place, "malformed")
    made: T = structured_value(kind, data, place)
    return made


def structured_value(kind: Any, data: Any, place: str) -> Any:
    """Return one value of a type, as :func:`structured`."""
    try:
        return _CONVERTER.structure(data, kind)
    except BaseValidationError as error:
        raise ValidationError(list(_problems(error, place))) from None
    except (_WrongType, ValueError, TypeError, KeyError, AttributeError):
        raise ValidationError.of(place, "malformed") from None


def _problems(error: BaseException, place: str) -> Iterator[Problem]:
    if isinstance(error, ForbiddenExtraKeysError):
        for name in sorted(map(str, error.extra_fields)):
            yield Problem(f"{place}.{name[:60]}", "unknown_setting")
    elif isinstance(error, BaseValidationError):
        for part in error.exceptions:
            yield from _problems(part, f"{place}{_step(part)}")
    elif isinstance(error, KeyError) or (
        isinstance(error, TypeError) and "missing" in str(error)
    ):
        yield Problem(place, "required")
    else:
        yield Problem(place, "malformed")


def _step(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]"
    return ""


def plain(value: Any) -> dict[str, Any]:
    """Return a definition as plain data, what has its default left out."""
    data: dict[str, Any] = _CONVERTER.unstructure(value)
    return data


def type_hints(kind: type[Any]) -> dict[str, Any]:
    """Return the types of an attrs class's attributes."""
    hints = get_type_hints(kind)
    return {a.name: hints[a.name] for a in attrs.fields(kind)}
