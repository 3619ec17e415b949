"""Languages: what the library says, in the reader's language.

For: messages of errors and labels of fields, from the shipped catalogues.
Takes an English text and a locale; returns the translation, or the English text.
Never raises for an unknown language, never reads the environment.
Neighbours: ``errors`` renders messages with it, ``records`` labels.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from string import Formatter
from typing import Any

from babel.core import Locale, UnknownLocaleError
from babel.messages.pofile import read_po

__all__ = ["LOCALES", "translate", "translations"]

#: Locales that have a shipped catalogue; English is the source language.
LOCALES = ("en", "zh_CN")


@cache
def translations(locale: str) -> dict[str, str]:
    """Return the catalogue for ``locale``: English text -> translation."""
    name = _catalogue_name(locale)
    if name is None:
        return {}
    file = resources.files(__package__) / "locales" / f"{name}.po"
    with file.open("rb") as stream:
        catalogue = read_po(stream, locale=name)
    return {
        str(message.id): str(message.string)
        for message in catalogue
        if message.id and message.string and not message.fuzzy
    }


def _catalogue_name(locale: str) -> str | None:
    try:
        wanted = Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None
    for name in LOCALES[1:]:
        if Locale.parse(name).language == wanted.language:
            return name
    return None


def translate(text: str, locale: str = "en", **values: Any) -> str:
    """Return ``text`` in the language of ``locale`` with ``values`` filled in."""
    template = translations(locale).get(text, text)
    if not values:
        return template
    return _SafeFormatter().vformat(template, (), values)


class _SafeFormatter(Formatter):
    """Fills names only: a value's attributes and items cannot be reached."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(field_name, "{" + field_name + "}"), field_name
