"""Languages: what the library says, in the reader's language.

For: messages of errors and labels of fields, from the shipped catalogues; formats of
dates, numbers, money, names and addresses; labels that administrators translated.
Takes an English text and a locale; returns the translation, or the English text.
Never raises for an unknown language, never reads the environment.
Neighbours: ``errors`` renders messages with it, ``records`` labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from gettext import c2py
from importlib import resources
from string import Formatter
from typing import Any

from babel.messages.pofile import read_po

from crmcore.i18n.locales import LOCALES, catalogue_of, fallbacks
from crmcore.i18n.plurals import SINGULARS

__all__ = ["LOCALES", "catalogue_of", "fallbacks", "translate", "translations"]


@cache
def _forms(name: str) -> Mapping[str, tuple[str, ...]]:
    """Return the checked entries of a catalogue, by each of their English texts."""
    file = resources.files(__package__) / "catalogues" / f"{name}.po"
    with file.open("rb") as stream:
        catalogue = read_po(stream, locale=name)
    found = {}
    for message in catalogue:
        if not message.id or not message.string or message.fuzzy:
            continue
        ids, strings = _several(message.id), _several(message.string)
        found.update(dict.fromkeys(ids, strings))
    return found


def _several(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@cache
def _rule(name: str) -> Callable[[int], int]:
    file = resources.files(__package__) / "catalogues" / f"{name}.po"
    with file.open("rb") as stream:
        return c2py(read_po(stream, locale=name).plural_expr)


@cache
def translations(locale: str) -> dict[str, str]:
    """Return the catalogue for ``locale``: English text -> translation."""
    name = catalogue_of(locale)
    if name is None:
        return {}
    return {text: forms[-1] for text, forms in _forms(name).items()}


def translate(text: str, locale: str = "en", **values: Any) -> str:
    """Return ``text`` in the language of ``locale`` with ``values`` filled in.

    A text with a count takes the plural form that the language has for it (I18N-01).
    """
    template = _template(text, locale, values)
    if not values:
        return template
    return _SafeFormatter().vformat(template, (), values)


def _template(text: str, locale: str, values: Mapping[str, Any]) -> str:
    name = catalogue_of(locale)
    forms = _forms(name).get(text) if name else None
    singular, counted = SINGULARS.get(text, (text, ""))
    count = values.get(counted)
    if type(count) is not int:
        return forms[-1] if forms else text
    if forms is None:
        return singular if count == 1 else text
    return forms[_rule(str(name))(count)]


class _SafeFormatter(Formatter):
    """Fills names only: a value's attributes and items cannot be reached."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(field_name, "{" + field_name + "}"), field_name
