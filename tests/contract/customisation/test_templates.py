"""Stored templates are filled with what the actor may see, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from crmcore import Account, Contact, F, Lead, NotFound, ValidationError
from crmcore.criteria import to_json
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons

WELCOME = {
    "object": "lead",
    "content_type": "html",
    "subject": "Hello {{ lead.last_name }}",
    "body": "<p>{{ lead.company_name }}: {{ lead.status | label }}</p>",
    "languages": {
        "zh_CN": {
            "subject": "您好 {{ lead.last_name }}",
            "body": "{{ lead.status | label }}",
        }
    },
}


@pytest.mark.capability("REC-24")
def test_a_stored_template_is_filled_for_the_actor(office: Office) -> None:
    """In the actor's language; values are escaped in HTML and never run."""
    with office.session("admin") as s:
        s.customisation.put("template", "welcome", WELCOME)
        s.update(office.people.bob, language="zh_CN")
    with office.session("alice") as s:
        lead = s.create(Lead(last_name="{{ 7 }}", company_name="<b>A&B</b>"))
        made = s.templates.render("welcome", lead)
    with office.session("bob") as s:
        own = s.create(Lead(last_name="Li"))
        mine = s.templates.render("welcome", own)
        assert (mine.subject, mine.body) == ("您好 Li", "新建")
        with pytest.raises(NotFound):
            s.templates.render("welcome", lead)
        with pytest.raises(ValidationError):
            s.templates.render("farewell", own)

    assert made.subject == "Hello {{ 7 }}"
    assert made.body == "<p>&lt;b&gt;A&amp;B&lt;/b&gt;: New</p>"


@pytest.mark.capability("REC-24")
def test_a_reference_to_a_hidden_record_is_empty(office: Office) -> None:
    """What the actor may not see does not show through a record that he may."""
    body = "{% if contact.account %}works at {{ contact.account.name }}{% endif %}."
    with office.session("admin") as s:
        s.customisation.put("template", "card", {"object": "contact", "body": body})
    with office.session("admin") as s:
        hidden = s.create(Account(name="Secret", owner_id=office.people.carol.id))
        contact = s.create(
            Contact(
                last_name="Wu",
                account_id=hidden.id,
                owner_id=office.people.alice.id,
            )
        )
        assert s.templates.render("card", contact).body == "works at Secret."
    with office.session("alice") as s:
        assert s.templates.render("card", contact).body == "."


@pytest.mark.capability("REC-24")
def test_print_templates_are_chosen_by_condition(office: Office) -> None:
    """The first that fits the record, by position; lines are looped over."""
    body = "{% for line in values.lines %}{{ line.name }}={{ line.price }};{% endfor %}"
    with office.session("admin") as s:
        put = s.customisation.put
        put(
            "template",
            "hot_form",
            {
                "kind": "print",
                "object": "lead",
                "condition": to_json(F.rating == "hot"),
                "body": "HOT {{ lead.last_name }}",
            },
        )
        put(
            "template",
            "form",
            {"kind": "print", "object": "lead", "position": 9, "body": body},
        )
    with office.session() as s:
        hot = s.create(Lead(last_name="A", rating="hot"))
        cold = s.create(Lead(last_name="B", rating="cold"))
        chosen = [s.templates.choose(lead) for lead in (hot, cold)]
        lines = [{"name": "x", "price": 3}, {"name": "y", "price": 4}]
        printed = s.templates.render("form", cold, lines=lines).body

    assert ["hot_form", "form"] == [template and template.key for template in chosen]
    assert printed == "x=3;y=4;"


@pytest.mark.capability("REC-24")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"object": "lead", "body": "{{ lead.nonexistent }}"}, "unknown_path"),
        ({"object": "lead", "body": "{{ lead.__class__ }}"}, "unknown_path"),
        ({"object": "lead", "body": "{{ account.name }}"}, "unknown_path"),
        ({"object": "lead", "body": "{% for x in %}"}, "template_syntax"),
        ({"object": "lead", "body": "{{ lead.last_name | shell }}"}, "unknown_filter"),
        ({"object": "ufo", "body": "x"}, "unknown_entity"),
        ({"object": "lead", "kind": "virus", "body": "x"}, "not_an_option"),
        ({"object": "lead", "body": "x", "script": "y"}, "unknown_setting"),
    ],
)
def test_a_bad_template_is_refused(
    office: Office, settings: dict[str, Any], reason: str
) -> None:
    """Before it is stored, with its line and what is wrong."""
    with office.session("admin") as s:
        with pytest.raises(ValidationError) as refused:
            s.customisation.put("template", "bad", settings)
        assert len(s.customisation.items()) == 0

    assert reason in reasons(refused).values()


@pytest.mark.capability("REC-24", "REC-09")
def test_a_field_that_a_template_uses_is_not_retired(office: Office) -> None:
    """The error names the template."""
    with office.session("admin") as s:
        s.customisation.add_field("lead", "budget", "money")
    with office.session("admin") as s:
        body = {"object": "lead", "body": "{{ lead.budget }}"}
        s.customisation.put("template", "offer", body)
        with pytest.raises(ValidationError) as refused:
            s.customisation.retire_field("lead", "budget")

    assert {"template.offer.body": "unknown_path"} == reasons(refused)
