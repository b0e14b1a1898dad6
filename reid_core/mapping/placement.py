"""Places for new embeddings in a layout that stays as it is.

A new point goes to the geometric median of its nearest neighbours' places, weighted by inverse squared cosine
distance (Shepard 1968). A mean would put a crop that resembles two people into the empty space between them;
the median stays with the heavier side. Nothing is fitted, and no existing point moves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping.layouts import Points
from reid_core.types import Vectors

NUM_NEIGHBOURS = 15
_STEPS = 60
_CLOSE = 1e-6


def place(vectors: Vectors, *, known: Vectors, points: Points, k: int = NUM_NEIGHBOURS) -> Points:
    """(Q, 2) places for Q new embeddings among N known ones.

    Args:
        vectors: (Q, D) unit vectors of the network that made ``known``.
        known: (N, D) unit vectors that the layout shows.
        points: (N, 2) their places; they are only read.
        k: How many neighbours decide.

    Raises:
        InputError: Shapes disagree, or there is no known point.
    """
    if points.shape != (len(known), 2) or not len(known) or vectors.shape[1:] != known.shape[1:]:
        raise InputError(
            f"Vectors {vectors.shape} cannot be placed among {known.shape} with places {points.shape}; "
            "expected (Q, D), (N, D) and (N, 2)."
        )
    placed = [_place_one(1.0 - known @ vector, points, min(k, len(known))) for vector in vectors]
    return np.array(placed, dtype=np.float32).reshape(len(vectors), 2)


def _place_one(distances: Vectors, points: Points, k: int) -> NDArray[np.float64]:
    nearest = np.argpartition(distances, k - 1)[:k]
    nearest = nearest[np.lexsort((nearest, distances[nearest]))]
    near = points[nearest].astype(np.float64)
    weights = 1.0 / np.maximum(distances[nearest].astype(np.float64), _CLOSE) ** 2
    return _median(near, weights / weights.sum())


def _median(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted geometric median (Weiszfeld); a point of at least half the weight is the median itself."""
    if weights.max() >= 0.5:
        heaviest: NDArray[np.float64] = points[weights.argmax()]
        return heaviest
    place: NDArray[np.float64] = weights @ points
    for _ in range(_STEPS):
        pull = weights / np.maximum(np.linalg.norm(points - place, axis=1), _CLOSE)
        place = pull @ points / pull.sum()
    return place
