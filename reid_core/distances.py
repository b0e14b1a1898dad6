"""Distances between embeddings, in blocks of whole query rows. Shared by evaluation and retrieval.

A block holds the distances of some queries to the whole gallery, so all values that one query is ranked by
come from the same matrix product. Block borders depend on the gallery's size alone: the same input gives the
same bits, whether one reads the blocks or the full matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError
from reid_core.types import EmbeddingSet

Metric = Literal["cosine", "euclidean", "squared_euclidean"]
Matrix = NDArray[Any]

_BLOCK_BYTES = 96 * 2**20
_MAX_BLOCK_ROWS = 256
_UNIT_TOLERANCE = 1e-6


def block_rows(num_gallery: int, bytes_per_value: int = 4) -> int:
    """Queries per block: as many rows as fit 96 MiB, at least 1 and at most 256."""
    return max(1, min(_MAX_BLOCK_ROWS, _BLOCK_BYTES // (bytes_per_value * max(1, num_gallery))))


def check_embeddings(
    embeddings: EmbeddingSet | ArrayLike, name: str
) -> NDArray[np.float32] | NDArray[np.float64]:
    """The (N, D) floating-point matrix of ``embeddings``; float32 and float64 pass as they are.

    Raises:
        InputError: Not a matrix, no columns, or a value is NaN or infinite.
    """
    vectors = embeddings.vectors if isinstance(embeddings, EmbeddingSet) else np.asarray(embeddings)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise InputError(f"{name} embeddings have shape {vectors.shape}, expected (N, D): one row per image.")
    if vectors.dtype.kind not in "fiu":
        raise InputError(f"{name} embeddings have type {vectors.dtype}, expected floating-point numbers.")
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    damaged = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if damaged.size:
        raise InputError(
            f"{damaged.size} of {len(vectors)} {name} embeddings contain NaN or infinity, the first is row "
            f"{damaged[0]}. Check that image and the weights."
        )
    return vectors


def check_embedding_pair(
    query: EmbeddingSet | ArrayLike, gallery: EmbeddingSet | ArrayLike
) -> tuple[Matrix, Matrix]:
    """Both matrices, after checking that they can be compared.

    Raises:
        InputError: As ``check_embeddings``; the sizes D differ; or both are EmbeddingSets of different
            models.
    """
    if (
        isinstance(query, EmbeddingSet)
        and isinstance(gallery, EmbeddingSet)
        and query.fingerprint != gallery.fingerprint
    ):
        raise InputError(
            f"Query embeddings come from {query.fingerprint}, gallery embeddings from {gallery.fingerprint}; "
            "distances between different models or preprocessings mean nothing. Embed both with the same."
        )
    query_vectors, gallery_vectors = check_embeddings(query, "Query"), check_embeddings(gallery, "Gallery")
    if query_vectors.shape[1] != gallery_vectors.shape[1]:
        raise InputError(
            f"Query embeddings are {query_vectors.shape} and gallery embeddings {gallery_vectors.shape}; the "
            "second numbers, the embedding size, must agree."
        )
    return query_vectors, gallery_vectors


def row_norms(vectors: Matrix) -> NDArray[np.float64]:
    """(N,) L2 norms, accumulated in float64."""
    norms: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    return norms


def has_unit_rows(vectors: Matrix) -> bool:
    """Are all rows L2-normalised as well as float32 allows (1e-6)?"""
    return bool(np.all(np.abs(row_norms(vectors) - 1.0) < _UNIT_TOLERANCE))


def unit_rows(vectors: Matrix, name: str) -> NDArray[np.float32]:
    """Rows scaled to L2 norm 1, float32. A float32 matrix that ``has_unit_rows`` is left as it is.

    Raises:
        InputError: A row is zero, so it has no direction.
    """
    norms = row_norms(vectors)
    if len(norms) and norms.min() == 0.0:
        raise InputError(
            f"{name} embedding {int(norms.argmin())} is all zeros, so its cosine with anything is undefined. "
            "Check that image, or use metric='euclidean'."
        )
    if vectors.dtype == np.float32 and np.all(np.abs(norms - 1.0) < _UNIT_TOLERANCE):
        return np.ascontiguousarray(vectors)
    unit: NDArray[np.float32] = (vectors / norms[:, None]).astype(np.float32)
    return unit


def iter_distance_blocks(
    query: EmbeddingSet | ArrayLike, gallery: EmbeddingSet | ArrayLike, metric: Metric = "cosine"
) -> Iterator[NDArray[np.float32]]:
    """Yield float32 distances of consecutive queries to the whole gallery, (rows, G) each.

    "cosine" is 1 - cosine similarity, from unit rows in float32. The euclidean kinds are computed in float64
    and rounded once, so that embeddings far from the origin do not cancel; "squared_euclidean" is Torchreid's
    "euclidean". The yielded array is reused: copy what must outlive the next step.

    Raises:
        InputError: As ``check_embedding_pair``; an unknown metric; a zero row with "cosine".
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    if metric == "cosine":
        return _cosine_blocks(unit_rows(query_vectors, "Query"), unit_rows(gallery_vectors, "Gallery"))
    if metric in ("euclidean", "squared_euclidean"):
        return _euclidean_blocks(
            query_vectors.astype(np.float64),
            gallery_vectors.astype(np.float64),
            squared=metric != "euclidean",
        )
    raise InputError(f"Metric is {metric!r}, expected one of {', '.join(get_args(Metric))}.")


def pairwise_distances(
    query: EmbeddingSet | ArrayLike, gallery: EmbeddingSet | ArrayLike, metric: Metric = "cosine"
) -> NDArray[np.float32]:
    """The full (Q, G) float32 matrix, bit for bit what ``iter_distance_blocks`` yields."""
    blocks = iter_distance_blocks(query, gallery, metric)
    num_queries = len(query.vectors if isinstance(query, EmbeddingSet) else np.asarray(query))
    num_gallery = len(gallery.vectors if isinstance(gallery, EmbeddingSet) else np.asarray(gallery))
    full = np.empty((num_queries, num_gallery), dtype=np.float32)
    start = 0
    for block in blocks:
        full[start : start + len(block)] = block
        start += len(block)
    return full


def _cosine_blocks(query: NDArray[np.float32], gallery: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    rows = block_rows(len(gallery))
    buffer = np.empty((min(rows, len(query)), len(gallery)), dtype=np.float32)
    for start in range(0, len(query), rows):
        part = query[start : start + rows]
        block = buffer[: len(part)]
        np.matmul(part, gallery.T, out=block)
        np.subtract(np.float32(1.0), block, out=block)
        yield block


def _euclidean_blocks(
    query: NDArray[np.float64], gallery: NDArray[np.float64], *, squared: bool
) -> Iterator[NDArray[np.float32]]:
    rows = block_rows(len(gallery), bytes_per_value=12)
    gallery_norms = np.einsum("nd,nd->n", gallery, gallery)
    wide = np.empty((min(rows, len(query)), len(gallery)))
    narrow = np.empty(wide.shape, dtype=np.float32)
    for start in range(0, len(query), rows):
        part = query[start : start + rows]
        block, result = wide[: len(part)], narrow[: len(part)]
        np.matmul(part, gallery.T, out=block)
        block *= -2.0
        block += np.einsum("nd,nd->n", part, part)[:, None]
        block += gallery_norms
        np.maximum(block, 0.0, out=block)
        if not squared:
            np.sqrt(block, out=block)
        result[...] = block
        yield result
