"""Labels in the tenant's own words, and dated exchange rates, on every store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crmcore import Lead, Money, ValidationError
from crmcore.testing import Office, small_organisation
from tests.contract.customisation.reasons import reasons


def label(office: Office, field: str, language: str) -> Any:
    """Return a field's label as a form shows it."""
    described = office.crm.schema("lead").describe(language=language)
    return next(f["label"] for f in described["fields"] if f["name"] == field)


@pytest.mark.capability("I18N-01")
def test_a_saved_translation_counts_at_once(office: Office) -> None:
    """Per language, without touching key or other languages; blank takes it back."""
    before = label(office, "industry", "zh_CN")
    with office.session("admin") as s:
        s.customisation.translate("lead.industry", "zh_CN", "客户行业")
        s.customisation.translate("lead.industry", "en", "Trade")
        s.customisation.translate("lead", "zh_TW", "名單")
    assert label(office, "industry", "zh_CN") == "客户行业"
    assert label(office, "industry", "en") == "Trade"
    assert office.crm.schema("lead").describe(language="zh_TW")["label"] == "名單"
    with office.session("admin") as s:
        s.customisation.translate("lead.industry", "zh_CN", " ")

    assert label(office, "industry", "zh_CN") == before
    assert label(office, "industry", "en") == "Trade"


@pytest.mark.capability("I18N-01", "TEN-01")
def test_words_belong_to_one_tenant(office: Office, tenant: str) -> None:
    """Another tenant reads the library's."""
    crm = office.crm.tenant(f"{tenant}-2")
    other = Office(crm, office.clock, office.ids, small_organisation(crm))
    before = label(other, "industry", "zh_CN")
    with office.session("admin") as s:
        s.customisation.translate("lead.industry", "zh_CN", "客户行业")

    assert label(other, "industry", "zh_CN") == before


@pytest.mark.capability("I18N-01", "REC-13")
def test_an_option_is_translated_and_keeps_its_key(office: Office) -> None:
    """Records still hold the key."""
    with office.session() as s:
        lead = s.create(Lead(last_name="A", status="new"))
    with office.session("admin") as s:
        s.customisation.translate("lead_status:new", "zh_CN", "全新")
    described = office.crm.schema("lead").describe("alice", language="zh_CN")
    status = next(f for f in described["fields"] if f["name"] == "status")
    with office.session() as s:
        assert s.get(Lead, lead.id).status == "new"

    assert {"new": "全新"}.items() <= {
        choice["key"]: choice["label"] for choice in status["choices"]
    }.items()


@pytest.mark.capability("I18N-01")
def test_no_language_named_means_that_of_the_actor(office: Office) -> None:
    """A form for a user is in the user's language."""
    with office.session("admin") as s:
        s.update(office.people.alice, language="zh_CN")
    mine = office.crm.schema("lead").describe("alice")

    assert (
        mine["label"] == office.crm.schema("lead").describe(language="zh_CN")["label"]
    )
    assert mine["label"] != office.crm.schema("lead").describe("bob")["label"]


@pytest.mark.capability("I18N-01", "REC-11")
def test_translations_stand_with_a_definition_too(office: Office) -> None:
    """A field brings its labels along; a later translation comes before them."""
    with office.session("admin") as s:
        s.customisation.add_field(
            "lead", "budget", "money", label="Budget", labels={"zh_CN": "预算"}
        )
    assert label(office, "budget", "zh_CN") == "预算"
    assert label(office, "budget", "fr") == "Budget"
    with office.session("admin") as s:
        s.customisation.translate("lead.budget", "zh_CN", "金额")
    assert label(office, "budget", "zh_CN") == "金额"


@pytest.mark.capability("I18N-01")
@pytest.mark.parametrize(
    ("key", "language", "reason"),
    [
        ("lead.ufo", "en", "no_item"),
        ("ufo", "en", "no_item"),
        ("lead_status:ufo", "en", "no_item"),
        ("__class__", "en", "no_item"),
        ("lead", "klingon!", "unknown_language"),
    ],
)
def test_a_translation_of_nothing_is_refused(
    office: Office, key: str, language: str, reason: str
) -> None:
    """The error names the key or the language; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.translate(key, language, "words")
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()


@pytest.mark.capability("I18N-03")
def test_amounts_are_converted_at_the_rate_of_their_day(office: Office) -> None:
    """The latest rate that is not after it; others meet across the main currency."""
    with office.session("admin") as s:
        rate = s.customisation.set_exchange_rate
        rate("EUR", "USD", "1.10", date(2026, 1, 1))
        rate("EUR", "USD", Decimal("1.20"), date(2026, 7, 1))
        rate("CNY", "USD", "0.14", date(2026, 1, 1))
    with office.session() as s:
        convert = s.rates.convert
        assert convert(Money(100, "EUR"), "USD", date(2026, 6, 30)) == Money(110, "USD")
        assert convert(Money(100, "EUR"), "USD", date(2026, 7, 1)) == Money(120, "USD")
        assert convert(Money(14, "USD"), "CNY", date(2026, 2, 1)) == Money(100, "CNY")
        across = convert(Money(14, "EUR"), "CNY", date(2026, 2, 1))
        with pytest.raises(ValidationError) as missing:
            convert(Money(1, "EUR"), "USD", date(2025, 12, 31))

    assert across == Money(110, "CNY")
    assert "EUR" in missing.value.message()
    assert {"currency": "no_exchange_rate"} == reasons(missing)


@pytest.mark.capability("I18N-03")
@pytest.mark.parametrize(
    ("source", "target", "rate", "reason"),
    [
        ("EUR", "USD", "0", "not_positive"),
        ("EUR", "USD", "-1", "not_positive"),
        ("EUR", "USD", "many", "not_number"),
        ("EUR", "USD", "NaN", "not_number"),
        ("EUR", "EUR", "1", "same_currency"),
        ("XXQ", "USD", "1", "unknown_currency"),
    ],
)
def test_a_bad_rate_is_refused(
    office: Office, source: str, target: str, rate: str, reason: str
) -> None:
    """The error names what is wrong with it; nothing is stored."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.set_exchange_rate(source, target, rate, date(2026, 1, 1))
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()
