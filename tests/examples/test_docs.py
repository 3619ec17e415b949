from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from typer.testing import CliRunner

import crmcore
from crmcore import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in p.parts),
]
SYBIL = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()])

#: Environment variable that a page reads -> fixture with the address of a real server.
SERVERS = {
    "POSTGRESQL_URL": "postgresql_url",
    "MARIADB_URL": "mariadb_url",
    "MONGODB_URL": "mongodb_url",
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_examples_of_a_page_run(page, request, monkeypatch, tmp_path):
    """All Python blocks of a page run from top to bottom, in one namespace."""
    text = page.read_text("utf-8")
    for variable, fixture in SERVERS.items():
        if variable in text:
            monkeypatch.setenv(variable, request.getfixturevalue(fixture))
    monkeypatch.chdir(tmp_path)

    examples = list(SYBIL.parse(page).examples())
    for example in examples:
        example.evaluate()

    blocks = len(re.findall(r"^```python$", text, re.MULTILINE))
    assert len(examples) >= blocks


def test_the_commands_of_the_page_run(tmp_path):
    """The commands of the page end well in their order; the demo has its own tests."""
    from crmcore.cli.app import app

    page = ROOT / "docs/guide/cli.md"
    text = page.read_text("utf-8")
    shown = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("crmcore ")]

    with contextlib.chdir(tmp_path):
        for example in SYBIL.parse(page).examples():
            example.evaluate()
        for arguments in (rest for _, *rest in commands if rest != ["demo"]):
            done = CliRunner().invoke(app, arguments)
            assert 0 == done.exit_code, (arguments, done.output, done.exception)

    assert len(commands) >= 7


def test_the_links_of_the_readme_lead_somewhere():
    """Every file that the README links to exists."""
    text = (ROOT / "README.md").read_text("utf-8")
    files = re.findall(r"\]\((?!https?:)([^)#]+)", text)

    assert [] == [file for file in files if not (ROOT / file).is_file()]
    assert files


def test_the_tour_leads_to_files_that_exist():
    """Every path in the table of the tour exists."""
    text = (ROOT / "docs/contributing/tour.md").read_text("utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")]
    cells = [cell for line in table for cell in line.split("|")[2:4]]
    paths = {path for cell in cells for path in re.findall(r"`([^` ]*/[^` ]*)`", cell)}
    places = (ROOT, ROOT / "src", ROOT / "src/crmcore", ROOT / "src/crmcore_sql")

    assert set() == {p for p in paths if not any(any(x.glob(p)) for x in places)}
    assert len(paths) > 20


def test_every_public_name_is_in_the_reference():
    """The reference covers all that crmcore exports."""
    text = "".join(p.read_text("utf-8") for p in (ROOT / "docs/reference").glob("*.md"))
    named = set(re.findall(r"\w+", text))

    assert set() == set(crmcore.__all__) - named


def test_every_error_code_is_in_the_reference():
    """The page of errors names the code of each error that a caller can meet."""
    text = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    kinds = [v for v in vars(errors).values() if isinstance(v, type)]
    codes = {kind.code for kind in kinds if issubclass(kind, errors.CRMError)}

    assert codes == set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
