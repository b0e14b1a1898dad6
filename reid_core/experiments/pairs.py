"""Distances of matching and non-matching pairs, counted in bins: histograms, precision and recall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.distances import iter_distance_blocks
from reid_core.experiments.evaluate import Evaluation, labels_of, own_positions
from reid_core.types import DISTRACTOR_PID, JUNK_PID

NUM_BINS = 2000


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How many query-gallery pairs have a distance in each bin.

    ``edges`` is (NUM_BINS + 1,), ascending; ``matches`` and ``mismatches`` are (NUM_BINS,). Only pairs that
    the protocol counts are in: no junk, not the same person in the same camera.
    """

    edges: NDArray[np.float64]
    matches: NDArray[np.int64]
    mismatches: NDArray[np.int64]

    def precision_recall(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Recall and precision over all pairs when everything up to a bin's upper edge is accepted."""
        hits, misses = np.cumsum(self.matches), np.cumsum(self.mismatches)
        accepted = hits + misses
        is_used = accepted > 0
        return hits[is_used] / max(hits[-1], 1), hits[is_used] / accepted[is_used]


def count_pairs(evaluation: Evaluation) -> PairCounts:
    """Count the distances of an evaluation block by block; one block is in memory at a time."""
    plan = evaluation.plan
    query = labels_of(evaluation.query, plan, "query")
    gallery = labels_of(evaluation.gallery, plan, "gallery")
    is_kept = np.ones(len(gallery.pids), dtype=bool)
    if plan.protocol.junk == "drop":
        is_kept &= gallery.pids != JUNK_PID
    if plan.protocol.distractors == "drop":
        is_kept &= gallery.pids != DISTRACTOR_PID
    own = own_positions(evaluation.query_embeddings.ids, evaluation.gallery_embeddings.ids)
    edges = np.linspace(0.0, _largest_distance(evaluation), NUM_BINS + 1)
    matches = np.zeros(NUM_BINS, dtype=np.int64)
    mismatches = np.zeros(NUM_BINS, dtype=np.int64)
    start = 0
    for block in _blocks(evaluation):
        rows = slice(start, start + len(block))
        start += len(block)
        is_same = query.pids[rows, None] == gallery.pids[None, :]
        counts = np.broadcast_to(is_kept, is_same.shape).copy()
        if query.camids is not None and gallery.camids is not None:
            same_camera = query.camids[rows, None] == gallery.camids[None, :]
            counts &= ~(same_camera if plan.protocol.same_camera == "drop_camera" else same_camera & is_same)
        if own is not None:
            inside = np.flatnonzero(own[rows] >= 0)
            counts[inside, own[rows][inside]] = False
        block = np.clip(block, edges[0], edges[-1])  # 1 - cosine may fall below 0 in the last bit
        matches += np.histogram(block[is_same & counts], bins=edges)[0]
        mismatches += np.histogram(block[~is_same & counts], bins=edges)[0]
    return PairCounts(edges, matches, mismatches)


def _largest_distance(evaluation: Evaluation) -> float:
    if evaluation.plan.metric == "cosine":
        return 2.0
    return max(float(block.max()) for block in _blocks(evaluation)) * (1 + 1e-6)


def _blocks(evaluation: Evaluation) -> Iterator[NDArray[np.float32]]:
    return iter_distance_blocks(
        evaluation.query_embeddings, evaluation.gallery_embeddings, evaluation.plan.metric
    )
