"""Picklists that administrators define, and what they change of declared ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crmcore.customisation.structuring import plain, structured
from crmcore.errors import Problem, ValidationError
from crmcore.records import Option, Picklist

__all__ = ["PicklistDefinition", "merged_picklist", "picklist_to_data"]

#: Options of one list: all the towns of a large country.
MOST_OPTIONS = 20_000
LONGEST_KEY, LONGEST_LABEL = 100, 200


@attrs.frozen(kw_only=True)
class PicklistDefinition:
    """A value set: its options in order, and the list that controls it (REC-13, REC-14)."""

    label: str = ""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    parent: str | None = None
    options: tuple[Option, ...] = ()


def merged_picklist(
    name: str, declared: Picklist | None, data: Mapping[str, Any]
) -> Picklist:
    """Return a picklist with what is stored of it.

    Options of a declared list keep the category that the library's rules read; they are
    relabelled, reordered or deactivated, never dropped. Raises ValidationError.
    """
    place = f"picklist.{name[:60]}"
    definition = structured(PicklistDefinition, data, place)
    problems = list(_problems(definition, place))
    if declared is not None:
        problems += _weakened(declared, definition, place)
    if problems:
        raise ValidationError(problems)
    given = {option.key: option for option in definition.options}
    kept = [o for o in declared.options if o.key not in given] if declared else []
    options = tuple(
        sorted((*definition.options, *kept), key=lambda option: option.order)
    )
    return Picklist(name, options, parent=definition.parent)


def _problems(definition: PicklistDefinition, place: str) -> list[Problem]:
    problems = []
    options = definition.options
    if len(options) > MOST_OPTIONS:
        problems.append(Problem(place, "too_large", {"maximum": MOST_OPTIONS}))
    seen: set[str] = set()
    for option in options:
        where = f"{place}.{option.key[:60]}"
        if not option.key.strip() or option.key != option.key.strip():
            problems.append(Problem(where, "bad_key", {"key": option.key[:60]}))
        if len(option.key) > LONGEST_KEY:
            problems.append(Problem(where, "too_long", {"maximum": LONGEST_KEY}))
        if not option.label.strip():
            problems.append(Problem(f"{where}.label", "required"))
        if len(option.label) > LONGEST_LABEL:
            problems.append(
                Problem(f"{where}.label", "too_long", {"maximum": LONGEST_LABEL})
            )
        if option.key in seen:
            problems.append(Problem(where, "key_taken", {"key": option.key[:60]}))
        seen.add(option.key)
    if sum(option.default for option in options) > 1:
        problems.append(Problem(place, "several_defaults"))
    return problems


def _weakened(
    declared: Picklist, definition: PicklistDefinition, place: str
) -> list[Problem]:
    problems = []
    for option in definition.options:
        own = declared.by_key.get(option.key)
        if own is not None and option.category != own.category:
            where = f"{place}.{option.key}.category"
            problems.append(Problem(where, "declared_in_python"))
    return problems


def picklist_to_data(picklist: Picklist) -> dict[str, Any]:
    """Return the definition of a picklist, defaults left out."""
    return plain(PicklistDefinition(parent=picklist.parent, options=picklist.options))
