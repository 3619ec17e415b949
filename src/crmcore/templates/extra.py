"""Asks for the extra ``templates``: imported first by every module that needs it."""

from __future__ import annotations

from crmcore.errors import MissingExtra

try:
    import liquid
except ImportError:
    raise MissingExtra(feature="A template", extra="templates") from None

__all__ = ["liquid"]
