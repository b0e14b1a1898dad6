from __future__ import annotations

import numpy as np
import pytest

from reid_core.errors import InputError
from reid_core.explain.gates import cluster_gates, gate_spread, nearest_gates


def three_groups() -> np.ndarray:
    """20, 12 and 6 crops around three gate vectors of 4 x 2 numbers; row 5 could not be read."""
    rng = np.random.default_rng(1)
    centres = np.array([[0.2] * 8, [0.5] * 8, [0.9] * 4 + [0.1] * 4])
    rows = np.repeat(centres, [20, 12, 6], axis=0) + rng.normal(0, 0.01, (38, 8))
    rows[5] = np.nan
    return rows.astype(np.float32)


def test_cluster_gates__three_groups__found_largest_first_and_row_without_gates_left_out() -> None:
    found = cluster_gates(three_groups(), 3, num_nearest=4)
    assert [cluster.size for cluster in found.clusters] == [19, 12, 6]
    assert found.labels[5] == -1
    assert set(found.labels[:20]) == {0, -1}
    assert set(found.labels[20:32]) == {1}
    assert set(found.labels[32:]) == {2}
    assert found.clusters[2].mean_gates == pytest.approx((0.9, 0.9, 0.1, 0.1), abs=0.02)


def test_cluster_gates__nearest__ordered_by_distance_to_the_centre() -> None:
    gates = three_groups()
    for number, cluster in enumerate(cluster_gates(gates, 3, num_nearest=4).clusters):
        distances = np.linalg.norm(gates.astype(np.float32) - cluster.centre, axis=1)
        members = np.flatnonzero(cluster_gates(gates, 3).labels == number)
        by_hand = members[np.argsort(distances[members])][:4]
        assert list(cluster.nearest) == list(by_hand)


def test_cluster_gates__twice__the_same() -> None:
    one, other = cluster_gates(three_groups(), 5), cluster_gates(three_groups(), 5)
    assert np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("num_clusters", [1, 31])
def test_cluster_gates__number_out_of_range__refused(num_clusters: int) -> None:
    with pytest.raises(InputError, match="expected 2 to 30"):
        cluster_gates(three_groups(), num_clusters)


def test_cluster_gates__fewer_different_crops_than_clusters__refused() -> None:
    with pytest.raises(InputError, match="Ask for fewer"):
        cluster_gates(np.full((50, 8), 0.5, dtype=np.float32), 2)


def test_gate_spread__two_rows__by_hand_and_unread_rows_left_out() -> None:
    gates = np.array([[0.2] * 8, [0.4] * 8, [np.nan] * 8], dtype=np.float32)
    assert gate_spread(gates) == pytest.approx(0.1)
    assert gate_spread(gates[2:]) == 0.0


def test_nearest_gates__vector_of_a_row__that_row_first_and_distances_by_hand() -> None:
    gates = three_groups()
    rows, distances = nearest_gates(gates, gates[33], 3)
    assert rows[0] == 33
    assert distances[0] == 0.0
    by_hand = np.sqrt(np.mean((gates[rows[1]].astype(float) - gates[33].astype(float)) ** 2))
    assert distances[1] == pytest.approx(by_hand, rel=1e-3)
    assert set(rows) <= set(range(32, 38))


def test_nearest_gates__vector_of_another_width__refused() -> None:
    with pytest.raises(InputError, match="8 numbers"):
        nearest_gates(three_groups(), np.zeros(16, np.float32), 3)
