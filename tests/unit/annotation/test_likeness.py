from __future__ import annotations

import itertools

import numpy as np
import pytest

from reid_core.annotation import (
    Answer,
    Decision,
    GraphSnapshot,
    IdentityGraph,
    PairEvidence,
    Retraction,
    identity_node,
    likeness_table,
    plant_errors,
    synthetic_crops,
)
from reid_core.annotation.chances import ErrorChance, log_odds
from reid_core.annotation.likeness import IdentityLikeness, LikenessCache
from reid_core.errors import InputError

_numbers = itertools.count()
TIME = "2026-01-01T00:00:00Z"


def logistic(similarity: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-12.0 * (similarity - 0.6)))


def say(left: str, right: str, answer: Answer) -> Decision:
    return Decision(f"l{next(_numbers)}", left, right, answer, "ann", TIME)


def usual() -> ErrorChance:
    return ErrorChance.usual(slope=1.0, offset=0.0, prior=0.03)


def test_error_chance__fitted__close_to_the_share_of_errors_at_each_measure() -> None:
    rng = np.random.default_rng(0)
    is_wrong = rng.random(4_000) < 0.05
    as_is = np.where(is_wrong, rng.normal(3.0, 1.0, 4_000), rng.normal(0.0, 1.0, 4_000))
    fitted = usual().fitted(as_is, rng.normal(3.0, 1.0, 2_000))
    assert fitted.prior == pytest.approx(0.05, abs=0.015)
    chance = fitted.chance(as_is)
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (chance >= low) & (chance < high)
        assert inside.sum() >= 10
        assert chance[inside].mean() == pytest.approx(is_wrong[inside].mean(), abs=0.2)


def test_error_chance__fitted__never_falls_with_the_measure_and_finds_its_own_level() -> None:
    rng = np.random.default_rng(1)
    fitted = usual().fitted(rng.normal(size=500), rng.normal(2.0, 1.0, 500))
    measure = np.linspace(-6.0, 8.0, 200)
    assert (np.diff(fitted.chance(measure)) > 0).all()
    assert fitted.chance(np.array([fitted.measure_at(0.01)]))[0] == pytest.approx(0.01, rel=0.05)


def test_error_chance__few_examples__stays_as_usual() -> None:
    assert usual().fitted(np.zeros(10), np.ones(10)) == usual()
    assert usual().chance(np.array([0.0]))[0] == pytest.approx(0.03)
    assert usual().measure_at(0.5) == pytest.approx(-log_odds(0.03))


def test_error_chance__no_errors_in_the_labels__says_so() -> None:
    rng = np.random.default_rng(2)
    fitted = usual().fitted(rng.normal(0.0, 1.0, 2_000), rng.normal(8.0, 1.0, 2_000))
    assert fitted.chance(rng.normal(0.0, 1.0, 1_000)).mean() < 0.01


def test_log_odds__crowded_crop__needs_a_nearer_neighbour() -> None:
    rng = np.random.default_rng(3)
    crowd = np.eye(16)[0] + 0.15 * rng.normal(size=(20, 16))
    loner = np.eye(16)[1] + 0.15 * rng.normal(size=(2, 16))
    evidence = PairEvidence([f"c{i}" for i in range(22)], np.concatenate([crowd, loner]), logistic)
    raw = np.log(logistic(evidence.similarity([0, 20], [1, 21])))
    raw -= np.log1p(-np.exp(raw))
    assert evidence.log_odds([0], [1])[0, 0] < raw[0]
    assert evidence.log_odds([20], [21])[0, 0] > raw[1]
    block = evidence.log_odds(np.arange(22), np.arange(22))
    assert np.allclose(block, block.T, atol=1e-2)


def test_likeness__moved_along_with_every_answer__equals_one_made_anew() -> None:
    made = synthetic_crops(num_identities=25, crops_per_identity=5, dimension=24, seed=4)
    planted = plant_errors(made.ids, made.pids, made.vectors, seed=4, mislabelled_share=0.08)
    evidence = PairEvidence(made.ids, made.vectors, logistic, num_neighbours=12)
    graph = IdentityGraph(planted.labels)
    cache = LikenessCache(evidence)
    rng = np.random.default_rng(4)
    said: list[str] = []
    IdentityLikeness(GraphSnapshot(evidence, graph), cache)
    for turn in range(60):
        left, right = (made.ids[i] for i in rng.choice(len(made.ids), 2, replace=False))
        if turn % 7 == 6:
            graph.add(Retraction(f"back{turn}", said[int(rng.integers(len(said)))], "ann", TIME))
        elif turn % 3 == 0:
            said.append(f"t{turn}")
            pid = planted.labels[left]
            graph.add(Decision(said[-1], left, identity_node(pid), Answer.DIFFERENT, "ann", TIME))
        else:
            said.append(f"t{turn}")
            answer = Answer.SAME if planted.truth[left] == planted.truth[right] else Answer.DIFFERENT
            graph.add(Decision(said[-1], left, right, answer, "ann", TIME))
        snapshot = GraphSnapshot(evidence, graph)
        moved = IdentityLikeness(snapshot, cache)
        fresh_cache = LikenessCache(evidence)
        # What is typical is measured once; everything else must not depend on the way taken.
        fresh_cache.table.typical = cache.table.typical
        fresh_cache.table.is_typical_known = True
        fresh = IdentityLikeness(snapshot, fresh_cache)
        assert np.allclose(moved.own, fresh.own, atol=1e-3, equal_nan=True)
        assert np.allclose(moved.rival, fresh.rival, atol=1e-3)
        assert (moved.rival_identity == fresh.rival_identity).all()
        pairs = np.stack(np.triu_indices(snapshot.num_identities, 1), axis=1)
        fresh_cache.one_person = cache.one_person
        assert np.allclose(
            moved.chance_of_one_person(pairs), fresh.chance_of_one_person(pairs), rtol=2e-2, atol=1e-3
        )


def test_rival__crop_that_was_taken_out__is_none_for_those_it_belongs_to() -> None:
    rng = np.random.default_rng(5)
    rows = [np.eye(8)[axis] + 0.1 * rng.normal(size=8) for axis in (0, 0, 0, 0, 1, 1, 1, 1)]
    ids = [f"{letter}{i}" for letter in "ab" for i in range(4)]
    evidence = PairEvidence(ids, np.array(rows), logistic, num_neighbours=6)
    labels = {crop: 1 if crop[0] == "a" else 2 for crop in ids} | {"a3": 2}
    graph = IdentityGraph(labels)
    graph.add(say("a3", identity_node(2), Answer.DIFFERENT))
    snapshot = GraphSnapshot(evidence, graph)
    likeness = IdentityLikeness(snapshot, LikenessCache(evidence))
    alone = snapshot.identity[evidence.row["a3"]]
    assert alone not in likeness.rival_identity
    assert likeness.rival_identity[evidence.row["a3"]] == snapshot.identity[evidence.row["a0"]]


def test_likeness_table__more_than_fits__refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_table, "MAX_TABLE_BYTES", 4 * 10 * 20)
    ids, vectors = [f"crop{n}" for n in range(10)], np.eye(10, 16, dtype=np.float32)
    evidence = PairEvidence(ids, vectors, logistic)
    fits = LikenessCache(evidence)
    fits.update(GraphSnapshot(evidence, IdentityGraph(dict.fromkeys(ids))))
    monkeypatch.setattr(likeness_table, "MAX_TABLE_BYTES", 4 * 10 * 20 - 1)
    with pytest.raises(InputError, match=r"10 crops of 10 identities.*Select some of the images"):
        LikenessCache(evidence).update(GraphSnapshot(evidence, IdentityGraph(dict.fromkeys(ids))))
