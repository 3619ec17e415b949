"""A value, or the statement that there can be none: capacity or not applicable (PTY-11)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Final

import attrs

from crmcore.records.conventions import Conventions
from crmcore.records.types import Boolean, FieldType

__all__ = ["NOT_APPLICABLE", "NotApplicable", "OrNotApplicable"]


class NotApplicable(Enum):
    """The type of :data:`NOT_APPLICABLE`."""

    NOT_APPLICABLE = "not_applicable"

    def __repr__(self) -> str:
        return "NOT_APPLICABLE"


#: Says that a field cannot have a value, which is more than that it has none yet.
NOT_APPLICABLE: Final = NotApplicable.NOT_APPLICABLE

_SAID = Boolean()


@attrs.frozen(kw_only=True)
class OrNotApplicable(FieldType):
    """A value of the type ``item``, or :data:`NOT_APPLICABLE` (REC-10).

    Ranges and orders look at values only; ``F.capacity.not_applicable`` asks for the
    records where it was said that there can be none. Both count as filled.
    """

    kind: ClassVar[str] = "or_not_applicable"
    comparable: ClassVar[bool] = True
    item: FieldType

    @property
    def parts(self) -> Mapping[str, FieldType]:
        """Return the value (the main part) and whether there can be none."""
        return {"": self.item, "not_applicable": _SAID}

    def split(self, value: Any) -> tuple[Any, ...]:
        """Return the value's stored form, or that there can be none."""
        if value is NOT_APPLICABLE:
            return (None, True)
        return (*self.item.split(value), None)

    def join(self, stored: tuple[Any, ...]) -> Any:
        """Return the value of its stored parts."""
        return NOT_APPLICABLE if stored[1] else self.item.join(stored[:1])

    def coerce(self, value: Any, conventions: Conventions) -> Any:
        """Return the canonical value; ``{"not_applicable": true}`` is one as well."""
        if value is NOT_APPLICABLE or _says_so(value):
            return NOT_APPLICABLE
        return self.item.coerce(value, conventions)

    def to_json(self, value: Any) -> Any:
        """Return the value's JSON form, or the statement as a mapping."""
        if value is NOT_APPLICABLE:
            return {"not_applicable": True}
        return self.item.to_json(value)


def _says_so(value: Any) -> bool:
    return isinstance(value, Mapping) and dict(value) == {"not_applicable": True}
