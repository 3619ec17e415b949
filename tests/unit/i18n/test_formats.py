"""Dates, numbers, money, names, lists and addresses by the rules of a locale."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from crmcore import ValidationError
from crmcore.i18n import formats
from crmcore.i18n.formats import FormatSettings

pytestmark = pytest.mark.capability("I18N-04")

DAY = date(2026, 11, 27)
MOMENT = datetime(2026, 11, 27, 17, 5, 9, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def plain(text: str) -> str:
    """Return text with ordinary blanks."""
    return " ".join(text.split())


def refusal(call, *arguments, **named) -> tuple[str, str, str]:
    with pytest.raises(ValidationError) as caught:
        call(*arguments, **named)
    (problem,) = caught.value.problems
    return problem.field, problem.reason, plain(problem.details["example"])


@pytest.mark.parametrize(
    ("locale", "number", "money", "percent"),
    [
        ("en", "1,234,567.5", "-$1,234.50", "12.5%"),
        ("de", "1.234.567,5", "-1.234,50 $", "12,5 %"),
        ("fr", "1 234 567,5", "-1 234,50 $US", "12,5 %"),
        ("de_CH", "1’234’567.5", "$-1’234.50", "12.5%"),
        ("en_IN", "12,34,567.5", "-$1,234.50", "12.5%"),
        ("zh_TW", "1,234,567.5", "-US$1,234.50", "12.5%"),
    ],
)
def test_numbers_are_written_as_the_locale_does(locale, number, money, percent):
    """Grouping, decimal sign and the place of signs come from CLDR."""
    assert number == plain(formats.format_number(Decimal("1234567.5"), locale))
    assert money == plain(formats.format_money(Decimal("-1234.5"), "USD", locale))
    assert percent == plain(formats.format_percent(Decimal("12.5"), locale))


def test_a_number_may_have_fixed_digits():
    """Fixed digits keep the grouping of the locale."""
    assert "12,34,567.50" == formats.format_number(
        Decimal("1234567.5"), "en_IN", digits=2
    )
    assert "1.235" == formats.format_number(Decimal("1234.6"), "de", digits=0)


@pytest.mark.parametrize(
    ("currency", "digits", "text"),
    [("JPY", 0, "¥1,235"), ("USD", 2, "$1,234.57"), ("KWD", 3, "KWD1,234.567")],
)
def test_money_has_the_digits_of_its_currency(currency, digits, text):
    """Digits after the point are those of ISO 4217."""
    assert digits == formats.currency_digits(currency)
    assert text == plain(formats.format_money(Decimal("1234.567"), currency)).replace(
        "KWD ", "KWD"
    )


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en", "1,234.56"),
        ("de", "1.234,56"),
        ("fr", "1 234,56"),
        ("fr", "1\u202f234,56"),
        ("de_CH", "1'234.56"),
        ("zh_CN", "１，２３４．５６"),
        ("ar_EG", "1,234.56"),
        ("hi", "१,२३४.५६"),
        ("de", "1234,56"),
        ("en", "+1234.56"),
    ],
)
def test_numbers_are_read_as_the_locale_writes_them(locale, text):
    """Other digits, narrow blanks and a missing grouping are understood."""
    assert Decimal("1234.56") == formats.parse_number(text, locale)


@pytest.mark.parametrize(
    "text",
    [
        "1.23.4,5",
        "1,23",
        "12,34",
        "1 234",
        "",
        "-",
        "NaN",
        "1e5",
        "0x10",
        "1_000",
        "½",
        "1" * 61,
        "１２３，４",
        "--1",
        ",",
        "٣٫٥",
    ],
)
def test_a_number_in_another_manner_is_refused(text):
    """What the locale would not write is refused, with an example of what it would."""
    assert ("price", "not_number_like", "-1,234.5") == refusal(
        formats.parse_number, text, "en", field="price"
    )


@pytest.mark.parametrize("value", [None, 5, b"5", ["5"]])
def test_input_that_is_no_text_is_refused(value):
    """Another type is refused like a malformed text."""
    assert "not_number_like" == refusal(formats.parse_number, value)[1]
    assert "not_money_like" == refusal(formats.parse_money, value, "USD")[1]
    assert "not_date_like" == refusal(formats.parse_date, value)[1]


@pytest.mark.capability("I18N-03")
@pytest.mark.parametrize(
    ("text", "locale", "amount", "currency"),
    [
        ("1,234.50", "en", "1234.50", "USD"),
        ("$1,234.50", "en", "1234.50", "USD"),
        ("-€5", "en", "-5", "EUR"),
        ("1.234,50 €", "de", "1234.50", "EUR"),
        ("EUR 12", "en", "12", "EUR"),
        ("NT$300", "zh_TW", "300", "TWD"),
        ("￥３００", "zh_CN", "300", "CNY"),
    ],
)
def test_money_is_read_with_its_currency(text, locale, amount, currency):
    """A sign or a code on either side names the currency."""
    assert (Decimal(amount), currency) == formats.parse_money(text, "USD", locale)


@pytest.mark.capability("I18N-03")
@pytest.mark.parametrize(
    "text", ["5 USD EUR", "XXZ 5", "$5€", "five", "$", "--5", "5-5"]
)
def test_money_that_is_not_certain_is_refused(text):
    """Two currencies, unknown ones and missing amounts are refused."""
    assert "not_money_like" == refusal(formats.parse_money, text, "USD")[1]


@pytest.mark.capability("I18N-03")
def test_a_shared_sign_means_the_currency_at_hand():
    """A dollar is the currency at hand where it has that sign, else the locale's."""
    assert "AUD" == formats.parse_money("$5", "AUD", "de_DE")[1]
    assert "USD" == formats.parse_money("$5", "EUR", "en_US")[1]


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("11/27/2026", "en_US"),
        ("27/11/2026", "en_GB"),
        ("27-11-2026", "nl"),
        ("27.11.2026", "de"),
        ("2026-11-27", "de"),
        ("2026/11/27", "ja"),
        ("2026年11月27日", "zh_CN"),
        ("２０２６年１１月２７日", "en"),
        ("2026. 11. 27.", "ko"),
    ],
)
def test_days_are_read_in_the_order_of_the_locale(text, locale):
    """Year first is always clear; otherwise the locale gives the order."""
    assert formats.parse_date(text, locale) == DAY


@pytest.mark.parametrize(
    "text",
    [
        "27/11/2026",
        "11/27/26",
        "11-27/2026",
        "2026-02-30",
        "2026-13-01",
        "20261127",
        "",
        "today",
        "2026年11月",
        "1/2/3/4",
        "11/27/2026 x",
        "0000-01-01",
        "²/1/2026",
    ],
)
def test_a_day_in_another_manner_is_refused(text):
    """An impossible, short or mixed date is refused with the expected form."""
    assert ("due", "not_date_like", "11/27/2026") == refusal(
        formats.parse_date, text, "en_US", field="due"
    )


@pytest.mark.parametrize("pattern", formats.DATE_PATTERNS)
def test_a_chosen_pattern_is_written_and_read(pattern):
    """Each pattern that a user may choose is read back as the same day."""
    text = formats.format_date(DAY, "en", pattern=pattern)

    assert len(pattern) == len(text)
    assert formats.parse_date(text, "en", pattern=pattern) == DAY


def test_times_are_shown_in_the_zone_and_clock_of_the_user():
    """A moment after midnight in Shanghai belongs to the next day there."""
    chinese = FormatSettings(language="zh_CN", timezone=SHANGHAI)
    american = FormatSettings(
        language="en_US", date_pattern="dd-mm-yyyy", clock_24=True
    )

    assert "2026年11月28日 01:05" == chinese.moment(MOMENT)
    assert date(2026, 11, 28) == chinese.today(MOMENT)
    assert "27-11-2026 17:05:09" == american.moment(MOMENT, seconds=True)
    assert "5:05 PM" == plain(FormatSettings(language="en_US").time(MOMENT))


def test_the_week_starts_where_the_user_says():
    """Monday or Sunday follow the territory unless the user chose."""
    assert [0, 6, 0] == [formats.first_weekday(x) for x in ("de_DE", "en_US", "en_GB")]
    assert 5 == FormatSettings(language="de", first_weekday=5).week_start
    assert formats.uses_24_hours("de")
    assert not formats.uses_24_hours("en_US")


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("first_weekday", 7, "out_of_range"),
        ("first_weekday", "monday", "out_of_range"),
        ("date_pattern", "%Y", "not_an_option"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting, value, reason):
    """A refused setting names itself."""
    with pytest.raises(ValidationError) as caught:
        FormatSettings(**{setting: value})

    assert (setting, reason) == (
        caught.value.problems[0].field,
        caught.value.problems[0].reason,
    )


def test_settings_are_made_of_what_a_user_record_holds():
    """Language and zone are texts there, and may be missing."""
    chosen = FormatSettings.of("zh_TW", "Asia/Taipei", clock_24=True)

    assert ("zh_TW", "Asia/Taipei") == (chosen.language, chosen.timezone.key)
    assert FormatSettings() == FormatSettings.of(None, None)


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "\x00", "a" * 300])
def test_an_unknown_time_zone_is_refused(zone):
    """The problem names the setting."""
    with pytest.raises(ValidationError) as caught:
        FormatSettings.of("en", zone)

    assert "unknown_timezone" == caught.value.problems[0].reason


def test_a_refusal_without_a_field_is_a_sentence():
    """Where no field is named the message is the reason alone."""
    with pytest.raises(ValidationError) as caught:
        formats.parse_number("x", "en")

    assert "must be a number written like -1,234.5" == str(caught.value)


@pytest.mark.parametrize(
    ("last", "first", "options", "name"),
    [
        ("王", "小明", {}, "王小明"),
        ("김", "민준", {}, "김민준"),
        ("Lovelace", "Ada", {}, "Ada Lovelace"),
        ("Nagy", "Anna", {"language": "hu"}, "Nagy Anna"),
        ("Lovelace", "Ada", {"sorting": True}, "Lovelace, Ada"),
        ("Lovelace", None, {}, "Lovelace"),
        (None, " ", {}, ""),
    ],
)
def test_names_stand_in_the_order_of_their_script(last, first, options, name):
    """Script and language of the name decide, not those of the reader."""
    assert name == formats.format_name(last, first, **options)


def test_lists_end_with_the_word_of_the_language():
    """The last item is joined as the language does it."""
    items = ["A", "B", "C"]

    assert "A, B, and C" == formats.format_list(items)
    assert "A, B und C" == formats.format_list(items, "de")
    assert "A、B和C" == formats.format_list(items, "zh_CN")
    assert "A, B, or C" == formats.format_list(items, style="or")
    assert "" == formats.format_list([])


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        (
            {
                "street": "Unter den Linden 77",
                "postal_code": "10117",
                "city": "Berlin",
                "country": "Germany",
            },
            ["Unter den Linden 77", "10117 Berlin", "Germany"],
        ),
        (
            {
                "street": "350 Fifth Avenue",
                "postal_code": "10118",
                "city": "New York",
                "province": "NY",
                "country": "US",
            },
            ["350 Fifth Avenue", "New York, NY 10118", "United States"],
        ),
        ({"street": "1 Way", "country": "Atlantis"}, ["1 Way", "Atlantis"]),
    ],
)
def test_addresses_are_written_as_their_country_does(parts, lines):
    """Order and separators come from the country; an unknown one is written plainly."""
    shown = formats.format_address(**parts)

    assert [line.casefold() for line in lines] == [
        line.casefold() for line in shown.splitlines()
    ]


def test_countries_are_known_by_name_and_code():
    """Names in English, Chinese and the reader's language lead to the code."""
    assert {"DE"} == {
        formats.country_code(name, locale)
        for name, locale in [("de", "en"), ("德国", "en"), ("Allemagne", "fr")]
    }
    assert formats.country_code("Atlantis") is None


NAUGHTY = [
    "undefined",
    "1/0",
    "$1.00",
    "1,000.00.0",
    "0,0/0,0",
    "Ω≈ç",
    "\u202etest",
    "🙂",
    "' OR 1=1 --",
    "__class__",
    "$where",
    "{0.__class__}",
    "\x00",
    "999" * 30,
]


@pytest.mark.parametrize("text", NAUGHTY)
@pytest.mark.parametrize("locale", ["en", "de", "zh_CN", "ar", "fa", "hi"])
def test_hostile_input_is_read_or_refused(text, locale):
    """Whatever somebody types, the answer is a value or a ValidationError."""
    for read in (
        lambda: formats.parse_number(text, locale),
        lambda: formats.parse_money(text, "EUR", locale),
        lambda: formats.parse_date(text, locale),
    ):
        with contextlib.suppress(ValidationError):
            assert read() is not None
