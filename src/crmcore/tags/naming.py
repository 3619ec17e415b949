"""Which tags are the same: those of one entity and dimension with equal names."""

from __future__ import annotations

import json

__all__ = ["identity_of"]


def identity_of(name: str, dimension: str | None, object: str | None) -> str:  # noqa: A002
    """Return what keeps a tag unique; case and width are left to the claim (REC-23)."""
    # As a list, since no separator is forbidden in names.
    return json.dumps([object, dimension, name], ensure_ascii=False)
