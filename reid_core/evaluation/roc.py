"""ROC of the decision "same person" over all counted pairs of query and gallery, exact at any size.

A pair is accepted if its distance is at most a threshold. The corners of the ROC lie at the distances of true
matches, which are few; so the matches are collected in a first pass over the distances, and a second pass
counts the mismatches between them. No histogram, no sampling: the result equals that of sorting all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import Metric, check_embedding_pair, iter_distance_blocks
from reid_core.errors import CancelledError, InputError
from reid_core.evaluation.labels import Labels, check_labels, coded_labels, explain_no_valid_query
from reid_core.evaluation.metrics import Progress, ShouldCancel, check_distances, iter_row_blocks
from reid_core.evaluation.protocol import MARKET1501, Protocol
from reid_core.evaluation.rank_counting import (
    NO_BAD_ROW,
    SAME_CAMERA_CODES,
    collect_matches,
    count_false_at,
    grid_of,
)
from reid_core.types import EmbeddingSet

Blocks = Iterable[NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """All corners of a ROC, at the K distinct distances of true matches, ascending.

    Attributes:
        thresholds: (K,) distances; a pair at most this far is accepted.
        matches_upto: (K,) matches accepted at the threshold.
        false_upto: (K,) mismatches accepted at the threshold.
        false_below: (K,) mismatches strictly closer than the threshold.
        num_matches, num_false: All counted pairs of each kind. Queries without a match count too.
    """

    thresholds: NDArray[np.float64]
    matches_upto: NDArray[np.int64]
    false_upto: NDArray[np.int64]
    false_below: NDArray[np.int64]
    num_matches: int
    num_false: int

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(2K + 2,) FPR and TPR of the ROC's corners, from (0, 0) to (1, 1)."""
        before = np.concatenate([[0], self.matches_upto[:-1]])
        false = np.stack([self.false_below, self.false_upto], axis=1).reshape(-1)
        true = np.stack([before, self.matches_upto], axis=1).reshape(-1)
        fpr = np.concatenate([[0.0], false / self.num_false, [1.0]])
        tpr = np.concatenate([[0.0], true / self.num_matches, [1.0]])
        return fpr, tpr

    def tpr_at_fpr(self, fpr: float) -> float:
        """Largest share of matches accepted while at most ``fpr`` of the mismatches are.

        Below 1 / ``num_false`` that means: before the first mismatch.
        """
        accepted = self._last_within(fpr)
        return 0.0 if accepted < 0 else float(self.matches_upto[accepted] / self.num_matches)

    def threshold_at_fpr(self, fpr: float) -> float | None:
        """The distance up to which ``tpr_at_fpr`` accepts; None if no match can be accepted."""
        accepted = self._last_within(fpr)
        return None if accepted < 0 else float(self.thresholds[accepted])

    def fastreid_tpr_at_fpr(self, fpr: float) -> float:
        """What FastReID prints as "TPR@FPR": not the TPR at that FPR.

        fastreid/evaluation/reid_evaluation.py labels mismatches as positives and scores by distance, so its
        "FPR" is the share of matches rejected and its "TPR" the share of mismatches rejected; and it takes
        the nearest corner of scikit-learn's curve, above or below the target, after dropping corners whose
        neighbours are equal steps away. Use this only to compare with numbers printed by FastReID.
        """
        _check_rate(fpr)
        matches = np.diff(self.matches_upto, prepend=0)[::-1]
        ties = (self.false_upto - self.false_below)[::-1]
        rejected_matches = np.cumsum(matches)
        rejected_false = self.num_false - self.false_below[::-1]
        # A corner is dropped if the step into it equals the step out of it, to another match threshold.
        follows = np.concatenate([self.false_upto[::-1][1:] == self.false_below[::-1][:-1], [False]])
        same_step = np.concatenate([(matches[1:] == matches[:-1]) & (ties[1:] == ties[:-1]), [False]])
        enters_first = rejected_false - ties == 0
        is_start = enters_first & (np.arange(len(matches)) == 0)
        is_end = np.concatenate([np.zeros(len(matches) - 1, dtype=np.bool_), self.false_below[:1] == 0])
        kept = ~(follows & same_step) | is_start | is_end
        shares = np.concatenate([[0.0], rejected_matches[kept] / self.num_matches])
        rejected = np.concatenate([[0.0], rejected_false[kept] / self.num_false])
        return float(rejected[np.argmin(np.abs(shares - fpr))])

    @property
    def eer(self) -> float:
        """Equal error rate: where the ROC, corners joined by straight lines, has FPR = 1 - TPR."""
        fpr, tpr = self.points()
        gap = fpr + tpr - 1.0
        end = int(np.argmax(gap >= 0))  # gap runs from -1 to 1 and never falls
        share = -gap[end - 1] / (gap[end] - gap[end - 1])
        return float(fpr[end - 1] + share * (fpr[end] - fpr[end - 1]))

    @property
    def eer_threshold(self) -> float:
        """The match distance at which the two error rates differ least."""
        gap = self.false_upto / self.num_false + self.matches_upto / self.num_matches - 1.0
        return float(self.thresholds[np.argmin(np.abs(gap))])

    def _last_within(self, fpr: float) -> int:
        _check_rate(fpr)
        return int(np.searchsorted(self.false_upto / self.num_false, fpr, side="right")) - 1


def roc_of_ranking(
    distances: ArrayLike,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    protocol: Protocol = MARKET1501,
    own_index: ArrayLike | None = None,
) -> RocCurve:
    """ROC over all pairs that count, from a full (Q, G) matrix.

    Arguments are those of ``evaluate_ranking``; of the protocol, only what decides which images count
    matters.

    Raises:
        InputError: As in ``evaluate_ranking``, or no mismatch counts.
        NoValidQueryError: No match counts.
    """
    matrix = check_distances(distances)
    labels = check_labels(
        num_queries=matrix.shape[0],
        num_gallery=matrix.shape[1],
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        own_index=own_index,
        protocol=protocol,
    )
    return _roc(lambda: iter_row_blocks(matrix), labels, protocol, None, None)


def roc_of_embeddings(
    query: EmbeddingSet | ArrayLike,
    gallery: EmbeddingSet | ArrayLike,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    metric: Metric = "cosine",
    protocol: Protocol = MARKET1501,
    own_index: ArrayLike | None = None,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> RocCurve:
    """``roc_of_ranking`` of the distances between embeddings, in blocks; they are computed twice.

    Arguments and errors are those of ``evaluate_embeddings``; progress counts both passes.
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    labels = check_labels(
        num_queries=len(query_vectors),
        num_gallery=len(gallery_vectors),
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        own_index=own_index,
        protocol=protocol,
    )
    return _roc(
        lambda: iter_distance_blocks(query_vectors, gallery_vectors, metric),
        labels,
        protocol,
        on_progress,
        should_cancel,
    )


def _roc(
    start_blocks: Callable[[], Blocks],
    labels: Labels,
    protocol: Protocol,
    on_progress: Progress | None,
    should_cancel: ShouldCancel | None,
) -> RocCurve:
    coded, same_camera = coded_labels(labels), SAME_CAMERA_CODES[protocol.same_camera]
    found: list[NDArray[np.float64]] = []
    num_kept = 0

    def report(done: int) -> None:
        if on_progress is not None:
            on_progress(done, 2 * labels.num_queries)

    def collect(block: NDArray[Any], first: int) -> None:
        nonlocal num_kept
        room = int(labels.num_possible_matches()[first : first + len(block)].sum())
        matches = np.empty(room)
        used, kept, bad_row = collect_matches(np.ascontiguousarray(block), first, coded, same_camera, matches)
        if bad_row != NO_BAD_ROW:
            raise InputError(
                f"The distances of query {bad_row} contain NaN or infinity; check the embeddings."
            )
        found.append(matches[:used])
        num_kept += kept

    _each_block(start_blocks(), collect, 0, report, should_cancel)
    distances = np.concatenate(found)
    if distances.size == 0:
        raise explain_no_valid_query(labels, protocol)
    num_false = num_kept - distances.size
    if num_false == 0:
        raise InputError(
            "No mismatch counts, so there is no false positive rate: is the gallery of one identity?"
        )
    thresholds, counts = np.unique(distances, return_counts=True)
    cells = grid_of(thresholds)
    below, upto = np.zeros(len(thresholds), dtype=np.int64), np.zeros(len(thresholds), dtype=np.int64)

    def count(block: NDArray[Any], first: int) -> None:
        rows = np.ascontiguousarray(block)
        count_false_at(rows, first, coded, same_camera, thresholds, cells, below, upto)

    _each_block(start_blocks(), count, labels.num_queries, report, should_cancel)
    return RocCurve(
        thresholds=thresholds,
        matches_upto=np.cumsum(counts),
        false_upto=np.cumsum(upto),
        false_below=np.cumsum(below),
        num_matches=int(distances.size),
        num_false=int(num_false),
    )


def _each_block(
    blocks: Blocks,
    work: Callable[[NDArray[Any], int], None],
    done_before: int,
    report: Callable[[int], None],
    should_cancel: ShouldCancel | None,
) -> None:
    first = 0
    for block in blocks:
        if should_cancel is not None and should_cancel():
            raise CancelledError("The ROC was stopped before it was complete; nothing was computed.")
        work(block, first)
        first += len(block)
        report(done_before + first)


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"The false positive rate is {rate!r}, expected 0 to 1, such as 1e-3.")
