"""Match keys: records are found by what they share."""

from __future__ import annotations

from crmcore.storage import Insertion, MatchHit, Update
from crmcore.testing.specimens import Habitat, Specimen
from crmcore.testing.storage_suite.workbench import Chapter, Workbench, following


class MatchKeysChapter(Chapter):
    """Storing and looking up match keys."""

    def test_records_are_found_by_each_key(self, bench: Workbench) -> None:
        """A hit names the key and the record; keys nobody has give nothing."""
        one, two = _add(bench, {"a", "b"}), _add(bench, {"b", "c"})

        found = _match(bench, ["a", "b", "x"])

        assert {
            MatchHit("a", one.id),
            MatchHit("b", one.id),
            MatchHit("b", two.id),
        } == found

    def test_keys_follow_an_update(self, bench: Workbench) -> None:
        """New keys are found, keys that went are not, others stay."""
        old = _add(bench, {"gone", "kept"})
        update = Update(
            old,
            following(old),
            keys=frozenset({"kept", "new"}),
            old_keys=frozenset({"gone", "kept"}),
        )
        with bench.transaction() as transaction:
            transaction.update(bench.entity(Specimen), [update])

        found = _match(bench, ["gone", "kept", "new"])

        assert {MatchHit("kept", old.id), MatchHit("new", old.id)} == found

    def test_common_keys_are_cut_off(self, bench: Workbench) -> None:
        """At most ``limit`` records per key come back; rare keys are not crowded out."""
        for _ in range(8):
            _add(bench, {"common"})
        rare = _add(bench, {"rare", "common"})

        with bench.transaction() as transaction:
            hits = transaction.match(bench.entity(Specimen), ["common", "rare"], 5)

        assert sum(1 for hit in hits if hit.key == "common") == 5
        assert [MatchHit("rare", rare.id)] == [hit for hit in hits if hit.key == "rare"]

    def test_match_keys_are_compared_byte_by_byte(self, bench: Workbench) -> None:
        """Keys know no case and no accents: the core derives them."""
        keys = ["a", "A", "ä", "a\u0308", "a ", "$where", "x" * 180, "深" * 180]
        made = {key: _add(bench, {key}).id for key in keys}

        for key in keys:
            assert {MatchHit(key, made[key])} == _match(bench, [key]), key

    def test_entities_and_tenants_do_not_mix(self, bench: Workbench) -> None:
        """A key is looked up within one entity of one tenant."""
        _add(bench, {"k"})

        with bench.transaction() as transaction:
            assert transaction.match(bench.entity(Habitat), ["k"], 9) == []
        with bench.transaction(f"{bench.tenant}-2") as transaction:
            assert transaction.match(bench.entity(Specimen), ["k"], 9) == []

    def test_many_match_keys_at_once(self, bench: Workbench) -> None:
        """Thousands of keys are one look-up."""
        one = _add(bench, {"k4000"})

        assert {MatchHit("k4000", one.id)} == _match(
            bench, [f"k{n}" for n in range(5_000)]
        )

    def test_a_key_that_is_asked_for_twice_hits_once(self, bench: Workbench) -> None:
        """Hits are not doubled."""
        one = _add(bench, {"k"})

        with bench.transaction() as transaction:
            hits = transaction.match(bench.entity(Specimen), ["k", "k2"], 9)

        assert [MatchHit("k", one.id)] == hits


def _add(bench: Workbench, keys: set[str]) -> Specimen:
    record = bench.specimen()
    with bench.transaction() as transaction:
        transaction.insert(bench.entity(Specimen), [Insertion(record, frozenset(keys))])
    return record


def _match(bench: Workbench, keys: list[str]) -> set[MatchHit]:
    with bench.transaction() as transaction:
        return set(transaction.match(bench.entity(Specimen), keys, 100))
