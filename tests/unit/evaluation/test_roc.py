from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from reid_core.distances import pairwise_distances
from reid_core.errors import CancelledError, InputError, NoValidQueryError
from reid_core.evaluation import Protocol, RocCurve, roc_of_embeddings, roc_of_ranking


def random_case(rng: np.random.Generator, levels: int) -> dict[str, Any]:
    num_queries, num_gallery = int(rng.integers(2, 12)), int(rng.integers(3, 40))
    return {
        "distances": rng.integers(0, levels, (num_queries, num_gallery)).astype(np.float32),
        "query_pids": rng.integers(-1, 5, num_queries),
        "gallery_pids": rng.integers(-1, 5, num_gallery),
        "query_camids": rng.integers(0, 2, num_queries),
        "gallery_camids": rng.integers(0, 2, num_gallery),
    }


def pairs_of(case: dict[str, Any]) -> tuple[Any, Any]:
    """Distances of all counted matches and mismatches under Market-1501's rules."""
    same = case["query_pids"][:, None] == case["gallery_pids"]
    same_camera = case["query_camids"][:, None] == case["gallery_camids"]
    kept = (case["gallery_pids"] != -1) & ~(same & same_camera)
    return case["distances"][same & kept], case["distances"][~same & kept]


def cases(levels: int, number: int) -> list[tuple[dict[str, Any], Any, Any]]:
    rng = np.random.default_rng(levels)
    found = []
    while len(found) < number:
        case = random_case(rng, levels)
        matches, false = pairs_of(case)
        if matches.size and false.size:
            found.append((case, matches, false))
    return found


@pytest.mark.parametrize("levels", [2, 6, 40, 10**6])
def test_roc_of_ranking__random_pairs__equals_counting_all_pairs(levels: int) -> None:
    for case, matches, false in cases(levels, 150):
        roc = roc_of_ranking(**case)
        assert (roc.num_matches, roc.num_false) == (len(matches), len(false))
        assert roc.thresholds.tolist() == np.unique(matches).tolist()
        assert roc.matches_upto.tolist() == [np.sum(matches <= t) for t in roc.thresholds]
        assert roc.false_upto.tolist() == [np.sum(false <= t) for t in roc.thresholds]
        assert roc.false_below.tolist() == [np.sum(false < t) for t in roc.thresholds]
        for target in (0.0, 0.01, 0.1, 0.5, 1.0):
            allowed = [np.mean(matches <= t) for t in np.unique(matches) if np.mean(false <= t) <= target]
            assert roc.tpr_at_fpr(target) == pytest.approx(max(allowed, default=0.0))


@pytest.mark.parametrize("levels", [2, 6, 40, 10**6])
def test_eer__random_pairs__equals_crossing_of_full_curve(levels: int) -> None:
    for case, matches, false in cases(levels, 150):
        labels = np.r_[np.ones(len(matches)), np.zeros(len(false))]
        fpr, tpr, _ = roc_curve(labels, -np.r_[matches, false], drop_intermediate=False)
        grid = np.interp(0, fpr - (1 - tpr), fpr)
        assert roc_of_ranking(**case).eer == pytest.approx(grid, abs=1e-9)


@pytest.mark.parametrize("levels", [2, 6, 40, 10**6])
def test_fastreid_tpr_at_fpr__random_pairs__equals_its_own_arithmetic(levels: int) -> None:
    """FastReID: scikit-learn's curve with mismatches as positives, nearest corner to the target."""
    for case, matches, false in cases(levels, 200):
        labels = np.r_[np.zeros(len(matches)), np.ones(len(false))]
        fprs, tprs, _ = roc_curve(labels, np.r_[matches, false])
        roc = roc_of_ranking(**case)
        for target in (1e-4, 0.01, 0.07, 0.2, 0.35, 0.6, 0.9):
            distance = np.abs(fprs - target)
            nearest = np.flatnonzero(distance <= distance.min() + 1e-12)
            if len(np.unique(fprs[nearest])) > 1:  # two corners equally near: rounding decides in FastReID
                continue
            assert roc.fastreid_tpr_at_fpr(target) == pytest.approx(tprs[nearest[0]], abs=1e-12)


def hand_made() -> RocCurve:
    """Matches at 1, 2, 4 and 7; mismatches at 3, 5, 6, 8 and 9."""
    return roc_of_ranking(
        [[1.0, 2, 4, 7, 3, 5, 6, 8, 9]], query_pids=[1], gallery_pids=[1, 1, 1, 1, 2, 2, 2, 2, 2],
        query_camids=[1], gallery_camids=[2] * 9,
    )  # fmt: skip


def test_tpr_at_fpr__hand_made__counts_by_eye() -> None:
    roc = hand_made()
    assert roc.tpr_at_fpr(0.0) == 0.5
    assert roc.tpr_at_fpr(0.2) == 0.75
    assert roc.tpr_at_fpr(0.59) == 0.75
    assert roc.tpr_at_fpr(0.6) == 1.0
    assert roc.threshold_at_fpr(0.2) == 4.0
    assert roc.eer == pytest.approx(0.25)


def test_threshold_at_fpr__mismatch_closest_of_all__none() -> None:
    roc = roc_of_ranking(
        [[2.0, 1.0]], query_pids=[1], gallery_pids=[1, 2], query_camids=[1], gallery_camids=[2, 2]
    )
    assert roc.tpr_at_fpr(0.5) == 0.0
    assert roc.threshold_at_fpr(0.5) is None
    with pytest.raises(InputError, match="expected 0 to 1"):
        roc.tpr_at_fpr(2.0)


def test_roc_of_embeddings__blocks__equals_full_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_core.distances._MAX_BLOCK_ROWS", 7)
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(30, 8)), rng.normal(size=(60, 8))
    labels: dict[str, Any] = {
        "query_pids": rng.integers(0, 6, 30), "gallery_pids": rng.integers(0, 6, 60),
        "query_camids": rng.integers(0, 3, 30), "gallery_camids": rng.integers(0, 3, 60),
    }  # fmt: skip
    steps: list[tuple[int, int]] = []
    roc = roc_of_embeddings(
        query, gallery, **labels, on_progress=lambda done, total: steps.append((done, total))
    )
    full = roc_of_ranking(pairwise_distances(query, gallery), **labels)
    for column in ("thresholds", "matches_upto", "false_upto", "false_below"):
        np.testing.assert_array_equal(getattr(roc, column), getattr(full, column))
    assert steps[-1] == (60, 60)
    with pytest.raises(CancelledError):
        roc_of_embeddings(query, gallery, **labels, should_cancel=lambda: True)


def test_roc_of_ranking__protocol_drops__same_pairs_as_evaluator() -> None:
    case = random_case(np.random.default_rng(5), 50)
    kept = roc_of_ranking(**case, protocol=Protocol(junk="negative", same_camera="keep"))
    assert kept.num_matches + kept.num_false == case["distances"].size


def test_roc_of_ranking__nothing_to_compare__refused() -> None:
    labels: dict[str, Any] = {"query_camids": [1], "gallery_camids": [2, 2]}
    with pytest.raises(NoValidQueryError):
        roc_of_ranking([[0.1, 0.2]], query_pids=[1], gallery_pids=[2, 3], **labels)
    with pytest.raises(InputError, match="one identity"):
        roc_of_ranking([[0.1, 0.2]], query_pids=[1], gallery_pids=[1, 1], **labels)
    with pytest.raises(InputError, match="NaN or infinity"):
        roc_of_ranking([[0.1, np.nan]], query_pids=[1], gallery_pids=[1, 2], **labels)
