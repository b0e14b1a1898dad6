from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.evaluation import (
    MATLAB,
    EvalReport,
    bootstrap_intervals,
    evaluate_embeddings,
    evaluate_ranking,
    paired_bootstrap,
)


def report_of(rng: np.random.Generator, num_pids: int, noise: float, **options: Any) -> EvalReport:
    centres = rng.normal(size=(num_pids, 24)) * rng.uniform(0.3, 1.5, (num_pids, 1))
    pids = np.repeat(np.arange(1, num_pids + 1), 6)
    vectors = centres[pids - 1] + noise * rng.normal(size=(len(pids), 24))
    camids = np.tile([1, 1, 1, 2, 2, 2], num_pids)
    query = camids == 1
    return evaluate_embeddings(
        vectors[query], vectors[~query], query_pids=pids[query], gallery_pids=pids[~query],
        query_camids=camids[query], gallery_camids=camids[~query], **options,
    )  # fmt: skip


def test_bootstrap_intervals__same_seed__same_intervals_around_the_estimate() -> None:
    report = report_of(np.random.default_rng(0), 60, 1.0)
    first, again = bootstrap_intervals(report, seed=3), bootstrap_intervals(report, seed=3)
    assert first == again
    assert list(first) == ["mean_ap", "mean_inp", "rank1", "rank5", "rank10", "rank20"]
    for name, interval in first.items():
        assert interval.estimate == pytest.approx(getattr(report, name))
        assert interval.low <= interval.estimate <= interval.high
        assert (interval.num_identities, interval.is_thin) == (60, False)


def test_bootstrap_intervals__plain_loop_over_identities__same_borders() -> None:
    report = report_of(np.random.default_rng(1), 40, 1.2)
    rng = np.random.default_rng(2)
    pids = report.per_query.pid
    groups = [np.flatnonzero(pids == pid) for pid in np.unique(pids)]
    means = []
    for _ in range(4000):
        drawn = np.concatenate([groups[i] for i in rng.integers(0, 40, 40)])
        means.append(report.per_query.ap[drawn].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    interval = bootstrap_intervals(report, resamples=4000)["mean_ap"]
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)


def test_bootstrap_intervals__many_repetitions__cover_the_truth_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(3)
    truth = float(np.mean([report_of(rng, 50, 1.2).mean_ap for _ in range(150)]))
    covered = 0
    for _ in range(60):
        interval = bootstrap_intervals(report_of(rng, 50, 1.2), confidence=0.8, resamples=300)["mean_ap"]
        covered += interval.low <= truth <= interval.high
    assert 36 <= covered <= 58  # 48 expected; the gallery is redrawn too, which the interval leaves out


def test_bootstrap_intervals__queries_copied__interval_stays_as_wide() -> None:
    """Ten copies of each query are no new evidence about people."""
    rng = np.random.default_rng(4)
    labels: dict[str, Any] = {"gallery_pids": np.arange(30) % 15, "gallery_camids": np.ones(30, int)}
    distances = rng.random((15, 30))
    one = evaluate_ranking(distances, query_pids=np.arange(15), query_camids=np.zeros(15, int), **labels)
    ten = evaluate_ranking(
        np.repeat(distances, 10, axis=0), query_pids=np.repeat(np.arange(15), 10),
        query_camids=np.zeros(150, int), **labels,
    )  # fmt: skip
    wide, narrow = bootstrap_intervals(one)["mean_ap"], bootstrap_intervals(ten)["mean_ap"]
    assert (narrow.low, narrow.high) == pytest.approx((wide.low, wide.high), abs=1e-12)
    assert wide.is_thin


def test_paired_bootstrap__clearly_better_model__interval_above_zero() -> None:
    worse, better = (report_of(np.random.default_rng(5), 60, noise) for noise in (1.3, 0.9))
    difference = paired_bootstrap(worse, better)["mean_ap"]
    assert difference.interval.estimate == pytest.approx(better.mean_ap - worse.mean_ap)
    assert difference.is_clear
    assert difference.interval.low > 0
    assert difference.share_not_above < 0.01


def test_paired_bootstrap__same_model__difference_is_zero() -> None:
    report = report_of(np.random.default_rng(6), 30, 1.0)
    difference = paired_bootstrap(report, report)["rank1"]
    assert (difference.interval.low, difference.interval.high) == (0.0, 0.0)
    assert not difference.is_clear


def test_paired_bootstrap__other_queries_or_protocol__refused() -> None:
    report = report_of(np.random.default_rng(7), 30, 1.0)
    with pytest.raises(InputError, match="not of the same queries"):
        paired_bootstrap(report, report_of(np.random.default_rng(8), 31, 1.0))
    with pytest.raises(InputError, match="different protocols"):
        paired_bootstrap(report, report_of(np.random.default_rng(7), 30, 1.0, protocol=MATLAB))


def test_bootstrap_intervals__wrong_input__refused() -> None:
    report = report_of(np.random.default_rng(9), 10, 1.0)
    with pytest.raises(InputError, match="confidence is 95"):
        bootstrap_intervals(report, confidence=95)
    with pytest.raises(InputError, match="resamples is 5"):
        bootstrap_intervals(report, resamples=5)
    single = evaluate_ranking(
        [[0.1, 0.2]], query_pids=[1], gallery_pids=[1, 2], query_camids=[1], gallery_camids=[2, 2]
    )
    with pytest.raises(InputError, match="Queries of 1 identity count"):
        bootstrap_intervals(single)
