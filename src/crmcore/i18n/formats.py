"""Everything that is written or read by the rules of a locale (CLDR), in one place."""

from crmcore.i18n.addresses import country_code, format_address
from crmcore.i18n.dates import (
    DATE_PATTERNS,
    first_weekday,
    format_date,
    format_datetime,
    format_time,
    local_day,
    parse_date,
    uses_24_hours,
)
from crmcore.i18n.lists import format_list
from crmcore.i18n.names import format_name
from crmcore.i18n.numbers import (
    currency_digits,
    format_money,
    format_number,
    format_percent,
    parse_money,
    parse_number,
)
from crmcore.i18n.settings import FormatSettings

__all__ = [
    "DATE_PATTERNS",
    "FormatSettings",
    "country_code",
    "currency_digits",
    "first_weekday",
    "format_address",
    "format_date",
    "format_datetime",
    "format_list",
    "format_money",
    "format_name",
    "format_number",
    "format_percent",
    "format_time",
    "local_day",
    "parse_date",
    "parse_money",
    "parse_number",
    "uses_24_hours",
]
