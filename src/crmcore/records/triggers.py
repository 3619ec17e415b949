"""Triggers as data: what happens before and after records are written (REC-22)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

__all__ = ["MOST_DEEP", "TRIGGER_EVENTS", "Trigger", "default", "set_field", "stop"]

TRIGGER_EVENTS: Final = tuple(
    f"{moment}_{act}"
    for moment in ("before", "after")
    for act in ("create", "update", "delete")
)

#: Triggers may write records that have triggers; no deeper than this.
MOST_DEEP: Final = 5


@attrs.frozen(kw_only=True, eq=False)
class Trigger:
    """What is done when records of one entity are written; smaller ``order`` first.

    ``event`` is one of :data:`TRIGGER_EVENTS`. It is asked for records that meet
    ``when``, criteria in their JSON form, of the ``record_type`` if one is named; and at
    an update only where one of ``fields`` changes, if any are named.

    Before a write ``defaults`` fill empty fields and ``sets`` fill any, each with a
    formula; ``stop`` refuses the write with a message, by language in ``messages``.
    ``log`` is told as an event ``<entity>.trigger_logged``. ``call`` names a function of
    the host, given as ``CRM(actions={"name": function})``: before a write it gets the
    draft, which it may change and refuse, afterwards the session and the stored record.
    """

    key: str
    event: str
    order: int = 0
    record_type: str | None = None
    when: Mapping[str, Any] | None = None
    fields: tuple[str, ...] = ()
    defaults: Mapping[str, str] = attrs.field(factory=dict)
    sets: Mapping[str, str] = attrs.field(factory=dict)
    stop: str = ""
    messages: Mapping[str, str] = attrs.field(factory=dict)
    log: str = ""
    call: str | None = None
    active: bool = True

    @property
    def is_before(self) -> bool:
        """Tell whether it acts before the write and may stop it."""
        return self.event.startswith("before_")

    @property
    def formulas(self) -> Mapping[str, str]:
        """Return the formulas of all fields that it fills."""
        return {**self.defaults, **self.sets}

    def text(self, locale: str) -> str:
        """Return the message of a stop in a language, else as it was written."""
        language = locale.replace("-", "_").partition("_")[0]
        found = self.messages.get(locale) or self.messages.get(language)
        return found or self.stop


#: A function of the host: gets a draft before a write, session and record after it.
Action = Callable[..., None]


# -- ready-made triggers ---------------------------------------------------------------


def stop(
    key: str, message: str, when: Mapping[str, Any], event: str = "before_update"
) -> Trigger:
    """Return a trigger that refuses what meets a condition, with a message."""
    return Trigger(key=key, event=event, when=when, stop=message)


def default(key: str, field: str, formula: str) -> Trigger:
    """Return a trigger that fills an empty field of new records."""
    return Trigger(key=key, event="before_create", defaults={field: formula})


def set_field(
    key: str,
    field: str,
    formula: str,
    *,
    whenever: tuple[str, ...] = (),
    event: str = "before_update",
) -> Trigger:
    """Return a trigger that sets a field, whenever one of some fields changes."""
    return Trigger(key=key, event=event, fields=whenever, sets={field: formula})
