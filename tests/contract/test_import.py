"""Imports on every store: plans, and what becomes of each row."""

from __future__ import annotations

import csv
import io
from collections import Counter

import attrs
import pytest

from crmcore import (
    SYSTEM,
    AccessDenied,
    Account,
    Contact,
    ImportRejected,
    Lead,
    NotFound,
    User,
)
from crmcore.exchange import ColumnMapping, ImportJob, run_import
from crmcore.exchange.entities import ImportMapping
from tests.contract.importing import GOOD, HEADER, all_of, leads, load, many

# -- plans -------------------------------------------------------------------------------


@pytest.mark.capability("IMP-01", "LEAD-01")
def test_a_gbk_file_with_chinese_headers_is_imported_as_it_is(crm):
    """Encoding, delimiter, header and columns are recognised without a word."""
    text = (
        "姓;名;公司;邮箱;线索来源;负责人\n王;小明;深圳某公司;w@example.com;展会;alice\n"
    )
    report = load(crm, text.encode("gbk"))
    (lead,) = all_of(crm, Lead, "alice")
    assert report.created == 1
    assert (lead.display_name, lead.company_name) == ("王小明", "深圳某公司")
    assert (lead.lead_source, lead.entry_way) == ("trade_show", "imported")


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_plan_is_a_value_and_writes_nothing(crm, encoding):
    """A plan shows header, first value and target of each column."""
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(leads(GOOD).decode().encode(encoding), Lead)
        assert s.count(Lead) == s.count(ImportJob) == 0
    assert plan.is_valid
    assert [c.header for c in plan.columns][:2] == ["last_name", "first_name"]
    assert [c.first_value for c in plan.columns][:2] == ["Wang", "Xiaoming"]
    assert [c.field for c in plan.columns] == HEADER.strip().split(",")
    assert [c.required for c in plan.columns][:2] == [True, False]


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_without_its_header_unticked_the_first_row_is_the_header(crm):
    """A file without a header is recognised, or said to have none."""
    data = b"Wang;Xiaoming;w@example.com\nLi;Lei;l@example.com\n"
    mapping = {1: "last_name", 2: "first_name", 3: "email"}
    report = load(crm, data, mapping=mapping)
    assert report.created == 2
    report = load(crm, data, mapping=mapping, has_header=True, duplicates="off")
    assert report.created == 1


@pytest.mark.capability("IMP-02")
@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"email": "phone"}, ("phone", "already_mapped")),
        ({"email": "nonsense"}, ("nonsense", "unknown_field")),
        ({"nowhere": "email"}, ("nowhere", "unknown_column")),
        ({"last_name": None}, ("last_name", "not_mapped")),
        ({"email": ColumnMapping("birthday")}, ("birthday", "unknown_field")),
    ],
)
def test_a_wrong_mapping_is_told_and_refused(crm, mapping, problem):
    """A plan with problems shows them and cannot be applied."""
    mapping = {**({"phone": "phone"} if "email" in mapping else {}), **mapping}
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(leads(GOOD), Lead, mapping=mapping)
        assert problem in [(p.field, p.reason) for p in plan.problems]
        with pytest.raises(ImportRejected) as caught:
            s.exchange.apply(plan)
    assert caught.value.problems == plan.problems
    with pytest.raises(ImportRejected):
        run_import(crm, "boss", plan)
    assert not all_of(crm, Lead)


@pytest.mark.capability("IMP-01")
@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "replace"},
        {"encoding": "klingon"},
        {"delimiter": ",,"},
        {"duplicates": "ask"},
        {"mode": "update", "match_on": ("number",)},
        {"defaults": {"lead_source": "Carrier pigeon"}},
        {"defaults": {"nonsense": 1}},
    ],
)
def test_wrong_options_are_refused(crm, options):
    """Options outside their values never reach a row."""
    with crm.session("boss") as s, pytest.raises(ImportRejected):
        s.exchange.apply(s.exchange.plan_import(leads(GOOD), Lead, **options))


@pytest.mark.parametrize("store", ["memory"], indirect=True)
@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b'"never closed\n'])
def test_a_file_without_rows_is_refused(crm, data):
    """An empty or unreadable file is refused as a whole."""
    with crm.session("boss") as s, pytest.raises(ImportRejected):
        s.exchange.plan_import(data, Lead)


@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_only_who_may_import_imports(crm):
    """Users are imported by the system only, and the library's own records by nobody."""
    with crm.session("alice") as s:
        with pytest.raises(AccessDenied):
            s.exchange.plan_import(b"username\nx\n", User)
        with pytest.raises(AccessDenied):
            s.exchange.plan_import(b"key\nx\n", ImportJob)


# -- rows --------------------------------------------------------------------------------


@pytest.mark.capability("IMP-03")
def test_one_bad_row_never_stops_the_others(crm):
    """Every bad row is reported with line, field, value and reason; the rest is in."""
    data = leads(
        GOOD,
        "Li,Lei,X,not-an-address,+12,Carrier pigeon\n",
        ",Nobody,X,nobody@example.com,,\n",
        "too,few\n",
        "a,b,c,d@example.com,,,too many\n",
        '"open,quote,x,y@example.com,,\n',
        "Nul\0,x,x,z@example.com,,\n",
        "Zhao,Min,Y,zhao@example.com,,\n",
    )
    report = load(crm, data)
    assert [lead.last_name for lead in all_of(crm, Lead)] == ["Wang", "Zhao"]
    told = {(i.line, i.field, i.reason) for i in report.issues}
    assert told == {
        (3, "lead_source", "not_an_option"),
        (3, "email", "not_email"),
        (3, "phone", "not_phone"),
        (4, "last_name", "required"),
        (5, None, "wrong_cell_count"),
        (6, None, "wrong_cell_count"),
        (7, None, "unclosed_quote"),
        (8, None, "null_in_row"),
    }
    assert [i.value for i in report.issues if i.reason == "not_email"] == [
        "not-an-address"
    ]
    assert attrs.asdict(report.counts) == {
        "rows": 8,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "merged": 0,
        "skipped": 0,
        "failed": 6,
    }


@pytest.mark.capability("IMP-03")
def test_a_dry_run_tells_what_the_import_will_do(crm):
    """The dry run writes nothing and reports what the import then reports."""
    data = leads(GOOD, GOOD.replace("Wang", "WANG"), "bad,row\n", *many(5))
    with crm.session("boss") as s:
        plan = s.exchange.plan_import(data, Lead, dry_run=True)
        assert s.count(Lead) == s.count(ImportJob) == 0
    report = run_import(crm, "boss", plan)
    assert plan.dry_run.counts == report.counts
    assert plan.dry_run.issues == report.issues


@pytest.mark.capability("IMP-03")
def test_the_report_is_kept_and_is_a_csv(crm):
    """A report can be read again by the job's key, by who may see it."""
    report = load(crm, leads(GOOD, "=cmd(),x,y,=1+1,,\n"), actor="alice")
    target = io.StringIO(newline="")
    with crm.session("boss") as s:
        assert s.exchange.report(report.job_id).issues == report.issues
        s.exchange.write_report(report.job_id, target)
    rows = list(csv.DictReader(io.StringIO(target.getvalue(), newline="")))
    assert [(r["Line"], r["Field"], r["Value"]) for r in rows] == [
        ("3", "email", "'=1+1")
    ]
    with crm.session("bob") as s, pytest.raises(NotFound):
        s.exchange.report(report.job_id)


@pytest.mark.capability("IMP-02")
def test_defaults_fill_empty_cells_only(crm):
    """A default of a column or of the whole import never replaces a cell."""
    report = load(
        crm,
        leads("Wang,,A,,,Call\n", "Li,,B,,,\n"),
        mapping={"lead_source": ColumnMapping("lead_source", default="web")},
        defaults={"owner_id": "alice", "rating": "hot", "status": "assigned"},
    )
    made = {lead.last_name: lead for lead in all_of(crm, Lead, "alice")}
    assert report.created == 2
    assert made["Wang"].lead_source == "call"
    assert made["Li"].lead_source == "web"
    assert {(x.rating, x.status) for x in made.values()} == {("hot", "assigned")}


@pytest.mark.capability("IMP-02")
def test_owner_cells_hold_user_names(crm):
    """The owner is named by user name, whatever its case; nobody else is taken."""
    data = b"last_name,owner\nWang,ALICE\nLi,\nZhao,nobody\n"
    report = load(crm, data)
    owned = {lead.last_name for lead in all_of(crm, Lead, "alice")}
    assert owned == {"Wang"}
    assert [(i.line, i.field, i.reason) for i in report.issues] == [
        (4, "owner_id", "unknown_user")
    ]


@pytest.mark.capability("IMP-02")
def test_a_mapping_is_saved_under_a_name_and_chosen_later(crm):
    """A saved mapping carries targets, defaults and translated values."""
    mapping = {
        "Surname": "last_name",
        "Trade": ColumnMapping("industry", values={"technolgy": "technology"}),
        "Remark": None,
    }
    data = b"Surname,Trade,Remark\nWang,technolgy,x\n"
    with crm.session("boss") as s:
        s.exchange.save_mapping("fair", mapping, Lead)
        s.exchange.save_mapping(
            "fair", s.exchange.plan_import(data, Lead, mapping=mapping)
        )
        assert [m.name for m in s.exchange.mappings(Lead)] == ["fair"]
        with pytest.raises(NotFound):
            s.exchange.plan_import(data, Account, mapping="fair")
    report = load(crm, data, mapping="fair")
    (lead,) = all_of(crm, Lead)
    assert report.created == 1
    assert (lead.last_name, lead.industry, lead.description) == (
        "Wang",
        "technology",
        None,
    )
    assert len(all_of(crm, ImportMapping)) == 1


# -- references --------------------------------------------------------------------------


@pytest.mark.capability("IMP-02")
def test_references_are_found_by_external_id_name_or_id(crm):
    """A contact's account is named by external id, by its unique name or by its id."""
    load(crm, b"Id,Name\nA-1,Nordwind AG\nA-2,Weber Druck\n", Account)
    ids = {a.name: a.id for a in all_of(crm, Account)}
    data = (
        "last_name,account\nLind,A-1\nKurz,nordwind  ag\n"
        f"Groß,{ids['Weber Druck']}\nNeu,Nobody Ltd\nOhne,\n"
    )
    report = load(crm, data.encode(), Contact)
    found = {c.last_name: c.account_id for c in all_of(crm, Contact)}
    assert found == {
        "Lind": ids["Nordwind AG"],
        "Kurz": ids["Nordwind AG"],
        "Groß": ids["Weber Druck"],
        "Ohne": None,
    }
    assert [(i.line, i.field, i.value, i.reason) for i in report.issues] == [
        (5, "account_id", "Nobody Ltd", "not_found")
    ]


@pytest.mark.capability("IMP-02")
def test_a_record_that_the_actor_cannot_see_is_not_found(crm):
    """A reference cell never tells that a hidden record exists."""
    load(crm, b"Id,Name\nA-1,Nordwind AG\n", Account, actor="bob")
    report = load(crm, b"last_name,account\nLind,A-1\n", Contact, actor="alice")
    assert [i.reason for i in report.issues] == ["not_found"]


@pytest.mark.capability("IMP-02")
def test_rows_may_refer_to_rows_of_the_same_batch(crm):
    """Parents may stand above or below their children; a circle is refused."""
    data = (
        b"Name,Parent\nChild,Mother\nGrandchild,Child\nMother,\n"
        b"Egg,Hen\nHen,Egg\nSelf,Self\n"
    )
    report = load(crm, data, Account)
    made = {a.name: a for a in all_of(crm, Account)}
    assert set(made) == {"Child", "Grandchild", "Mother"}
    assert made["Grandchild"].parent_id == made["Child"].id
    assert made["Child"].parent_id == made["Mother"].id
    assert Counter(i.reason for i in report.issues) == {"not_found": 3}
    assert [i.line for i in report.issues] == [5, 6, 7]


@pytest.mark.capability("IMP-01")
def test_users_are_imported_with_their_superiors(crm):
    """An organisation comes in from one file, whatever the order of its rows."""
    data = (
        "User name,Full name,Manager,Profile\nzhang,张敏,li,sales\nli,李伟,,manager\n"
    )
    report = load(crm, data.encode(), User, SYSTEM)
    users = {u.username: u for u in all_of(crm, User)}
    assert report.failed == 0
    assert users["zhang"].manager_id == users["li"].id
    load(crm, b"last_name\nWang\n", actor="zhang")
    assert len(all_of(crm, Lead, "li")) == 1
