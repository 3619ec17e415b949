"""Is a template fit to be stored? Syntax, filters and the paths of fields (REC-24)."""

from __future__ import annotations

import crmcore.templates.extra  # noqa: F401 - first, so that the error names the extra

# isort: split
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from liquid.exceptions import LiquidError

from crmcore.errors import Problem
from crmcore.records import Schema
from crmcore.templates.definitions import Template
from crmcore.templates.language import Language
from crmcore.templates.surroundings import Surroundings

__all__ = ["LONGEST_SOURCE", "problems_of", "reason_of"]

LONGEST_SOURCE = 50_000
#: Names that every template may read beside its record.
ROOTS = frozenset({"actor", "now", "values"})
_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def problems_of(template: Template, schema: Schema, place: str) -> Iterator[Problem]:
    """Yield what is wrong in any part of a template."""
    nothing = Surroundings(now=_MOMENT, randomness=Random(0))  # noqa: S311 - never drawn
    language = Language(nothing, html=template.content_type == "html", texts={})
    for part, source in template.parts():
        yield from _of_part(language, template, source, schema, f"{place}.{part}")


def _of_part(
    language: Language, template: Template, source: str, schema: Schema, place: str
) -> Iterator[Problem]:
    if len(source) > LONGEST_SOURCE:
        yield Problem(place, "too_long", {"maximum": LONGEST_SOURCE})
        return
    try:
        found = language.from_string(source).analyze(include_partials=False)
    except (LiquidError, RecursionError) as error:
        yield Problem(place, "template_syntax", reason_of(error))
        return
    for name, spans in found.filters.items():
        if name not in language.filters:
            details = {"line": _line(source, spans[0].index), "problem": name[:60]}
            yield Problem(place, "unknown_filter", details)
    for root, uses in found.globals.items():
        for use in uses:
            if not _is_known(root, use.segments[1:], template, schema):
                line = _line(source, use.span.index)
                details = {"line": line, "path": str(use)[:120]}
                yield Problem(place, "unknown_path", details)


def _is_known(
    root: str, segments: Iterable[Any], template: Template, schema: Schema
) -> bool:
    if root in ROOTS and root != "actor":
        return True
    name = "user" if root == "actor" else root
    if root not in ("actor", template.object):
        return False
    entity = schema.entities.get(name)
    for segment in segments:
        if entity is None or not isinstance(segment, str):
            return True
        field = entity.fields.get(segment)
        if field is not None:
            entity = None
        elif segment in entity.relations:
            target = getattr(entity.relations[segment].type, "entity", "")
            entity = schema.entities.get(target)
        else:
            return False
    return True


def reason_of(error: BaseException) -> dict[str, Any]:
    """Return the line and the words of an error of the language."""
    if not isinstance(error, LiquidError):
        return {"line": 1, "problem": "it is nested too deeply"}
    token = error.token
    known = token is not None and token.start_index >= 0
    line = _line(token.source, token.start_index) if token and known else 1
    return {"line": line, "problem": str(error.message)[:200]}


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, max(position, 0)) + 1
