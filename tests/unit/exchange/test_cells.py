from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmcore import Account, Lead, Money
from crmcore.exchange.cells import reader_of
from crmcore.exchange.columns import ColumnMapping, target_of
from crmcore.exchange.dates import detect_order, read_date, read_datetime
from crmcore.exchange.numbers import read_decimal, read_integer, read_money
from crmcore.i18n import translate
from crmcore.records import Conventions, Refused

pytestmark = pytest.mark.capability("IMP-02")


def reader(field, entity=Lead, **mapping):
    target = target_of(entity.__entity__, field)
    assert target is not None
    return reader_of(target, ColumnMapping(field, **mapping), Conventions()).value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1234", "1234"),
        ("1,234", "1234"),
        ("1,234,567.89", "1234567.89"),
        ("1.234.567,89", "1234567.89"),
        ("1 234,5", "1234.5"),
        ("1'234.5", "1234.5"),
        ("1,5", "1.5"),
        ("1.234", "1.234"),
        ("-7", "-7"),
        ("(7.50)", "-7.50"),
        ("１２３", "123"),
        ("12万", "120000"),
        ("1.5亿", "150000000"),
        (".5", "0.5"),
    ],
)
def test_numbers_are_read_as_people_write_them(text, number):
    """Grouped thousands, decimal commas, full-width digits and 万 are understood."""
    assert read_decimal(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1,23,4", "12,34.5.6", "1e999", "--1", "0x10", "1.2.3", "∞", "NaN"],
)
def test_what_is_no_number_is_refused(text):
    """Nothing is guessed of a cell that is no number."""
    with pytest.raises(Refused):
        read_decimal(text)


@given(st.decimals(-(10**12), 10**12, places=2, allow_nan=False))
def test_grouping_changes_no_number(number):
    """A number formatted with commas and a point is read exactly."""
    assert read_decimal(f"{number:,f}") == number


def test_a_fraction_is_no_whole_number():
    """5.0 is five, 5.5 is refused."""
    assert read_integer("5.0") == 5
    with pytest.raises(Refused):
        read_integer("5.5")


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("1,234.50", "1234.50", "EUR"),
        ("$5", "5", "USD"),
        ("-$5", "-5", "USD"),
        ("¥12", "12", "CNY"),
        ("￥12万", "120000", "CNY"),
        ("3亿元", "300000000", "CNY"),
        ("HK$ 7", "7", "HKD"),
        ("USD 1,000", "1000", "USD"),
        ("1000 GBP", "1000", "GBP"),
        ("€1.234,50", "1234.50", "EUR"),
    ],
)
def test_money_carries_its_own_currency_or_the_given_one(text, amount, currency):
    """A sign or code in the cell wins over the currency of the column."""
    assert read_money(text, "EUR") == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2024-03-05", None, date(2024, 3, 5)),
        ("2024/3/5", None, date(2024, 3, 5)),
        ("2024年3月5日", None, date(2024, 3, 5)),
        ("20240305", None, date(2024, 3, 5)),
        ("3/5/2024", "mdy", date(2024, 3, 5)),
        ("3/5/2024", "dmy", date(2024, 5, 3)),
        ("13/5/2024", None, date(2024, 5, 13)),
        ("5/13/2024", None, date(2024, 5, 13)),
        ("4.4.2024", None, date(2024, 4, 4)),
    ],
)
def test_dates_are_read_in_their_order(text, order, expected):
    """ISO, Chinese, day first and month first are read when the order is certain."""
    assert read_date(text, order) == expected


@pytest.mark.parametrize(
    ("text", "order", "reason"),
    [
        ("3/5/2024", None, "ambiguous_date"),
        ("3/5/2024", "ymd", "ambiguous_date"),
        ("31/2/2024", "dmy", "not_date"),
        ("13/5/2024", "mdy", "not_date"),
        ("3/5/24", "mdy", "not_date"),
        ("tomorrow", None, "not_date"),
        ("2024-13-01", None, "not_date"),
    ],
)
def test_a_date_is_never_guessed(text, order, reason):
    """What may mean two days, or none, is refused with the reason."""
    with pytest.raises(Refused) as caught:
        read_date(text, order)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["1/2/2017", "13/2/2017"], "dmy"),
        (["1/2/2017", "1/31/2017", ""], "mdy"),
        (["1/2/2017"], None),
        (["13/1/2017", "1/13/2017"], None),
    ],
)
def test_the_order_of_a_column_is_proved_by_its_cells(texts, order):
    """One part above twelve decides for the whole column; a contradiction does not."""
    assert detect_order(texts) == order


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-11T21:22:07.000+0000", datetime(2024, 7, 11, 21, 22, 7, tzinfo=UTC)),
        ("2024/7/11 21:22", datetime(2024, 7, 11, 13, 22, tzinfo=UTC)),
        ("2024-07-11", datetime(2024, 7, 10, 16, tzinfo=UTC)),
        ("11.7.2024 9:05 PM", datetime(2024, 7, 11, 13, 5, tzinfo=UTC)),
    ],
)
def test_times_without_a_zone_are_meant_where_the_actor_is(text, expected):
    """A time is read in the zone of the conventions unless it names its own."""
    assert read_datetime(text, "dmy", ZoneInfo("Asia/Shanghai")) == expected


@pytest.mark.parametrize("text", ["yes", "Y", "1", "TRUE", "是", "x"])
def test_yes_is_yes_in_many_words(text):
    """A boolean cell is read in English and Chinese."""
    assert reader("do_not_call")(text) is True


@pytest.mark.parametrize("text", ["no", "0", "False", "否"])
def test_no_is_no_in_many_words(text):
    """A boolean cell is read in English and Chinese."""
    assert reader("do_not_call")(text) is False


@pytest.mark.parametrize(
    "text", ["trade_show", "Trade show", "TRADE-SHOW", " Trade  Show"]
)
def test_picklists_are_read_by_key_and_label(text):
    """Case, blanks and dashes do not matter."""
    assert reader("lead_source")(text) == "trade_show"


def test_picklists_are_read_by_chinese_label():
    """The shipped Chinese label of an option means the option."""
    label = translate("Trade show", "zh_CN")
    assert label != "Trade show"
    assert reader("lead_source")(label) == "trade_show"


def test_an_unknown_option_is_refused():
    """A text that is no option is an error of its cell."""
    with pytest.raises(Refused) as caught:
        reader("lead_source")("Carrier pigeon")
    assert caught.value.reason == "not_an_option"


def test_values_are_translated_before_they_are_read():
    """A column's own dictionary corrects what the file calls things."""
    read = reader("industry", values={"technolgy": "technology", "n/a": None})
    assert read("technolgy") == "technology"
    assert read("Technolgy") == "technology"
    assert read("n/a") is None
    assert read("Energy") == "energy"


def test_several_values_stand_in_one_cell():
    """Lists are separated by semicolons."""
    assert reader("websites", Account)("a; b；c") == ("a", "b", "c")
