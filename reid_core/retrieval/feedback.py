"""What a person's answers on a ranking are worth at once: a better query, a better order. NumPy only.

Everything here is a preview computed from stored embeddings; none of them is changed. P confirmed crops show
the query's person, N refused crops show somebody else, G candidates are to be ordered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import check_embeddings, unit_rows
from reid_core.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

REFUSAL_WEIGHT = 0.5
"""How far a candidate falls per unit by which it is closer to a refused crop than to a confirmed one;
``benchmarks/feedback.py`` measured it, and 0.5 and 1 differ little."""


def expand_on_confirmed(query: ArrayLike, confirmed: ArrayLike, *, alpha: float = 3.0) -> FloatArray:
    """The query moved towards crops that a person confirmed.

    alpha-QE (Radenovic et al., TPAMI 2018) on confirmed crops alone, so no wrong neighbour can pull it away:
    q' = norm(sum of s(q, p)^alpha p over P and q itself), where s(q, q) = 1 and a negative cosine weighs 0.

    Args:
        query: (D,) vector.
        confirmed: (P, D) vectors; P may be 0.
        alpha: At least 0; 0 is the plain mean.

    Returns:
        (D,) float64, L2 norm 1.

    Raises:
        InputError: Shapes disagree, a vector is zero or not finite, or ``alpha`` is out of range.
    """
    if not 0.0 <= alpha <= 100.0:
        raise InputError(f"alpha is {alpha!r}, expected 0 (plain mean) to 100; published: 3.")
    own, shown = _unit(query, "The query"), _unit_matrix(confirmed, np.size(query), "Confirmed")
    similarity = shown @ own
    # Not by clipping alone: 0 ** 0 is 1, so alpha = 0 would count crops that point away.
    weights = np.where(similarity > 0.0, np.clip(similarity, 0.0, None) ** alpha, 0.0)
    moved = own + weights @ shown
    result: FloatArray = moved / np.linalg.norm(moved)
    return result


def nearest_evidence(
    query: ArrayLike,
    candidates: ArrayLike,
    *,
    confirmed: ArrayLike,
    refused: ArrayLike,
    weight: float = REFUSAL_WEIGHT,
) -> FloatArray:
    """Score candidates by the nearest look of the person, less what speaks for somebody else.

    R(g) = max over P and q of s(p, g) - weight * max(0, max over N of s(n, g) - max over P and q of s(p, g)).
    One good look is enough, so people who look different from two sides are found from both. A refused crop
    costs only those candidates that are closer to it than to every confirmed one.

    Args:
        query: (D,) vector.
        candidates: (G, D) vectors.
        confirmed, refused: (P, D) and (N, D) vectors; both may be empty.
        weight: At least 0.

    Returns:
        (G,) float64, large is close.

    Raises:
        InputError: Shapes disagree, a vector is zero or not finite, or ``weight`` is negative.
    """
    if not 0.0 <= weight < np.inf:
        raise InputError(f"The weight of refused crops is {weight!r}, expected a number of at least 0.")
    own, dimension = _unit(query, "The query"), np.size(query)
    images = _unit_matrix(candidates, dimension, "Candidates")
    looks = np.vstack([own.astype(np.float32), _unit_matrix(confirmed, dimension, "Confirmed")])
    others = _unit_matrix(refused, dimension, "Refused")
    for_it: FloatArray = (images @ looks.T).max(axis=1).astype(np.float64)
    if not len(others):
        return for_it
    against = (images @ others.T).max(axis=1).astype(np.float64)
    score: FloatArray = for_it - weight * np.maximum(0.0, against - for_it)
    return score


def pin_and_set_aside(
    order: Sequence[int], *, confirmed: frozenset[int], refused: frozenset[int], pin: bool, set_aside: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The order with confirmed places first, and apart from it the refused ones; nothing else moves.

    Raises:
        InputError: A place is both confirmed and refused.
    """
    if confirmed & refused:
        raise InputError(f"Place {min(confirmed & refused)} is both confirmed and refused.")
    aside = tuple(place for place in order if set_aside and place in refused)
    kept = [place for place in order if not (set_aside and place in refused)]
    if pin:
        kept.sort(key=lambda place: place not in confirmed)  # stable
    return tuple(kept), aside


def _unit(vector: ArrayLike, name: str) -> FloatArray:
    row = np.asarray(vector, dtype=np.float64)
    if row.ndim != 1:
        raise InputError(f"{name} has shape {row.shape}, expected (D,): one vector.")
    norm = float(np.linalg.norm(row))
    if not 0.0 < norm < np.inf:
        raise InputError(f"{name} has norm {norm}; it has no direction to compare.")
    unit: FloatArray = row / norm
    return unit


def _unit_matrix(vectors: ArrayLike, dimension: int, name: str) -> NDArray[np.float32]:
    matrix = np.asarray(vectors)
    if matrix.size == 0:
        return np.empty((0, dimension), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != dimension:
        raise InputError(f"{name} has shape {matrix.shape}, expected (any number, {dimension}).")
    return unit_rows(check_embeddings(matrix, name), name)
