"""Validation rules as data: what must hold for a record, and when (REC-21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["SEVERITIES", "ValidationRule"]

SEVERITIES = ("error", "warning")


@attrs.frozen(kw_only=True, eq=False)
class ValidationRule:
    """A rule of one entity, asked for new records and where its fields change.

    ``when`` says for which records it is asked and ``must`` what has to hold then, both
    as criteria in their JSON form; ``required`` names fields that must be filled then.
    ``message`` is shown by language, ``field`` is where it is shown. A ``warning`` lets
    the record pass.
    """

    key: str
    record_type: str | None = None
    when: Mapping[str, Any] | None = None
    must: Mapping[str, Any] | None = None
    required: tuple[str, ...] = ()
    field: str | None = None
    message: str = ""
    messages: Mapping[str, str] = attrs.field(factory=dict)
    severity: str = "error"
    active: bool = True

    def text(self, locale: str) -> str:
        """Return the message in a language, else as it was written."""
        language = locale.replace("-", "_").partition("_")[0]
        found = self.messages.get(locale) or self.messages.get(language)
        return found or self.message
