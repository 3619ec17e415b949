"""Names of persons in the order of their script and language."""

from __future__ import annotations

from crmcore.i18n.locales import locale_of

__all__ = ["format_name"]

#: Languages that put the family name first (CLDR).
_FAMILY_FIRST = frozenset({"hu", "ja", "km", "ko", "vi", "yue", "zh"})
_EAST_ASIAN = (
    ("\u1100", "\u11ff"),
    ("\u3040", "\u30ff"),
    ("\u3400", "\u9fff"),
    ("\uac00", "\ud7af"),
)


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
    if len(parts) == 2 and all(map(_is_east_asian, parts)):
        return "".join(parts)
    if sorting:
        return ", ".join(parts)
    if language is not None and locale_of(language).language in _FAMILY_FIRST:
        return " ".join(parts)
    return " ".join(reversed(parts))


def _is_east_asian(text: str) -> bool:
    return all(any(low <= c <= high for low, high in _EAST_ASIAN) for c in text)
