from __future__ import annotations

import pytest
from tools import capabilities
from tools.capabilities import Proof


def test_marks_name_known_capabilities():
    """A test proves only capabilities that the catalogue has."""
    unknown = [
        p for p in capabilities.proofs() if not capabilities.is_known(p.capability)
    ]

    assert [] == unknown


def test_the_page_of_capabilities_is_current():
    """The committed page lists exactly the marks of the tests; make docs renews it."""
    current = capabilities.page(capabilities.proofs())

    assert current == capabilities.PAGE.read_text("utf-8"), "run: make docs"


@pytest.mark.parametrize(
    "capability", ["LEAD-7", "LEAD-07", "LEAD-00", "XX-01", "LEAD"]
)
def test_an_id_that_the_catalogue_lacks_is_unknown(capability):
    """Area and number have to exist, and the number has two digits."""
    assert not capabilities.is_known(capability)
    assert capabilities.is_known("LEAD-06")


def test_marks_are_found_wherever_pytest_accepts_them(tmp_path, monkeypatch):
    """Marks of a file, a class, a test and a parameter count, each once."""
    file = tmp_path / "test_all.py"
    file.write_text(
        '''
pytestmark = pytest.mark.capability("REC-01")

@pytest.mark.capability("REC-02")
class TestA:
    @pytest.mark.capability("REC-03", "REC-02")
    def test_b(self):
        """It holds
        here.

        More words.
        """

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.capability("REC-04"))])
def test_c(x): ...

def helper(): ...
''',
        "utf-8",
    )
    monkeypatch.setattr(capabilities, "ROOT", tmp_path)

    found = list(capabilities.proofs_of(file))

    assert found == [
        Proof("REC-01", "test_all.py", "TestA::test_b", "It holds here."),
        Proof("REC-02", "test_all.py", "TestA::test_b", "It holds here."),
        Proof("REC-03", "test_all.py", "TestA::test_b", "It holds here."),
        Proof("REC-01", "test_all.py", "test_c", ""),
        Proof("REC-04", "test_all.py", "test_c", ""),
    ]
    assert "### REC-02\n\n- It holds here." in capabilities.page(found)
