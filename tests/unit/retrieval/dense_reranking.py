"""k-reciprocal re-ranking written down from the paper, dense and slow, with stable sorts."""

from __future__ import annotations

from typing import Any

import numpy as np


def rerank_densely(squared: Any, num_queries: int, k1: int, k2: int, lambda_value: float) -> Any:
    """``squared`` is (N, N), row i the squared distances to image i, queries first."""
    number = len(squared)
    scaled = np.array([row / row.max() if row.max() > 0 else row for row in squared], dtype=np.float64)
    order = np.argsort(squared, axis=1, kind="stable")

    def mutual(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    half = int(np.around(k1 / 2))
    encoding = np.zeros((number, number))
    for i in range(number):
        core = mutual(i, k1)
        expanded = set(core)
        for j in core:
            candidate = mutual(j, half)
            if len(candidate & core) > 2 / 3 * len(candidate):
                expanded |= candidate
        members = sorted(expanded)
        if members:
            weights = np.exp(-scaled[i, members])
            encoding[i, members] = weights / weights.sum()
    if k2 != 1:
        encoding = np.array([encoding[order[i, :k2]].mean(axis=0) for i in range(number)])
    result = np.empty((num_queries, number - num_queries))
    for i in range(num_queries):
        for g in range(num_queries, number):
            shared = np.minimum(encoding[i], encoding[g]).sum()
            jaccard = 1 - shared / (2 - shared)
            result[i, g - num_queries] = (1 - lambda_value) * jaccard + lambda_value * scaled[i, g]
    return result
