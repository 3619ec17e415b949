"""Settings of field types: how each is read from plain data, strictly, and written back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from crmcore.records.picklists import Picklist
from crmcore.records.types import Refused, exact_number

__all__ = [
    "CRITERIA",
    "LONGEST_NAME",
    "NAME",
    "NAMES",
    "NUMBER",
    "PICKLIST",
    "Picklists",
    "Setting",
    "whole",
]

Picklists = Mapping[str, Picklist]

#: Characters of a name, and names in a list of them.
LONGEST_NAME, MOST_NAMES = 60, 100


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a type: how it is read from plain data and written as such."""

    read: Callable[[Any, Picklists], Any]
    write: Callable[[Any], Any] = lambda value: value
    required: bool = False


def whole(low: int, high: int) -> Setting:
    """Return a setting that is a whole number from ``low`` to ``high``."""

    def read(value: Any, _: Picklists) -> int:
        if type(value) is not int:
            raise Refused("not_integer")
        if not low <= value <= high:
            raise Refused("out_of_range", minimum=low, maximum=high)
        return value

    return Setting(read=read)


def _read_exact(value: Any, _: Picklists) -> Decimal:
    # A float is never what an administrator wrote.
    if isinstance(value, float):
        raise Refused("not_number")
    return exact_number(value)


def _write_exact(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _read_name(value: Any, _: Picklists) -> str:
    known = isinstance(value, str) and value.isascii() and value.isidentifier()
    if not known or value.startswith("_") or len(value) > LONGEST_NAME:
        raise Refused("bad_name", value=str(value)[:LONGEST_NAME])
    return str(value)


def _read_names(value: Any, picklists: Picklists) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise Refused("not_list")
    if len(value) > MOST_NAMES:
        raise Refused("too_large")
    names = tuple(_read_name(item, picklists) for item in value)
    if len(set(names)) != len(names):
        raise Refused("duplicate_item")
    return names


def _read_picklist(value: Any, picklists: Picklists) -> Picklist:
    """Return the picklist of a name; raises Refused where there is none."""
    found = picklists.get(value) if isinstance(value, str) else None
    if found is None:
        raise Refused("unknown_picklist", value=str(value)[:LONGEST_NAME])
    return found


def _read_criteria(value: Any, _: Picklists) -> Mapping[str, Any] | None:
    # Whether they fit the other entity is known to the schema, not here.
    if value is not None and not isinstance(value, Mapping):
        raise Refused("malformed")
    return value


NUMBER = Setting(read=_read_exact, write=_write_exact)
NAME = Setting(read=_read_name, required=True)
NAMES = Setting(read=_read_names, write=list)
CRITERIA = Setting(read=_read_criteria)
PICKLIST = Setting(
    read=_read_picklist, write=lambda picklist: picklist.name, required=True
)
