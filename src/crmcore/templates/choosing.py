"""Which template serves a record: the first whose conditions it meets (REC-24)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crmcore.templates.definitions import Template

__all__ = ["choose"]


def choose(
    templates: Iterable[Template],
    *,
    object: str,  # noqa: A002 - as the template calls it
    kind: str = "print",
    record_type: str | None = None,
    meets: Callable[[Mapping[str, Any]], bool],
) -> Template | None:
    """Return the first template, by position and key, that serves a record.

    ``meets`` tells whether the record meets stored criteria.
    """
    fitting = (
        template
        for template in sorted(templates, key=lambda one: (one.position, one.key))
        if template.object == object
        and template.kind == kind
        and template.record_type in (None, record_type)
        and (template.condition is None or meets(template.condition))
    )
    return next(fitting, None)
