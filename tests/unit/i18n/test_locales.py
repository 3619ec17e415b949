"""Which language a locale asks for; plural forms; captions of administrators."""

from __future__ import annotations

import pytest

from crmcore.errors import DuplicateFound, Problem
from crmcore.i18n import catalogue_of, fallbacks, translate
from crmcore.i18n.captions import Caption, Captions
from crmcore.i18n.locales import locale_of

pytestmark = pytest.mark.capability("I18N-01")


@pytest.mark.parametrize(
    ("locale", "catalogue"),
    [
        ("zh", "zh_CN"),
        ("zh-Hans", "zh_CN"),
        ("zh-SG", "zh_CN"),
        ("zh_Hans_HK", "zh_CN"),
        ("zh-Hant", "zh_TW"),
        ("zh-TW", "zh_TW"),
        ("zh-HK", "zh_TW"),
        ("zh_MO", "zh_TW"),
        ("zh-Hant-SG", "zh_TW"),
        ("en_GB", None),
        ("fr", None),
        ("", None),
        ("__class__", None),
        ("../zh_CN", None),
        ("zh" * 40, None),
    ],
)
def test_a_locale_leads_to_its_catalogue(locale, catalogue):
    """Script counts before territory; what is no locale reads English."""
    assert catalogue == catalogue_of(locale)


def test_texts_are_looked_for_in_the_closest_language_first():
    """The steps go from territory over script and shipped catalogue to the language."""
    assert ("zh_HK", "zh_Hant_HK", "zh_Hant", "zh_TW", "zh") == fallbacks("zh-HK")
    assert ("de_AT", "de") == fallbacks("de-AT")
    assert () == fallbacks("no such language")


def test_an_unknown_locale_follows_english_rules():
    """Formats never fail for an unknown locale."""
    assert "en" == str(locale_of("no such")) == str(locale_of("🙂"))


@pytest.mark.parametrize(
    ("count", "locale", "text"),
    [
        (1, "en", "1 possible duplicate was found."),
        (2, "en", "2 possible duplicates were found."),
        (0, "en", "0 possible duplicates were found."),
        (1, "zh_CN", "发现 1 条疑似重复记录。"),
        (3, "zh_TW", "發現 3 筆疑似重複的記錄。"),
    ],
)
def test_a_count_has_its_plural_form(count, locale, text):
    """A text with a count reads right for one and for many."""
    assert text == DuplicateFound(count=count).message(locale)


def test_limits_have_plural_forms():
    """Limits in the reasons of field problems are counted as well."""
    assert "name: must have at most 1 character" == Problem(
        "name", "too_long", {"maximum": 1}
    ).message("en")


def test_traditional_chinese_uses_the_words_of_taiwan():
    """The traditional catalogue is a translation of its own."""
    words = {"User": "使用者", "Lead": "潛在客戶", "Owner": "擁有者", "Field": "欄位"}

    assert words == {text: translate(text, "zh_TW") for text in words}


CAPTION = Caption(
    key="lead.industry",
    context="Branch of business",
    translations={"zh_CN": "所属行业", "en": "Branch"},
)


def test_the_words_of_a_tenant_come_first():
    """A caption is read before the shipped catalogue, and English comes last."""
    captions = Captions.of([CAPTION])

    assert "所属行业" == captions.text("lead.industry", "Industry", "zh-Hans-CN")
    assert "產業" == captions.text("lead.industry", "Industry", "zh_TW")
    assert "Branch" == captions.text("lead.industry", "Industry", "fr")
    assert "Industry" == Captions().text("lead.industry", "Industry", "fr")


def test_a_saved_translation_counts_at_once_and_leaves_the_key():
    """A changed caption keeps its key; a blank text takes the translation away."""
    changed = CAPTION.translated("zh-CN", " 行业类别 ")

    assert "lead.industry" == changed.key
    text = Captions.of([changed]).text("lead.industry", "Industry", "zh_CN")
    assert "行业类别" == text
    emptied = changed.translated("zh_CN", " ")
    assert "行业" == Captions.of([emptied]).text("lead.industry", "Industry", "zh_CN")


def test_the_context_is_never_shown():
    """The context exists for the translator only."""
    shown = Captions.of([Caption(key="a", context="for translators")]).text(
        "a", "A", "en"
    )

    assert "A" == shown
