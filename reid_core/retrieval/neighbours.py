"""The k nearest images of every row of a block of distances, ties in column order, without sorting rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_CHUNK = 1024


@njit(nogil=True, cache=True)
def _insert(positions: Array, distances: Array, filled: int, position: int, distance: float) -> None:
    """Put an entry behind all that are not farther, pushing the last one out of a full list."""
    slot = min(filled, distances.size - 1)
    while slot > 0 and distances[slot - 1] > distance:
        distances[slot] = distances[slot - 1]
        positions[slot] = positions[slot - 1]
        slot -= 1
    distances[slot] = distance
    positions[slot] = position


@njit(nogil=True, cache=True)
def nearest_of_rows(block: Array, positions: Array, distances: Array) -> None:
    """Fill (rows, k) column positions and distances of the k <= columns smallest values of each row.

    Sorted by distance, equal ones by column. Values must not be NaN.
    """
    k = positions.shape[1]
    for r in range(block.shape[0]):
        row = block[r]
        filled = 0
        while filled < k:
            _insert(positions[r], distances[r], filled, filled, row[filled])
            filled += 1
        for start in range(k, row.size, _CHUNK):
            chunk = row[start : start + _CHUNK]
            worst = distances[r, k - 1]
            closer = np.int32(0)
            for j in range(chunk.size):
                closer = np.int32(closer + np.int32(chunk[j] < worst))
            if closer == 0:
                continue
            for j in range(chunk.size):
                if chunk[j] < distances[r, k - 1]:
                    _insert(positions[r], distances[r], k, start + j, chunk[j])
