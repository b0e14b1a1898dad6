"""k-reciprocal re-ranking (Zhong, Zheng, Cao and Li, CVPR 2017), sparse.

Two images are alike if they are among each other's nearest neighbours and share such neighbours. The
published code fills several N x N matrices for N = Q + G images (35 GB each for MSMT17); all but a few dozen
entries per row are zero, so here the neighbour encodings are sparse, and distances pass by in blocks. The
result is that of the authors' Python version:

1. d is the squared Euclidean distance over the row's largest one. Ranks come from d, with equal distances in
   index order (queries first); every list includes the image itself.
2. R(i): those of i's k1 + 1 nearest that have i among their k1 + 1 nearest. For every c in R(i), R(c) with k1
   / 2 (rounded half to even) joins in if more than 2/3 of it lies in R(i).
3. V(i): weights exp(-d) on that set, with sum 1; then replaced by the mean V of i's k2 nearest, unless k2 is
1. 4. Jaccard distance of V, mixed: (1 - lambda) * Jaccard + lambda * d.

Re-ranked distances depend on all images that took part: a threshold on them means nothing in another gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import check_embedding_pair, has_unit_rows, iter_distance_blocks
from reid_core.errors import CancelledError, InputError
from reid_core.retrieval.neighbours import nearest_of_rows
from reid_core.types import EmbeddingSet

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with (images done, images in all) while neighbours are searched, which is nearly all of the work."""
ShouldCancel = Callable[[], bool]


_ROUNDING = 1e-5  # squared distances computed in float32 may fall below 0 by this share of the largest


@dataclass(frozen=True, slots=True)
class _Sparse:
    """Row i holds ``values`` at ``columns``, both from ``starts[i]`` to ``starts[i + 1]``."""

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Neighbourhood:
    """What step 1 leaves of the N x N distances: (N, k) nearest positions and each row's largest distance."""

    nearest: NDArray[np.int64]
    largest: NDArray[np.float64]


def rerank(
    query: EmbeddingSet | ArrayLike,
    gallery: EmbeddingSet | ArrayLike,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> NDArray[np.float32]:
    """Re-ranked distances of all queries to all gallery images.

    Args:
        query: (Q, D) embeddings; distances are Euclidean, so give unit rows to rank by cosine.
        gallery: (G, D) embeddings of the same model.
        k1: Neighbours that must be mutual.
        k2: Neighbours whose encodings are averaged; 1 turns that off.
        lambda_value: Share of the original distance, 0 to 1.
        on_progress: Called with (done, Q + G) while neighbours are searched.
        should_cancel: Asked before each block.

    Returns:
        (Q, G) float32, smaller is closer. Galleries with fewer than k1 images work. For results too large to
        hold, use ``iter_reranked_blocks``.

    Raises:
        InputError: The embeddings cannot be compared, a side is empty, or a parameter is out of range.
        CancelledError: ``should_cancel`` said so.
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    result = np.empty((len(query_vectors), len(gallery_vectors)), dtype=np.float32)
    start = 0
    for block in iter_reranked_blocks(
        query_vectors,
        gallery_vectors,
        k1=k1,
        k2=k2,
        lambda_value=lambda_value,
        on_progress=on_progress,
        should_cancel=should_cancel,
    ):
        result[start : start + len(block)] = block
        start += len(block)
    return result


def iter_reranked_blocks(
    query: EmbeddingSet | ArrayLike,
    gallery: EmbeddingSet | ArrayLike,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
) -> Iterator[NDArray[np.float32]]:
    """``rerank`` in blocks of consecutive queries, (rows, G) each, for ``evaluate_blocks``.

    Arguments and errors are those of ``rerank``. The yielded array is reused: copy what must outlive the
    step.
    """
    _check_parameters(k1, k2, lambda_value)
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    if len(query_vectors) == 0 or len(gallery_vectors) == 0:
        raise InputError(
            f"There are {len(query_vectors)} queries and {len(gallery_vectors)} gallery images to re-rank; "
            "give at least one of each."
        )
    return _rerank_embeddings(
        query_vectors, gallery_vectors, k1, k2, lambda_value, on_progress, should_cancel
    )


def rerank_distances(
    query_gallery: ArrayLike,
    query_query: ArrayLike,
    gallery_gallery: ArrayLike,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    squared: bool = False,
) -> NDArray[np.float32]:
    """Re-rank small data given as distance matrices; Torchreid's ``re_ranking`` takes the same three.

    Args:
        query_gallery: (Q, G) Euclidean distances. They are squared here, as in the published code.
        query_query: (Q, Q).
        gallery_gallery: (G, G).
        k1: As in ``rerank``, and so are the other parameters.
        k2: Neighbours whose encodings are averaged.
        lambda_value: Share of the original distance.
        squared: Say True if the distances are squared already, as Torchreid's "euclidean" are: squaring them
            again, as Torchreid does, is not the published formula.

    Returns:
        (Q, G) float32.

    Raises:
        InputError: Shapes disagree, a distance is negative, NaN or infinite, or a parameter is out of range.
    """
    _check_parameters(k1, k2, lambda_value)
    cross = _check_matrix(query_gallery, "query_gallery", None)
    num_queries, num_gallery = cross.shape
    own = _check_matrix(query_query, "query_query", (num_queries, num_queries))
    other = _check_matrix(gallery_gallery, "gallery_gallery", (num_gallery, num_gallery))
    # The published code ranks by columns: row i of `towards` holds the distances of all images to image i.
    towards = np.ascontiguousarray(np.block([[own, cross], [cross.T, other]]).T)
    if not squared:
        towards = np.square(towards)
    size = len(towards)
    depth = min(size, max(k1 + 1, k2))
    nearest = np.empty((size, depth), dtype=np.int64)
    nearest_of_rows(towards, nearest, np.empty((size, depth)))
    hood = _Neighbourhood(nearest, towards.max(axis=1))
    starts, columns = _expanded_sets(hood.nearest, k1)
    rows = np.repeat(np.arange(size), np.diff(starts))
    encoding = _encode(hood, starts, columns, towards[rows, columns], k2)
    gallery_part = _invert(encoding, num_queries, size)
    result = towards[:num_queries, num_queries:].astype(np.float32)
    _mix_rows(result, 0, encoding, gallery_part, hood.largest, lambda_value)
    return result


def _rerank_embeddings(
    query: Array,
    gallery: Array,
    k1: int,
    k2: int,
    lambda_value: float,
    on_progress: Progress | None,
    should_cancel: ShouldCancel | None,
) -> Iterator[NDArray[np.float32]]:
    everyone = np.concatenate([query, gallery])
    is_unit = has_unit_rows(everyone)
    hood = _search_neighbours(everyone, is_unit, max(k1 + 1, k2), on_progress, should_cancel)
    starts, columns = _expanded_sets(hood.nearest, k1)
    encoding = _encode(hood, starts, columns, _pair_distances(everyone, starts, columns), k2)
    gallery_part = _invert(encoding, len(query), len(everyone))
    done = 0
    for block in _squared_blocks(query, gallery, is_unit):
        _stop_if(should_cancel)
        _mix_rows(block, done, encoding, gallery_part, hood.largest, lambda_value)
        done += len(block)
        yield block


def _search_neighbours(
    everyone: Array,
    is_unit: bool,
    depth: int,
    on_progress: Progress | None,
    should_cancel: ShouldCancel | None,
) -> _Neighbourhood:
    size = len(everyone)
    depth = min(depth, size)
    nearest = np.empty((size, depth), dtype=np.int64)
    largest = np.empty(size)
    done = 0
    for block in _squared_blocks(everyone, everyone, is_unit):
        _stop_if(should_cancel)
        rows = slice(done, done + len(block))
        nearest_of_rows(block, nearest[rows], np.empty((len(block), depth), dtype=np.float32))
        largest[rows] = block.max(axis=1)
        done += len(block)
        if on_progress is not None:
            on_progress(done, size)
    return _Neighbourhood(nearest, largest)


def _squared_blocks(rows: Array, columns: Array, is_unit: bool) -> Iterator[NDArray[np.float32]]:
    """Squared Euclidean distances; for unit rows from the faster float32 cosine, 2 (1 - cos), at least 0."""
    if not is_unit:
        yield from iter_distance_blocks(rows, columns, "squared_euclidean")
        return
    for block in iter_distance_blocks(rows, columns, "cosine"):
        np.maximum(block, 0, out=block)
        block *= 2
        yield block


def _encode(
    hood: _Neighbourhood,
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    distances: NDArray[np.floating[Any]],
    k2: int,
) -> _Sparse:
    """Step 3 from the sets of step 2 and the raw distances to their members."""
    weights = np.empty(len(columns), dtype=np.float32)
    _fill_weights(starts, distances, hood.largest, weights)
    if k2 == 1:
        return _Sparse(starts, columns, weights)
    nearest = hood.nearest[:, :k2]
    sizes = np.empty(len(nearest), dtype=np.int64)
    _count_mean_rows(nearest, starts, columns, sizes)
    mean_starts = np.concatenate([[0], np.cumsum(sizes)])
    mean_columns = np.empty(mean_starts[-1], dtype=np.int32)
    mean_values = np.empty(mean_starts[-1], dtype=np.float32)
    _fill_mean_rows(nearest, starts, columns, weights, mean_starts, mean_columns, mean_values)
    return _Sparse(mean_starts, mean_columns, mean_values)


def _invert(encoding: _Sparse, first: int, last: int) -> _Sparse:
    """Rows ``first`` to ``last`` transposed: row c lists which of them (counted from 0) hold column c."""
    span = slice(encoding.starts[first], encoding.starts[last])
    columns = encoding.columns[span]
    rows = np.repeat(np.arange(last - first, dtype=np.int32), np.diff(encoding.starts[first : last + 1]))
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns, minlength=len(encoding.starts) - 1)
    return _Sparse(np.concatenate([[0], np.cumsum(counts)]), rows[order], encoding.values[span][order])


def _mix_rows(
    block: Array, first_query: int, encoding: _Sparse, gallery: _Sparse, largest: Array, lambda_value: float
) -> None:
    """Replace raw squared distances by the final ones, in place."""
    _fill_final(
        block,
        first_query,
        encoding.starts,
        encoding.columns,
        encoding.values,
        gallery.starts,
        gallery.columns,
        gallery.values,
        largest,
        lambda_value,
    )


@njit(nogil=True, cache=True)
def _mutual(nearest: Array, i: int, depth: int, out: Array) -> int:
    """Those of i's ``depth`` nearest that have i among theirs; returns how many."""
    count = 0
    for a in range(depth):
        candidate = nearest[i, a]
        for b in range(depth):
            if nearest[candidate, b] == i:
                out[count] = candidate
                count += 1
                break
    return count


@njit(nogil=True, cache=True)
def _half_sets(nearest: Array, depth: int, sets: Array, sizes: Array) -> None:
    for i in range(nearest.shape[0]):
        sizes[i] = _mutual(nearest, i, depth, sets[i])


@njit(nogil=True, cache=True)
def _expand_rows(
    nearest: Array, depth: int, halves: Array, half_sizes: Array, starts: Array, out: Array
) -> None:
    """Step 2 for every row. With an empty ``out`` only the set sizes are counted, into ``starts[1:]``."""
    number = nearest.shape[0]
    in_mutual = np.full(number, -1, dtype=np.int64)
    in_result = np.full(number, -1, dtype=np.int64)
    mutual = np.empty(depth, dtype=np.int64)
    for i in range(number):
        count = _mutual(nearest, i, depth, mutual)
        size = 0
        for a in range(count):
            in_mutual[mutual[a]] = i
            in_result[mutual[a]] = i
            if out.size:
                out[starts[i] + size] = mutual[a]
            size += 1
        for a in range(count):
            candidate = mutual[a]
            shared = 0
            for b in range(half_sizes[candidate]):
                shared += in_mutual[halves[candidate, b]] == i
            if shared > 2.0 / 3 * half_sizes[candidate]:
                for b in range(half_sizes[candidate]):
                    member = halves[candidate, b]
                    if in_result[member] != i:
                        in_result[member] = i
                        if out.size:
                            out[starts[i] + size] = member
                        size += 1
        if not out.size:
            starts[i + 1] = size


def _expanded_sets(nearest: NDArray[np.int64], k1: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The expanded sets of step 2 as (starts, columns)."""
    size = nearest.shape[0]
    depth = min(k1 + 1, size)
    half_depth = min(int(np.around(k1 / 2)) + 1, size)
    halves = np.empty((size, half_depth), dtype=np.int64)
    half_sizes = np.empty(size, dtype=np.int64)
    _half_sets(nearest, half_depth, halves, half_sizes)
    starts = np.zeros(size + 1, dtype=np.int64)
    _expand_rows(nearest, depth, halves, half_sizes, starts, np.empty(0, dtype=np.int32))
    np.cumsum(starts, out=starts)
    columns = np.empty(starts[-1], dtype=np.int32)
    if columns.size:
        _expand_rows(nearest, depth, halves, half_sizes, starts, columns)
    return starts, columns


@njit(nogil=True, cache=True)
def _pair_distances(vectors: Array, starts: Array, columns: Array) -> Array:
    """Squared Euclidean distance of each row's image to each of its columns, in float64."""
    result = np.empty(columns.size)
    for i in range(starts.size - 1):
        for m in range(starts[i], starts[i + 1]):
            total = 0.0
            for d in range(vectors.shape[1]):
                difference = np.float64(vectors[i, d]) - np.float64(vectors[columns[m], d])
                total += difference * difference
            result[m] = total
    return result


@njit(nogil=True, cache=True)
def _fill_weights(starts: Array, distances: Array, largest: Array, weights: Array) -> None:
    for i in range(starts.size - 1):
        scale = 1.0 / largest[i] if largest[i] > 0 else 0.0
        total = 0.0
        for m in range(starts[i], starts[i + 1]):
            total += np.exp(-distances[m] * scale)
        for m in range(starts[i], starts[i + 1]):
            weights[m] = np.exp(-distances[m] * scale) / total


@njit(nogil=True, cache=True)
def _count_mean_rows(nearest: Array, starts: Array, columns: Array, sizes: Array) -> None:
    seen = np.full(nearest.shape[0], -1, dtype=np.int64)
    for i in range(nearest.shape[0]):
        size = 0
        for a in range(nearest.shape[1]):
            for m in range(starts[nearest[i, a]], starts[nearest[i, a] + 1]):
                if seen[columns[m]] != i:
                    seen[columns[m]] = i
                    size += 1
        sizes[i] = size


@njit(nogil=True, cache=True)
def _fill_mean_rows(
    nearest: Array,
    starts: Array,
    columns: Array,
    weights: Array,
    mean_starts: Array,
    mean_columns: Array,
    mean_values: Array,
) -> None:
    sums = np.zeros(nearest.shape[0])
    seen = np.full(nearest.shape[0], -1, dtype=np.int64)
    for i in range(nearest.shape[0]):
        filled = mean_starts[i]
        for a in range(nearest.shape[1]):
            for m in range(starts[nearest[i, a]], starts[nearest[i, a] + 1]):
                column = columns[m]
                if seen[column] != i:
                    seen[column] = i
                    sums[column] = 0.0
                    mean_columns[filled] = column
                    filled += 1
                sums[column] += weights[m]
        for m in range(mean_starts[i], mean_starts[i + 1]):
            mean_values[m] = sums[mean_columns[m]] / nearest.shape[1]


@njit(nogil=True, cache=True)
def _fill_final(
    block: Array,
    first_query: int,
    starts: Array,
    columns: Array,
    values: Array,
    gallery_starts: Array,
    gallery_rows: Array,
    gallery_values: Array,
    largest: Array,
    lambda_value: float,
) -> None:
    shared = np.zeros(block.shape[1])
    for r in range(block.shape[0]):
        query = first_query + r
        shared[:] = 0.0
        for m in range(starts[query], starts[query + 1]):
            for g in range(gallery_starts[columns[m]], gallery_starts[columns[m] + 1]):
                shared[gallery_rows[g]] += min(values[m], gallery_values[g])
        scale = lambda_value / largest[query] if largest[query] > 0 else 0.0
        for j in range(block.shape[1]):
            jaccard = 1.0 - shared[j] / (2.0 - shared[j])
            block[r, j] = jaccard * (1.0 - lambda_value) + block[r, j] * scale


def _check_parameters(k1: int, k2: int, lambda_value: float) -> None:
    for name, value in (("k1", k1), ("k2", k2)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise InputError(f"{name} is {value!r}, expected an integer of at least 1 (published: 20, 6).")
    if not 0.0 <= lambda_value <= 1.0:
        raise InputError(f"lambda_value is {lambda_value!r}, expected 0 to 1 (published: 0.3).")


def _check_matrix(distances: ArrayLike, name: str, shape: tuple[int, int] | None) -> NDArray[np.float64]:
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape or (shape is not None and matrix.shape != shape):
        expected = "(Q, G), none of them 0" if shape is None else str(shape)
        raise InputError(
            f"{name} has shape {matrix.shape}, expected {expected}. The order is query-gallery (Q, G), "
            "query-query (Q, Q), gallery-gallery (G, G)."
        )
    if not np.all(np.isfinite(matrix)):
        raise InputError(f"{name} contains NaN or infinity; check the embeddings that it comes from.")
    if matrix.min() < -_ROUNDING * max(1.0, matrix.max()):
        raise InputError(
            f"{name} contains {matrix.min():.4g}; distances are at least 0. Were similarities passed?"
        )
    return np.maximum(matrix, 0.0)


def _stop_if(should_cancel: ShouldCancel | None) -> None:
    if should_cancel is not None and should_cancel():
        raise CancelledError("Re-ranking was stopped before it was complete; the original order stands.")
