from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reid_core.annotation import Decision, IdentityGraph, Retraction
from reid_core.errors import DatasetError, InputError
from reid_core.retraining.changes import changelog, changes_of, diff_snapshots
from reid_core.retraining.mining import Likeness, crop_weights
from reid_core.retraining.pools import Pools, pools_of
from reid_core.retraining.records import SnapshotRules
from reid_core.retraining.snapshot import TrainingSnapshot, freeze
from reid_core.types import Dataset, ImageRecord
from tests.unit.retraining.small_sets import crop, embed, query, say, small_pools, train_crop


def row_uses(snapshot: TrainingSnapshot, *ids: str) -> list[str]:
    return [snapshot.by_id[image_id].use for image_id in ids]


def test_pools__small_set__sizes_and_base_hash_ignore_the_folder(tmp_path: Path, pools: Pools) -> None:
    assert pools.sizes() == {"train": (4, 2), "feedback": (18, 4), "locked": (4, 2)}
    assert small_pools(tmp_path / "elsewhere").base_hash == pools.base_hash


def test_pools__one_crop_in_train_and_gallery__refused(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"x")
    record = ImageRecord("a.jpg", picture, 1, 1)
    with pytest.raises(DatasetError, match="a.jpg is listed in train and gallery"):
        pools_of(Dataset("d", tmp_path, train=(record,), gallery=(record,)))


def test_freeze__no_judgement__only_the_training_pool_trains(pools: Pools) -> None:
    snapshot = freeze(pools, [])
    assert {row.image_id for row in snapshot.used("train")} == {c.image_id for c in pools.of("train")}
    assert changes_of(snapshot).headline == "nothing changed against the base labels"
    assert len(snapshot.used("locked")) == 4


def test_freeze__confirmed_pair__whole_identity_trains_with_its_label(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(1, 1), crop(1, 2), "same")])
    assert row_uses(snapshot, crop(1, 3), query(1), crop(2, 1)) == ["train", "train", "evaluation"]
    assert snapshot.by_id[crop(1, 3)].pid == 1
    assert snapshot.by_id[crop(1, 1)].is_judged
    assert not snapshot.by_id[crop(1, 3)].is_judged


def test_freeze__merge__larger_label_wins_ties_to_the_lowest_and_the_other_retires(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(3, 1), crop(2, 1), "same")])
    assert snapshot.by_id[crop(3, 2)].pid == 2
    assert snapshot.aliases == {3: 2}
    assert snapshot.retired == (3,)
    changes = changes_of(snapshot)
    assert (changes.num_relabelled, changes.num_merged, changes.num_split) == (4, 1, 0)
    assert "4 crops relabelled, 1 identity merged" in changelog(snapshot)


def test_freeze__crop_taken_out__largest_part_keeps_the_number(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(1, 3), 1, "different")])
    assert snapshot.by_id[crop(1, 1)].pid == 1
    assert snapshot.by_id[crop(1, 3)].pid == 23  # above every number in use, those of the locked test too
    assert snapshot.by_id[crop(1, 3)].use == "evaluation"  # one crop is too few to train on
    assert changes_of(snapshot).num_split == 1


def test_freeze__taken_out_and_given_to_another__relabelled_and_trains_there(pools: Pools) -> None:
    log = [say(crop(1, 3), 1, "different"), say(crop(1, 3), crop(2, 1), "same")]
    snapshot = freeze(pools, log, embeddings=embed(pools))
    assert (snapshot.by_id[crop(1, 3)].pid, snapshot.by_id[crop(1, 3)].use) == (2, "train")
    assert changes_of(snapshot).num_confirmed_negatives == 1


def test_freeze__distractor_joined_to_a_person__becomes_that_person(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(0, 2), crop(4, 1), "same")])
    assert (snapshot.by_id[crop(0, 2)].pid, snapshot.by_id[crop(0, 2)].use) == (4, "train")
    assert changes_of(snapshot).num_named == 1


def test_freeze__junk_and_distractors__keep_their_numbers_and_never_train(pools: Pools) -> None:
    snapshot = freeze(pools, [], rules=SnapshotRules(feedback="all"))
    assert [snapshot.by_id[crop(pid, 2)].pid for pid in (0, -1)] == [0, -1]
    assert row_uses(snapshot, crop(0, 2), crop(-1, 2), crop(1, 1)) == ["evaluation", "evaluation", "train"]


def test_freeze__unsure_merge__both_wait_and_say_why(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(1, 1), crop(2, 1), "same", is_sure=False)])
    assert row_uses(snapshot, crop(1, 3), crop(2, 2)) == ["quarantine", "quarantine"]
    assert {row.reason for row in snapshot.quarantined()} == {"hangs on one unsure judgement"}
    assert changes_of(snapshot).num_quarantined == 8


def test_freeze__unsure_merge_confirmed_elsewhere__trains(pools: Pools) -> None:
    log = [say(crop(1, 1), crop(2, 1), "same", is_sure=False), say(crop(1, 2), crop(2, 2), "same")]
    assert not freeze(pools, log).quarantined()


def test_freeze__contradiction__both_identities_wait(pools: Pools) -> None:
    log = [say(crop(1, 1), crop(2, 1), "same"), say(crop(1, 1), crop(2, 1), "different")]
    snapshot = freeze(pools, log)
    assert {row.reason for row in snapshot.quarantined()} == {"judgements contradict each other"}
    assert len(snapshot.quarantined()) == 8


def test_freeze__judgement_taken_back__as_if_never_given(pools: Pools) -> None:
    given = say(crop(1, 1), crop(2, 1), "same", own_id="x")
    undone = [given, Retraction("r", "x", "ann", "2026-01-01T00:00:00Z")]
    assert freeze(pools, undone).identities == freeze(pools, []).identities


def test_freeze__cannot_tell__makes_nobody_train(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(1, 1), crop(2, 1), "cannot_tell")])
    assert not [row for row in snapshot.used("train") if row.pool == "feedback"]


def test_freeze__locked_crop_named__refused(pools: Pools) -> None:
    locked = pools.of("locked")[0].image_id
    with pytest.raises(InputError, match="of the locked test"):
        freeze(pools, [say(locked, crop(1, 1), "same")])


def test_freeze__nothing_to_train_on__says_so(tmp_path: Path, pools: Pools) -> None:
    without = Pools("d", tuple(c for c in pools.crops if c.pool != "train"))
    with pytest.raises(DatasetError, match="left to train on"):
        freeze(without, [])


def test_freeze__same_inputs__same_hash_and_each_input_changes_it(pools: Pools) -> None:
    log = [say(crop(1, 1), crop(2, 1), "different"), say(crop(3, 1), crop(3, 2), "same")]
    vectors = embed(pools)
    first = freeze(pools, log, embeddings=vectors)
    assert freeze(pools, log, embeddings=vectors).hash == first.hash
    assert freeze(Pools("another name", pools.crops), log, embeddings=vectors).hash == first.hash
    other_base = Pools("d", (replace(pools.crops[0], camid=7), *pools.crops[1:]))
    variants = [
        freeze(pools, log[:1], embeddings=vectors),
        freeze(pools, log, embeddings=embed(pools, "model-2")),
        freeze(pools, log, embeddings=vectors, rules=SnapshotRules(feedback="all")),
        freeze(other_base, log, embeddings=vectors),
    ]
    assert len({first.hash, *(variant.hash for variant in variants)}) == 5


def test_from_json__changed_text__refused(pools: Pools) -> None:
    snapshot = freeze(pools, [say(crop(1, 1), crop(1, 2), "same")])
    assert TrainingSnapshot.from_json(snapshot.to_json()) == snapshot
    with pytest.raises(DatasetError, match="was changed"):
        TrainingSnapshot.from_json(snapshot.to_json().replace('"weight":0.97', '"weight":0.5'))


def test_triplets__confirmed_negative_closer_than_a_positive__is_a_violation(pools: Pools) -> None:
    far, near = [1.0] + [0.0] * 7, [0.0, 1.0] + [0.0] * 6
    moved = {query(1): near, crop(1, 1): near, crop(1, 2): far, crop(1, 3): near}
    moved |= {crop(2, camid): near for camid in (1, 2, 3)} | {query(2): near}
    snapshot = freeze(pools, [say(query(1), crop(2, 1), "different")], embeddings=embed(pools, moved=moved))
    worst = snapshot.triplets[0]
    assert worst.violation == pytest.approx(1.0)
    assert crop(1, 2) in (worst.anchor, worst.positive)
    assert all(snapshot.by_id[t.anchor].pid == snapshot.by_id[t.positive].pid for t in snapshot.triplets)
    assert all(snapshot.by_id[t.anchor].pid != snapshot.by_id[t.negative].pid for t in snapshot.triplets)
    hard = {(n.anchor, n.negative) for n in snapshot.hard_negatives}
    assert (query(1), crop(2, 1)) in hard


def test_weights__chain_of_judgements__weakest_link_counts() -> None:
    labels = {"a": None, "b": None, "c": None}
    graph = IdentityGraph.fold(
        labels, [say("a", "b", "same"), say("b", "c", "same", is_sure=False)], label_error=0.03
    )
    weights = crop_weights(graph, ("a", "b", "c"), Likeness(None))
    assert weights["b"] == pytest.approx(0.95, abs=1e-4)
    assert weights["c"] == pytest.approx((19**0.5) / (1 + 19**0.5), abs=1e-4)  # half of ln(19), as odds


def slow_weights(graph: IdentityGraph, crops: tuple[str, ...], medoid: str) -> dict[str, float]:
    """Raise the water until the crop is cut off from the medoid."""
    links: dict[frozenset[str], float] = {}
    for link in graph.links(medoid):
        pair = frozenset((link.left, link.right))
        links[pair] = links.get(pair, 0.0) + link.weight
    best = {}
    for item in crops:
        for level in sorted(links.values(), reverse=True):
            reached, grew = {medoid}, True
            while grew:
                found = {n for pair, w in links.items() if w >= level and pair & reached for n in pair}
                grew, reached = bool(found - reached), reached | found
            if item in reached:
                best[item] = 1 / (1 + np.exp(-level))
                break
    return best


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_weights__random_graphs__equal_the_slow_search(pairs: list[tuple[str, str, bool]]) -> None:
    log = [say(a, b, "same", is_sure=sure) for a, b, sure in pairs if a != b]
    graph = IdentityGraph.fold({c: 1 if c in "ab" else None for c in "abcdef"}, log)
    for group in graph.identities():
        weights = crop_weights(graph, group, Likeness(None))
        slow = slow_weights(graph, group, group[0])
        others = [item for item in group if item != group[0] and item in slow]
        assert [weights[c] for c in others] == pytest.approx([slow[c] for c in others], abs=1e-4)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 17),
            st.integers(0, 17),
            st.sampled_from(["same", "different", "cannot_tell"]),
            st.booleans(),
        ),
        max_size=14,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_freeze__any_log__identities_are_whole_disjoint_and_rebuilt(
    pools: Pools, answers: list[tuple[int, int, str, bool]]
) -> None:
    feedback = [item.image_id for item in pools.of("feedback")]
    log: list[Decision] = [
        say(feedback[a], feedback[b], answer, is_sure=sure) for a, b, answer, sure in answers if a != b
    ]
    snapshot = freeze(pools, log, embeddings=embed(pools))
    assert len(snapshot.crops) == len(pools.crops)
    trained = {row.pid for row in snapshot.used("train")}
    assert not trained & {row.pid for row in snapshot.used("evaluation") + snapshot.used("locked")}
    assert not trained & {row.pid for row in snapshot.quarantined()}
    assert not {row.sha256 for row in snapshot.used("train")} & {
        row.sha256 for row in snapshot.used("evaluation") + snapshot.used("locked")
    }
    assert all(0 < row.weight <= 1 for row in snapshot.crops)
    assert len({identity.pid for identity in snapshot.identities}) == len(snapshot.identities)
    assert not set(snapshot.retired) & {identity.pid for identity in snapshot.identities}
    assert TrainingSnapshot.from_json(snapshot.to_json()).hash == snapshot.hash
    assert freeze(pools, log, embeddings=embed(pools)).hash == snapshot.hash


def test_diff__one_more_judgement__names_the_crops_and_the_input(pools: Pools) -> None:
    log = [say(crop(1, 1), crop(1, 2), "same"), say(crop(1, 3), crop(2, 1), "same")]
    before, after = freeze(pools, log[:1]), freeze(pools, log)
    diff = diff_snapshots(before, after)
    changed = {change.image_id: change.after for change in diff.crops}
    assert changed[crop(2, 1)] == (1, "train")
    assert crop(1, 1) not in changed
    assert "decisions: position 1 -> position 2" in diff.to_text()
    assert diff.constraints_added == ((crop(1, 3), crop(2, 1), "must"),)
    assert diff_snapshots(after, after).is_empty


def test_diff__new_numbers_for_the_same_people__are_no_change(pools: Pools) -> None:
    """A split that comes first shifts the made-up number of a later one; the people stay."""
    late = say(crop(3, 3), 3, "different")
    before = freeze(pools, [late])
    after = freeze(pools, [late, say(crop(1, 3), 1, "different")])
    assert before.by_id[crop(3, 3)].pid != after.by_id[crop(3, 3)].pid
    assert crop(3, 3) not in {change.image_id for change in diff_snapshots(before, after).crops}


def test_train_crop__name__exists(pools: Pools) -> None:
    assert train_crop(11, 1) in pools.by_id
