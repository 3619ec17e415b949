"""Enumerations in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from babel.lists import format_list as cldr_list

from crmcore.i18n.locales import locale_of

__all__ = ["format_list"]


def format_list(
    items: Iterable[str],
    locale: str = "en",
    *,
    style: Literal["standard", "or", "unit"] = "standard",
) -> str:
    """Return ``A, B, and C`` in a locale; ``style="or"`` gives ``A, B, or C``."""
    parts = list(items)
    return cldr_list(parts, style=style, locale=locale_of(locale)) if parts else ""
