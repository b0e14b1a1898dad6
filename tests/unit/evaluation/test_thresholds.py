from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.evaluation import (
    LabelledPairs,
    absent_threshold,
    evaluate_embeddings,
    evaluate_ranking,
    operating_points,
    pairs_of_embeddings,
)


def labelled_case(seed: int, num_pids: int = 40, noise: float = 0.8) -> dict[str, Any]:
    """Each identity four times, cameras 1 and 2 alternating; every other image is a query."""
    rng = np.random.default_rng(seed)
    pids = np.repeat(np.arange(1, num_pids + 1), 4)
    vectors = rng.normal(size=(num_pids, 16))[pids - 1] + noise * rng.normal(size=(len(pids), 16))
    camids = np.tile([1, 2, 2, 1], num_pids)
    query = np.tile([True, False, True, False], num_pids)
    return {
        "query": vectors[query], "gallery": vectors[~query], "query_pids": pids[query],
        "gallery_pids": pids[~query], "query_camids": camids[query], "gallery_camids": camids[~query],
    }  # fmt: skip


def cosine(a: Any, b: Any) -> Any:
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def test_operating_points__hand_made__thresholds_by_eye() -> None:
    """Same: 0.9 0.8 0.6 0.3; different: 0.7 0.5 0.4 0.2 0.1."""
    pairs = LabelledPairs.of(
        [0.9, 0.8, 0.6, 0.3, 0.7, 0.5, 0.4, 0.2, 0.1],
        [1, 2, 3, 4, 1, 1, 2, 3, 1],
        [1, 2, 3, 4, 2, 3, 3, 4, 4],
    )
    equal, loose, strict = operating_points(pairs, fmr_targets=[0.4, 0.1], resamples=100)
    assert (equal.name, equal.similarity) == ("eer", 0.6)
    assert (equal.fmr, equal.fnmr) == pytest.approx((0.2, 0.25))
    assert (loose.similarity, loose.fmr, loose.fnmr) == pytest.approx((0.5, 0.4, 0.25))
    assert (strict.name, strict.similarity, strict.fmr, strict.fnmr) == ("fmr<=0.1", 0.8, 0.0, 0.5)


def test_operating_points__most_similar_pair_is_different__no_threshold() -> None:
    pairs = LabelledPairs.of([0.9, 0.8, 0.7], [1, 1, 2], [2, 1, 2])
    point = operating_points(pairs, fmr_targets=[0.5], resamples=100)[1]
    assert (point.similarity, point.fmr, point.fnmr) == (None, 0.0, 1.0)


@pytest.mark.parametrize("target", [0.3, 0.05, 0.01])
def test_operating_points__random_pairs_with_ties__equals_trying_every_threshold(target: float) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 20, 2000), rng.integers(0, 20, 2000)
    similarity = np.round(rng.normal(size=2000) + 1.5 * (first == second), 1)
    pairs = LabelledPairs.of(similarity, first, second)
    same, different = similarity[first == second], similarity[first != second]
    point = operating_points(pairs, fmr_targets=[target], resamples=100)[1]
    allowed = [t for t in np.unique(similarity) if np.mean(different >= t) <= target]
    assert point.similarity == min(allowed)
    assert point.fnmr == pytest.approx(np.mean(same < min(allowed)))


def test_operating_points__more_identities__narrower_interval_and_fewer_doubts() -> None:
    few, many = (pairs_of_embeddings(**labelled_case(1, num_pids)) for num_pids in (10, 120))
    wide, narrow = (operating_points(pairs, fmr_targets=[0.01], resamples=200)[1] for pairs in (few, many))
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert narrow.high - narrow.low < wide.high - wide.low
    assert narrow.low <= (narrow.similarity or 0) <= narrow.high
    assert "Only 10 identities" in wide.doubts[0]
    assert narrow.doubts == ()


def test_operating_points__weights__count_like_repeated_pairs() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 8, 300), rng.integers(0, 8, 300)
    similarity = rng.normal(size=300) + (first == second)
    times = rng.integers(1, 4, 300)
    weighted = LabelledPairs(similarity, first == second, first, second, times.astype(float))
    repeated = LabelledPairs.of(*(np.repeat(column, times) for column in (similarity, first, second)))
    for ours, theirs in zip(
        operating_points(weighted, resamples=100), operating_points(repeated, resamples=100), strict=True
    ):
        assert (ours.similarity, ours.low, ours.high) == (theirs.similarity, theirs.low, theirs.high)


def test_pairs_of_embeddings__all_pairs_fit__lists_each_once() -> None:
    case = labelled_case(3)
    pairs = pairs_of_embeddings(**case)
    similarity = cosine(case["query"], case["gallery"])
    same = case["query_pids"][:, None] == case["gallery_pids"]
    cross = case["query_camids"][:, None] != case["gallery_camids"]
    np.testing.assert_allclose(
        np.sort(pairs.similarity[pairs.is_same]), np.sort(similarity[same & cross]), atol=1e-6
    )
    np.testing.assert_allclose(
        np.sort(pairs.similarity[~pairs.is_same]), np.sort(similarity[~same]), atol=1e-6
    )
    assert set(pairs.weight) == {1.0}


def test_pairs_of_embeddings__sampled__weights_stand_for_all_and_rates_agree() -> None:
    case = labelled_case(4, num_pids=100)
    full, sample = pairs_of_embeddings(**case), pairs_of_embeddings(**case, max_different=4000, seed=1)
    assert np.count_nonzero(~sample.is_same) == 4000
    assert sample.weight[~sample.is_same].sum() == pytest.approx(np.count_nonzero(~full.is_same))
    ours, theirs = (
        operating_points(p, fmr_targets=[0.05], resamples=100)[1].similarity for p in (full, sample)
    )
    assert ours == pytest.approx(theirs, abs=0.05)


def test_pairs_of_embeddings__junk_and_distractors__left_out() -> None:
    case = labelled_case(5)
    case["gallery_pids"] = np.where(
        np.arange(80) % 5 == 0, np.where(np.arange(80) % 2, -1, 0), case["gallery_pids"]
    )
    pairs = pairs_of_embeddings(**case)
    assert min(pairs.first_pid.min(), pairs.second_pid.min()) >= 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0.1, 0.2], [1, 1], [1, 1]), "2 of 2 pairs show the same person"),
        (([0.1, 0.2], [1, 1], [2, 3]), "0 of 2 pairs show the same person"),
        (([0.1, np.nan], [1, 1], [1, 2]), "NaN or infinity"),
        (([0.1], [1, 1], [1, 2]), "has shape"),
        (([0.1, 0.2], [1, 1], [1]), "has shape"),
    ],
)
def test_labelled_pairs__wrong_input__refused(columns: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LabelledPairs.of(*columns)


def test_absent_threshold__random__least_threshold_that_keeps_the_target() -> None:
    case = labelled_case(6, num_pids=80)
    report = evaluate_embeddings(**case)
    similarity = cosine(case["query"], case["gallery"])
    same = case["query_pids"][:, None] == case["gallery_pids"]
    best_other = np.where(same, -2, similarity).max(axis=1)
    found = absent_threshold(report, target_fpir=0.1)
    assert found.fpir == pytest.approx(np.mean(best_other >= found.similarity))
    assert found.fpir <= 0.1 < np.mean(best_other >= found.similarity - 1e-5)
    cross = same & (case["query_camids"][:, None] != case["gallery_camids"])
    best_match = np.where(cross, similarity, -2).max(axis=1)[cross.any(axis=1)]
    hit = (best_match > best_other[cross.any(axis=1)]) & (best_match >= found.similarity)
    assert found.fnir == pytest.approx(1 - hit.mean())
    assert found.low <= found.similarity <= found.high
    assert (found.num_absent, found.num_gallery) == (160, 160)


def test_absent_threshold__larger_gallery__higher_threshold() -> None:
    small, large = (absent_threshold(evaluate_embeddings(**labelled_case(7, n))) for n in (20, 400))
    assert large.similarity > small.similarity
    assert any("Only 20 identities" in doubt for doubt in small.doubts)
    assert large.doubts == ()


def test_absent_threshold__wrong_input__refused() -> None:
    case = labelled_case(8)
    with pytest.raises(InputError, match="'euclidean' distances"):
        absent_threshold(evaluate_embeddings(**case, metric="euclidean"))
    with pytest.raises(InputError, match="target_fpir is 5"):
        absent_threshold(evaluate_embeddings(**case), target_fpir=5)
    with pytest.raises(InputError, match="'given' distances"):
        absent_threshold(
            evaluate_ranking([[0.1]], query_pids=[1], gallery_pids=[1], query_camids=[1], gallery_camids=[2])
        )
    with pytest.raises(InputError, match="fmr_targets are"):
        operating_points(pairs_of_embeddings(**case), fmr_targets=[0.0])
