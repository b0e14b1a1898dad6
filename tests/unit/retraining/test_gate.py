from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.errors import DatasetError, InputError
from reid_core.evaluation import SINGLE_CAMERA, evaluate_ranking, paired_bootstrap, slice_by_camera_pair
from reid_core.retraining.camera_pairs import compare_camera_pairs
from reid_core.retraining.comparison import ScoredPool
from reid_core.retraining.gate import FEEDBACK, LOCKED, GateResult, GateThresholds, Violations, decide
from reid_core.retraining.pools import Pools
from reid_core.retraining.scoring import pools_of_snapshot, score_pool, violations_between
from reid_core.retraining.snapshot import freeze
from tests.unit.retraining.small_sets import crop, embed, query, say

NUM_PIDS, NUM_CAMERAS = 40, 3
ALL_FIXED = Violations(num_before=10, num_fixed=8, num_new=1)


def labels() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every identity: a query in each camera, a gallery crop in each camera."""
    pids = np.repeat(np.arange(1, NUM_PIDS + 1), NUM_CAMERAS)
    camids = np.tile(np.arange(1, NUM_CAMERAS + 1), NUM_PIDS)
    return pids, camids, pids.copy(), camids.copy()


def scored(
    distances: np.ndarray, *, fingerprint: str, gallery_ids: tuple[str, ...] | None = None, **changes: object
) -> ScoredPool:
    query_pids, query_camids, gallery_pids, gallery_camids = labels()
    report = evaluate_ranking(
        distances,
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        keep_matches=True,
        **changes,  # type: ignore[arg-type]
    )
    count = len(query_pids)
    return ScoredPool(
        report=report,
        query_ids=tuple(f"q{i}" for i in range(count)),
        gallery_ids=gallery_ids or tuple(f"g{i}" for i in range(count)),
        gallery_camids=gallery_camids,
        fingerprint=fingerprint,
    )


def distances_with(
    wrong: list[int], *, seed: int = 0, wrong_match_camera: dict[int, int] | None = None
) -> np.ndarray:
    """All matches before all mismatches, except that the ``wrong`` queries have a mismatch first; of queries
    in ``wrong_match_camera`` only the match from that camera comes last."""
    query_pids, _, gallery_pids, gallery_camids = labels()
    distances = np.random.default_rng(seed).uniform(0.5, 0.9, size=(len(query_pids), len(gallery_pids)))
    is_match = query_pids[:, None] == gallery_pids
    distances[is_match] = np.random.default_rng(seed).uniform(0.1, 0.2, size=int(is_match.sum()))
    for row in wrong:
        distances[row, int(np.flatnonzero(~is_match[row])[0])] = 0.0
    for row, camera in (wrong_match_camera or {}).items():
        distances[row, np.flatnonzero(is_match[row] & (gallery_camids == camera))] = 1.0
    return distances


def gate(
    before: np.ndarray,
    after: np.ndarray,
    *,
    violations: Violations | None = ALL_FIXED,
    thresholds: GateThresholds | None = None,
) -> GateResult:
    return decide(
        {LOCKED: scored(before, fingerprint="old")},
        {LOCKED: scored(after, fingerprint="new")},
        violations=violations,
        thresholds=thresholds,
    )


def holding(result: GateResult) -> dict[str, bool]:
    return {condition.name: condition.holds for condition in result.conditions}


def test_gate__better_everywhere__promoted() -> None:
    result = gate(distances_with([0, 1, 2, 30]), distances_with([0]))
    assert result.is_promotable
    assert all(holding(result).values())
    (pool,) = result.pools
    assert [q.query_id for q in pool.fixed] == ["q1", "q2", "q30"]
    assert pool.broken == ()
    score = pool.score("rank1")
    assert (score.before, score.after) == pytest.approx((1 - 4 / 120, 1 - 1 / 120))
    assert "may be promoted" in result.verdict


def test_gate__same_model_twice__only_violations_can_fail() -> None:
    same = distances_with([0, 5])
    result = gate(same, same, violations=Violations(10, 0, 0))
    assert [name for name, holds in holding(result).items() if not holds] == ["violations"]
    assert not result.is_promotable
    assert "0 of 10 rank violations are fixed (0%; at least 50% is needed)" in result.verdict


def test_gate__map_falls__kept_and_both_map_conditions_say_by_how_much() -> None:
    result = gate(distances_with([]), distances_with(list(range(0, 120, 4))))
    assert not holding(result)["map"]
    assert not holding(result)["map_low"]
    assert not holding(result)["rank1_balance"]
    assert "present model serves on" in result.verdict


def test_gate__small_fall_within_the_threshold__holds_but_its_interval_may_not() -> None:
    """One of 120 queries loses half of its AP: too much, but less than a threshold of one point."""
    before, after = distances_with([]), distances_with([7])
    strict, lenient = gate(before, after), gate(before, after, thresholds=GateThresholds(min_map_delta=-0.01))
    assert not holding(strict)["map"]
    assert holding(lenient)["map"]
    delta = strict.pools[0].score("mean_ap").delta
    assert next(c for c in strict.conditions if c.name == "map").value == delta


def test_gate__interval__is_the_paired_bootstrap_over_identities() -> None:
    before = scored(distances_with([0, 3, 9]), fingerprint="old")
    after = scored(distances_with([3, 4]), fingerprint="new")
    result = decide({LOCKED: before}, {LOCKED: after}, violations=ALL_FIXED)
    expected = paired_bootstrap(before.report, after.report, ranks=(1,))
    for name in ("mean_ap", "rank1", "mean_inp"):
        score, interval = result.pools[0].score(name), expected[name].interval
        assert (score.low, score.high, score.num_identities) == (interval.low, interval.high, NUM_PIDS)
        assert score.delta == pytest.approx(interval.estimate)


@pytest.mark.parametrize(
    ("num_fixed", "num_before", "holds"), [(5, 10, True), (4, 10, False), (0, 0, True), (1, 1, True)]
)
def test_gate__violations__at_least_half(num_fixed: int, num_before: int, holds: bool) -> None:
    result = gate(distances_with([0]), distances_with([]), violations=Violations(num_before, num_fixed, 0))
    assert holding(result)["violations"] is holds


def test_gate__violations_not_measured__does_not_pass_unless_none_are_asked_for() -> None:
    before, after = distances_with([0]), distances_with([])
    assert not holding(gate(before, after, violations=None))["violations"]
    nothing_asked = GateThresholds(min_violations_fixed=0.0)
    assert holding(gate(before, after, violations=None, thresholds=nothing_asked))["violations"]
    assert not holding(gate(before, after, violations=Violations(0, 0, 0, 5)))["violations"]


def test_gate__rank1_broken_more_than_fixed__kept_and_listed_side_by_side() -> None:
    result = gate(distances_with([1]), distances_with([2, 3]))
    assert not holding(result)["rank1_balance"]
    pool = result.pools[0]
    assert [q.query_id for q in pool.broken] == ["q2", "q3"]
    broken = pool.broken[0]
    assert (broken.rank_before, broken.rank_after) == (1, 2)
    assert broken.false_id_after == "g3"
    assert holding(gate(distances_with([1, 5]), distances_with([2, 3])))["rank1_balance"]


def test_gate__one_camera_pair_loses_for_everybody__kept_although_all_else_gains() -> None:
    """Every query of camera 1 loses its match in camera 3 to the last place and gains elsewhere."""
    hurt = {row: 3 for row in range(0, 120, 3)}
    before = distances_with(list(range(0, 120)))
    after = distances_with([], wrong_match_camera=hurt)
    result = gate(before, after)
    assert holding(result)["map"]
    assert not holding(result)["camera_pairs"]
    condition = next(c for c in result.conditions if c.name == "camera_pairs")
    assert "1 of 6 camera pairs" in condition.sentence
    assert "camera 1 to 3" in condition.sentence


def test_gate__one_query_of_a_pair_drops__chance_by_default_counted_when_asked() -> None:
    before, after = distances_with([]), distances_with([], wrong_match_camera={0: 2})
    lenient = GateThresholds(min_map_delta=-0.1, min_map_low=-0.1)
    assert holding(gate(before, after, thresholds=lenient))["camera_pairs"]
    clear = replace(lenient, max_camera_pair_drop=0.005)
    assert holding(gate(before, after, thresholds=clear))["camera_pairs"]
    every = gate(before, after, thresholds=replace(clear, every_camera_pair=True))
    assert not holding(every)["camera_pairs"]
    sentence = next(c.sentence for c in every.conditions if c.name == "camera_pairs")
    assert sentence.startswith("1 of 6 camera pairs lose more than 0.5 points")


@pytest.mark.parametrize("ratio", [0.0, 1.0, 1000.0])
def test_gate__nothing_newly_right__holds_without_broken_ones_and_fails_with_any(ratio: float) -> None:
    limits = GateThresholds(max_broken_per_fixed=ratio)
    assert holding(gate(distances_with([1]), distances_with([1]), thresholds=limits))["rank1_balance"]
    one_broken = gate(distances_with([1]), distances_with([1, 2]), thresholds=limits)
    condition = next(c for c in one_broken.conditions if c.name == "rank1_balance")
    assert (condition.value, condition.threshold, condition.holds) == (1.0, 0.0, False)
    assert "0 queries are newly right and 1 newly wrong (at most 0 may be)" in condition.sentence


def test_camera_pairs__against_the_slices__equal_means() -> None:
    before = scored(distances_with([0, 7, 50], wrong_match_camera={3: 2}), fingerprint="a").report
    after = scored(distances_with([9], wrong_match_camera={8: 1}), fingerprint="b").report
    camids = labels()[3]
    rows = compare_camera_pairs(before, after, camids)
    old, new = slice_by_camera_pair(before, camids), slice_by_camera_pair(after, camids)
    assert [f"{r.query_camera} -> {r.gallery_camera}" for r in rows] == [r.label for r in old.rows]
    assert [r.before for r in rows] == pytest.approx([r.mean_ap for r in old.rows])
    assert [r.after for r in rows] == pytest.approx([r.mean_ap for r in new.rows])
    assert [r.num_queries for r in rows] == [r.num_queries for r in old.rows]


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(0, 40))
@settings(max_examples=15, deadline=None)
def test_gate__any_pair__conditions_follow_from_the_numbers(seed: int, num_fixed: int, num_new: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = (rng.uniform(size=(120, 120)) for _ in range(2))
    result = gate(before, after, violations=Violations(12, num_fixed, num_new))
    pool, limits = result.pools[0], result.thresholds
    assert holding(result)["map"] == (pool.score("mean_ap").delta >= limits.min_map_delta)
    assert holding(result)["map_low"] == (pool.score("mean_ap").low > limits.min_map_low)
    assert holding(result)["violations"] == (num_fixed >= 6)
    assert holding(result)["rank1_balance"] == (len(pool.broken) <= len(pool.fixed))
    assert result.is_promotable == all(holding(result).values())
    flips = len(pool.fixed) - len(pool.broken)
    assert pool.score("rank1").delta * 120 == pytest.approx(flips)


@pytest.mark.parametrize("what", ["galleries", "queries", "protocols", "cameras", "numbers of ranks"])
def test_gate__incomparable_reports__error_that_names_what_differs(what: str) -> None:
    distances = distances_with([])
    before = scored(distances, fingerprint="old")
    after = scored(distances, fingerprint="new")
    assert after.gallery_camids is not None
    others = {
        "galleries": replace(after, gallery_ids=("other", *after.gallery_ids[1:])),
        "queries": replace(after, query_ids=("other", *after.query_ids[1:])),
        "protocols": scored(distances, fingerprint="new", protocol=SINGLE_CAMERA),
        "cameras": replace(after, gallery_camids=after.gallery_camids + 1),
        "numbers of ranks": scored(distances, fingerprint="new", max_rank=20),
    }
    with pytest.raises(InputError, match=what):
        decide({LOCKED: before}, {LOCKED: others[what]}, violations=ALL_FIXED)


def test_gate__other_labels__error() -> None:
    before = scored(distances_with([]), fingerprint="old")
    pids = labels()[0].copy()
    pids[0] = 2
    report = evaluate_ranking(
        distances_with([]),
        query_pids=pids,
        gallery_pids=labels()[2],
        query_camids=labels()[1],
        gallery_camids=labels()[3],
        keep_matches=True,
    )
    with pytest.raises(InputError, match="queries"):
        decide({LOCKED: before}, {LOCKED: replace(before, report=report)}, violations=ALL_FIXED)


def test_gate__no_locked_test_or_pools_missing__error() -> None:
    pool = scored(distances_with([]), fingerprint="old")
    with pytest.raises(InputError, match="locked"):
        decide({FEEDBACK: pool}, {FEEDBACK: pool}, violations=ALL_FIXED)
    with pytest.raises(InputError, match="same pools"):
        decide({LOCKED: pool}, {LOCKED: pool, FEEDBACK: pool}, violations=ALL_FIXED)
    mixed = {LOCKED: pool, FEEDBACK: replace(pool, fingerprint="another")}
    with pytest.raises(InputError, match="different models"):
        decide(mixed, {LOCKED: pool, FEEDBACK: pool}, violations=ALL_FIXED)


def test_thresholds__defaults_are_the_published_ones() -> None:
    limits = GateThresholds()
    assert (limits.min_map_delta, limits.min_map_low) == (-0.003, -0.01)
    assert (limits.min_violations_fixed, limits.max_camera_pair_drop) == (0.5, 0.02)
    assert limits.max_broken_per_fixed == 1.0
    with pytest.raises(InputError):
        GateThresholds(min_violations_fixed=1.5)
    with pytest.raises(InputError):
        GateThresholds(min_map_delta=float("nan"))


def test_gate_result__as_json__strict() -> None:
    values = gate(distances_with([1]), distances_with([2])).to_dict()
    text = json.dumps(values, allow_nan=False)
    assert json.loads(text)["pools"][0]["broken"] == ["q2"]


def test_violations__counted_from_both_models__nan_is_unmeasured() -> None:
    before, after = np.array([0.1, 0.2, -0.1, np.nan]), np.array([-0.1, 0.3, 0.1, 0.2])
    assert Violations.count(before, after) == Violations(2, 1, 1, 1)
    with pytest.raises(InputError):
        Violations.count(before, after[:2])


# ---- from a frozen set -------------------------------------------------------------------------------------


def test_pools_of_snapshot__corrected_labels_without_quarantine(pools: Pools) -> None:
    log = [
        say(crop(1, 3), 1, "different"),
        say(crop(1, 3), crop(2, 1), "same"),
        say(crop(3, 1), crop(4, 1), "same", is_sure=False),
    ]
    locked, feedback = pools_of_snapshot(freeze(pools, log))
    assert {c.pid for c in locked.query} == {21, 22}
    by_id = {c.image_id: c.pid for c in feedback.gallery}
    assert by_id[crop(1, 3)] == 2
    assert crop(3, 1) not in by_id
    assert by_id[crop(0, 2)] == 0
    assert {c.image_id for c in feedback.query} == {query(1), query(2)}


def test_pools_of_snapshot__some_do_not_train__scored_apart(pools: Pools) -> None:
    names = [p.name for p in pools_of_snapshot(freeze(pools, [say(crop(1, 1), crop(1, 2), "same")]))]
    assert names == ["locked", "feedback", "feedback_unseen"]


def test_pools_of_snapshot__no_locked_test__error(pools: Pools) -> None:
    open_pools = Pools("d", tuple(c for c in pools.crops if c.pool != "locked"))
    with pytest.raises(DatasetError, match="no locked test"):
        pools_of_snapshot(freeze(open_pools, []))


def test_violations_between__model_that_learnt_the_judgement__fixed(pools: Pools) -> None:
    near, far = [0.0, 1.0] + [0.0] * 6, [1.0] + [0.0] * 7
    ones = {query(1): near, crop(1, 1): near, crop(1, 2): far, crop(1, 3): near}
    twos = dict.fromkeys([query(2), *(crop(2, c) for c in (1, 2, 3))], near)
    before = embed(pools, "old", moved={**ones, **twos})
    after = embed(pools, "new")
    snapshot = freeze(pools, [say(query(1), crop(2, 1), "different")], embeddings=before)
    wrong = sum(t.violation > 0 for t in snapshot.triplets)
    assert wrong > 0
    counted = violations_between(snapshot, before, after)
    assert (counted.num_before, counted.num_unmeasured) == (wrong, 0)
    assert counted.share_fixed > 0.5


def test_score_pool__crops_of_other_pools_are_passed_over(pools: Pools) -> None:
    locked = pools_of_snapshot(freeze(pools, []))[0]
    result = score_pool(locked, embed(pools))
    assert (result.report.num_queries, result.report.num_gallery) == (2, 2)
    assert result.report.rank1 == 1.0
