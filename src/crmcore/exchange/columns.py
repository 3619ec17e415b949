"""Which column fills which field: recognised by key, label or alias, or as told.

Pure: takes headers, an entity and the caller's wishes; returns columns and problems.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from crmcore.errors import Problem
from crmcore.exchange.aliases import NEVER_GUESSED, aliases_of
from crmcore.i18n import LOCALES, translate
from crmcore.records import (
    AddressBlock,
    AnyReference,
    EntityDef,
    FieldDef,
    Geolocation,
    MoneyAmount,
    fold,
)

__all__ = [
    "Column",
    "ColumnMapping",
    "Target",
    "check_columns",
    "guess_columns",
    "is_known_name",
    "mapped_columns",
    "read_mapping",
    "target_of",
]

_NOISE = re.compile(r"[\s_\-*:：()（）.·'\"]+")


@attrs.frozen
class ColumnMapping:
    """What to do with one column (IMP-02).

    ``field`` is a field's key, or a part of one: ``mailing_address.city``,
    ``amount.currency``. ``default`` is used where the cell is empty; ``values``
    replaces cells by other ones, ``{"technolgy": "technology"}``; ``date_order`` is
    ``"ymd"``, ``"dmy"`` or ``"mdy"``; ``currency`` the one of unmarked amounts;
    ``locale`` that in which numbers, amounts and days are written, read strictly.
    """

    field: str | None
    default: Any = None
    values: Mapping[str, Any] = attrs.field(factory=dict)
    date_order: str | None = None
    currency: str | None = None
    locale: str | None = None


@attrs.frozen
class Column:
    """A column of the file: where it stands, what it holds, what it fills."""

    position: int
    header: str
    first_value: str
    mapping: ColumnMapping = ColumnMapping(None)
    required: bool = False

    @property
    def field(self) -> str | None:
        """Return the target: a field's key or a part of one; None if left out."""
        return self.mapping.field

    @property
    def default(self) -> Any:
        """Return what is used where the cell is empty."""
        return self.mapping.default


@attrs.frozen
class Target:
    """A field, or one part of a field: of an address, of an amount of money."""

    field: FieldDef
    part: str | None = None


def target_of(entity: EntityDef, name: str) -> Target | None:
    """Return the target of a key such as ``email`` or ``mailing_address.city``."""
    key, _, part = name.partition(".")
    field = entity.input_fields.get(key)
    if field is None:
        return None
    if not part:
        return Target(field)
    wide = isinstance(field.type, (AddressBlock, Geolocation, MoneyAmount))
    return Target(field, part) if wide and part in field.type.parts else None


def _plain(text: str) -> str:
    return _NOISE.sub("", fold(text))


def _names(entity: EntityDef) -> Iterator[tuple[str, str]]:
    """Yield name and target: keys first, then labels, then aliases."""
    guessed = [field for field in entity.input_fields.values() if _is_guessed(field)]
    for field in guessed:
        yield field.name, field.name
    for field in guessed:
        for locale in LOCALES:
            yield translate(field.label, locale), field.name
    for target, names in aliases_of(entity.name).items():
        known = target_of(entity, target)
        if known is not None and known.field.name not in NEVER_GUESSED:
            for name in names:
                yield name, target


def _is_guessed(field: FieldDef) -> bool:
    """Tell whether one cell can fill the field, and a file is expected to have it."""
    whole = not isinstance(field.type, (AddressBlock, AnyReference, Geolocation))
    return whole and field.name not in NEVER_GUESSED


def _by_name(entity: EntityDef) -> dict[str, list[str]]:
    """Return the targets that a plain name may mean, the likeliest first."""
    found: dict[str, list[str]] = {}
    for name, target in _names(entity):
        targets = found.setdefault(_plain(name), [])
        if target not in targets:
            targets.append(target)
    return found


def is_known_name(entity: EntityDef, text: str) -> bool:
    """Tell whether ``text`` is what somebody calls one of the fields."""
    return _plain(text) in _by_name(entity)


def guess_columns(entity: EntityDef, headers: Sequence[str]) -> dict[int, str]:
    """Return position -> target for every header that is recognised (IMP-02).

    No target is given twice: the better name wins, the other column is left out.
    """
    known = _by_name(entity)
    order = {name: rank for rank, name in enumerate(known)}
    guesses: dict[int, str] = {}
    ranked = sorted(
        (p for p, h in enumerate(headers) if _plain(h) in known),
        key=lambda p: (order[_plain(headers[p])], p),
    )
    for position in ranked:
        taken = set(guesses.values())
        for target in known[_plain(headers[position])]:
            if target not in taken:
                guesses[position] = target
                break
    return guesses


def read_mapping(
    given: Mapping[str | int, Any], headers: Sequence[str], problems: list[Problem]
) -> dict[int, tuple[ColumnMapping, ...]]:
    """Return position -> mappings of what the caller says.

    Columns are named by header, or by number from 1; targets by a field's key or a
    :class:`ColumnMapping`; several in a list; None leaves a column out.
    """
    positions = _positions(headers)
    mappings: dict[int, tuple[ColumnMapping, ...]] = {}
    for column, wish in given.items():
        position = positions.get(column if isinstance(column, int) else column.strip())
        if position is None:
            problems.append(Problem(str(column)[:80], "unknown_column"))
            continue
        wishes = wish if isinstance(wish, (list, tuple)) else (wish,)
        try:
            mappings[position] = tuple(_mapping_of(each) for each in wishes)
        except TypeError:
            problems.append(Problem(str(column)[:80], "malformed"))
    return mappings


def _positions(headers: Sequence[str]) -> dict[str | int, int]:
    named: dict[str | int, int] = {}
    for position, header in enumerate(headers):
        if header.strip():
            named.setdefault(header.strip(), position)
    return {**named, **{p + 1: p for p in range(len(headers))}}


def _mapping_of(wish: Any) -> ColumnMapping:
    if wish is None or isinstance(wish, str):
        return ColumnMapping(wish or None)
    if isinstance(wish, ColumnMapping):
        return wish
    return ColumnMapping(**wish)


def mapped_columns(
    entity: EntityDef,
    headers: Sequence[str],
    first: Sequence[str],
    mappings: Mapping[int, Sequence[ColumnMapping]],
) -> tuple[Column, ...]:
    """Return all columns with header, first value and target; required ones marked.

    A column that fills several fields is there once for each.
    """
    columns = []
    for position, header in enumerate(headers):
        value = first[position] if position < len(first) else ""
        for mapping in mappings.get(position) or (ColumnMapping(None),):
            target = target_of(entity, mapping.field) if mapping.field else None
            required = target is not None and target.field.required
            columns.append(Column(position, header, value[:200], mapping, required))
    return tuple(columns)


def check_columns(
    entity: EntityDef,
    columns: Iterable[Column],
    filled: Iterable[str],
    *,
    creates: bool,
) -> list[Problem]:
    """Return what is wrong with a mapping (IMP-02).

    Unknown targets; a field that two columns fill; where records are created, required
    fields that no column and none of the ``filled`` defaults fill.
    """
    problems: list[Problem] = []
    taken: set[str] = set()
    for column in columns:
        if column.field is None:
            continue
        if target_of(entity, column.field) is None:
            details = {"entity": entity.name}
            problems.append(Problem(column.field[:80], "unknown_field", details))
        elif column.field in taken:
            problems.append(Problem(column.field, "already_mapped"))
        taken.add(column.field)
    given = {name.partition(".")[0] for name in taken} | set(filled)
    return [*problems, *_unfilled(entity, given)] if creates else problems


def _unfilled(entity: EntityDef, given: Collection[str]) -> list[Problem]:
    return [
        Problem(field.name, "not_mapped")
        for field in entity.input_fields.values()
        if field.required and field.default is None and field.name not in given
    ]
