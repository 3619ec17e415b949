"""The demonstration: every number it tells is true, on every store."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crmcore import CRM, SYSTEM, Account, Contact, F, Lead, Opportunity, User
from crmcore.access import Organisation
from crmcore.cli.app import app
from crmcore.cli.demo.people import choose_cast
from crmcore.cli.stores import open_crm, open_store

SAMPLE = resources.files("crmcore.cli") / "sample"
SERVERS = [
    pytest.param(f"{name}_url", marks=pytest.mark.store(name=name), id=name)
    for name in ("postgresql", "mariadb", "mongodb")
]


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *arguments])


def told(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def rows_of(name, encoding):
    text = (SAMPLE / name).read_bytes().decode(encoding)
    rows = [row for row in csv.reader(io.StringIO(text)) if any(row)]
    return len(rows) - 1


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """Where the demonstrations of this module put their files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "crmcore.cli.commands.demo.new_folder",
            lambda: tmp_path_factory.mktemp("demo"),
        )
        yield


@pytest.fixture(scope="module")
def story(place):
    return told()


@pytest.fixture(scope="module")
def session(story):
    with opened(story, story["url"]) as s:
        yield s


@contextmanager
def opened(story, url):
    with (
        open_crm(url, story["tenant"]) as crm,
        crm.session(SYSTEM) as s,
    ):
        yield s


def check(story, s):
    """Compare everything that was told with what is stored."""
    made = sum(file["created"] for file in story["import"]["files"])
    assert story["import"]["leads"] == s.count(Lead) == made
    assert story["organisation"]["users"] == s.count(User)
    assert story["conversion"]["accounts"] == s.count(Account)
    assert story["conversion"]["contacts"] == s.count(Contact)
    converted = F.converted_at.is_null(False)
    assert story["conversion"]["converted"] == s.count(Lead, converted)
    deals = list(s.stream(Opportunity))
    assert story["conversion"]["opportunities"] == len(deals)
    check_pipeline(story, deals)
    check_funnel(story["funnel"], deals)


def check_pipeline(story, deals):
    kinds = Counter(deal.stage_category for deal in deals)
    assert {k: story["pipeline"][k] for k in ("open", "won", "lost")} == dict(kinds)
    reasons = Counter(deal.lost_reason for deal in deals if deal.lost_reason)
    assert story["pipeline"]["lost_reasons"] == dict(reasons)


def check_funnel(funnel, deals):
    (row,) = funnel["rows"]
    figures = [*row["stages"], row["lost"]]
    counted = Counter(deal.stage for deal in deals)
    assert {f["key"]: f["count"] for f in figures if f["count"]} == dict(counted)
    for figure in figures:
        amounts = [d.amount for d in deals if d.stage == figure["key"]]
        told = Decimal(figure["amount"]["amount"])
        assert told == sum(money.amount for money in amounts if money)
    managers = funnel["by_manager"]
    assert sum(manager["count"] for manager in managers) == len(deals)


# -- the files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "encoding"), [("leads_gbk.csv", "gbk"), ("leads_en.csv", "utf-8-sig")]
)
def test_every_row_of_the_files_is_accounted_for(story, name, encoding):
    """Imported, skipped as a duplicate, or refused: no row is lost."""
    (file,) = [f for f in story["import"]["files"] if f["file"] == name]

    assert file["rows"] == rows_of(name, encoding)
    assert file["created"] + file["skipped"] + file["failed"] == file["rows"]


def test_the_sample_shows_what_an_import_has_to_cope_with(story):
    """Each file has refused rows and duplicates, and about 500 leads come in."""
    for file in story["import"]["files"]:
        assert file["failed"] > 0
        assert file["skipped"] > 0
    assert 400 <= story["import"]["leads"] <= 600


def test_every_remark_names_line_and_reason(story):
    """Nobody has to guess what is wrong with a row."""
    for file in story["import"]["files"]:
        for issue in file["issues"]:
            assert issue["line"] >= 2
            assert issue["message"]


# -- the story ------------------------------------------------------------------------


@pytest.mark.capability("LEAD-03")
def test_what_is_told_is_what_is_stored(story, session):
    """Every figure of the summary is found again in the store."""
    check(story, session)


@pytest.fixture(scope="module", params=SERVERS)
def server_story(request, place):
    url = request.getfixturevalue(request.param)
    return url, told("--store", url)


def test_the_story_is_true_on_every_server(server_story):
    """The same story on a server: every figure is found again in the store."""
    url, story = server_story
    with opened(story, url) as s:
        check(story, s)


def test_the_story_is_the_same_on_every_store(server_story, story):
    """Which store it is makes no difference to what is told."""
    _, other = server_story

    for part in ("organisation", "import", "conversion", "pipeline", "sight"):
        assert other[part] == story[part]
    assert figures(other) == figures(story)


def figures(story):
    """Return the funnel's rows without ids, which every store has its own of."""
    funnel = story["funnel"]
    rows = [*funnel["rows"], *funnel["by_manager"]]
    return [{**row, "subject": None} for row in rows]


def ask(story, url, *command):
    options = ("--store", url, "--tenant", story["tenant"], "--json")
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_other_commands_agree_on_every_server(server_story):
    """Report and dedupe find in the store what the story told."""
    url, story = server_story
    managers = ask(story, url, "report", "funnel", "--by", "manager")
    look = ask(story, url, "dedupe")

    assert managers["rows"] == story["funnel"]["by_manager"]
    assert look["checked"] == story["import"]["leads"]


def test_the_doctor_knows_every_server(server_story):
    """Version and schema are told; exit code 1 stands for problems, 0 for none."""
    url, story = server_story
    result = CliRunner().invoke(app, ["doctor", "--store", url, "--json"])
    found = json.loads(result.stdout)

    assert result.exit_code == (1 if found["problems"] else 0)
    assert found["store"]["store"] == story["store"]
    assert found["store"]["schema"] == "current"


def test_the_story_is_the_same_on_every_run(story):
    """Nothing depends on chance or on the time: two runs tell the same."""
    again = told()

    for part in ("organisation", "import", "conversion", "pipeline", "sight"):
        assert again[part] == story[part]
    assert figures(again) == figures(story)


def test_one_conversion_is_refused_and_done_in_another_way(story, session):
    """The account exists: refused; then converted with the existing account."""
    refused = story["conversion"]["refused"]

    assert refused["code"] == "record.not_unique"
    (account,) = session.find(Account, F.name == refused["account"])
    people = session.count(Contact, F.account_id == account.id)
    assert refused["contacts_of_account"] == people >= 2


@pytest.mark.capability("ACC-10")
def test_superiors_see_more_and_strangers_nothing(story, session):
    """The superior sees what the salesperson sees and more; the stranger other things."""
    sight = story["sight"]
    low, high = sight["salesperson"], sight["superior"]

    assert all(low[n] < high[n] for n in ("leads", "accounts", "opportunities"))
    assert [sight[p]["may_read"] for p in ("salesperson", "superior", "stranger")] == [
        True,
        True,
        False,
    ]
    owner = session.find(User, F.username == low["user"]).items[0]
    assert low["leads"] == session.count(Lead, F.owner_id == owner.id)
    assert sight["colleague_hit"]["owner"] == low["user"]


def test_the_picture_is_written(story):
    """The funnel's SVG lies where the summary says."""
    svg = Path(story["funnel"]["svg"]).read_text(encoding="utf-8")

    assert svg.startswith("<svg")


def test_the_story_can_be_read():
    """Without --json there are six chapters, and no markup is left over."""
    result = run("--store", "memory://")

    assert result.exit_code == 0, result.output
    for number in range(1, 7):
        assert f"\n{number}  " in result.stdout
    assert "[/]" not in result.stdout
    assert "UniqueViolation" in result.stdout


# -- where it happens -----------------------------------------------------------------


def test_keep_leaves_a_file_to_play_with(tmp_path, monkeypatch):
    """--keep makes ./crm-demo.db, and refuses to touch it the second time."""
    monkeypatch.chdir(tmp_path)

    assert run("--keep").exit_code == 0
    assert (tmp_path / "crm-demo.db").exists()
    assert (tmp_path / "crm-demo-funnel.svg").exists()
    again = run("--keep")
    assert again.exit_code == 1
    assert "data already" in " ".join(again.output.split())


def test_a_tenant_with_data_is_left_alone(story):
    """The demonstration never writes into data that is there."""
    result = run("--store", story["url"], "--tenant", story["tenant"], "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "demo.not_empty"


def test_keep_and_store_exclude_each_other():
    """Two places at once are wrong usage."""
    assert run("--keep", "--store", "memory://").exit_code == 2


# -- the parts ------------------------------------------------------------------------


def test_the_parts_come_from_different_branches():
    """The superior stands above the salesperson, the stranger below somebody else."""
    crm = CRM(open_store("memory://"))
    crm.install()
    with crm.session(SYSTEM) as s:
        top = s.create(User(username="top", profile="manager"))
        people = {}
        for branch in ("a", "b"):
            head = s.create(User(username=branch, manager_id=top.id))
            for n in (1, 2):
                user = s.create(User(username=f"{branch}{n}", manager_id=head.id))
                people[user.username] = user
        organisation = Organisation.of(s.stream(User))

    cast = choose_cast(organisation, {people["a2"].id: 9, people["a1"].id: 5})

    assert cast.director.username == "top"
    assert (cast.salesperson.username, cast.superior.username) == ("a2", "a")
    assert cast.stranger.username == "b1"
