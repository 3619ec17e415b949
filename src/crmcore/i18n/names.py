"""Names of persons in the order of their script and language."""

from __future__ import annotations

import re

from crmcore.i18n.locales import locale_of

__all__ = ["format_name", "is_east_asian"]

#: Languages that put the family name first (CLDR).
_FAMILY_FIRST = frozenset({"hu", "ja", "km", "ko", "vi", "yue", "zh"})
#: Chinese, Japanese and Korean: family name first, no blank in between.
_EAST_ASIAN = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def is_east_asian(text: str) -> bool:
    """Tell whether a name is written in Chinese, Japanese or Korean script."""
    return _EAST_ASIAN.fullmatch(text) is not None


def format_name(
    last: str | None,
    first: str | None,
    *,
    language: str | None = None,
    sorting: bool = False,
) -> str:
    """Return a person's name: 王小明, Ada Lovelace, and in Hungarian Nagy Anna.

    A name in East Asian script has the family name first and no blank. ``language`` is
    the language of the name, not of the reader. ``sorting`` gives ``Lovelace, Ada``.
    """
    parts = [part.strip() for part in (last, first) if part and part.strip()]
    if len(parts) == 2 and all(map(is_east_asian, parts)):
        return "".join(parts)
    if sorting:
        return ", ".join(parts)
    if language is not None and locale_of(language).language in _FAMILY_FIRST:
        return " ".join(parts)
    return " ".join(reversed(parts))
