"""Tags: chosen or made while tagging, managed by administrators (REC-23)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crmcore import (
    AccessDenied,
    Account,
    Contact,
    F,
    Lead,
    Note,
    NotFound,
    StaleRecord,
    Tag,
    UniqueViolation,
    ValidationError,
)
from crmcore.exchange import run_import
from crmcore.tags import service as tags_module
from crmcore.testing import Office
from crmcore.testing.storage_suite.workbench import race
from tests.contract.customisation.reasons import reasons


@pytest.mark.capability("REC-23")
def test_a_word_chooses_the_known_tag_or_makes_a_new_one(office: Office) -> None:
    """Anyone who may edit a record tags it; case and width make no difference."""
    with office.session("alice") as s:
        first = s.create(Lead(last_name="A"))
        first = s.tags.tag(first, "VIP", "Fair 2026")
    with office.session("carol") as s:
        second = s.tags.tag(s.create(Lead(last_name="B")), "ｖｉｐ", "New", "NEW")
        again = s.tags.tag(second, "vip")
        names = [tag.name for tag in s.tags.of(second)]
        known = [tag.name for tag in s.tags.known(Lead).items]

    assert ["VIP", "New"] == names
    assert ["Fair 2026", "New", "VIP"] == known
    assert again == second
    assert first.tag_ids
    assert second.tag_ids
    assert first.tag_ids[0] == second.tag_ids[0]


@pytest.mark.capability("REC-23")
def test_tags_are_those_of_one_entity_and_dimension(office: Office) -> None:
    """Equal names elsewhere are other tags; a tag of all entities is chosen by each."""
    with office.session() as s:
        shared = s.tags.create("Partner", colour="green")
        lead = s.tags.tag(s.create(Lead(last_name="A")), "Hot", "Partner")
        lead = s.tags.tag(lead, "Hot", dimension="Weather")
        account = s.tags.tag(s.create(Account(name="Acme")), "hot", "partner")
        plain, _, weather = s.tags.of(lead)
        other, partner = s.tags.of(account)
        with pytest.raises(UniqueViolation):
            s.tags.create("HOT", Lead)
        only = s.tags.known(Lead, dimension="Weather").items
        found = s.tags.known(contains="art").items

    assert len({plain.id, weather.id, other.id}) == 3
    assert ("lead", "Weather") == (weather.object, weather.dimension)
    assert partner == shared
    assert only == (weather,)
    assert found == (shared,)


@pytest.mark.capability("REC-23")
def test_records_are_found_and_counted_by_their_tags(office: Office) -> None:
    """In criteria, in the lists of the tag, and as numbers of what the actor sees."""
    with office.session("alice") as s:
        a = s.tags.tag(s.create(Contact(last_name="A")), "x", "y")
        b = s.tags.tag(s.create(Contact(last_name="B")), "y")
        s.create(Contact(last_name="C"))
        x, y = s.tags.named(Contact, "X", "y")
        assert {a.id, b.id} == {r.id for r in s.find(Contact, F.tag_ids.any_of([x, y]))}
        assert {a.id} == {r.id for r in s.find(Contact, F.tag_ids.all_of([x, y]))}
        assert {a.id, b.id} == {r.id for r in s.related(y, Contact)}
        counts = s.tags.counts(Contact)
        some = s.tags.counts(Contact, F.last_name == "B", tags=[x])
        with pytest.raises(ValidationError) as missing:
            s.tags.named(Contact, "x", "nothing")
    with office.session("carol") as s:
        unseen = s.tags.counts(Contact, tags=[x, y])

    assert [(y.id, 2), (x.id, 1)] == [(c.tag.id, c.records) for c in counts]
    assert [(x.id, 0)] == [(c.tag.id, c.records) for c in some]
    assert [0, 0] == [c.records for c in unseen]
    assert {"tag_ids": "unknown_tag"} == reasons(missing)


@pytest.mark.capability("REC-23", "REC-08")
def test_tagging_is_a_change_like_others(office: Office) -> None:
    """It needs the right to edit, is in the history and in the events."""
    with office.session("alice") as s:
        lead = s.create(Lead(last_name="A"))
        tagged = s.tags.tag(lead, "VIP", "Big")
        plain = s.tags.untag(tagged, "big", "never used")
        entry = s.history(plain)[-1]
        kinds = [event.kind for event in s.events]
        with pytest.raises(StaleRecord):
            s.tags.tag(lead, "Late")
    with office.session("carol") as s, pytest.raises(NotFound):
        s.tags.tag(plain, "Mine")
    with office.session("admin") as s:
        names = [tag.name for tag in s.tags.known(Lead).items]

    assert tagged.tag_ids is not None
    assert tagged.tag_ids[:1] == plain.tag_ids
    assert "tag_ids" == entry.changes[0].field
    assert [str(i) for i in tagged.tag_ids] == entry.changes[0].old
    assert ["lead.created", "tag.created", "tag.created", "lead.updated"] == kinds[:4]
    assert ["Big", "VIP"] == names


@pytest.mark.capability("REC-23")
def test_managing_tags_is_the_administrators(office: Office) -> None:
    """A new name shows on all records; nobody writes tags past their verbs."""
    with office.session("alice") as s:
        lead = s.tags.tag(s.create(Lead(last_name="A")), "Hott", "Cold")
        hott, cold = s.tags.of(lead)
        for refused in (
            lambda: s.tags.change(hott, name="Hot"),
            lambda: s.tags.delete(hott),
            lambda: s.update(hott, name="Hot"),
            lambda: s.delete(hott),
            lambda: s.create(Tag(name="Past", identity="x")),
        ):
            with pytest.raises(AccessDenied):
                refused()
    with office.session("admin") as s:
        hot = s.tags.change(hott, name="Hot", colour="red")
        with pytest.raises(UniqueViolation):
            s.tags.change(cold, name="HOT")
        with pytest.raises(ValidationError) as read_only:
            s.tags.change(cold, object="account")
    with office.session("alice") as s:
        assert [hot, cold] == list(s.tags.of(s.get(Lead, lead.id)))
        assert s.tags.named(Lead, "hot") == (hot,)

    assert ("Hot", "red", hott.id) == (hot.name, hot.colour, hot.id)
    assert {"object": "read_only"} == reasons(read_only)


@pytest.mark.capability("REC-23")
def test_a_deleted_tag_is_taken_off_and_nothing_else_goes(office: Office) -> None:
    """Off live records and those that may be restored; its name is free again."""
    with office.session("alice") as s:
        kept = s.tags.tag(s.create(Lead(last_name="A")), "Old", "Good")
        gone = s.tags.tag(s.create(Lead(last_name="B")), "old")
        old, good = s.tags.of(kept)
        gone = s.delete(gone)
    with office.session("admin") as s:
        s.tags.delete(old)
        assert s.find(Tag).items == (good,)
    with office.session("alice") as s:
        kept = s.get(Lead, kept.id)
        with pytest.raises(StaleRecord):
            s.restore(gone)
        back = s.tags.tag(kept, "Old")
        changes = [c.old for e in s.history(gone) for c in e.changes][-1]
    with office.session("alice") as s, pytest.raises(ValidationError) as refused:
        s.update(back, tag_ids=[old.id])

    assert kept.tag_ids == (good.id,)
    assert changes == [str(old.id)]
    assert back.tag_ids is not None
    assert back.tag_ids[1] != old.id
    assert {"tag_ids": "not_found"} == reasons(refused)


@pytest.mark.capability("REC-23")
def test_a_tag_of_many_records_is_taken_off_in_parts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many records are tagged at once, all or none, and lose the tag all."""
    monkeypatch.setattr(tags_module, "_TOGETHER", 2)
    with office.session("alice") as s:
        leads = s.create_many([Lead(last_name=n) for n in "ABCDE"])
        accounts = s.create_many([Account(name=n) for n in "AB"])
        tagged = s.tags.tag_many([*leads, *accounts], "Many", "many")
        (of_leads,), (of_accounts,) = s.tags.of(tagged[0]), s.tags.of(tagged[-1])
        with pytest.raises(StaleRecord):
            s.tags.tag_many([tagged[0], leads[1]], "More")
        assert s.tags.of(s.get(Lead, leads[0].id)) == (of_leads,)
    with office.session("admin") as s:
        s.tags.delete(of_leads)
    with office.session("alice") as s:
        assert s.count(Lead, F.tag_ids.is_null()) == 5
        assert s.count(Account, F.tag_ids.any_of([of_accounts])) == 2

    assert [2] * 7 == [record.version for record in tagged]


@pytest.mark.capability("REC-23", "REC-17")
def test_custom_objects_get_tags(office: Office) -> None:
    """From then on they are tagged like others."""
    with office.session("admin") as s:
        s.customisation.add_object("project", label="Project")
        s.customisation.add_tags("project")
        foreign = s.tags.create("Foreign", Lead)
    with office.session("alice") as s:
        project = s.create("project", name="A")
        tagged = s.tags.tag(project, "Red")
        (red,) = s.tags.of(tagged)
        assert s.find("project", F.tag_ids.any_of([red])).items == (tagged,)
        assert [1] == [one.records for one in s.tags.counts("project")]
        with pytest.raises(ValidationError) as refused:
            s.tags.tag(tagged, foreign)
    with office.session("admin") as s:
        s.tags.delete(red)
        assert s.tags.of(s.get("project", project.id)) == ()
        with pytest.raises(ValidationError) as twice:
            s.customisation.add_tags(Lead)

    assert {"tag_ids": "not_fitting"} == reasons(refused)
    assert {"field.lead.tag_ids": "key_taken"} == reasons(twice)


@pytest.mark.capability("REC-23")
def test_everybody_at_once_makes_one_tag(office: Office) -> None:
    """Whoever comes later takes the tag of the first."""
    with office.session("alice") as s:
        leads = s.create_many([Lead(last_name=n) for n in "ABCD"])

    def tagging(lead: Lead) -> Callable[[], Lead]:
        return lambda: office.crm.run("alice", lambda s: s.tags.tag(lead, "Same"))

    outcomes = race(*map(tagging, leads))
    with office.session("admin") as s:
        (same,) = s.find(Tag).items
        found = s.find(Lead, F.tag_ids.any_of([same]))

    assert {lead.id for lead in leads} == {lead.id for lead in found}, outcomes


@pytest.mark.capability("REC-23")
def test_tags_that_do_not_fit_are_refused(office: Office) -> None:
    """Those of another entity, empty names, records that have no tags."""
    with office.session() as s:
        theirs = s.tags.create("Theirs", Account)
        lead = s.create(Lead(last_name="A"))
        note = s.create(Note(body="x"))
        with pytest.raises(ValidationError) as foreign:
            s.tags.tag(lead, theirs)
        with pytest.raises(ValidationError) as also:
            s.update(lead, tag_ids=[theirs])
        with pytest.raises(ValidationError) as blank:
            s.tags.tag(lead, "  ")
        with pytest.raises(ValidationError) as long:
            s.tags.create("x" * 81)
        with pytest.raises(ValidationError) as untaggable:
            s.tags.tag(note, "x")

    assert {"tag_ids": "not_fitting"} == reasons(foreign) == reasons(also)
    assert {"name": "required"} == reasons(blank)
    assert {"name": "too_long"} == reasons(long)
    assert {"tag_ids": "unknown_field"} == reasons(untaggable)


@pytest.mark.capability("REC-23", "IMP-02")
def test_an_import_tags_with_known_tags(office: Office) -> None:
    """Cells hold names; equal names of other entities are passed over."""
    data = b"Last name,Tags\nA,VIP; Fair\nB,vip\nC,Unknown\n"
    with office.session("admin") as s:
        vip, fair = s.tags.create("VIP", Lead), s.tags.create("Fair")
        s.tags.create("VIP", Account)
        plan = s.exchange.plan_import(data, Lead)
    report = run_import(office.crm, "admin", plan)
    with office.session("admin") as s:
        found = {r.last_name: r.tag_ids for r in s.find(Lead)}

    assert found == {"A": (vip.id, fair.id), "B": (vip.id,)}
    assert {"tag_ids"} == {issue.field for issue in report.issues}
