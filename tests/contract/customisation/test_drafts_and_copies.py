"""Drafts of record types, and what save-and-copy takes over (REC-02, REC-07)."""

from __future__ import annotations

import pytest

from crmcore import AccessDenied, F, Lead, Opportunity, ValidationError
from crmcore.criteria import to_json
from crmcore.testing import Office
from tests.contract.customisation.reasons import reasons


@pytest.fixture
def approved(office: Office) -> Office:
    """Give an office in which project leads are drafts until they are submitted."""
    with office.session("admin") as s:
        s.customisation.put(
            "record_type",
            "project_lead",
            {"label": "Project", "drafts": True, "required": ["phone"]},
            object=Lead,
        )
        rule = {"must": to_json(F.title != "spam"), "message": "no", "field": "title"}
        s.customisation.put("validation_rule", "title", rule, object=Lead)
    return office


@pytest.mark.capability("REC-02")
def test_a_draft_may_lack_what_is_required(approved: Office) -> None:
    """It is stored and edited without, and submitted only when complete."""
    with approved.session("alice") as s:
        draft = s.create(Lead(record_type="project_lead", title="spam"))
        assert draft["draft"] is True
        draft = s.update(draft, title="CEO")
        with pytest.raises(ValidationError) as caught:
            s.submit(draft)
        assert {"last_name": "required", "phone": "required"} == reasons(caught)
        with pytest.raises(ValidationError) as caught:
            s.submit(draft, last_name="Wu", phone="+49 30 123456", title="spam")
        assert {"title": "rule"} == reasons(caught)

        done = s.submit(draft, last_name="Wu", phone="+49 30 123456")
        assert (False, "Wu", 3) == (done["draft"], done.last_name, done.version)
        with pytest.raises(ValidationError) as caught:
            s.update(done, last_name=None)
        assert {"last_name": "required"} == reasons(caught)
        assert done == s.submit(done)

    with approved.session("alice") as s:
        assert done.id == next(iter(s.find(Lead, F.draft == False))).id  # noqa: E712


@pytest.mark.capability("REC-02")
def test_other_types_are_complete_at_once(approved: Office) -> None:
    """Save and submit are one step; nobody sets or clears the mark by hand."""
    with approved.session("alice") as s:
        with pytest.raises(ValidationError) as caught:
            s.create(Lead())
        assert {"last_name": "required"} == reasons(caught)
        lead = s.create(Lead(last_name="Wu"))
        assert lead["draft"] is None
        for value in (True, False):
            with pytest.raises(ValidationError) as caught:
                s.update(lead, draft=value)
            assert {"draft": "read_only"} == reasons(caught)
        with pytest.raises(ValidationError):
            s.create(Lead(last_name="Wu", record_type="project_lead"), draft=False)
        assert lead == s.submit(lead)


@pytest.mark.capability("REC-02")
def test_who_may_not_edit_may_not_submit(approved: Office) -> None:
    """Submitting is a change like others."""
    with approved.session("alice") as s:
        draft = s.create(
            Lead(record_type="project_lead", last_name="Wu", phone="1234567")
        )
    with approved.session("admin") as s:
        assert s.get(Lead, draft.id)["draft"] is True
    with approved.session("alice") as s:
        s.invalidate(draft)
    with approved.session("alice") as s, pytest.raises(AccessDenied):
        s.submit(s.get(Lead, draft.id))


@pytest.mark.capability("REC-07")
def test_save_and_copy_takes_the_marked_sections_over(office: Office) -> None:
    """The layout says which; without a mark everything that may be copied is."""
    with office.session("alice") as s:
        deal = s.create(
            Opportunity(name="Pumps", product="P1", project="North", next_step="Call")
        )
        twin = s.save_and_copy(deal)
        assert ("Pumps", "P1", "North") == (twin.name, twin.product, twin.project)
    with office.session("admin") as s:
        card = {
            "sections": [
                {
                    "key": "call_card",
                    "copied": True,
                    "fields": [{"field": "product"}, {"field": "name"}],
                },
                {"key": "rest", "fields": [{"field": "project"}]},
            ]
        }
        s.customisation.put("layout", "report", card, object=Opportunity)

    with office.session("alice") as s:
        twin = s.save_and_copy(deal, next_step="Visit")
        assert ("Pumps", "P1", None, "Visit") == (
            twin.name,
            twin.product,
            twin.project,
            twin.next_step,
        )
        assert "North" == s.copy(deal, groups=["rest"]).project
        with pytest.raises(ValidationError) as caught:
            s.copy(deal, groups=["nope"])
        assert {"groups": "not_an_option"} == reasons(caught)
