"""The evidence that questions are chosen by: a gallery's embeddings under one network, calibrated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.annotation import PairEvidence, centred_by_camera, sharpened_by_labels
from reid_core.annotation.evidence import FloatArray, Probability
from reid_core.errors import InputError, NoValidQueryError
from reid_core.evaluation import LabelledPairs, fit_calibration
from reid_core.seeds import rng_for
from reid_core.services.search import NOBODY_SAID, SearchSpace
from reid_core.types import DISTRACTOR_PID, JUNK_PID

MIN_IDENTITIES = 5
"""Fewer labelled people than this calibrate nothing; then the order is kept and no probability is told."""
_NUM_DIFFERENT, _NUM_SAME = 100_000, 200_000
_SELECTION_NEIGHBOURS = 10


@dataclass(frozen=True)
class ReviewEvidence:
    """``pairs`` chooses questions; ``is_calibrated`` says whether its probabilities mean anything.

    ``support`` is that of every crop's label, for the identity graph.
    """

    pairs: PairEvidence
    is_calibrated: bool
    support: dict[str, float]
    fingerprint: str

    def similarity(self, left: str, right: str) -> float | None:
        """Cosine on the vectors that questions are chosen by; None where one is not a crop asked about."""
        rows = self.pairs.row
        if left not in rows or right not in rows:
            return None
        return float(self.pairs.similarity(rows[left], rows[right]))

    def probability(self, left: str, right: str) -> float | None:
        """Calibrated P(same); None where nothing is known."""
        rows = self.pairs.row
        if not self.is_calibrated or left not in rows or right not in rows:
            return None
        log_odds = self.pairs.log_odds([rows[left]], [rows[right]])[0, 0]
        return float(1.0 / (1.0 + np.exp(-log_odds)))


def is_asked_about(pid: int | None) -> bool:
    """Whether the queue asks about a crop: junk (-1) shows no whole person, a distractor (0) is nobody's."""
    return pid not in (JUNK_PID, DISTRACTOR_PID)


def rows_asked_about(space: SearchSpace) -> NDArray[np.intp]:
    """The places of the crops that the queue asks about."""
    return np.flatnonzero((space.pids != JUNK_PID) & (space.pids != DISTRACTOR_PID))


def make_evidence(space: SearchSpace) -> ReviewEvidence:
    """Camera means taken out, directions that vary within people played down, P(same) from the labels.

    Raises:
        InputError: Fewer than two crops can be asked about.
    """
    rows = rows_asked_about(space)
    if len(rows) < 2:
        raise InputError(
            f"Gallery {space.gallery.title!r} has {len(rows)} crops of people; "
            "a review compares at least two."
        )
    ids = [space.index.ids[row] for row in rows]
    pids = np.where(space.pids[rows] == NOBODY_SAID, 0, space.pids[rows])
    labels = [int(pid) or None for pid in pids]
    vectors = sharpened_by_labels(centred_by_camera(space.index.vectors_of(ids), space.camids[rows]), labels)
    probability = _calibrated(vectors, pids)
    pairs = PairEvidence(ids, vectors, probability or _guess(vectors))
    support = pairs.support(dict(zip(ids, labels, strict=True)))
    return ReviewEvidence(pairs, probability is not None, support, space.index.fingerprint)


def restricted(evidence: ReviewEvidence, chosen: Collection[str]) -> PairEvidence:
    """Evidence on a selection and its surroundings: the nearest neighbours of every selected crop.

    Raises:
        InputError: No selected crop is asked about.
    """
    pairs = evidence.pairs
    rows = sorted(pairs.row[crop] for crop in chosen if crop in pairs.row)
    if not rows:
        raise InputError("None of the selected images can be reviewed: they are junk, distractors or gone.")
    near = pairs.neighbours[rows, :_SELECTION_NEIGHBOURS].ravel()
    kept = np.unique(np.concatenate([np.asarray(rows, dtype=np.int64), near]))
    return PairEvidence([pairs.ids[row] for row in kept], pairs.vectors[kept], pairs.probability)


def _calibrated(vectors: NDArray[np.float32], pids: NDArray[np.int64]) -> Probability | None:
    known = np.flatnonzero(pids > 0)
    order = known[np.argsort(pids[known], kind="stable")]
    first, second = _pairs_within(pids, order)
    if len(np.unique(pids[first])) < MIN_IDENTITIES:
        return None
    rng = rng_for(0, "calibration pairs")
    if len(first) > _NUM_SAME:
        kept = rng.choice(len(first), _NUM_SAME, replace=False)
        first, second = first[kept], second[kept]
    left, right = rng.choice(known, _NUM_DIFFERENT), rng.choice(known, _NUM_DIFFERENT)
    is_different = pids[left] != pids[right]
    first = np.concatenate([first, left[is_different]])
    second = np.concatenate([second, right[is_different]])
    sizes = np.unique(pids[known], return_counts=True)[1].astype(np.float64)
    prior = float((sizes * (sizes - 1)).sum() / (len(known) * (len(known) - 1.0)))
    pairs = LabelledPairs.of(
        np.einsum("nd,nd->n", vectors[first], vectors[second]).astype(np.float64), pids[first], pids[second]
    )
    try:
        fitted = fit_calibration(
            pairs, model_fingerprint="review", gallery_fingerprint="review", prior=prior, resamples=2
        )
    except (InputError, NoValidQueryError):
        return None
    return fitted.curve.probability


def _pairs_within(
    pids: NDArray[np.int64], order: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    firsts: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    seconds: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    for group in np.split(order, np.flatnonzero(np.diff(pids[order])) + 1):
        a, b = np.triu_indices(len(group), 1)
        firsts.append(group[a])
        seconds.append(group[b])
    return np.concatenate(firsts), np.concatenate(seconds)


def _guess(vectors: NDArray[np.float32]) -> Probability:
    """A curve for the order alone: even odds where about one pair in two hundred is more alike."""
    step = max(1, len(vectors) // 1000)
    sample = vectors[::step]
    similarities = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    middle = float(np.quantile(similarities, 0.995))
    spread = max(0.02, float(similarities.std()) / 3)

    def probability(similarity: FloatArray) -> FloatArray:
        curve: FloatArray = 1.0 / (1.0 + np.exp(-(np.asarray(similarity) - middle) / spread))
        return curve

    return probability
