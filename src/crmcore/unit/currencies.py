"""Converting a draft's amounts into the default currency, at the rate of their day."""

from __future__ import annotations

from datetime import date, datetime

from crmcore.errors import ValidationError
from crmcore.i18n.dates import local_day
from crmcore.records import FieldDef
from crmcore.records.converted_money import (
    ConvertedMoney,
    ConvertedMoneyAmount,
    converted,
)
from crmcore.records.exchange_rates import Rates
from crmcore.unit.drafts import Draft

__all__ = ["convert_amounts", "reconvert_amounts"]


def convert_amounts(draft: Draft) -> None:
    """Give every changed amount its rate and its worth (I18N-03).

    An amount that stays what it was keeps its rate, whatever the rates are now. A
    missing rate is refused, naming it.
    """
    fields = [f for f in draft.entity.converted_fields if _is_due(draft, f)]
    if not fields:
        return
    context = draft.context
    stored = context.schema.added("exchange_rate").values()
    rates = Rates.of(stored, context.conventions.currency)
    for field in fields:
        value = draft[field.name]
        if value is None:
            continue
        try:
            _set(draft, field, _converted(draft, field, value, rates))
        except ValidationError as error:
            for problem in error.problems:
                draft.refuse(field.name, problem.reason, **problem.details)


def reconvert_amounts(draft: Draft) -> bool:
    """Convert a stored record's amounts anew into the default currency of today.

    Each takes the rate of its own day, as it is known now. Tells whether one changed;
    raises ValidationError naming a rate that is missing.
    """
    context = draft.context
    stored = context.schema.added("exchange_rate").values()
    rates = Rates.of(stored, context.conventions.currency)
    for field in draft.entity.converted_fields:
        value = draft[field.name]
        if value is not None:
            plain = ConvertedMoney(value.amount, value.currency)
            try:
                _set(draft, field, converted(plain, rates, _day(draft, field)))
            except ValidationError as error:
                for problem in error.problems:
                    draft.refuse(field.name, problem.reason, **problem.details)
    if draft.problems:
        raise ValidationError(draft.problems)
    return bool(draft.values)


def _set(draft: Draft, field: FieldDef, value: ConvertedMoney) -> None:
    if draft.old is not None and value == draft.entity.value_of(draft.old, field.name):
        draft.values.pop(field.name, None)
    else:
        draft.values[field.name] = value


def _is_due(draft: Draft, field: FieldDef) -> bool:
    return draft.changes(field.name) or _has_new_day(draft, field)


def _has_new_day(draft: Draft, field: FieldDef) -> bool:
    assert isinstance(field.type, ConvertedMoneyAmount)
    name = field.type.rate_date
    return name is not None and draft.changes(name)


def _converted(
    draft: Draft, field: FieldDef, value: ConvertedMoney, rates: Rates
) -> ConvertedMoney:
    old = None if draft.old is None else draft.entity.value_of(draft.old, field.name)
    if old is None:
        return converted(value, rates, _day(draft, field))
    same = (old.amount, old.currency) == (value.amount, value.currency)
    kept = value.rate in (None, old.rate) and value.base in (None, old.base)
    if _has_new_day(draft, field) and kept:
        value = ConvertedMoney(value.amount, value.currency)
    elif same and kept:
        unchanged: ConvertedMoney = old
        return unchanged
    return converted(value, rates, _day(draft, field))


def _day(draft: Draft, field: FieldDef) -> date:
    assert isinstance(field.type, ConvertedMoneyAmount)
    chosen = draft[field.type.rate_date] if field.type.rate_date else None
    zone = draft.context.conventions.timezone
    if isinstance(chosen, datetime):
        return local_day(chosen, zone)
    if isinstance(chosen, date):
        return chosen
    made = None if draft.old is None else draft.old.created_at
    return local_day(made or draft.context.now, zone)
