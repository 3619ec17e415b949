"""The contract of a store as tests: whoever passes them answers like all others.

An adapter's test module subclasses the suite and gives it a store::

    from crmcore.testing.storage_suite import StorageSuite

    class TestMyStore(StorageSuite):
        @pytest.fixture
        def store(self):
            return MyStore(...)

The suite installs its own schema and works in tenants of its own. What a store cannot
do is closed in its ``capabilities`` with a written reason; tests that need it are
skipped with that reason, and :func:`coverage` counts them.
Never looks inside an adapter. Neighbours: ``storage`` says what the tests check.
"""

from __future__ import annotations

from crmcore.errors import MissingExtra

try:
    import pytest
except ImportError:
    raise MissingExtra(feature="The storage suite", extra="dev") from None

_CHAPTERS = (
    *("claims", "concurrency", "custom_fields", "journal", "match_keys", "numbers"),
    *("operations", "paging", "queries", "reckoning", "records", "shaping"),
    *("unit_of_work", "versions", "workbench"),
)
# Asserts of the chapters then show the values that they compared.
pytest.register_assert_rewrite(*(f"{__name__}.{chapter}" for chapter in _CHAPTERS))

from crmcore.testing.storage_suite.claims import ClaimsChapter  # noqa: E402
from crmcore.testing.storage_suite.concurrency import ConcurrencyChapter  # noqa: E402
from crmcore.testing.storage_suite.custom_fields import (  # noqa: E402
    CustomFieldsChapter,
)
from crmcore.testing.storage_suite.journal import JournalChapter  # noqa: E402
from crmcore.testing.storage_suite.match_keys import MatchKeysChapter  # noqa: E402
from crmcore.testing.storage_suite.numbers import NumbersChapter  # noqa: E402
from crmcore.testing.storage_suite.operations import OperationsChapter  # noqa: E402
from crmcore.testing.storage_suite.paging import PagingChapter  # noqa: E402
from crmcore.testing.storage_suite.queries import QueriesChapter  # noqa: E402
from crmcore.testing.storage_suite.reckoning import AggregatesChapter  # noqa: E402
from crmcore.testing.storage_suite.records import RecordsChapter  # noqa: E402
from crmcore.testing.storage_suite.shaping import ShapingChapter  # noqa: E402
from crmcore.testing.storage_suite.unit_of_work import UnitOfWorkChapter  # noqa: E402
from crmcore.testing.storage_suite.versions import VersionsChapter  # noqa: E402
from crmcore.testing.storage_suite.workbench import (  # noqa: E402
    Coverage,
    Workbench,
    coverage,
)

__all__ = ["Coverage", "StorageSuite", "Workbench", "coverage"]


class StorageSuite(
    RecordsChapter,
    VersionsChapter,
    UnitOfWorkChapter,
    QueriesChapter,
    AggregatesChapter,
    PagingChapter,
    CustomFieldsChapter,
    ShapingChapter,
    ClaimsChapter,
    NumbersChapter,
    MatchKeysChapter,
    JournalChapter,
    OperationsChapter,
    ConcurrencyChapter,
):
    """All chapters; a subclass gives the fixture ``store``."""
