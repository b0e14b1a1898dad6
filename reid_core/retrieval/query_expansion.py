"""Query expansion: move an embedding towards its nearest gallery neighbours and search again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import check_embedding_pair, check_embeddings, iter_distance_blocks, unit_rows
from reid_core.errors import InputError
from reid_core.retrieval.neighbours import nearest_of_rows
from reid_core.types import EmbeddingSet

Vectors = NDArray[np.float32]


def expand_queries(
    query: EmbeddingSet | ArrayLike, gallery: EmbeddingSet | ArrayLike, *, k: int = 10, alpha: float = 3.0
) -> Vectors:
    """Each query plus its k nearest gallery images, weighted by similarity to the power of alpha.

    alpha = 0 is average query expansion (Chum et al., ICCV 2007); larger values trust far neighbours less
    (alpha-QE, Radenovic et al., TPAMI 2018, who use 3). The query itself has weight 1, its cosine to itself;
    neighbours with a negative cosine have weight 0.

    Args:
        query: (Q, D) embeddings.
        gallery: (G, D) embeddings of the same model.
        k: Neighbours per query; a smaller gallery is used whole.
        alpha: At least 0.

    Returns:
        (Q, D) float32 unit rows.

    Raises:
        InputError: The embeddings cannot be compared, the gallery is empty, or a parameter is out of range.
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    _check_parameters(k, alpha, len(gallery_vectors))
    queries, images = unit_rows(query_vectors, "Query"), unit_rows(gallery_vectors, "Gallery")
    return _weighted_means(queries, images, k, alpha, own_weight=1.0)


def augment_gallery(gallery: EmbeddingSet | ArrayLike, *, k: int = 10, alpha: float = 3.0) -> Vectors:
    """Each gallery image replaced by the weighted mean of its k nearest, itself being the first of them.

    Database-side feature augmentation (Arandjelovic and Zisserman, CVPR 2012). FastReID's "AQE" does this to
    the union of queries and gallery.

    Args:
        gallery: (G, D) embeddings.
        k: Neighbours per image, the image included.
        alpha: As in ``expand_queries``.

    Returns:
        (G, D) float32 unit rows.

    Raises:
        InputError: The gallery is empty, an embedding is damaged, or a parameter is out of range.
    """
    vectors = check_embeddings(gallery, "Gallery")
    _check_parameters(k, alpha, len(vectors))
    images = unit_rows(vectors, "Gallery")
    return _weighted_means(images, images, k, alpha, own_weight=0.0)


def _weighted_means(rows: Vectors, images: Vectors, k: int, alpha: float, *, own_weight: float) -> Vectors:
    depth = min(k, len(images))
    result = np.empty_like(rows)
    start = 0
    for block in iter_distance_blocks(rows, images, "cosine"):
        part = rows[start : start + len(block)]
        positions = np.empty((len(block), depth), dtype=np.int64)
        distances = np.empty((len(block), depth), dtype=np.float32)
        nearest_of_rows(block, positions, distances)
        weights = np.clip(1.0 - distances, 0.0, None) ** np.float32(alpha)
        means = own_weight * part + np.einsum("nk,nkd->nd", weights, images[positions])
        norms = np.linalg.norm(means, axis=1, keepdims=True)
        # Weights can cancel to nothing only if all neighbours point away; then the image stays what it is.
        result[start : start + len(block)] = np.where(norms > 0, means / np.where(norms > 0, norms, 1), part)
        start += len(block)
    return result


def _check_parameters(k: int, alpha: float, num_gallery: int) -> None:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise InputError(f"k is {k!r}, expected an integer of at least 1.")
    if not 0.0 <= alpha <= 100.0:
        raise InputError(f"alpha is {alpha!r}, expected 0 (plain mean) to 100; published: 3.")
    if num_gallery == 0:
        raise InputError("The gallery is empty, so there is no neighbour to expand with.")
