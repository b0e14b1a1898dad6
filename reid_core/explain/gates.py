"""The gate study of the OSNet paper (Zhou et al., ICCV 2019): how crops differ in the mix of their streams.

The gate vector of a crop in a block is the gates of its four streams one after the other, (4 M,) numbers in
(0, 1). Crops are clustered by k-means in these vectors; what the crops nearest to a centre have in common is
what the gates react to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError

MIN_CLUSTERS, MAX_CLUSTERS = 2, 30

Gates = NDArray[np.float32]
"""(N, 4 M), a row of NaN where a crop could not be read."""


@dataclass(frozen=True, eq=False)
class GateCluster:
    """One cluster: its centre (4 M,), how many crops it has, and rows of its crops, nearest first."""

    centre: NDArray[np.float32]
    size: int
    nearest: NDArray[np.int64]

    @property
    def mean_gates(self) -> tuple[float, ...]:
        """Mean gate of each of the four streams in the centre."""
        return tuple(float(value) for value in self.centre.reshape(4, -1).mean(axis=1))


@dataclass(frozen=True, eq=False)
class GateClusters:
    """Clusters, largest first, and for each row the number of its cluster (-1: no gates)."""

    clusters: tuple[GateCluster, ...]
    labels: NDArray[np.int64]


def cluster_gates(gates: Gates, num_clusters: int, *, num_nearest: int = 12, seed: int = 0) -> GateClusters:
    """k-means of gate vectors; the same result for the same rows and seed.

    Args:
        gates: (N, 4 M).
        num_clusters: 2 to 30, and no more than there are different rows.
        num_nearest: How many crops are listed per cluster.
        seed: Of k-means++.

    Raises:
        InputError: The number of clusters is out of range, or there are fewer different crops.
    """
    from sklearn.cluster import KMeans  # takes a second to import

    if not MIN_CLUSTERS <= num_clusters <= MAX_CLUSTERS:
        raise InputError(
            f"{num_clusters} clusters were asked for; expected {MIN_CLUSTERS} to {MAX_CLUSTERS}."
        )
    rows = _usable_rows(gates)
    points = gates[rows].astype(np.float32)
    num_different = len({row.tobytes() for row in points})
    if num_different < num_clusters:
        raise InputError(
            f"{num_clusters} clusters need as many crops with different gates; the gallery has "
            f"{num_different}. Ask for fewer."
        )
    means = KMeans(num_clusters, n_init=3, random_state=seed).fit(points)
    distances = np.linalg.norm(points - means.cluster_centers_[means.labels_], axis=1)
    by_size = np.argsort(-np.bincount(means.labels_, minlength=num_clusters), kind="stable")
    labels = np.full(len(gates), -1, dtype=np.int64)
    clusters = []
    for number, old in enumerate(by_size):
        members = np.flatnonzero(means.labels_ == old)
        labels[rows[members]] = number
        order = members[np.argsort(distances[members], kind="stable")][:num_nearest]
        clusters.append(
            GateCluster(means.cluster_centers_[old].astype(np.float32), len(members), rows[order])
        )
    return GateClusters(tuple(clusters), labels)


def gate_spread(gates: Gates) -> float:
    """How much gates differ between crops: the standard deviation of a gate over crops, mean over the gates.

    A block whose gates hardly differ does not use them to tell crops apart, and its clusters mean little.
    """
    rows = gates[_usable_rows(gates)]
    return float(rows.std(axis=0, dtype=np.float64).mean()) if len(rows) else 0.0


def nearest_gates(
    gates: Gates, vector: NDArray[np.floating], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows with the gates most like ``vector`` (4 M,), nearest first, and their distances.

    A distance is the root mean square difference of a gate, 0 to 1.

    Raises:
        InputError: The vector is of another block or width.
    """
    if vector.shape != gates.shape[1:]:
        raise InputError(f"A gate vector here has {gates.shape[1]} numbers; {vector.shape} came.")
    rows = _usable_rows(gates)
    differences = gates[rows].astype(np.float32) - vector.astype(np.float32)
    distances = np.sqrt(np.square(differences).mean(axis=1))
    order = np.argsort(distances, kind="stable")[:count]
    return rows[order], distances[order].astype(np.float32)


def _usable_rows(gates: Gates) -> NDArray[np.int64]:
    return np.flatnonzero(~np.isnan(gates[:, 0])).astype(np.int64)
