"""Layouts: which fields a form shows, in which groups, and what it demands (REC-19)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

__all__ = ["Layout", "LayoutField", "LayoutSection", "layout_for"]


@attrs.frozen(kw_only=True)
class LayoutField:
    """A field's place on a layout."""

    field: str
    visible: bool = True
    required: bool = False
    read_only: bool = False


@attrs.frozen(kw_only=True)
class LayoutSection:
    """A group of fields under a heading.

    ``additional`` fields are asked for on demand only (REC-02); a ``copied`` group is
    taken over by save-and-copy (REC-07).
    """

    key: str
    label: str = ""
    labels: Mapping[str, str] = attrs.field(factory=dict)
    fields: tuple[LayoutField, ...] = ()
    additional: bool = False
    copied: bool = False


@attrs.frozen(kw_only=True)
class Layout:
    """A form, or the criteria that a search screen offers, of one entity.

    Without ``record_type`` or ``profile`` it serves all of them. ``related`` names the
    related lists, in order.
    """

    key: str
    purpose: str = "form"
    record_type: str | None = None
    profile: str | None = None
    sections: tuple[LayoutSection, ...] = ()
    related: tuple[str, ...] = ()

    def fields(self) -> Iterator[LayoutField]:
        """Yield all fields of all sections, in order."""
        for section in self.sections:
            yield from section.fields


def layout_for(
    layouts: Iterable[Layout],
    *,
    record_type: str | None = None,
    profile: str | None = None,
    purpose: str = "form",
) -> Layout | None:
    """Return the layout that fits best: for type and profile, one of them, or all."""
    fitting = [
        layout
        for layout in layouts
        if layout.purpose == purpose
        and layout.record_type in (None, record_type)
        and layout.profile in (None, profile)
    ]
    return max(
        fitting,
        key=lambda one: (one.record_type is not None, one.profile is not None),
        default=None,
    )
