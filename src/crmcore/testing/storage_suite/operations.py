"""Operations: what was done under a key is known afterwards."""

from __future__ import annotations

from uuid import UUID

import pytest

from crmcore.storage import Operation
from crmcore.testing.clock import START
from crmcore.testing.storage_suite.workbench import Chapter, Workbench

_JOURNAL = (
    {"mark": "é'\"", "result": {"entity": "lead", "id": str(UUID(int=1))}},
    {"mark": "m2", "result": [{"value": None}, {"fields": {"a.b": {"value": 1}}}]},
)


class _Stop(Exception):
    """Something went wrong in the middle."""


class OperationsChapter(Chapter):
    """Operation keys."""

    def test_a_new_key_is_taken(self, bench: Workbench) -> None:
        """The first one under a key gets none and does the work."""
        with bench.transaction() as transaction:
            assert transaction.begin_operation(_operation("k")) is None

    def test_a_done_operation_comes_back_as_written(self, bench: Workbench) -> None:
        """Key, time, actor and journal are kept."""
        done = _do(bench, "k")

        with bench.transaction() as transaction:
            assert done == transaction.begin_operation(_operation("k"))

    def test_operation_keys_are_compared_byte_by_byte(self, bench: Workbench) -> None:
        """Case, blanks and accents make another key."""
        _do(bench, "key")

        for key in ("Key", "key ", "kéy", "k" * 200):
            with bench.transaction() as transaction:
                assert transaction.begin_operation(_operation(key)) is None, key

    def test_operations_of_tenants_do_not_mix(self, bench: Workbench) -> None:
        """Two tenants may use one key."""
        _do(bench, "k")

        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.begin_operation(_operation("k")) is None

    def test_a_roll_back_frees_the_key(self, bench: Workbench) -> None:
        """A unit of work that broke off can be run again under its key."""
        with pytest.raises(_Stop), bench.transaction() as transaction:  # noqa: PT012
            transaction.begin_operation(_operation("k"))
            transaction.finish_operation(_operation("k"))
            raise _Stop

        with bench.transaction() as transaction:
            assert transaction.begin_operation(_operation("k")) is None


def _operation(key: str) -> Operation:
    return Operation(key, START, UUID(int=3))


def _do(bench: Workbench, key: str) -> Operation:
    done = Operation(key, START, UUID(int=3), _JOURNAL)
    with bench.transaction() as transaction:
        assert transaction.begin_operation(_operation(key)) is None
        transaction.finish_operation(done)
    return done
