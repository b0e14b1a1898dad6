"""The nearest gallery images of every query, picked up while an evaluator reads the distances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP_K = 50
"""How many are kept per query: enough to see a failure, small beside the distances."""


@dataclass(frozen=True, slots=True, eq=False)
class TopRanking:
    """The K nearest gallery images of Q queries, everything included that the protocol may drop.

    ``index`` is (Q, K) int32: gallery positions, closest first, equal distances in gallery order.
    ``distance`` is (Q, K) float32. Where a query has fewer than K images (its own left out), -1 and infinity
    fill up.
    """

    index: NDArray[np.int32]
    distance: NDArray[np.float32]


class RankingRecorder:
    """Passes blocks of distances on and keeps the top of each row."""

    def __init__(
        self, num_queries: int, num_gallery: int, *, own_index: NDArray[np.int64] | None, k: int = TOP_K
    ) -> None:
        """``own_index`` (Q,) is the gallery position of each query's own image, or -1; it is left out."""
        self._k = min(k, num_gallery)
        self._own = own_index
        self._index = np.full((num_queries, self._k), -1, dtype=np.int32)
        self._distance = np.full((num_queries, self._k), np.inf, dtype=np.float32)

    def watch(self, blocks: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Yield the (rows, G) blocks of consecutive queries as they come."""
        start = 0
        for block in blocks:
            for offset, row in enumerate(block):
                self._record(start + offset, row)
            start += len(block)
            yield block

    def result(self) -> TopRanking:
        """What was kept; whole once every block was read."""
        return TopRanking(self._index, self._distance)

    def _record(self, query: int, row: NDArray[Any]) -> None:
        if self._own is not None and self._own[query] >= 0:
            row = row.copy()
            row[self._own[query]] = np.inf
        border = np.partition(row, self._k - 1)[self._k - 1]
        near = np.flatnonzero((row <= border) & np.isfinite(row))
        chosen = near[np.lexsort((near, row[near]))][: self._k]
        self._index[query, : len(chosen)] = chosen
        self._distance[query, : len(chosen)] = row[chosen]
