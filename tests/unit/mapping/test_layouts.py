from __future__ import annotations

import threading

import numpy as np
import pytest
from tqdm import tqdm

from reid_core.errors import CancelledError, InputError
from reid_core.mapping import (
    LayoutFile,
    UmapParameters,
    align,
    aligned_umap_layout,
    find_neighbours,
    inside_polygon,
    mean_displacement,
    pca_layout,
    place,
    read_layout,
    umap_layout,
    write_layout,
)
from reid_core.types import Vectors

SMALL = UmapParameters(num_neighbours=6, seed=3)


def people(num_people: int = 12, num_each: int = 8, *, noise: float = 0.35, seed: int = 0) -> Vectors:
    """Unit vectors in one tight group per person."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(np.random.default_rng(99).normal(size=(num_people, 16)), num_each, axis=0)
    vectors = centres + noise * rng.normal(size=centres.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_find_neighbours__random_vectors__as_a_full_sort_finds_them() -> None:
    vectors = people(7, 5)
    vectors[9] = vectors[2]  # a copy must not push a row off its own first place
    graph = find_neighbours(vectors, 6)
    for row in range(len(vectors)):
        distances = 1.0 - vectors.astype(np.float64) @ vectors[row].astype(np.float64)
        distances[row] = -1.0
        assert graph.rows[row, 0] == row
        assert graph.distances[row, 0] == 0.0
        np.testing.assert_allclose(graph.distances[row, 1:], np.sort(distances)[1:6], atol=1e-6)
        np.testing.assert_allclose(distances[graph.rows[row, 1:]], graph.distances[row, 1:], atol=1e-6)


def test_find_neighbours__fewer_rows_than_k__all_of_them() -> None:
    assert find_neighbours(people(1, 4), 10).rows.shape == (4, 4)
    with pytest.raises(InputError, match="at least 2"):
        find_neighbours(people(1, 1), 10)


def test_pca_layout__stretched_cloud__first_axis_is_the_longest_and_signs_are_fixed() -> None:
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(200, 4)) * [0.1, 5.0, 0.2, 1.0]).astype(np.float32)
    points = pca_layout(vectors)
    assert abs(np.corrcoef(points[:, 0], vectors[:, 1])[0, 1]) > 0.999
    assert points[:, 0].std() > points[:, 1].std() > 0.5
    np.testing.assert_array_equal(points, pca_layout(vectors.copy()))
    np.testing.assert_allclose(pca_layout(vectors + 7.0), points, atol=1e-3)
    assert pca_layout(np.ones((3, 1), np.float32)).shape == (3, 2)


def test_umap_layout__people__one_group_each_and_the_same_at_every_call() -> None:
    vectors = people()
    graph, start = find_neighbours(vectors, 20), pca_layout(vectors)
    seen: list[tuple[int, int]] = []
    points = umap_layout(graph, SMALL, start=start, report=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(points, umap_layout(graph, SMALL, start=start))
    assert not np.array_equal(points, umap_layout(graph, UmapParameters(6, seed=4), start=start))
    assert seen[0] == (0, 500)
    assert seen[-1] == (500, 500)
    groups = np.repeat(np.arange(12), 8)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.9


def test_umap_layout__stopped_while_it_runs__raises_at_once() -> None:
    vectors = people()
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done == 5:
            raise CancelledError("Stopped.")

    with pytest.raises(CancelledError):
        umap_layout(find_neighbours(vectors, 6), SMALL, start=pca_layout(vectors), report=stop)
    assert seen == [0, 1, 2, 3, 4, 5]
    is_free = threading.Event()

    def take() -> None:
        with tqdm.get_lock():
            is_free.set()

    threading.Thread(target=take, daemon=True).start()
    assert is_free.wait(120.0)  # else every later progress bar of another thread would wait for ever


@pytest.mark.parametrize("num_images", [2, 3, 5])
def test_umap_layout__tiny_gallery_and_copies__finite_places(num_images: int) -> None:
    vectors = people(1, num_images)
    vectors[1] = vectors[0]
    points = umap_layout(find_neighbours(vectors, 15), UmapParameters(), start=pca_layout(vectors))
    assert points.shape == (num_images, 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_neighbours": 1}, "2 to 200"),
        ({"num_neighbours": 201}, "2 to 200"),
        ({"min_dist": float("nan")}, "0 to 1"),
        ({"seed": -1}, "seed"),
        ({"metric": "manhattan"}, "metric"),
    ],
)
def test_parameters__out_of_range__refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        UmapParameters(**wrong)  # type: ignore[arg-type]


def test_align__turned_mirrored_scaled_shifted__undone() -> None:
    fixed = np.random.default_rng(2).normal(size=(30, 2)).astype(np.float32)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) @ np.diag([1.0, -1.0])
    moving = (fixed @ turn * 3.0 + [5.0, -2.0]).astype(np.float32)
    np.testing.assert_allclose(align(moving, fixed), fixed, atol=1e-5)
    partly = fixed.copy()
    partly[20:] = np.nan
    np.testing.assert_allclose(align(moving, partly), fixed, atol=1e-5)
    with pytest.raises(InputError, match="no crop in common"):
        align(moving, np.full_like(fixed, np.nan))


def test_aligned_layout__second_network__points_stay_closer_than_in_a_layout_of_its_own() -> None:
    first, second = people(seed=1), people(seed=2)  # the same crops as two networks see them
    fixed = umap_layout(find_neighbours(first, 8), SMALL, start=pca_layout(first))
    graph = find_neighbours(second, 8)
    reference = fixed.copy()
    reference[::10] = np.nan  # crops that the first network could not embed
    aligned = aligned_umap_layout(graph, SMALL, reference=reference)
    alone = umap_layout(graph, SMALL, start=pca_layout(second))
    assert np.isfinite(aligned).all()
    assert mean_displacement(aligned, fixed) < 0.5 * mean_displacement(align(alone, fixed), fixed)


def test_place__new_crop__near_its_neighbours_and_nothing_moves() -> None:
    vectors = people()
    points = umap_layout(find_neighbours(vectors, 6), SMALL, start=pca_layout(vectors))
    before = points.copy()
    new = people(seed=5)[::8]  # one more crop of each person
    placed = place(new, known=vectors, points=points)
    np.testing.assert_array_equal(points, before)
    for person, spot in enumerate(placed):
        nearest = np.linalg.norm(points - spot, axis=1).argsort()[:3]
        assert (nearest // 8 == person).all()
    np.testing.assert_array_equal(place(vectors[7:8], known=vectors, points=points)[0], points[7])


def test_place__resembles_two_groups__stays_with_the_heavier_one() -> None:
    known = np.array([[1, 0], [0.999, 0.045], [0.998, 0.063], [0, 1], [0.045, 0.999]], dtype=np.float32)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    points = np.array([[0, 0], [0.1, 0], [0, 0.1], [10, 0], [10, 0.1]], dtype=np.float32)
    new = np.array([[0.75, 0.66]], dtype=np.float32) / np.float32(np.hypot(0.75, 0.66))
    assert np.linalg.norm(place(new, known=known, points=points)[0]) < 0.5


def test_inside_polygon__random_shapes__as_a_slow_loop_says() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(-2, 2, size=(400, 2)).astype(np.float32)
    for corners in (3, 5, 40):
        polygon = [tuple(corner) for corner in rng.uniform(-2, 2, size=(corners, 2)).tolist()]
        expected = [_is_inside(float(x), float(y), polygon) for x, y in points]
        assert inside_polygon(points, polygon).tolist() == expected  # type: ignore[arg-type]
        assert any(expected)


def _is_inside(x: float, y: float, polygon: list[tuple[float, ...]]) -> bool:
    """Count the edges to the right of the point."""
    crossings = 0
    for index, (x1, y1) in enumerate(polygon):
        x2, y2 = polygon[index - 1]
        crossings += (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
    return crossings % 2 == 1


@pytest.mark.parametrize(
    "polygon", [[], [(0, 0), (1, 1)], [(0, 0), (1, "x"), (2, 2)], [(0, 0), (1, 1), (2, np.inf)]]
)
def test_inside_polygon__not_an_outline__refused(polygon: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match="outline"):
        inside_polygon(np.zeros((3, 2), np.float32), polygon)


def test_layout_file__written_and_read__equal_and_damage_is_refused() -> None:
    content = LayoutFile({"name": "ü"}, {"points": np.arange(6, dtype=np.float32).reshape(3, 2)})
    data = write_layout(content)
    again = read_layout(data)
    assert again.header["name"] == "ü"
    np.testing.assert_array_equal(again.arrays["points"], content.arrays["points"])
    for damaged in (data[:100], b"", b"PK\x03\x04"):
        with pytest.raises(InputError, match="not a layout"):
            read_layout(damaged)
