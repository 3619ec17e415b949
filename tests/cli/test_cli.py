"""The commands: what they answer, where they print it, how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from crmcore import (
    CRM,
    SYSTEM,
    Account,
    Contact,
    F,
    Lead,
    MemoryStore,
    Money,
    Opportunity,
    User,
)
from crmcore.cli.app import app
from crmcore.cli.clusters import Member, Pair, clusters_of
from crmcore.cli.commands.doctor import clock_problems, scanning
from crmcore.cli.exits import ExitCode, exit_code
from crmcore.cli.stores import open_store, shown_url
from crmcore.errors import (
    AccessDenied,
    Conflict,
    MissingExtra,
    SchemaOutdated,
    StorageFull,
    StoreUnavailable,
    ValidationError,
)
from crmcore.exchange import run_import
from crmcore.storage import MissingIndex

SCRIPT = Path(sys.executable).with_name("crmcore")


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def answer(*arguments, code=0):
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{(tmp_path / 'crm.db').as_posix()}"


@pytest.fixture
def installed(url):
    assert run("schema", "upgrade", "--store", url).exit_code == 0
    return url


@pytest.fixture
def filled(installed):
    crm = CRM(open_store(installed))
    with crm.session(SYSTEM) as s:
        boss = s.create(User(username="boss", name="Boss", profile="manager"))
        ann = s.create(
            User(username="ann", name="Ann", profile="sales", manager_id=boss.id)
        )
        s.create(User(username="zoe", name="Zoe", profile="sales"))
        account = s.create(Account(name="Acme", owner_id=ann.id))
        s.create(
            Contact(
                last_name="Li",
                first_name="Mei",
                email="mei@acme.example",
                account_id=account.id,
                owner_id=ann.id,
            )
        )
        people = (
            Lead(last_name="Li", first_name="Mei", email="MEI@acme.example"),
            Lead(last_name="Li", email="mei@acme.example", phone="+8613800138000"),
            Lead(last_name="Lee", phone="+86 138 0013 8000"),
            Lead(last_name="Alone", email="alone@nobody.example"),
        )
        for person in people:
            s.create(person, owner_id=ann.id)
    with crm.session("ann") as s:
        deal = s.create(Opportunity(name="Deal", amount=Money("1000", "CNY")))
        s.sales.win(deal)
        s.create(Opportunity(name="Other", amount=Money("500", "CNY")))
    crm.close()
    return installed


# -- the whole ------------------------------------------------------------------------


def test_the_installed_program_runs():
    """The entry point of the distribution starts and lists the commands."""
    done = subprocess.run(
        [SCRIPT, "--help"], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0
    for name in ("demo", "import", "dedupe", "report", "schema", "doctor"):
        assert name in done.stdout


def test_the_program_keeps_its_streams_apart(filled):
    """With --json the standard output is one document and the error output is empty."""
    done = subprocess.run(
        [SCRIPT, "dedupe", "--store", filled, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert json.loads(done.stdout)["checked"] == 4
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_libraries_the_program_names_the_extra(missing):
    """A bare installation says what to install, without a traceback."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; "
        "from crmcore.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == ExitCode.EXTRA
    assert done.stderr.strip() == (
        "The command line needs the extra: pip install 'crmcore[cli]'"
    )


def test_the_core_does_not_load_the_command_line():
    """Importing crmcore loads neither typer nor rich nor altair."""
    program = (
        "import sys, crmcore, crmcore.cli, crmcore.reporting.charts; "
        "print([n for n in ('typer', 'rich', 'altair') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValidationError.of("name", "required"), ExitCode.PROBLEM),
        (AccessDenied(action="read", entity="lead"), ExitCode.PROBLEM),
        (StoreUnavailable(problem="away"), ExitCode.STORE),
        (StorageFull(), ExitCode.STORE),
        (Conflict(), ExitCode.STORE),
        (SchemaOutdated(state="missing"), ExitCode.SCHEMA),
        (MissingExtra(feature="A chart", extra="charts"), ExitCode.EXTRA),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    """Scripts tell refused input, a missing store and an old schema apart."""
    assert exit_code(error) is code


# -- stores ---------------------------------------------------------------------------


def test_a_url_that_nothing_understands_is_wrong_usage():
    """An unknown scheme is told as a mistake of the command line."""
    result = run("doctor", "--store", "oracle://somewhere/crm")

    assert result.exit_code == ExitCode.USAGE
    assert "oracle" in result.stderr


def test_a_missing_file_is_not_created(tmp_path):
    """A mistyped file name is told; no empty database is left behind."""
    result = run("report", "funnel", "--store", f"sqlite:///{tmp_path}/no.db")

    assert result.exit_code == ExitCode.STORE
    assert "no.db" in result.stderr
    assert not (tmp_path / "no.db").exists()


def test_a_server_that_is_away_is_told(unused_port):
    """An unreachable server ends in exit code 3, with a message, not a traceback."""
    url = f"postgresql://nobody:secret@127.0.0.1:{unused_port}/crm"
    result = run("report", "funnel", "--store", url)

    assert result.exit_code == ExitCode.STORE
    assert "Error:" in result.stderr
    assert "Traceback" not in result.output
    assert "secret" not in result.output


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:pw@host:5432/crm", "postgresql://ann:***@host:5432/crm"),
        ("mongodb://a:b@h1,h2/crm?x=1", "mongodb://a:***@h1,h2/crm?x=1"),
        ("sqlite:///crm.db", "sqlite:///crm.db"),
        ("mysql://ann@host/crm", "mysql://ann@host/crm"),
    ],
)
def test_passwords_are_never_shown(url, shown):
    """What is printed of a URL has no password."""
    assert shown_url(url) == shown


# -- schema ---------------------------------------------------------------------------


def test_a_store_without_schema_is_exit_code_four(url):
    """The way out is named: crmcore schema upgrade."""
    open_file(url)
    result = run("report", "funnel", "--store", url)

    assert result.exit_code == ExitCode.SCHEMA
    assert "crmcore schema upgrade" in result.stderr


def open_file(url):
    Path(url.removeprefix("sqlite:///")).touch()


def test_schema_upgrade_can_be_repeated(url):
    """The first run creates the schema, the second does nothing."""
    first = answer("schema", "upgrade", "--store", url)
    second = answer("schema", "upgrade", "--store", url)

    assert first == second
    assert first["schema"] == "current"


def test_schema_show_lists_entities_and_fields(installed):
    """Every entity is shown with its fields, and whether the store is current."""
    shown = answer("schema", "show", "--store", installed)

    assert shown["schema"] == "current"
    names = {field["name"] for field in shown["entities"]["lead"]["fields"]}
    assert {"last_name", "email", "owner_id"} <= names


def test_schema_show_tells_of_a_missing_schema(url):
    """Showing needs no schema in the store."""
    open_file(url)

    assert answer("schema", "show", "--store", url)["schema"] == "missing"
    assert "lead" in run("schema", "show", "--store", url).stdout


# -- doctor ---------------------------------------------------------------------------


def test_fields_without_an_index_are_told():
    """A missing index goes by its name, one that cannot be by its reason."""
    missing = [
        MissingIndex("ix_rank", "lead.rank"),
        MissingIndex("ix_tags", "lead.tags", "lists have none"),
    ]
    assert scanning(missing) == [
        "lead.rank: the index ix_rank is missing",
        "lead.tags: lists have none",
    ]


def test_doctor_finds_nothing_wrong_with_a_good_store(filled):
    """All facts, no problems, exit code 0."""
    found = answer("doctor", "--store", filled)

    assert found["problems"] == []
    assert found["store"]["store"] == "sqlite"
    assert found["versions"]["crmcore"] != "not installed"
    assert "wal" in json.dumps(found["store"]).casefold()


def test_doctor_tells_of_a_missing_schema(url):
    """Exit code 4, and the problem in words."""
    open_file(url)
    found = answer("doctor", "--store", url, code=ExitCode.SCHEMA)

    assert any("schema is missing" in problem for problem in found["problems"])


def test_doctor_tells_of_a_server_that_is_away(unused_port):
    """Exit code 3; the report is printed all the same."""
    url = f"postgresql://nobody@127.0.0.1:{unused_port}/crm"
    found = answer("doctor", "--store", url, code=ExitCode.STORE)

    assert found["problems"]


class FixedClock:
    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment


def test_a_clock_behind_the_records_is_a_problem():
    """Records from the future mean that a clock is wrong."""
    clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    crm = CRM(MemoryStore(), clock=clock)
    crm.install()
    with crm.session(SYSTEM) as s:
        s.create(User(username="ann", profile="sales"))
    assert list(clock_problems(crm)) == []

    clock.moment -= timedelta(days=1)

    assert "2030-01-01" in "".join(clock_problems(crm))


def test_a_clock_that_was_never_set_is_a_problem():
    """A date before this library existed is no date."""
    crm = CRM(MemoryStore(), clock=FixedClock(datetime(1970, 1, 1, tzinfo=UTC)))

    assert "1970" in "".join(clock_problems(crm))


# -- dedupe ---------------------------------------------------------------------------


@pytest.mark.capability("DUP-02")
def test_dedupe_ties_pairs_to_clusters_and_says_why(filled):
    """Shared e-mail and phone tie three leads and a contact together, with reasons."""
    found = answer("dedupe", "--store", filled)

    (cluster,) = found["clusters"]
    assert sorted(m["entity"] for m in cluster["members"]) == ["contact", *["lead"] * 3]
    kinds = {e["kind"] for pair in cluster["pairs"] for e in pair["evidence"]}
    assert kinds >= {"email", "phone"}
    assert found["checked"] == 4
    assert found["pairs"] == len(cluster["pairs"]) == 4


def test_dedupe_shows_clusters_in_words(filled):
    """People see the names, the score and the reason."""
    shown = run("dedupe", "--store", filled).stdout

    assert "same email (mei@acme.example)" in " ".join(shown.split())
    assert "clusters: 1, of 4 records" in shown


def test_dedupe_tells_only_what_the_actor_may_see(filled):
    """Somebody without these leads finds nothing to check."""
    found = answer("dedupe", "--store", filled, "--actor", "zoe")

    assert (found["checked"], found["clusters"]) == (0, [])


def test_a_converted_lead_is_no_duplicate_of_what_it_became(filled):
    """Lead and contact are alike on purpose: no pair of them is reported."""
    crm = CRM(open_store(filled))
    with crm.session("ann") as s:
        (lead,) = s.find(Lead, F.last_name == "Alone")
        s.leads.convert(lead)
    crm.close()

    names = {
        member["name"]
        for entity in ("lead", "contact")
        for cluster in answer("dedupe", "--store", filled, "--entity", entity)[
            "clusters"
        ]
        for member in cluster["members"]
    }

    assert names
    assert "Alone" not in names


def test_clusters_are_connected_components():
    """A-B and B-C make one cluster, D-E another; the greatest comes first."""
    a, b, c, d, e = (Member("lead", UUID(int=n), str(n)) for n in range(1, 6))
    pairs = [Pair(d, e, 0.9, ()), Pair(a, b, 0.9, ()), Pair(b, c, 0.8, ())]

    found = clusters_of(pairs)

    assert [cluster.members for cluster in found] == [(a, b, c), (d, e)]
    assert [len(cluster.pairs) for cluster in found] == [2, 1]


# -- report ---------------------------------------------------------------------------


@pytest.mark.capability("REP-07")
def test_report_funnel_by_manager(filled):
    """Figures per manager, amounts as exact text."""
    found = answer("report", "funnel", "--store", filled, "--by", "manager")

    (row,) = found["rows"]
    assert (row["name"], row["currency"], row["count"]) == ("Boss", "CNY", 2)
    won = next(s for s in row["stages"] if s["category"] == "won")
    assert (won["count"], won["amount"]["amount"]) == (1, "1000.0000")


def test_report_funnel_writes_a_chart(filled, tmp_path):
    """--svg writes the picture beside the table."""
    path = tmp_path / "funnel.svg"
    result = run("report", "funnel", "--store", filled, "--svg", path)

    assert result.exit_code == 0
    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert "Prospecting" in result.stdout


def test_report_funnel_as_an_actor(filled):
    """Somebody else's funnel is empty."""
    found = answer("report", "funnel", "--store", filled, "--actor", "zoe")

    assert found["count"] == 0


def test_an_unknown_actor_is_refused(filled):
    """The error is told as data under --json, with its code."""
    found = answer("report", "funnel", "--store", filled, "--actor", "nobody", code=1)

    assert found["error"]["code"] == "access.unknown_actor"


def test_an_unknown_split_is_wrong_usage(filled):
    """Typer checks the choices before anything is opened."""
    assert run("report", "funnel", "--store", filled, "--by", "x").exit_code == 2


# -- import ---------------------------------------------------------------------------

LEADS = """Last name,First name,Company,Email
Wang,Xiaoming,Acme,wang@acme.example
,Nobody,Acme,nobody@acme.example
Zhang,San,Beta,not an address
Wang,Xiaoming,Acme,WANG@acme.example
"""


@pytest.fixture
def leads(tmp_path):
    path = tmp_path / "leads.csv"
    path.write_text(LEADS, encoding="utf-8")
    return path


def count_leads(url):
    return answer("dedupe", "--store", url)["checked"]


@pytest.mark.capability("IMP-03")
def test_import_reports_every_refused_row(installed, leads, tmp_path):
    """Good rows are stored, bad ones told by line and reason; exit code 1."""
    errors = tmp_path / "errors.csv"
    found = answer("import", leads, "--store", installed, "--errors", errors, code=1)

    assert (found["rows"], found["created"]) == (4, 1)
    assert found["created"] + found["skipped"] + found["failed"] == found["rows"]
    failed = {
        i["line"]: i["field"] for i in found["issues"] if i["outcome"] == "failed"
    }
    assert failed == {3: "last_name", 4: "email"}
    assert "last_name" in errors.read_text(encoding="utf-8-sig")
    assert count_leads(installed) == 1


def test_a_dry_run_writes_nothing(installed, leads):
    """The same figures, and an unchanged store."""
    found = answer("import", leads, "--store", installed, "--dry-run", code=1)

    assert found["dry_run"] is True
    assert found["created"] == 1
    assert count_leads(installed) == 0


def test_import_keeps_duplicates_where_told(installed, leads):
    """--duplicates create stores what looks alike as well."""
    options = ("--store", installed, "--duplicates", "create")
    found = answer("import", leads, *options, code=1)

    assert found["created"] == 2
    assert count_leads(installed) == 2


def test_import_shows_its_mapping_and_the_errors(installed, leads):
    """People see which column fills which field, and a table of the errors."""
    shown = " ".join(run("import", leads, "--store", installed).stdout.split())

    assert "Company company_name" in shown
    assert "is not a valid e-mail address" in shown


class Killed(Exception):
    """The process ends here."""


def test_an_import_that_was_killed_goes_on(installed, tmp_path):
    """The same command again finishes the job: no row is lost, none comes twice."""
    path = tmp_path / "many.csv"
    rows = [f"Lee,Nr{n},nr{n}@many.example\n" for n in range(9)]
    path.write_text("Last name,First name,Email\n" + "".join(rows), encoding="utf-8")
    crm = CRM(open_store(installed))
    with crm.session(SYSTEM) as s:
        plan = s.exchange.plan_import(path, Lead)

    def die(done, total):
        if done >= 4:
            raise Killed

    with pytest.raises(Killed):
        run_import(crm, SYSTEM, plan, progress=die, batch_size=2)
    crm.close()

    found = answer("import", path, "--store", installed)

    assert found["job_id"] == plan.job_id
    assert (found["rows"], found["created"], found["skipped"]) == (9, 9, 0)
    assert count_leads(installed) == 9


def test_import_of_a_missing_file_is_refused(installed):
    """No such file: refused, in words."""
    found = answer("import", "no-such.csv", "--store", installed, code=1)

    assert found["error"]["code"] == "import.rejected"


def test_import_with_an_unknown_entity_is_refused(installed, leads):
    """Only entities of the schema can be imported."""
    options = ("--store", installed, "--entity", "planet")

    assert run("import", leads, *options).exit_code == 1
