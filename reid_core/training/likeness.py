"""Who may be mined as a negative: how probable it is that two crops that nobody compared are one person.

A label that is wrong or missing makes two crops of one person look like the hardest negative there is, so
mining would seek out just the label errors. Pairs that a person told apart, and pairs within the base set,
are taken at their word; all others count 1 - P(same), and not at all above a limit.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_core.annotation import centred_by_camera
from reid_core.errors import InputError
from reid_core.evaluation import Calibration, LabelledPairs, fit_calibration
from reid_core.seeds import rng_for
from reid_core.training.correction_set import CorrectionSet
from reid_core.types import Vectors

_CALIBRATION_PAIRS = 200_000


class NegativeTrust:
    """Weights of pairs as negatives, from the embeddings of the net before.

    Args:
        data: The retraining set.
        vectors: (N, D) embeddings of its training crops by the net before.
        mine_below: P(same) above which an unverified pair never is a negative.

    Raises:
        InputError: The identities are too few to calibrate P(same).
    """

    def __init__(self, data: CorrectionSet, vectors: Vectors, *, mine_below: float) -> None:
        crops = data.crops
        centred = centred_by_camera(vectors, crops.camids)
        labels = crops.labels.numpy()
        curve = _calibrated(centred, crops.pids, data.is_replay)
        self._vectors = torch.from_numpy(centred)
        self._probability = curve
        self._labels = crops.labels
        self._mine_below = mine_below
        number = crops.num_identities
        is_base = np.zeros(number, dtype=np.bool_)
        is_base[labels[data.is_replay]] = True
        verified = is_base[:, None] & is_base[None, :]
        for left, right in labels[data.pairs.rows[~data.pairs.is_must]].tolist():
            verified[left, right] = verified[right, left] = True
        self._verified = torch.from_numpy(verified)
        self._identity_weights = self._of_identities(number)

    def of_crops(self, index: Tensor) -> Tensor:
        """(B,) rows of training crops -> (B, B) weights in [0, 1] of each pair as a negative."""
        vectors, labels = self._vectors[index], self._labels[index]
        return self._weigh((vectors @ vectors.T).numpy(), self._verified[labels][:, labels])

    def of_identities(self, labels: Tensor) -> Tensor:
        """(B,) identity labels -> (B, C): weight of every identity as a negative class, 1 for the own one."""
        return self._identity_weights[labels]

    def _of_identities(self, number: int) -> Tensor:
        """By the two crops of two identities that are most alike."""
        nearest = torch.full((number, number), -1.0)
        similarity = self._vectors @ self._vectors.T
        rows = self._labels[:, None].expand_as(similarity).reshape(-1)
        columns = self._labels[None, :].expand_as(similarity).reshape(-1)
        nearest.view(-1).scatter_reduce_(0, rows * number + columns, similarity.reshape(-1), reduce="amax")
        weights = self._weigh(nearest.numpy(), self._verified)
        return weights.fill_diagonal_(1.0)

    def _weigh(self, similarity: NDArray[np.float32], verified: Tensor) -> Tensor:
        probability = torch.from_numpy(self._probability.probability(similarity)).float()
        trust = torch.where(probability > self._mine_below, 0.0, 1.0 - probability)
        return torch.where(verified, 1.0, trust)


def _calibrated(vectors: Vectors, pids: NDArray[np.int64], is_replay: NDArray[np.bool_]) -> Calibration:
    """P(same) over cosine, from the base set, whose labels are known."""
    rows = np.flatnonzero(is_replay)
    if len(np.unique(pids[rows])) < 2:
        raise InputError(
            f"The base part of the retraining set has {len(np.unique(pids[rows]))} identities, at least 2 "
            "are needed to tell which unverified pairs are likely the same person. Give the set a base part."
        )
    first, second = (rows[part] for part in np.triu_indices(len(rows), 1))
    is_same = pids[first] == pids[second]
    different = np.flatnonzero(~is_same)
    if len(different) > _CALIBRATION_PAIRS:
        different = rng_for(0, "likeness pairs").choice(different, _CALIBRATION_PAIRS, replace=False)
    chosen = np.concatenate([np.flatnonzero(is_same), different])
    pairs = LabelledPairs.of(
        np.einsum("nd,nd->n", vectors[first[chosen]], vectors[second[chosen]]),
        pids[first[chosen]],
        pids[second[chosen]],
    )
    own = "training"
    return fit_calibration(
        pairs, model_fingerprint=own, gallery_fingerprint=own, prior=float(is_same.mean()), resamples=2
    )
