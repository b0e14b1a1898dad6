"""From cosine similarity to the probability that two images show one person.

Fitted on pairs whose truth is known, by isotonic regression (no assumption but that more similar is more
probable) or by a logistic curve (Platt, 1999: two numbers, for few pairs). A calibration holds for one model
and one gallery, whose fingerprints it carries; for others it is refused. The probability also depends on how
common same pairs are among those that are asked about; ``prior`` says what was assumed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

from reid_core.errors import InputError
from reid_core.evaluation.thresholds import AbsentThreshold, LabelledPairs, OperatingPoint, operating_points
from reid_core.seeds import rng_for

FloatArray = NDArray[np.float64]
Kind = Literal["isotonic", "logistic"]

_FORMAT = "reid-calibration/1"
_FOLDS = 5
_BINS = 15
_NEWTON_STEPS = 100
_FEW_SAME_PAIRS = 100


@dataclass(frozen=True, slots=True)
class IsotonicCurve:
    """Straight lines through ascending similarities with probabilities that never fall; flat outside."""

    similarities: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, similarity: ArrayLike) -> FloatArray:
        """P(same) of each similarity."""
        values: FloatArray = np.interp(np.asarray(similarity), self.similarities, self.probabilities)
        return values


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """P(same) = 1 / (1 + exp(-(slope * similarity + intercept)))."""

    slope: float
    intercept: float

    def probability(self, similarity: ArrayLike) -> FloatArray:
        """P(same) of each similarity."""
        values: FloatArray = expit(self.slope * np.asarray(similarity, dtype=np.float64) + self.intercept)
        return values


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted curve with thresholds, its quality, and what it was fitted on.

    Attributes:
        curve: Similarity to probability.
        model_fingerprint, gallery_fingerprint: What it holds for.
        prior: Share of same pairs that the probabilities assume.
        points: Decision thresholds; see ``operating_points``.
        absent: When to say "not in this gallery", if that was measured.
        expected_error: Expected calibration error on identities left out of the fit, 0 to 1.
        brier: Brier score on the same.
        num_same, num_different, num_identities: Size of the evidence.
        doubts: Why the probabilities may not hold, in sentences; empty if the evidence is enough.
    """

    curve: IsotonicCurve | LogisticCurve
    model_fingerprint: str
    gallery_fingerprint: str
    prior: float
    points: tuple[OperatingPoint, ...]
    absent: AbsentThreshold | None
    expected_error: float
    brier: float
    num_same: int
    num_different: int
    num_identities: int
    doubts: tuple[str, ...] = ()

    def probability(self, similarity: ArrayLike) -> FloatArray:
        """P(same) of each similarity; never exactly 0 or 1, because the evidence is finite.

        Raises:
            InputError: A similarity is NaN.
        """
        values = np.asarray(similarity, dtype=np.float64)
        if np.isnan(values).any():
            raise InputError("A similarity is NaN, so it has no probability; check the embedding.")
        return self.curve.probability(values)

    def require(self, *, model_fingerprint: str, gallery_fingerprint: str) -> None:
        """Refuse another model or gallery.

        Raises:
            InputError: A fingerprint differs.
        """
        for name, own, given in (
            ("model", self.model_fingerprint, model_fingerprint),
            ("gallery", self.gallery_fingerprint, gallery_fingerprint),
        ):
            if own != given:
                raise InputError(
                    f"This calibration is of {name} {own}, but the {name} in use is {given}; its "
                    "probabilities and thresholds do not carry over. Calibrate again."
                )

    def to_json(self) -> str:
        """Everything, as strict JSON."""
        kind = "isotonic" if isinstance(self.curve, IsotonicCurve) else "logistic"
        return json.dumps({"format": _FORMAT, "kind": kind, **asdict(self)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """The calibration that ``to_json`` wrote.

        Raises:
            InputError: The text is not a calibration.
        """
        try:
            values = json.loads(text)
            if values.pop("format") != _FORMAT:
                raise InputError(f"The calibration has another format, expected {_FORMAT!r}.")
            kind = {"isotonic": IsotonicCurve, "logistic": LogisticCurve}[values.pop("kind")]
            values["curve"] = _rebuild(kind, values["curve"])
            values["points"] = tuple(_rebuild(OperatingPoint, point) for point in values["points"])
            values["absent"] = values["absent"] and _rebuild(AbsentThreshold, values["absent"])
            calibration: Calibration = _rebuild(cls, values)
            return calibration
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"This is not a calibration ({type(error).__name__}: {error}); expected the JSON that a "
                "calibration wrote. Calibrate again."
            ) from error

    def save(self, path: Path) -> None:
        """Write ``to_json()``."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, *, model_fingerprint: str, gallery_fingerprint: str) -> Calibration:
        """Read a calibration for this model and gallery.

        Raises:
            InputError: The file cannot be read, is no calibration, or is of another model or gallery.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The calibration {path} cannot be read: {error}.") from error
        calibration = cls.from_json(text)
        calibration.require(model_fingerprint=model_fingerprint, gallery_fingerprint=gallery_fingerprint)
        return calibration


def fit_calibration(
    pairs: LabelledPairs,
    *,
    model_fingerprint: str,
    gallery_fingerprint: str,
    kind: Kind = "isotonic",
    prior: float | None = None,
    fmr_targets: tuple[float, ...] = (1e-2, 1e-3),
    absent: AbsentThreshold | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Calibration:
    """Fit P(same) and thresholds on known pairs.

    Args:
        pairs: Known pairs of this model's embeddings.
        model_fingerprint: Names weights and preprocessing (``EmbeddingSet.fingerprint``).
        gallery_fingerprint: Names the gallery.
        kind: "isotonic" or "logistic".
        prior: Share of same pairs to assume, between 0 and 1. None takes the pairs' own share, which is right
            if the pairs were drawn as they will be asked about.
        fmr_targets: Thresholds to find; see ``operating_points``.
        absent: The "not in this gallery" threshold to keep with it.
        resamples: Draws of identities for the thresholds' intervals.
        seed: Of those draws and of the folds that measure quality.

    Raises:
        InputError: A parameter is out of range, fewer than 2 identities are known, or same pairs are not more
            similar than different ones.
    """
    if kind not in ("isotonic", "logistic"):
        raise InputError(f"kind is {kind!r}, expected 'isotonic' or 'logistic'.")
    if pairs.num_identities < 2:
        raise InputError(f"The pairs show {pairs.num_identities} identity; at least 2 are needed.")
    weight, assumed = _weights_for(pairs, prior)
    _refuse_reversed(pairs)
    everything = np.ones(len(weight), dtype=np.bool_)
    held_out = _held_out_probabilities(pairs, weight, kind, seed)
    num_same = int(pairs.is_same.sum())
    points = operating_points(pairs, fmr_targets=fmr_targets, resamples=resamples, seed=seed)
    doubts = list(points[0].doubts)
    if num_same < _FEW_SAME_PAIRS:
        doubts.append(
            f"The curve rests on {num_same} same pairs; below {_FEW_SAME_PAIRS} prefer kind='logistic'."
        )
    return Calibration(
        curve=_fit(pairs, weight, everything, kind),
        model_fingerprint=model_fingerprint,
        gallery_fingerprint=gallery_fingerprint,
        prior=assumed,
        points=points,
        absent=absent,
        expected_error=expected_calibration_error(held_out, pairs.is_same, weight),
        brier=brier_score(held_out, pairs.is_same, weight),
        num_same=num_same,
        num_different=len(weight) - num_same,
        num_identities=pairs.num_identities,
        doubts=tuple(dict.fromkeys(doubts)),
    )


def expected_calibration_error(
    probability: ArrayLike, is_same: ArrayLike, weight: ArrayLike | None = None, *, num_bins: int = _BINS
) -> float:
    """Mean distance between stated and observed probability over bins of equal weight (Naeini et al., 2015).

    Equal probabilities always share a bin. 0 is perfect.

    Args:
        probability: (n,) stated P(same).
        is_same: (n,) truth.
        weight: (n,) how much each counts; None for 1.
        num_bins: Bins of about equal weight.

    Raises:
        InputError: Lengths disagree or a probability is outside [0, 1].
    """
    stated, truth, counts = _check_scored(probability, is_same, weight)
    order = np.argsort(stated, kind="stable")
    reached = np.cumsum(counts[order]) / counts.sum()
    bins = np.minimum((reached - counts[order] / counts.sum() / 2) * num_bins, num_bins - 1).astype(np.int64)
    starts_group = np.concatenate([[True], np.diff(stated[order]) > 0])
    bins = bins[starts_group][np.cumsum(starts_group) - 1]
    mass = np.bincount(bins, weights=counts[order])
    gap = np.bincount(bins, weights=(counts * (stated - truth))[order])
    return float(np.abs(gap).sum() / mass.sum())


def brier_score(probability: ArrayLike, is_same: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared distance between stated probability and truth; 0 is perfect, always saying 1/2 scores 1/4.

    Arguments and errors are those of ``expected_calibration_error``.
    """
    stated, truth, counts = _check_scored(probability, is_same, weight)
    return float(np.average((stated - truth) ** 2, weights=counts))


def _fit(
    pairs: LabelledPairs, weight: FloatArray, chosen: NDArray[np.bool_], kind: Kind
) -> IsotonicCurve | LogisticCurve:
    similarity, is_same, counts = pairs.similarity[chosen], pairs.is_same[chosen], weight[chosen]
    if kind == "logistic":
        return _fit_logistic(similarity, is_same, counts)
    return _fit_isotonic(similarity, is_same, counts)


def _fit_isotonic(similarity: FloatArray, is_same: NDArray[np.bool_], weight: FloatArray) -> IsotonicCurve:
    distinct, code = np.unique(similarity, return_inverse=True)
    mass = np.bincount(code.reshape(-1), weights=weight)
    share = np.bincount(code.reshape(-1), weights=weight * is_same) / mass
    fitted = isotonic_regression(share, weights=mass).x
    # Rule of succession: n pairs without a counter-example do not prove a probability of 0 or 1.
    lowest, highest = 1 / (np.count_nonzero(~is_same) + 2), 1 - 1 / (np.count_nonzero(is_same) + 2)
    limited = np.clip(fitted, min(lowest, highest), max(lowest, highest))
    steps = np.flatnonzero(np.diff(limited))
    corners = np.unique(np.concatenate([[0], steps, steps + 1, [len(distinct) - 1]]))
    return IsotonicCurve(tuple(distinct[corners].tolist()), tuple(limited[corners].tolist()))


def _fit_logistic(similarity: FloatArray, is_same: NDArray[np.bool_], weight: FloatArray) -> LogisticCurve:
    """Newton's method on Platt's smoothed targets, with the step halved until the loss falls."""
    centre, scale = float(similarity.mean()), float(similarity.std()) or 1.0
    design = np.stack([(similarity - centre) / scale, np.ones(len(similarity))], axis=1)
    num_same, num_different = np.count_nonzero(is_same), np.count_nonzero(~is_same)
    target = np.where(is_same, (num_same + 1) / (num_same + 2), 1 / (num_different + 2))

    def loss(parameters: FloatArray) -> float:
        score = design @ parameters
        return float(np.sum(weight * (np.logaddexp(0.0, score) - target * score)))

    parameters = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        probability = expit(design @ parameters)
        gradient = design.T @ (weight * (probability - target))
        curvature = (design * (weight * probability * (1 - probability))[:, None]).T @ design
        step = np.linalg.solve(curvature + 1e-12 * np.trace(curvature) * np.eye(2), gradient)
        size = 1.0
        while size > 1e-9 and loss(parameters - size * step) > loss(parameters):
            size /= 2
        parameters = parameters - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    slope = float(parameters[0]) / scale
    return LogisticCurve(slope, float(parameters[1]) - slope * centre)


def _held_out_probabilities(pairs: LabelledPairs, weight: FloatArray, kind: Kind, seed: int) -> FloatArray:
    """Each pair's probability from a fit without the identities of its fold.

    A pair belongs to the fold of its first identity; where a fold leaves pairs of one kind only to fit on,
    the share of same pairs stands in.
    """
    identities = np.union1d(pairs.first_pid, pairs.second_pid)
    folds = rng_for(seed, "calibration folds").permutation(len(identities)) % min(_FOLDS, len(identities))
    first = folds[np.searchsorted(identities, pairs.first_pid)]
    second = folds[np.searchsorted(identities, pairs.second_pid)]
    result = np.empty(len(weight))
    for fold in range(int(folds.max()) + 1):
        fit_on, held_out = (first != fold) & (second != fold), first == fold
        kinds = pairs.is_same[fit_on]
        if kinds.any() and not kinds.all():
            result[held_out] = _fit(pairs, weight, fit_on, kind).probability(pairs.similarity[held_out])
        else:
            result[held_out] = np.average(pairs.is_same, weights=weight)
    return result


def _weights_for(pairs: LabelledPairs, prior: float | None) -> tuple[FloatArray, float]:
    """Weights under which the share of same pairs is ``prior``, and that share."""
    share = float(np.average(pairs.is_same, weights=pairs.weight))
    if prior is None:
        return pairs.weight, share
    if not 0.0 < prior < 1.0:
        raise InputError(f"prior is {prior!r}, expected a share of same pairs between 0 and 1.")
    factor = np.where(pairs.is_same, prior / share, (1 - prior) / (1 - share))
    return pairs.weight * factor, prior


def _refuse_reversed(pairs: LabelledPairs) -> None:
    """Raise unless a same pair is more similar than a different pair more often than not (AUC above 1/2)."""
    distinct, code = np.unique(pairs.similarity, return_inverse=True)
    same = np.bincount(code.reshape(-1), weights=pairs.weight * pairs.is_same, minlength=len(distinct))
    different = np.bincount(code.reshape(-1), weights=pairs.weight * ~pairs.is_same, minlength=len(distinct))
    below = np.cumsum(different) - different / 2
    area = float(np.sum(same * below) / (same.sum() * different.sum()))
    if area <= 0.5:
        raise InputError(
            f"Same pairs are not more similar than different ones (a same pair wins in {area:.0%} of cases). "
            "Were distances passed as similarities, or is the model not fit for these images?"
        )


def _check_scored(
    probability: ArrayLike, is_same: ArrayLike, weight: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    stated = np.asarray(probability, dtype=np.float64)
    truth = np.asarray(is_same, dtype=np.float64)
    counts = np.ones(stated.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    if stated.ndim != 1 or not stated.shape == truth.shape == counts.shape or stated.size == 0:
        raise InputError(
            f"probability {stated.shape}, is_same {truth.shape} and weight {counts.shape} must be of one "
            "length above 0."
        )
    if not np.all((stated >= 0) & (stated <= 1)):
        raise InputError("A probability is outside [0, 1] or NaN.")
    return stated, truth, counts


def _rebuild(kind: Any, values: dict[str, Any]) -> Any:
    """A record from JSON values, with lists as tuples."""
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
