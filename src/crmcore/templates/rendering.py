"""From a template and what it is about to a finished text (REC-24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from crmcore.errors import Problem, ValidationError
from crmcore.records import Schema
from crmcore.templates.definitions import CONTENT_TYPES, TEMPLATE_KINDS, Template
from crmcore.templates.surroundings import Surroundings

__all__ = ["Rendered", "check", "render"]

#: Templates that may stand within each other.
DEEPEST_INCLUDE = 5


@attrs.frozen
class Rendered:
    """A finished text: ``content_type`` is ``html`` or ``text``."""

    template: str
    content_type: str
    subject: str
    body: str


def check(template: Template, schema: Schema, place: str = "") -> Iterator[Problem]:
    """Yield everything that is wrong with a template in a schema.

    Raises MissingExtra where the extra ``templates`` is not installed.
    """
    place = place or f"template.{template.key}"
    if template.kind not in TEMPLATE_KINDS:
        yield Problem(f"{place}.kind", "not_an_option", {"value": template.kind[:60]})
    if template.content_type not in CONTENT_TYPES:
        details = {"value": template.content_type[:60]}
        yield Problem(f"{place}.content_type", "not_an_option", details)
    if template.object is not None and template.object not in schema.entities:
        details = {"value": template.object[:60]}
        yield Problem(f"{place}.object", "unknown_entity", details)
        return
    from crmcore.templates.checking import problems_of

    yield from problems_of(template, schema, place)


def render(
    template: Template,
    subject: Mapping[str, Any],
    surroundings: Surroundings,
    templates: Mapping[str, Template] | None = None,
) -> Rendered:
    """Return a template filled with views (:class:`Viewer`) by name.

    ``templates`` are those that it may render within. HTML bodies escape every value.
    Raises ValidationError where the template fails, goes beyond a limit, renders itself
    or makes a subject of two lines; MissingExtra without the extra ``templates``.
    """
    known = templates or {}
    text = template.text(surroundings.locale)
    filled = {
        name: _fill(template, source, name == "body", subject, surroundings, known)
        for name, source in (("subject", text.subject), ("body", text.body))
    }
    if any(len(line) != len(filled["subject"]) for line in _lines(filled["subject"])):
        raise ValidationError.of(
            f"template.{template.key}.subject", "subject_line_break"
        )
    return Rendered(template.key, template.content_type, **filled)


def _lines(text: str) -> list[str]:
    return text.splitlines()


def _fill(
    template: Template,
    source: str,
    is_body: bool,
    subject: Mapping[str, Any],
    surroundings: Surroundings,
    templates: Mapping[str, Template],
) -> str:
    from crmcore.templates.checking import LONGEST_SOURCE, reason_of
    from crmcore.templates.language import Language, LiquidError

    place = f"template.{template.key}.{'body' if is_body else 'subject'}"
    html = is_body and template.content_type == "html"
    try:
        parser = Language(surroundings, html=html, texts={})
        texts = dict(_within(parser, source, templates, surroundings, (template.key,)))
        sizes = [len(one) for one in (source, *texts.values())]
        if max(sizes) > LONGEST_SOURCE:
            raise ValidationError.of(place, "too_long", maximum=LONGEST_SOURCE)
        language = Language(surroundings, html=html, texts=texts, characters=sum(sizes))
        return str(language.from_string(source).render(dict(subject)))
    except (LiquidError, RecursionError) as error:
        raise ValidationError.of(place, "template_failed", **reason_of(error)) from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, ValidationError):
            raise
        details = {"line": 1, "problem": "a value does not suit its use"}
        raise ValidationError.of(place, "template_failed", **details) from None


def _within(
    language: Any,
    source: str,
    templates: Mapping[str, Template],
    surroundings: Surroundings,
    path: tuple[str, ...],
) -> Iterator[tuple[str, str]]:
    """Yield the sources of all templates that are rendered within ``source``."""
    place = f"template.{path[0]}"
    for key in sorted(_rendered_keys(language, source)):
        if key in path:
            circle = " > ".join((*path, key))
            raise ValidationError.of(place, "cycle", path=circle)
        if key not in templates:
            raise ValidationError.of(place, "unknown_template", value=key[:60])
        if len(path) >= DEEPEST_INCLUDE:
            raise ValidationError.of(place, "too_deep")
        inner = templates[key].text(surroundings.locale).body
        yield key, inner
        yield from _within(language, inner, templates, surroundings, (*path, key))


def _rendered_keys(language: Any, source: str) -> set[str]:
    waiting = list(language.from_string(source).nodes)
    found = set()
    while waiting:
        node = waiting.pop()
        if getattr(node, "tag", None) == "render":
            found.add(str(getattr(node.name, "value", node.name)))
        context = None
        waiting.extend(node.children(context, include_partials=False))
    return found
