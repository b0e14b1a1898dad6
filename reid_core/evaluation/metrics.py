"""CMC, mAP and mINP of a ranking. NumPy in, plain values out.

The default protocol is that of Market-1501 (Zheng et al., ICCV 2015): per query, gallery images with the same
pid and camid and junk (pid -1) are dropped, distractors (pid 0) stay. AP is the step sum over matches, not
the
original trapezoid: matches at ranks 2 and 4 score 0.50 here and 0.33 there. INP is the number of matches over
the rank of the last one (AGW, Ye et al., TPAMI 2021). ``protocol.py`` has every other convention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import Metric, block_rows, check_embedding_pair, iter_distance_blocks
from reid_core.errors import CancelledError, InputError
from reid_core.evaluation.labels import Labels, check_labels, coded_labels, explain_no_valid_query
from reid_core.evaluation.protocol import MARKET1501, Protocol
from reid_core.evaluation.rank_counting import (
    NO_BAD_ROW,
    SAME_CAMERA_CODES,
    TIE_CODES,
    MatchColumns,
    QueryColumns,
    Rules,
    count_block,
)
from reid_core.evaluation.report import NONE, EvalReport, MatchTable, PerQuery
from reid_core.types import EmbeddingSet

Progress = Callable[[int, int], None]
"""Called with (queries done, queries in all) after each block."""
ShouldCancel = Callable[[], bool]

_MIN_QUERIES_FOR_DIRECTION = 10
_MIN_FALSE_FOR_DIRECTION = 10
_REVERSED_SHARE = 0.9
_SELF_SHARE = 1e-5  # a distance this small next to a mismatch's is rounding: the image itself or its copy


def evaluate_ranking(
    distances: ArrayLike,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    max_rank: int = 50,
    protocol: Protocol = MARKET1501,
    own_index: ArrayLike | None = None,
    keep_matches: bool = False,
    check_direction: bool = True,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> EvalReport:
    """Score Q queries against G gallery images.

    Args:
        distances: (Q, G), smaller is closer, compared in the precision they come in. Negate a similarity.
        query_pids: (Q,) identities, integers; -1 is junk and 0 a distractor.
        gallery_pids: (G,) likewise.
        query_camids: (Q,) cameras, integers or strings; only equality matters. ``None`` is allowed when the
            protocol keeps the query's camera.
        gallery_camids: (G,) likewise.
        max_rank: Length of the CMC curve; it gets min(max_rank, G) entries.
        protocol: Which images count and how; the default is Market-1501's.
        own_index: (Q,) gallery position of each query's own image, which is then dropped, or -1. For a
            gallery that contains the queries; the default rule drops them anyway, as same pid and camera.
        keep_matches: Keep one entry per true match in ``EvalReport.matches``, which slices by camera pair and
            time gap need: 24 bytes for each query and image of its identity.
        check_direction: Refuse distances that look like similarities. Pass False if a model really does
            place matches farther than mismatches.
        on_progress: Called with (done, Q) after each block of queries.
        should_cancel: Asked before each block of queries.

    Returns:
        The report. A query without a true match is counted in ``num_unmatched`` and, unless the protocol says
        otherwise, left out of every mean.

    Raises:
        InputError: Shapes disagree, a value is NaN or infinite, an id is not one, or similarities were given.
        NoValidQueryError: No query has a match that counts.
        CancelledError: ``should_cancel`` said so.
    """
    matrix = check_distances(distances)
    return evaluate_blocks(
        iter_row_blocks(matrix),
        num_queries=matrix.shape[0],
        num_gallery=matrix.shape[1],
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        max_rank=max_rank,
        protocol=protocol,
        own_index=own_index,
        keep_matches=keep_matches,
        check_direction=check_direction,
        on_progress=on_progress,
        should_cancel=should_cancel,
    )


def evaluate_embeddings(
    query: EmbeddingSet | ArrayLike,
    gallery: EmbeddingSet | ArrayLike,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    metric: Metric = "cosine",
    max_rank: int = 50,
    protocol: Protocol = MARKET1501,
    own_index: ArrayLike | None = None,
    keep_matches: bool = False,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> EvalReport:
    """Score embeddings without ever holding the (Q, G) matrix.

    Equal to ``evaluate_ranking(pairwise_distances(query, gallery, metric), ...)``, bit for bit; beyond the
    embeddings it needs one block of at most 96 MiB (and a unit-norm or float64 copy of the embeddings where
    the metric asks for one).

    Args:
        query: (Q, D) embeddings.
        gallery: (G, D) embeddings of the same model.
        query_pids: As in ``evaluate_ranking``, and so are all arguments that are not explained here.
        gallery_pids: (G,) identities.
        query_camids: (Q,) cameras.
        gallery_camids: (G,) cameras.
        metric: "cosine", "euclidean" or "squared_euclidean"; see ``reid_core.distances``.
        max_rank: Length of the CMC curve.
        protocol: Which images count and how.
        own_index: (Q,) gallery position of each query's own image, or -1.
        keep_matches: Keep one entry per true match in the report.
        on_progress: Called with (done, Q) after each block of queries.
        should_cancel: Asked before each block of queries.

    Raises:
        InputError: As in ``evaluate_ranking``, or the two sides' embeddings cannot be compared.
        NoValidQueryError: No query has a match that counts.
        CancelledError: ``should_cancel`` said so.
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    return evaluate_blocks(
        iter_distance_blocks(query_vectors, gallery_vectors, metric),
        num_queries=len(query_vectors),
        num_gallery=len(gallery_vectors),
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        metric=metric,
        max_rank=max_rank,
        protocol=protocol,
        own_index=own_index,
        keep_matches=keep_matches,
        check_direction=False,
        on_progress=on_progress,
        should_cancel=should_cancel,
    )


def evaluate_blocks(
    blocks: Iterable[NDArray[Any]],
    *,
    num_queries: int,
    num_gallery: int,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    metric: str = "given",
    max_rank: int = 50,
    protocol: Protocol = MARKET1501,
    own_index: ArrayLike | None = None,
    keep_matches: bool = False,
    check_direction: bool = True,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> EvalReport:
    """Score distances that come in blocks of consecutive queries, each (rows, G); re-ranking yields such.

    Arguments, result and errors are those of ``evaluate_ranking``; ``num_queries`` and ``num_gallery`` are Q
    and G, and ``metric`` is only noted in the report.
    """
    if not isinstance(max_rank, int | np.integer) or isinstance(max_rank, bool) or max_rank < 1:
        raise InputError(f"max_rank is {max_rank!r}, expected an integer of at least 1.")
    labels = check_labels(
        num_queries=num_queries,
        num_gallery=num_gallery,
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        own_index=own_index,
        protocol=protocol,
    )
    counter = _QueryCounter(labels, protocol, keep_matches=keep_matches)
    done = 0
    for block in _watch(blocks, should_cancel):
        counter.add(block, done)
        done += len(block)
        if on_progress is not None:
            on_progress(done, num_queries)
    if done != num_queries:
        raise InputError(f"The blocks held {done} queries, expected {num_queries}.")
    per_query = counter.per_query()
    if not per_query.is_matched.any():
        raise explain_no_valid_query(labels, protocol)
    if check_direction:
        _refuse_similarities(per_query, counter.columns.median_false_ahead)
    if own_index is None and protocol.same_camera == "keep":
        _refuse_self_matches(per_query, labels)
    return _summarise(per_query, counter.matches(), labels, protocol, metric, int(max_rank))


class _QueryCounter:
    """The result columns, filled block by block."""

    def __init__(self, labels: Labels, protocol: Protocol, *, keep_matches: bool) -> None:
        self._labels = labels
        self._coded = coded_labels(labels)
        self._rules = Rules(
            SAME_CAMERA_CODES[protocol.same_camera],
            TIE_CODES[protocol.ties],
            protocol.ap == "trapezoid",
            protocol.seed,
        )
        number = labels.num_queries
        self.columns = _empty_columns(number, protocol)
        possible = labels.num_possible_matches() if keep_matches else np.zeros(0, dtype=np.int64)
        total = int(possible.sum())
        self._matches = MatchColumns(
            offsets=np.cumsum(possible) - possible,
            gallery_index=np.full(total, NONE, dtype=np.int64),
            distance=np.empty(total),
            false_ahead=np.empty(total, dtype=np.int64),
        )

    def add(self, block: NDArray[Any], first_query: int) -> None:
        rows_left = self._labels.num_queries - first_query
        if block.ndim != 2 or block.shape[1] != self._labels.num_gallery or len(block) > rows_left:
            raise InputError(
                f"The distances of the block that starts at query {first_query} have shape {block.shape}, "
                f"expected at most ({rows_left}, {self._labels.num_gallery})."
            )
        rows = np.ascontiguousarray(block)
        bad_row = count_block(rows, first_query, self._coded, self._rules, self.columns, self._matches)
        if bad_row != NO_BAD_ROW:
            raise InputError(
                f"The distances of query {bad_row} contain NaN or infinity, so they have no order. Check the "
                "embeddings of that query and of the gallery; do not mark pairs by infinite distances."
            )

    def per_query(self) -> PerQuery:
        columns = self.columns._asdict()
        del columns["median_false_ahead"]
        return PerQuery(pid=self._labels.query_pids, camid=self._labels.query_camids, **columns)

    def matches(self) -> MatchTable | None:
        """The matches that counted, or None if they were not kept."""
        if not len(self._matches.offsets):
            return None
        used = self._matches.gallery_index != NONE
        possible = np.diff(np.append(self._matches.offsets, len(used)))
        return MatchTable(
            query_index=np.repeat(np.arange(len(possible)), possible)[used],
            gallery_index=self._matches.gallery_index[used],
            distance=self._matches.distance[used],
            false_ahead=self._matches.false_ahead[used],
        )


def _empty_columns(number: int, protocol: Protocol) -> QueryColumns:
    unmatched = 0.0 if protocol.unmatched == "zero" else np.nan
    repeats = protocol.repeats if protocol.single_gallery_shot else 0
    return QueryColumns(
        num_matches=np.zeros(number, dtype=np.int64),
        num_kept=np.zeros(number, dtype=np.int64),
        ap=np.full(number, unmatched),
        inp=np.full(number, unmatched),
        first_match_rank=np.full(number, NONE, dtype=np.int64),
        last_match_rank=np.full(number, NONE, dtype=np.int64),
        best_match_index=np.full(number, NONE, dtype=np.int64),
        best_match_distance=np.full(number, np.nan),
        best_false_index=np.full(number, NONE, dtype=np.int64),
        best_false_distance=np.full(number, np.nan),
        median_false_ahead=np.full(number, np.nan),
        shot_ranks=np.full((number, repeats), NONE, dtype=np.int64),
    )


def check_distances(distances: ArrayLike) -> NDArray[Any]:
    """The (Q, G) matrix in a type whose order is that of the input: float32, or float64 for whole numbers.

    Raises:
        InputError: Not a matrix of numbers.
    """
    matrix = np.asarray(distances)
    if matrix.ndim != 2:
        raise InputError(
            f"distances have shape {matrix.shape}, expected (Q, G): one row per query, one column per "
            "gallery image."
        )
    if matrix.dtype == np.float16:
        return matrix.astype(np.float32)
    if matrix.dtype.kind in "iu":
        return matrix.astype(np.float64)
    if matrix.dtype not in (np.float32, np.float64):
        raise InputError(f"distances have type {matrix.dtype}, expected float32 or float64.")
    return matrix.astype(matrix.dtype.newbyteorder("="), copy=False)


def iter_row_blocks(matrix: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Consecutive rows, as many at a time as blocks of embeddings' distances have."""
    rows = block_rows(matrix.shape[1])
    for start in range(0, len(matrix), rows):
        yield matrix[start : start + rows]


def _watch(blocks: Iterable[NDArray[Any]], should_cancel: ShouldCancel | None) -> Iterator[NDArray[Any]]:
    iterator = iter(blocks)
    while True:
        if should_cancel is not None and should_cancel():
            raise CancelledError("The evaluation was stopped before it was complete; no score was computed.")
        block = next(iterator, None)
        if block is None:
            return
        yield block


def _refuse_similarities(per_query: PerQuery, median_false_ahead: NDArray[np.float64]) -> None:
    """Raise if matches are farther than mismatches beyond any doubt.

    Evidence is the share of mismatches strictly closer than a query's median match: about 0 for a good
    model, 0.5 for a useless one, 1 for a good model's similarities. The mean over n queries of a useless
    model exceeds 0.9 with a probability below 1 / n!, so small hand-made cases and poor models pass.
    """
    num_false = per_query.num_kept - per_query.num_matches
    telling = per_query.is_matched & (num_false >= _MIN_FALSE_FOR_DIRECTION)
    number = int(np.count_nonzero(telling))
    if number < _MIN_QUERIES_FOR_DIRECTION:
        return
    share = float(np.mean(median_false_ahead[telling]))
    if share > _REVERSED_SHARE:
        raise InputError(
            f"These look like similarities, not distances: {share:.0%} of the mismatches have smaller values "
            f"than a typical true match (mean over {number} queries). Pass distances=-similarity; if the "
            "model really places matches farther away, pass check_direction=False."
        )


def _refuse_self_matches(per_query: PerQuery, labels: Labels) -> None:
    """Raise if query and gallery are the same list and every query's best match is itself, at distance 0."""
    if not (
        np.array_equal(labels.query_pids, labels.gallery_pids)
        and np.array_equal(labels.query_camera, labels.gallery_camera)
        and np.array_equal(per_query.best_match_index, np.arange(len(per_query)))
    ):
        return
    false_distances = per_query.best_false_distance[per_query.best_false_index != NONE]
    typical = np.median(np.abs(false_distances)) if len(false_distances) else 0.0
    if typical > 0 and np.all(np.abs(per_query.best_match_distance) <= _SELF_SHARE * typical):
        raise InputError(
            "Query and gallery look like the same images: every query's best match is itself at distance 0, "
            "so Rank-1 would be 100% for any model. Pass own_index=numpy.arange(Q) to drop each query's own "
            "image, or own_index=[-1] * Q if they really are different images."
        )


def _summarise(
    per_query: PerQuery,
    matches: MatchTable | None,
    labels: Labels,
    protocol: Protocol,
    metric: str,
    max_rank: int,
) -> EvalReport:
    length = min(max_rank, labels.num_gallery)
    matched = per_query.is_matched
    counted = matched if protocol.unmatched == "skip" else np.ones_like(matched)
    ranks = per_query.shot_ranks if protocol.single_gallery_shot else per_query.first_match_rank[:, None]
    histogram = np.bincount(np.minimum(ranks[matched], length + 1).reshape(-1), minlength=length + 2)
    hits = np.cumsum(histogram[1 : length + 1])
    return EvalReport(
        protocol=protocol,
        metric=metric,
        cmc=hits / (np.count_nonzero(counted) * ranks.shape[1]),
        mean_ap=float(per_query.ap[counted].mean()),
        mean_inp=float(per_query.inp[counted].mean()),
        num_queries=labels.num_queries,
        num_gallery=labels.num_gallery,
        num_unmatched=int(np.count_nonzero(~matched)),
        max_rank=max_rank,
        per_query=per_query,
        matches=matches,
    )
