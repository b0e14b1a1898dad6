from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dense_reranking import rerank_densely

import reid_core
from reid_core.errors import CancelledError, InputError
from reid_core.evaluation import evaluate_blocks, evaluate_ranking
from reid_core.retrieval import iter_reranked_blocks, rerank, rerank_distances
from reid_core.types import EmbeddingSet


def squared_distances(vectors: Any) -> Any:
    wide = np.asarray(vectors, dtype=np.float64)
    return np.square(wide[:, None] - wide[None]).sum(axis=2)


def clusters(rng: np.random.Generator, number: int, num_clusters: int, spread: float, size: int = 16) -> Any:
    centres = rng.normal(size=(num_clusters, size))
    vectors = centres[rng.integers(0, num_clusters, number)] + spread * rng.normal(size=(number, size))
    return vectors.astype(np.float32)


def unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("k1", "k2", "lambda_value"), [(20, 6, 0.3), (5, 1, 0.0), (7, 3, 1.0), (3, 8, 0.5)])
@pytest.mark.parametrize("spread", [0.1, 0.5, 3.0])
def test_rerank__random_and_clustered__equals_dense_formula(
    k1: int, k2: int, lambda_value: float, spread: float
) -> None:
    rng = np.random.default_rng(0)
    for normalise in (unit, lambda vectors: 10 * vectors):
        vectors = normalise(clusters(rng, 90, 12, spread))
        ours = rerank(vectors[:25], vectors[25:], k1=k1, k2=k2, lambda_value=lambda_value)
        dense = rerank_densely(squared_distances(vectors), 25, k1, k2, lambda_value)
        np.testing.assert_allclose(ours, dense, atol=2e-6)


@pytest.mark.parametrize("number", [2, 3, 6, 12, 21, 22])
def test_rerank__fewer_images_than_k1__equals_dense_formula(number: int) -> None:
    vectors = clusters(np.random.default_rng(number), number, 3, 0.5)
    dense = rerank_densely(squared_distances(vectors), 1, 20, 6, 0.3)
    np.testing.assert_allclose(rerank(vectors[:1], vectors[1:]), dense, atol=2e-6)


def test_rerank__ties_everywhere__equals_dense_formula_with_stable_sort() -> None:
    """Whole-number vectors: many distances are exactly equal, and some images are duplicates."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        vectors = rng.integers(0, 3, (60, 4)).astype(np.float32)
        dense = rerank_densely(squared_distances(vectors), 15, 8, 4, 0.3)
        np.testing.assert_allclose(rerank(vectors[:15], vectors[15:], k1=8, k2=4), dense, atol=2e-6)


def test_rerank__all_images_equal__finite_and_equal() -> None:
    vectors = np.ones((40, 8), dtype=np.float32)
    result = rerank(vectors[:5], vectors[5:])
    dense = rerank_densely(squared_distances(vectors), 5, 20, 6, 0.3)
    np.testing.assert_allclose(result, dense, atol=2e-6)


def test_rerank_distances__euclidean_or_squared__equals_embedding_form() -> None:
    vectors = clusters(np.random.default_rng(2), 70, 8, 0.6)
    squared = squared_distances(vectors)
    parts = (squared[:20, 20:], squared[:20, :20], squared[20:, 20:])
    expected = rerank(vectors[:20], vectors[20:])
    np.testing.assert_allclose(rerank_distances(*parts, squared=True), expected, atol=2e-6)
    np.testing.assert_allclose(rerank_distances(*map(np.sqrt, parts)), expected, atol=2e-6)


def test_rerank_distances__asymmetric_input__normalised_by_column_as_published() -> None:
    rng = np.random.default_rng(3)
    cross, own, other = rng.random((6, 20)), rng.random((6, 6)), rng.random((20, 20))
    whole = np.block([[own, cross], [cross.T, other]])
    dense = rerank_densely(whole.T, 6, 5, 3, 0.3)
    np.testing.assert_allclose(
        rerank_distances(cross, own, other, k1=5, k2=3, squared=True), dense, atol=2e-6
    )


def test_rerank__lambda_one__is_the_original_order() -> None:
    vectors = unit(clusters(np.random.default_rng(4), 60, 6, 0.8))
    result = rerank(vectors[:10], vectors[10:], lambda_value=1.0)
    original = 1 - vectors[:10] @ vectors[10:].T
    np.testing.assert_array_equal(result.argmin(axis=1), original.argmin(axis=1))
    scale = original / result
    np.testing.assert_allclose(scale, np.broadcast_to(scale[:, :1], scale.shape), rtol=1e-4)


def test_rerank__same_cluster_beyond_a_gap__raises_map() -> None:
    rng = np.random.default_rng(5)
    pids = np.repeat(np.arange(20), 12)
    vectors = unit(rng.normal(size=(20, 16))[pids] + 0.9 * rng.normal(size=(240, 16)))
    is_query = np.tile([True] + [False] * 11, 20)
    labels: dict[str, Any] = {
        "query_pids": pids[is_query], "gallery_pids": pids[~is_query],
        "query_camids": np.zeros(20, int), "gallery_camids": np.ones(220, int),
    }  # fmt: skip
    plain = evaluate_ranking(1 - vectors[is_query] @ vectors[~is_query].T, **labels)
    better = evaluate_ranking(rerank(vectors[is_query], vectors[~is_query], k1=10), **labels)
    assert better.mean_ap > plain.mean_ap + 0.03


def test_iter_reranked_blocks__small_blocks__equal_full_result_and_feed_the_evaluator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reid_core.distances._MAX_BLOCK_ROWS", 7)
    vectors = unit(clusters(np.random.default_rng(6), 80, 8, 0.7))
    full = rerank(vectors[:30], vectors[30:])
    blocks = [block.copy() for block in iter_reranked_blocks(vectors[:30], vectors[30:])]
    assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
    np.testing.assert_array_equal(np.concatenate(blocks), full)
    labels: dict[str, Any] = {
        "query_pids": np.arange(30) % 5, "gallery_pids": np.arange(50) % 5,
        "query_camids": np.zeros(30, int), "gallery_camids": np.ones(50, int),
    }  # fmt: skip
    streamed = evaluate_blocks(
        iter_reranked_blocks(vectors[:30], vectors[30:]), num_queries=30, num_gallery=50, **labels
    )
    assert streamed.mean_ap == evaluate_ranking(full, **labels).mean_ap


def test_rerank__progress_and_cancel__reported_and_obeyed() -> None:
    vectors = unit(clusters(np.random.default_rng(7), 40, 4, 0.5))
    steps: list[tuple[int, int]] = []
    rerank(vectors[:10], vectors[10:], on_progress=lambda done, total: steps.append((done, total)))
    assert steps == [(40, 40)]
    with pytest.raises(CancelledError, match="Re-ranking was stopped"):
        rerank(vectors[:10], vectors[10:], should_cancel=lambda: True)


def test_rerank__public_name__is_this_function() -> None:
    assert reid_core.rerank is rerank


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k1": 0}, "k1 is 0"),
        ({"k2": 1.5}, "k2 is 1.5"),
        ({"lambda_value": 1.1}, "lambda_value is 1.1"),
        ({"lambda_value": float("nan")}, "lambda_value is nan"),
        ({"gallery": np.zeros((0, 8), np.float32)}, "3 queries and 0 gallery images"),
        ({"gallery": np.zeros((4, 9), np.float32)}, "embedding size, must agree"),
        ({"query": np.full((3, 8), np.inf, np.float32)}, "NaN or infinity"),
    ],
)
def test_rerank__wrong_input__refused_with_reason(change: dict[str, Any], message: str) -> None:
    vectors = np.random.default_rng(8).normal(size=(7, 8)).astype(np.float32)
    with pytest.raises(InputError, match=message):
        rerank(**{"query": vectors[:3], "gallery": vectors[3:]} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_query": np.zeros((4, 4))}, r"query_query has shape \(4, 4\), expected \(2, 2\)"),
        ({"gallery_gallery": np.zeros((2, 2))}, "gallery_gallery has shape"),
        ({"query_gallery": np.full((2, 4), np.nan)}, "query_gallery contains NaN"),
        ({"query_gallery": np.full((2, 4), -0.5)}, "Were similarities passed"),
    ],
)
def test_rerank_distances__wrong_input__refused_with_reason(change: dict[str, Any], message: str) -> None:
    parts = {
        "query_gallery": np.ones((2, 4)),
        "query_query": np.zeros((2, 2)),
        "gallery_gallery": np.zeros((4, 4)),
    }
    with pytest.raises(InputError, match=message):
        rerank_distances(**parts | change)


def test_rerank__embedding_sets_of_two_models__refused() -> None:
    vectors = unit(np.random.default_rng(9).normal(size=(6, 8)))
    query = EmbeddingSet(vectors[:2], ("a", "b"), "model-1")
    gallery = EmbeddingSet(vectors[2:], ("c", "d", "e", "f"), "model-2")
    with pytest.raises(InputError, match="come from model-1"):
        rerank(query, gallery)
