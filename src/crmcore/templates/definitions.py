"""What a stored template is, as a value (REC-24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

__all__ = ["CONTENT_TYPES", "TEMPLATE_KINDS", "Template", "TemplateText"]

TEMPLATE_KINDS = ("message", "print", "document")
CONTENT_TYPES = ("html", "text")


@attrs.frozen(kw_only=True)
class TemplateText:
    """Subject and body in one language."""

    subject: str = ""
    body: str = ""


@attrs.frozen(kw_only=True)
class Template:
    """A message, print form or document that is filled with a record.

    ``object`` names the entity whose record it is written for; under that name the body
    reads it: ``{{ lead.company_name }}``. ``record_type`` and ``condition`` (criteria in
    their JSON form) say for which records; ``position`` in which order templates are
    tried. ``languages`` are variants of subject and body by locale.
    """

    key: str
    kind: str = "message"
    content_type: str = "text"
    label: str = ""
    object: str | None = None
    record_type: str | None = None
    condition: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    position: int = 0
    subject: str = ""
    body: str = ""
    languages: Mapping[str, TemplateText] = attrs.field(factory=dict, hash=False)

    def text(self, locale: str = "en") -> TemplateText:
        """Return subject and body in the language of ``locale``, or the main ones."""
        wanted = locale.replace("-", "_")
        for name in (wanted, wanted.partition("_")[0]):
            if name in self.languages:
                return self.languages[name]
        return TemplateText(subject=self.subject, body=self.body)

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield the place and the source of every part, in all languages."""
        yield "subject", self.subject
        yield "body", self.body
        for locale, text in self.languages.items():
            yield f"languages.{locale}.subject", text.subject
            yield f"languages.{locale}.body", text.body
