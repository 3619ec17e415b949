"""Why a row was not taken as it is, beside what :mod:`crmcore.errors` says of fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crmcore.errors import REASONS
from crmcore.i18n import translate

__all__ = ["EVIDENCE", "ROW_REASONS", "evidence_parts", "explain"]

#: Reason key -> English message. The keys are stable.
ROW_REASONS: dict[str, str] = {
    "wrong_cell_count": "The row has {found} cells instead of {expected}.",
    "too_many_cells": "The row has too many cells.",
    "unclosed_quote": "A quotation mark is opened and never closed.",
    "line_too_long": "The line or one of its cells is too long.",
    "null_in_row": "The row holds the character NUL.",
    "ambiguous_date": "The date may mean two days: say which order it has.",
    "duplicate_row": "Looks like line {line} of the same file: {evidence}.",
    "duplicate_record": "Looks like {name}, which exists: {evidence}.",
    "duplicate_hidden": "Looks like a record of somebody else: {name}.",
    "merged": "Filled empty fields of {name}: {fields}.",
    "no_match": "No record matches.",
    "several_matches": "More than one record matches.",
    "not_permitted": "You may not {action} this record.",
    "refused": "The row was refused: {problem}",
}

#: Kind of a match key -> what it says in English.
EVIDENCE: dict[str, str] = {
    "email": "same e-mail address",
    "phone": "same phone number",
    "name_company": "same name and company",
    "name_domain": "same name and e-mail domain",
    "company": "same company name",
    "domain": "same domain",
    "external_id": "same external id",
}


def evidence_parts(keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return kind and value of stored match keys."""
    parts = []
    for key in keys:
        kind, separator, value = key.partition(":")
        parts.append((kind, value) if separator else (key.partition("#")[0], ""))
    return parts


def explain(reason: str, locale: str, details: Mapping[str, Any]) -> str:
    """Return a reason in words, in the language of ``locale``."""
    template = ROW_REASONS.get(reason) or REASONS.get(reason, reason)
    evidence = details.get("evidence")
    if evidence is None:
        return translate(template, locale, **details)
    words = ", ".join(_evidence(kind, value, locale) for kind, value in evidence)
    return translate(template, locale, **{**details, "evidence": words})


def _evidence(kind: str, value: str, locale: str) -> str:
    words = translate(EVIDENCE.get(kind, kind.replace("_", " ")), locale)
    return f"{words} ({value})" if value else words
