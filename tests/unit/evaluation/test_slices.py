from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.evaluation import (
    MATLAB,
    Protocol,
    evaluate_ranking,
    slice_by_camera_pair,
    slice_by_gallery,
    slice_by_match,
    slice_by_query,
    slice_by_time_gap,
)


def random_case(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "distances": rng.integers(0, 60, (40, 120)).astype(np.float32), "query_pids": rng.integers(1, 12, 40),
        "gallery_pids": rng.integers(-1, 12, 120), "query_camids": rng.integers(1, 4, 40),
        "gallery_camids": rng.integers(1, 4, 120),
    }  # fmt: skip


def scored_without(case: dict[str, Any], is_out: Any, queries: Any, protocol: Protocol) -> Any:
    """Evaluate query by query after really removing the gallery images that ``is_out`` (Q, G) marks."""
    reports = []
    for q in queries:
        keep = ~is_out[q]
        one = {
            "query_pids": case["query_pids"][[q]], "query_camids": case["query_camids"][[q]],
            "gallery_pids": case["gallery_pids"][keep], "gallery_camids": case["gallery_camids"][keep],
        }  # fmt: skip
        reports.append(evaluate_ranking(case["distances"][[q]][:, keep], **one, protocol=protocol))
    return [float(np.mean([getattr(r, name) for r in reports])) for name in ("rank1", "mean_ap", "mean_inp")]


@pytest.mark.parametrize("protocol", [Protocol(), MATLAB])
def test_slice_by_camera_pair__random__equals_removing_other_matches(protocol: Protocol) -> None:
    case = random_case(0)
    report = evaluate_ranking(**case, protocol=protocol, keep_matches=True)
    table = slice_by_camera_pair(report, case["gallery_camids"])
    assert [row.label for row in table.rows] == ["1 -> 2", "1 -> 3", "2 -> 1", "2 -> 3", "3 -> 1", "3 -> 2"]
    same = case["query_pids"][:, None] == case["gallery_pids"]
    for row in table.rows:
        query_camera, gallery_camera = (int(part) for part in row.label.split(" -> "))
        here = same & (case["gallery_camids"] == gallery_camera)
        queries = np.flatnonzero((case["query_camids"] == query_camera) & here.any(axis=1))
        expected = scored_without(case, same & ~here, queries, protocol)
        assert (row.num_queries, row.num_matches) == (len(queries), here[queries].sum())
        assert [row.rank1, row.mean_ap, row.mean_inp] == pytest.approx(expected)


def test_slice_by_match__one_slice_with_everything__equals_the_report() -> None:
    report = evaluate_ranking(**random_case(1), keep_matches=True)
    assert report.matches is not None
    everything = slice_by_match(report, np.zeros(len(report.matches)), [1.0], name="x")["x < 1"]
    assert everything.mean_ap == pytest.approx(report.mean_ap)
    assert everything.rank1 == pytest.approx(report.rank1)
    assert everything.mean_inp == pytest.approx(report.mean_inp)


def test_slice_by_time_gap__gaps_either_way__grouped_by_size() -> None:
    report = evaluate_ranking(
        [[0.1, 0.2, 0.3, 0.4]], query_pids=[1], gallery_pids=[1, 2, 1, 1], query_camids=[1],
        gallery_camids=[2] * 4, keep_matches=True,
    )  # fmt: skip
    table = slice_by_time_gap(report, [100.0], [95.0, 0.0, 130.0, np.nan], [10.0, 60.0])
    short, middle, long, unknown = table.rows
    assert (short.label, short.num_matches, short.mean_ap) == ("time gap (s) < 10", 1, 1.0)
    assert (middle.num_matches, middle.mean_ap) == (1, 1 / 2)
    assert (long.num_queries, np.isnan(long.mean_ap)) == (0, True)
    assert (unknown.label, unknown.mean_ap) == ("time gap (s) unknown", 1 / 2)


def test_slice_by_query__heights__means_of_the_groups() -> None:
    case = random_case(2)
    report = evaluate_ranking(**case)
    heights = np.random.default_rng(3).integers(30, 200, 40).astype(float)
    table = slice_by_query(report, heights, [64, 128], name="height")
    groups = [heights < 64, (heights >= 64) & (heights < 128), heights >= 128]
    assert [row.label for row in table.rows] == ["height < 64", "64 <= height < 128", "height >= 128"]
    for row, group in zip(table.rows, groups, strict=True):
        chosen = group & report.per_query.is_matched
        assert row.mean_ap == pytest.approx(report.per_query.ap[chosen].mean())
        assert row.num_queries == chosen.sum()
    assert table.to_frame().shape == (3, 6)


def test_slice_by_query__unmatched_counts_as_zero__lowers_the_mean() -> None:
    case: dict[str, Any] = {
        "distances": [[0.1, 0.2], [0.1, 0.2]], "query_pids": [1, 8], "gallery_pids": [1, 2],
        "query_camids": [1, 1], "gallery_camids": [2, 2],
    }  # fmt: skip
    skipped = slice_by_query(evaluate_ranking(**case), [1, 1], [5], name="x")["x < 5"]
    zero = slice_by_query(evaluate_ranking(**case, protocol=MATLAB), [1, 1], [5], name="x")["x < 5"]
    assert (skipped.rank1, skipped.num_queries) == (1.0, 1)
    assert (zero.rank1, zero.num_queries) == (0.5, 2)


def test_slice_by_gallery__heights_of_matches__grouped_by_the_match() -> None:
    case = random_case(4)
    report = evaluate_ranking(**case, keep_matches=True)
    table = slice_by_gallery(report, np.arange(120), [60], name="position")
    assert report.matches is not None
    assert table["position < 60"].num_matches == (report.matches.gallery_index < 60).sum()


def test_slices__wrong_input__refused() -> None:
    report = evaluate_ranking(**random_case(5))
    with pytest.raises(InputError, match="keep_matches=True"):
        slice_by_camera_pair(report, np.zeros(120))
    with pytest.raises(InputError, match=r"shape \(3,\), expected \(40,\)"):
        slice_by_query(report, [1, 2, 3], [1])
    with pytest.raises(InputError, match="ascending"):
        slice_by_query(report, np.zeros(40), [2, 1])
