"""Any value of crmcore as JSON data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmcore.records import Money

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Return ``value`` as dicts, lists, texts, numbers, booleans and None.

    Amounts become texts, so that no reader rounds them.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Money):
        return {"amount": format(value.amount, "f"), "currency": value.currency}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if attrs.has(type(value)):
        return plain(attrs.asdict(value, recurse=False))
    return [plain(item) for item in value]
