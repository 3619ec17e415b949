from __future__ import annotations

import pytest
from tools import catalogue

from crmcore import CRM, SYSTEM, Lead, MemoryStore, User, ValidationError
from crmcore.errors import NotFound, Problem
from crmcore.i18n import LOCALES, translate, translations
from crmcore.i18n.plurals import SINGULARS

TRANSLATED = LOCALES[1:]


@pytest.fixture
def crm() -> CRM:
    crm = CRM(MemoryStore())
    with crm.session(SYSTEM) as s:
        s.create(User(username="wang", profile="sales", language="zh_CN"))
        s.create(User(username="alice", profile="sales"))
        s.create(User(username="jean", profile="sales", language="fr"))
    return crm


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_text_has_a_checked_translation(locale):
    """No label, choice, stage, reason or error is without a translation."""
    missing = catalogue.missing_texts(locale)

    assert not missing, f"add to {locale}.po:\n{catalogue.stanzas(missing)}"


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_entry_is_marked_as_a_guess(locale):
    """A fuzzy entry would never be shown, so none stays in the catalogue."""
    assert [] == [t for t, m in catalogue.messages(locale).items() if m.fuzzy]


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_entry_is_left_over(locale):
    """What the library no longer says is taken out of the catalogues."""
    assert [] == catalogue.unused_texts(locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_text_stands_twice(locale):
    """A context is a note to the translator: it never makes a second entry."""
    assert [] == catalogue.repeated_texts(locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_translations_keep_the_placeholders(locale):
    """A translation names exactly the values that the English text names."""
    assert [] == catalogue.wrong_placeholders(locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_counts_have_all_plural_forms(locale):
    """A text with a count has every plural form of the language, others have none."""
    assert [] == catalogue.wrong_plurals(locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_label_names_one_field_of_an_entity(locale):
    """Within an entity no two fields share a label, so that a file's columns map."""
    entities = CRM(MemoryStore()).declared_schema.entities.values()
    clashes = {e.name: catalogue.label_clashes(locale, e) for e in entities}

    assert {} == {name: found for name, found in clashes.items() if found}


def test_the_tool_names_what_is_missing():
    """The list of missing texts is made from the schema, the errors and the stages."""
    needed = catalogue.needed_texts()

    assert {"Company name", "is required", "Closed won", "Trade show"} <= needed
    assert 'msgid "A \\"b\\""' in catalogue.stanzas(['A "b"'])


def test_every_count_is_counted():
    """A text that shows a count says how it reads for one."""
    counts = {
        t for t in catalogue.needed_texts() if "count" in catalogue.placeholders(t)
    }

    assert counts <= SINGULARS.keys() <= catalogue.needed_texts()


def message_for(crm: CRM, username: str) -> str:
    with pytest.raises(ValidationError) as caught, crm.session(username) as s:
        s.create(Lead(email="not an address"))
    return str(caught.value)


def test_errors_speak_the_language_of_the_user(crm):
    """A user whose language is zh_CN reads Chinese, a colleague English."""
    assert "不是有效的邮箱地址" in message_for(crm, "wang")
    assert "last_name: 必填" in message_for(crm, "wang")
    assert "is not a valid e-mail address" in message_for(crm, "alice")


def test_values_are_filled_into_the_translation():
    """Placeholders of a translated message are filled like those of the English one."""
    problem = Problem("name", "too_long", {"maximum": 80})

    assert "name: 最多 80 个字符" == problem.message("zh_CN")
    assert "没有 线索 7 这条记录。" == NotFound(entity="lead", id=7).message("zh_CN")


def test_a_language_without_a_catalogue_reads_english(crm):
    """An unknown or untranslated language falls back to English and never fails."""
    assert "is not a valid e-mail address" in message_for(crm, "jean")
    assert {} == translations("fr") == translations("no such language")
    assert "Company name" == translate("Company name", "xx_YY")


@pytest.mark.parametrize("locale", ["zh_CN", "zh-CN", "zh", "zh_Hans_CN"])
def test_a_locale_is_known_by_all_its_spellings(locale):
    """Hyphen, underscore, script or the language alone lead to the same catalogue."""
    assert "公司名称" == translate("Company name", locale)
