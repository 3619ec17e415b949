"""Claims: one holder for each unique value (DUP-01)."""

from __future__ import annotations

import pytest

from crmcore.storage import Claim
from crmcore.testing.storage_suite.workbench import Chapter, Workbench


class _Stop(Exception):
    """Something went wrong in the middle."""


class ClaimsChapter(Chapter):
    """Taking, holding, releasing unique values."""

    def test_a_free_value_is_taken(self, bench: Workbench) -> None:
        """Nobody is in the way, and the holder is known afterwards."""
        claim = Claim("account.name", "acme", bench.new_id())
        with bench.transaction() as transaction:
            assert transaction.claim([claim]) == []

        with bench.transaction() as transaction:
            assert [claim] == transaction.holders([("account.name", "acme")])
            assert transaction.holders([("account.name", "acme2")]) == []

    def test_a_taken_value_names_its_holder(self, bench: Workbench) -> None:
        """Claims that others hold come back as they are held; the rest is fine."""
        held = Claim("s", "taken", bench.new_id())
        _claim(bench, held)
        mine = bench.new_id()
        with bench.transaction() as transaction:
            taken = transaction.claim(
                [Claim("s", "free", mine), Claim("s", "taken", mine)]
            )

        assert [held] == taken

    def test_what_one_holds_may_be_claimed_again(self, bench: Workbench) -> None:
        """Claiming twice is harmless, within one unit of work and later."""
        claim = Claim("s", "k", bench.new_id())
        with bench.transaction() as transaction:
            assert transaction.claim([claim]) == []
            assert transaction.claim([claim]) == []
        with bench.transaction() as transaction:
            assert transaction.claim([claim]) == []

    def test_a_released_value_is_free(self, bench: Workbench) -> None:
        """Another record may take it, even in the same unit of work."""
        first = Claim("s", "k", bench.new_id())
        second = Claim("s", "k", bench.new_id())
        _claim(bench, first)

        with bench.transaction() as transaction:
            transaction.release([first])
            assert transaction.claim([second]) == []

        assert [second] == _holders(bench, "k")

    def test_nobody_releases_the_claim_of_another(self, bench: Workbench) -> None:
        """Releasing what one does not hold changes nothing."""
        held = Claim("s", "k", bench.new_id())
        _claim(bench, held)

        with bench.transaction() as transaction:
            transaction.release(
                [Claim("s", "k", bench.new_id()), Claim("s", "x", held.record_id)]
            )

        assert [held] == _holders(bench, "k")

    def test_scopes_do_not_mix(self, bench: Workbench) -> None:
        """The same key is a different value in another scope."""
        first = Claim("account.name", "k", bench.new_id())
        second = Claim("account.code", "k", bench.new_id())

        with bench.transaction() as transaction:
            assert transaction.claim([first, second]) == []

    def test_claims_of_tenants_do_not_mix(self, bench: Workbench) -> None:
        """Two tenants may use the same names."""
        _claim(bench, Claim("s", "k", bench.new_id()))

        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.holders([("s", "k")]) == []
            assert transaction.claim([Claim("s", "k", bench.new_id())]) == []

    @pytest.mark.parametrize(
        "keys",
        [
            ("acme", "Acme", "ACME", "acme ", " acme"),
            ("äcme", "acme", "a\u0308cme", "acmé"),
            ("ａｃｍｅ", "acme"),
            ("straße", "strasse"),
            ("istanbul", "ıstanbul", "i\u0307stanbul"),
            ("k", "k\u200b", "k\x01", "k\ufeff"),
            ("a", "a\x00b"[:1] + "b"),
        ],
    )
    def test_claimed_keys_are_compared_byte_by_byte(
        self, bench: Workbench, keys: tuple[str, ...]
    ) -> None:
        """The core folds; the store takes keys as they are, without a collation."""
        claims = [Claim("s", key, bench.new_id()) for key in keys]

        with bench.transaction() as transaction:
            assert transaction.claim(claims) == []

        with bench.transaction() as transaction:
            held = transaction.holders([("s", key) for key in keys])
        assert sorted(claims, key=lambda c: c.key) == sorted(held, key=lambda c: c.key)

    def test_long_keys_are_kept_apart(self, bench: Workbench) -> None:
        """Keys that differ only at their end, behind 250 characters, are two values."""
        claims = [Claim("s", "深" * 250 + end, bench.new_id()) for end in "ab"]

        with bench.transaction() as transaction:
            assert transaction.claim(claims) == []

    def test_a_roll_back_frees_and_gives_back(self, bench: Workbench) -> None:
        """What was claimed is free again, what was released is held again."""
        held = Claim("s", "held", bench.new_id())
        _claim(bench, held)

        with pytest.raises(_Stop), bench.transaction() as transaction:  # noqa: PT012
            transaction.release([held])
            transaction.claim([Claim("s", "new", bench.new_id())])
            raise _Stop

        assert [held] == _holders(bench, "held")
        assert _holders(bench, "new") == []

    def test_many_claims_at_once(self, bench: Workbench) -> None:
        """A thousand names are one call; one taken among them is found."""
        taken = Claim("s", "500", bench.new_id())
        _claim(bench, taken)
        with bench.transaction() as transaction:
            claims = [Claim("s", str(n), bench.new_id()) for n in range(1_000)]
            assert [taken] == transaction.claim(claims)


def _claim(bench: Workbench, claim: Claim) -> None:
    with bench.transaction() as transaction:
        assert transaction.claim([claim]) == []


def _holders(bench: Workbench, key: str) -> list[Claim]:
    with bench.transaction() as transaction:
        return transaction.holders([("s", key)])
