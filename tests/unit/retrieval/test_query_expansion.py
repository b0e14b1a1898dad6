from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.retrieval import augment_gallery, expand_queries
from reid_core.retrieval.neighbours import nearest_of_rows


def unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_expand_queries__random__equals_plain_loop(alpha: float, k: int) -> None:
    rng = np.random.default_rng(0)
    query, gallery = unit(rng.normal(size=(9, 6))), unit(rng.normal(size=(20, 6)))
    expected = []
    for q in query:
        similarity = gallery @ q
        order = np.argsort(1 - similarity, kind="stable")[:k]
        total = q + sum(max(similarity[j], 0.0) ** alpha * gallery[j] for j in order)
        expected.append(total / np.linalg.norm(total))
    np.testing.assert_allclose(expand_queries(query, gallery, k=k, alpha=alpha), expected, atol=1e-5)


def test_augment_gallery__plain_mean_of_two__is_image_and_its_nearest() -> None:
    gallery = unit(np.array([[1.0, 0.0], [1.0, 0.2], [-1.0, 0.5]]))
    result = augment_gallery(gallery, k=2, alpha=0.0)
    np.testing.assert_allclose(result[0], unit((gallery[0] + gallery[1])[None])[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)


def test_augment_gallery__k_one__unchanged() -> None:
    gallery = unit(np.random.default_rng(1).normal(size=(10, 5)))
    np.testing.assert_allclose(augment_gallery(gallery, k=1), gallery, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"alpha": -1.0}, "alpha is -1"),
        ({"gallery": np.zeros((0, 4))}, "gallery is empty"),
    ],
)
def test_expand_queries__wrong_input__refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand_queries(**{"query": np.eye(4), "gallery": np.eye(4)} | change)


@pytest.mark.parametrize("columns", [1, 5, 1500, 5000])
def test_nearest_of_rows__ties_and_random__equals_stable_sort(columns: int) -> None:
    rng = np.random.default_rng(2)
    for levels in (3, 50, 10**6):
        block = rng.integers(0, levels, (20, columns)).astype(np.float32)
        k = min(21, columns)
        positions, distances = np.empty((20, k), np.int64), np.empty((20, k), np.float32)
        nearest_of_rows(block, positions, distances)
        expected = np.argsort(block, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(positions, expected)
        np.testing.assert_array_equal(distances, np.take_along_axis(block, expected, axis=1))
