"""Which language a locale asks for, and what to read where it has no text.

Pure; anything that is no locale is read as English.
"""

from __future__ import annotations

from functools import lru_cache

from babel.core import Locale, UnknownLocaleError, parse_locale

__all__ = ["LOCALES", "catalogue_of", "fallbacks", "is_locale", "locale_of"]

#: Locales that have a shipped catalogue; English is the source language.
LOCALES = ("en", "zh_CN", "zh_TW")

_ENGLISH = Locale("en")
#: Where Chinese is written with traditional characters unless a script is named.
_TRADITIONAL = frozenset({"TW", "HK", "MO"})
_LONGEST = 40


@lru_cache(maxsize=512)
def _parsed(text: str) -> Locale | None:
    try:
        return Locale.parse(text.replace("-", "_"))
    except (AttributeError, TypeError, ValueError, UnknownLocaleError):
        return None


def _known(locale: str) -> Locale | None:
    if type(locale) is not str or not 0 < len(locale) <= _LONGEST:
        return None
    return _parsed(locale)


def is_locale(locale: str) -> bool:
    """Tell whether a text names a locale: a language, maybe with script and territory."""
    return _known(locale) is not None


def locale_of(locale: str) -> Locale:
    """Return the rules of a locale (``de_AT``, ``zh-Hant-HK``); English where unknown."""
    return _known(locale) or _ENGLISH


def catalogue_of(locale: str) -> str | None:
    """Return the shipped catalogue for a locale, None where the reader gets English.

    ``zh-Hans`` and ``zh-SG`` lead to ``zh_CN``; ``zh-Hant``, ``zh-HK`` and ``zh-MO`` to
    ``zh_TW``; a script counts before a territory.
    """
    wanted = _known(locale)
    if wanted is None or wanted.language != "zh":
        return None
    return "zh_TW" if _is_traditional(locale) else "zh_CN"


def _is_traditional(locale: str) -> bool:
    # Not read from the rules: those of zh_Hant_SG do not exist and zh_Hans_SG steps in.
    _, territory, script, *_ = parse_locale(locale.replace("-", "_"))
    if script is not None:
        return script == "Hant"
    return territory in _TRADITIONAL


def fallbacks(locale: str) -> tuple[str, ...]:
    """Return the languages in which a text is looked for, the closest first.

    ``zh-HK`` gives ``zh_HK``, ``zh_Hant_HK``, ``zh_Hant``, ``zh_TW``, ``zh``; ``de-AT``
    gives ``de_AT``, ``de``. English is what remains when none has a text (I18N-01).
    """
    wanted = _known(locale)
    if wanted is None:
        return ()
    language, territory = wanted.language, wanted.territory
    script = wanted.script
    if language == "zh":
        script = "Hant" if _is_traditional(locale) else "Hans"
    steps = [locale.replace("-", "_"), str(wanted)]
    steps += [f"{language}_{part}" for part in (territory,) if part]
    if script:
        steps += [f"{language}_{script}_{part}" for part in (territory,) if part]
        steps.append(f"{language}_{script}")
    steps += [name for name in (catalogue_of(locale),) if name]
    return tuple(dict.fromkeys([*steps, language]))
