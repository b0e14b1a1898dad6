"""The exact k nearest neighbours of every embedding, computed once for all layouts of a gallery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.retrieval.neighbours import nearest_of_rows
from reid_core.types import Vectors

_ROWS_AT_ONCE = 256

Report = Callable[[int, int], None]
"""Told (done, total) after every step; raises CancelledError to stop the work."""


@dataclass(frozen=True)
class NeighbourGraph:
    """(N, K) rows and cosine distances of the K nearest rows of each row, itself first at distance 0."""

    rows: NDArray[np.int32]
    distances: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape != self.distances.shape:
            raise InputError(
                f"A neighbour graph of shapes {self.rows.shape} and {self.distances.shape} makes no sense; "
                "both have to be (N, K)."
            )

    @property
    def num_neighbours(self) -> int:
        """K, the row itself included."""
        return int(self.rows.shape[1])


def find_neighbours(
    vectors: Vectors,
    k: int,
    report: Report = lambda done, total: None,
    *,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> NeighbourGraph:
    """Exact neighbours by cosine distance, ties in row order; min(k, N) of them, the row itself included.

    Args:
        vectors: (N, D) float32 rows of L2 norm 1.
        k: How many, at least 2.
        report: Told how many rows are done; may raise CancelledError.
        turn: Entered for each block of rows, to take turns with other work.

    Raises:
        InputError: Fewer than two rows, or k below 2.
    """
    num_rows = len(vectors)
    if num_rows < 2 or k < 2:
        raise InputError(f"{num_rows} embeddings and k = {k}: a neighbour graph needs at least 2 of each.")
    k = min(k, num_rows)
    rows = np.empty((num_rows, k), dtype=np.int64)
    distances = np.empty((num_rows, k), dtype=np.float32)
    columns = np.ascontiguousarray(vectors.T)
    for start in range(0, num_rows, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, num_rows)
        with turn():
            block = np.maximum(1.0 - vectors[start:stop] @ columns, 0.0).astype(np.float32, copy=False)
            own = np.arange(start, stop)
            block[own - start, own] = -1.0  # before copies of the same crop, whatever the rounding
            nearest_of_rows(block, rows[start:stop], distances[start:stop])
        report(stop, num_rows)
    distances[:, 0] = 0.0
    return NeighbourGraph(rows.astype(np.int32), distances)
