"""Laws that hold for every ranking, tried on generated ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.evaluation import MARKET1501, MATLAB, EvalReport, Protocol, evaluate_ranking
from reid_core.evaluation.protocol import TieRule


@st.composite
def cases(draw: Any, levels: int = 1_000_000) -> dict[str, Any]:
    """A matched case: the first gallery image always shows the first query from another camera."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    num_queries, num_gallery = draw(st.integers(1, 8)), draw(st.integers(1, 30))
    case = {
        "distances": rng.choice(levels, (num_queries, num_gallery)).astype(np.float64),
        "query_pids": rng.integers(1, 5, num_queries), "gallery_pids": rng.integers(-1, 5, num_gallery),
        "query_camids": rng.integers(0, 3, num_queries), "gallery_camids": rng.integers(0, 3, num_gallery),
    }  # fmt: skip
    case["gallery_pids"][0], case["gallery_camids"][0] = case["query_pids"][0], case["query_camids"][0] + 1
    return case


def scores(report: EvalReport) -> Any:
    return pytest.approx((report.mean_ap, report.mean_inp, *report.cmc), abs=1e-12)


def plain(report: EvalReport) -> tuple[float, ...]:
    return (report.mean_ap, report.mean_inp, *report.cmc)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 2**32))
def test_evaluate_ranking__gallery_shuffled_without_ties__same_scores(
    case: dict[str, Any], seed: int
) -> None:
    distances = case["distances"] + np.arange(case["distances"].size).reshape(case["distances"].shape) / 1e6
    order = np.random.default_rng(seed).permutation(distances.shape[1])
    shuffled = {name: case[name][order] for name in ("gallery_pids", "gallery_camids")}
    report = evaluate_ranking(**case | {"distances": distances})
    assert plain(evaluate_ranking(**case | shuffled | {"distances": distances[:, order]})) == scores(report)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_evaluate_ranking__any_rising_function_of_distance__same_scores(case: dict[str, Any]) -> None:
    report = evaluate_ranking(**case)
    changed = evaluate_ranking(**case | {"distances": case["distances"] ** 3 - 7.0})
    assert plain(changed) == scores(report)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_evaluate_ranking__queries_repeated__same_means(case: dict[str, Any]) -> None:
    twice = {name: np.concatenate([case[name]] * 2) for name in ("distances", "query_pids", "query_camids")}
    assert plain(evaluate_ranking(**case | twice)) == scores(evaluate_ranking(**case))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_evaluate_ranking__junk_added_in_front__same_scores(case: dict[str, Any]) -> None:
    junk = {
        "distances": np.hstack([case["distances"], np.full((len(case["distances"]), 3), -1.0)]),
        "gallery_pids": np.append(case["gallery_pids"], [-1, -1, -1]),
        "gallery_camids": np.append(case["gallery_camids"], [0, 1, 2]),
    }
    size = case["distances"].shape[1]
    before, after = evaluate_ranking(**case, max_rank=size), evaluate_ranking(**case | junk, max_rank=size)
    assert plain(after) == scores(before)


@settings(max_examples=60, deadline=None)
@given(cases(levels=4))
def test_evaluate_ranking__tie_rules__optimistic_best_and_pessimistic_worst(case: dict[str, Any]) -> None:
    by_rule = {ties: evaluate_ranking(**case, protocol=Protocol(ties=ties)) for ties in get_args(TieRule)}
    for ties in ("stable", "reversed"):
        for name in ("mean_ap", "mean_inp", "rank1"):
            low, middle, high = (getattr(by_rule[rule], name) for rule in ("pessimistic", ties, "optimistic"))
            assert low - 1e-12 <= middle <= high + 1e-12


@settings(max_examples=60, deadline=None)
@given(cases())
def test_evaluate_ranking__trapezoid_and_zero__never_above_step_and_skip(case: dict[str, Any]) -> None:
    step = evaluate_ranking(**case)
    trapezoid = evaluate_ranking(**case, protocol=replace(MARKET1501, ap="trapezoid"))
    assert trapezoid.mean_ap <= step.mean_ap + 1e-12
    assert evaluate_ranking(**case, protocol=MATLAB).rank1 <= step.rank1
    assert np.all(np.diff(step.cmc) >= 0)
    assert 0 < step.mean_inp <= 1
    assert 0 < step.mean_ap <= 1
