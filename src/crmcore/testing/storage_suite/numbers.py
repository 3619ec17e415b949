"""Numbers: gapless sequences."""

from __future__ import annotations

import pytest

from crmcore.testing.storage_suite.workbench import Chapter, Workbench


class _Stop(Exception):
    """Something went wrong in the middle."""


class NumbersChapter(Chapter):
    """Taking numbers of a sequence."""

    def test_numbers_begin_with_one(self, bench: Workbench) -> None:
        """A sequence that nobody used stands at 0 and gives 1."""
        with bench.transaction() as transaction:
            assert transaction.current_number("invoice") == 0
            assert transaction.next_numbers("invoice", 1) == 1
            assert transaction.current_number("invoice") == 1

    def test_several_sequences_are_asked_at_once(self, bench: Workbench) -> None:
        """Each is answered, those that nobody used with 0."""
        with bench.transaction() as transaction:
            transaction.next_numbers("invoice", 3)
            asked = ("invoice", "Invoice", "o" * 300)
            assert transaction.current_numbers(asked) == {
                "invoice": 3,
                "Invoice": 0,
                "o" * 300: 0,
            }

    def test_several_numbers_are_taken_at_once(self, bench: Workbench) -> None:
        """The first of them is returned, the next call goes on behind the last."""
        with bench.transaction() as transaction:
            assert transaction.next_numbers("invoice", 10) == 1
            assert transaction.next_numbers("invoice", 1) == 11
        with bench.transaction() as transaction:
            assert transaction.current_number("invoice") == 11
            assert transaction.next_numbers("invoice", 2) == 12

    def test_sequences_and_tenants_do_not_mix(self, bench: Workbench) -> None:
        """Each sequence of each tenant counts by itself."""
        with bench.transaction() as transaction:
            transaction.next_numbers("invoice", 5)
            assert transaction.next_numbers("Invoice", 1) == 1
            assert transaction.next_numbers("order", 1) == 1
        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.next_numbers("invoice", 1) == 1

    def test_a_roll_back_leaves_no_gap(self, bench: Workbench) -> None:
        """Numbers of a unit of work that broke off are given again."""
        with bench.transaction() as transaction:
            transaction.next_numbers("invoice", 2)
        with pytest.raises(_Stop), bench.transaction() as transaction:  # noqa: PT012
            assert transaction.next_numbers("invoice", 4) == 3
            raise _Stop

        with bench.transaction() as transaction:
            assert transaction.next_numbers("invoice", 1) == 3
