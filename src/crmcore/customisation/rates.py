"""Exchange rates that administrators enter, each from a day on (I18N-03)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation

import attrs

from crmcore.customisation.items import Item
from crmcore.customisation.structuring import structured
from crmcore.errors import Problem, ValidationError
from crmcore.records import EntityDef, Schema
from crmcore.records.exchange_rates import ExchangeRate

__all__ = ["exchange_rate", "rate_key", "rate_problems"]


@attrs.frozen(kw_only=True)
class _Written:
    """A rate as plain data: an exact number and a day, as text."""

    source: str
    target: str
    rate: str
    valid_from: str


def rate_key(source: str, target: str, valid_from: date) -> str:
    """Return the key of a rate: ``EUR-USD-2026-01-01``; there is one for each day."""
    return f"{source}-{target}-{valid_from.isoformat()}"


def exchange_rate(item: Item) -> ExchangeRate:
    """Return the rate of an item; raises ValidationError."""
    place = f"exchange_rate.{item.key.key}"
    written = structured(_Written, item.definition, place)
    try:
        rate = Decimal(written.rate)
    except InvalidOperation:
        raise ValidationError.of(f"{place}.rate", "not_number") from None
    try:
        day = date.fromisoformat(written.valid_from)
    except ValueError:
        raise ValidationError.of(f"{place}.valid_from", "not_date") from None
    return ExchangeRate(
        source=written.source, target=written.target, rate=rate, valid_from=day
    )


def rate_problems(
    value: ExchangeRate, entity: EntityDef | None, schema: Schema, place: str
) -> Iterable[Problem]:
    """Yield what is wrong with a rate, and where its key says something else."""
    for problem in value.problems():
        yield Problem(f"{place}.{problem.field}", problem.reason, problem.details)
    key = rate_key(value.source, value.target, value.valid_from)
    if place != f"exchange_rate.{key}":
        yield Problem(place, "bad_key", {"key": key[:60]})
