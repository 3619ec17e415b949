"""Labels that administrators translate: a saved translation counts at once (I18N-01)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from crmcore.i18n import translate, translations
from crmcore.i18n.locales import fallbacks

__all__ = ["Caption", "Captions", "worded"]


@attrs.frozen(kw_only=True)
class Caption:
    """What people read for one key (``lead.industry``), by language.

    ``context`` exists for the translator only and is never shown. Translations change,
    the key does not.
    """

    key: str
    context: str = ""
    translations: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def translated(self, language: str, text: str) -> Caption:
        """Return the caption with one translation set; a blank text takes it away."""
        changed = {**self.translations, language.replace("-", "_"): text.strip()}
        kept = {name: words for name, words in changed.items() if words}
        return attrs.evolve(self, translations=kept)


def worded(text: str, translations: Mapping[str, str], language: str) -> str:
    """Return an English text in a language: as given with it, or as catalogued."""
    caption = Caption(key="", translations=translations)
    return Captions.of([caption]).text("", text, language)


@attrs.frozen
class Captions:
    """The captions of a tenant, by key."""

    by_key: Mapping[str, Caption] = attrs.field(factory=dict, hash=False)

    @classmethod
    def of(cls, captions: Iterable[Caption]) -> Captions:
        """Make the lookup of some captions."""
        return cls({caption.key: caption for caption in captions})

    def text(self, key: str, english: str, language: str) -> str:
        """Return what a reader of ``language`` reads for a key.

        The tenant's own words in the closest language come first, then the library's
        catalogue, then the tenant's English words, then ``english``.
        """
        own = self.by_key.get(key)
        words = own.translations if own else {}
        for name in fallbacks(language):
            if name in words:
                return words[name]
        if english in translations(language):
            return translate(english, language)
        return words.get("en", english)
