"""Decision thresholds on the cosine similarity, from labelled pairs, with intervals over identities.

There is no universal threshold: it depends on the model, the cameras and, for "not in this gallery", on the
size of the gallery. So thresholds are measured on known pairs and come with an interval and with the reasons
to distrust them. Rates are those of ISO/IEC 19795: FMR is the share of different pairs accepted, FNMR the
share of same pairs rejected; FPIR and FNIR are their counterparts for a search in a gallery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.distances import check_embedding_pair, unit_rows
from reid_core.errors import InputError
from reid_core.evaluation.intervals import THIN_IDENTITIES
from reid_core.evaluation.metrics import evaluate_embeddings
from reid_core.evaluation.protocol import MARKET1501, Protocol
from reid_core.evaluation.report import NONE, EvalReport
from reid_core.seeds import rng_for
from reid_core.types import DISTRACTOR_PID, EmbeddingSet

FloatArray = NDArray[np.float64]

_RULE_OF_30 = 30
_PAIR_CHUNK = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPairs:
    """n pairs of images of which it is known whether they show one person; every column is (n,).

    Attributes:
        similarity: Cosine, large is close.
        is_same: One person?
        first_pid, second_pid: Whose images they are; equal exactly where ``is_same``.
        weight: How many pairs each stands for; 1 if all pairs are listed.
    """

    similarity: FloatArray
    is_same: NDArray[np.bool_]
    first_pid: NDArray[np.int64]
    second_pid: NDArray[np.int64]
    weight: FloatArray

    def __post_init__(self) -> None:
        number = len(self.similarity)
        for name in ("similarity", "is_same", "first_pid", "second_pid", "weight"):
            if getattr(self, name).shape != (number,):
                raise InputError(f"{name} has shape {getattr(self, name).shape}, expected ({number},).")
        if not np.all(np.isfinite(self.similarity)) or not np.all(np.isfinite(self.weight)):
            raise InputError("Similarities or weights of the pairs contain NaN or infinity.")
        if np.any(self.weight <= 0):
            raise InputError("A pair's weight is how many pairs it stands for; expected above 0.")
        if np.any((self.first_pid == self.second_pid) != self.is_same):
            raise InputError("is_same contradicts the pids: equal pids are one person, others are two.")
        if self.is_same.all() or not self.is_same.any():
            raise InputError(
                f"{int(self.is_same.sum())} of {number} pairs show the same person; both kinds are needed."
            )

    @classmethod
    def of(cls, similarity: ArrayLike, first_pid: ArrayLike, second_pid: ArrayLike) -> LabelledPairs:
        """Pairs that all count once; they are the same person where the pids are equal."""
        first, second = np.asarray(first_pid, dtype=np.int64), np.asarray(second_pid, dtype=np.int64)
        values = np.asarray(similarity, dtype=np.float64)
        if first.shape != second.shape:
            raise InputError(f"first_pid has shape {first.shape} and second_pid {second.shape}.")
        return cls(values, first == second, first, second, np.ones(values.shape))

    @property
    def num_identities(self) -> int:
        """Different pids in the pairs."""
        return len(np.union1d(self.first_pid, self.second_pid))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Accept a pair from ``similarity`` on; ``low`` and ``high`` bound that threshold.

    Attributes:
        name: "eer", or "fmr<=0.001" for a target.
        similarity: The threshold; None if even the most similar pair would break the target.
        low, high: Percentile interval of the threshold over identities; None where resamples had none.
        fmr, fnmr: Error rates at the threshold on these pairs.
        doubts: Why the numbers may not hold, in sentences; empty if the evidence is enough.
    """

    name: str
    similarity: float | None
    low: float | None
    high: float | None
    fmr: float
    fnmr: float
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AbsentThreshold:
    """Below ``similarity`` the best hit of a search is called "not in this gallery".

    Attributes:
        similarity: The threshold on the best hit.
        low, high: Its percentile interval over identities.
        target_fpir: Wanted share of absent people for whom somebody is named all the same.
        fpir: The share at the threshold on this data.
        fnir: Share of present people missed: the best hit is someone else or below the threshold.
        num_absent: Searches for an absent person that this rests on.
        num_gallery: Size of the gallery; a larger one needs a higher threshold.
        doubts: As in ``OperatingPoint``.
    """

    similarity: float
    low: float
    high: float
    target_fpir: float
    fpir: float
    fnir: float
    num_absent: int
    num_gallery: int
    doubts: tuple[str, ...] = ()


def pairs_of_embeddings(
    query: EmbeddingSet | ArrayLike,
    gallery: EmbeddingSet | ArrayLike,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    protocol: Protocol = MARKET1501,
    max_different: int = 200_000,
    seed: int = 0,
) -> LabelledPairs:
    """All same pairs that count under ``protocol``, and a uniform sample of the different ones, weighted.

    Distractors (pid 0) and junk are left out: nobody knows whether two of them are the same person.

    Args:
        query: (Q, D) embeddings.
        gallery: (G, D) embeddings of the same model.
        query_pids: As in ``evaluate_embeddings``, and so are the other labels.
        gallery_pids: (G,) identities.
        query_camids: (Q,) cameras.
        gallery_camids: (G,) cameras.
        protocol: Which same pairs count.
        max_different: Size of the sample.
        seed: Of the sample.

    Raises:
        InputError, NoValidQueryError: As in ``evaluate_embeddings``; or all images show one person.
    """
    query_vectors, gallery_vectors = check_embedding_pair(query, gallery)
    report = evaluate_embeddings(
        query_vectors,
        gallery_vectors,
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        protocol=protocol,
        keep_matches=True,
    )
    matches = report.matches
    assert matches is not None
    query_pid, gallery_pid = report.per_query.pid, np.asarray(gallery_pids).astype(np.int64)
    first, second, num_different = _sample_different(query_pid, gallery_pid, max_different, seed)
    unit_query, unit_gallery = unit_rows(query_vectors, "Query"), unit_rows(gallery_vectors, "Gallery")
    different = np.concatenate(
        [
            np.einsum("nd,nd->n", unit_query[first[rows]], unit_gallery[second[rows]], dtype=np.float64)
            for rows in _slices(len(first))
        ]
    )
    same = query_pid[matches.query_index] > DISTRACTOR_PID
    same_pid = query_pid[matches.query_index][same]
    return LabelledPairs(
        similarity=np.concatenate([1.0 - matches.distance[same], different]),
        is_same=np.concatenate([np.ones(len(same_pid), np.bool_), np.zeros(len(first), np.bool_)]),
        first_pid=np.concatenate([same_pid, query_pid[first]]),
        second_pid=np.concatenate([same_pid, gallery_pid[second]]),
        weight=np.concatenate([np.ones(len(same_pid)), np.full(len(first), num_different / len(first))]),
    )


def operating_points(
    pairs: LabelledPairs,
    *,
    fmr_targets: Sequence[float] = (1e-2, 1e-3, 1e-4),
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[OperatingPoint, ...]:
    """The equal-error threshold and one for each false match rate.

    Intervals resample identities with replacement; a same pair counts as often as its identity was drawn, a
    different pair as often as both were (the two-way bootstrap of biometrics).

    Args:
        pairs: Known pairs.
        fmr_targets: Wanted false match rates, between 0 and 1.
        confidence: Of the intervals.
        resamples: Draws of identities.
        seed: Equal seeds give equal intervals.

    Raises:
        InputError: A target is not between 0 and 1.
    """
    if any(not 0.0 < target < 1.0 for target in fmr_targets):
        raise InputError(
            f"fmr_targets are {list(fmr_targets)}, expected rates between 0 and 1, such as 1e-3."
        )
    curve = _ErrorCurve(pairs)
    chosen = [curve.at_equal_error(pairs.weight)]
    chosen += [curve.at_fmr(pairs.weight, target) for target in fmr_targets]
    draws: list[list[float]] = [[] for _ in chosen]
    for weight in _resampled_weights(pairs, resamples, seed):
        draws[0].append(curve.at_equal_error(weight)[0])
        for number, target in enumerate(fmr_targets, start=1):
            draws[number].append(curve.at_fmr(weight, target)[0])
    names = ["eer", *(f"fmr<={target:g}" for target in fmr_targets)]
    doubts = [_doubts(pairs, None), *(_doubts(pairs, target) for target in fmr_targets)]
    return tuple(
        OperatingPoint(name, _finite(point[0]), *_percentiles(drawn, confidence), point[1], point[2], doubt)
        for name, point, drawn, doubt in zip(names, chosen, draws, doubts, strict=True)
    )


def absent_threshold(
    report: EvalReport,
    *,
    target_fpir: float = 0.05,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> AbsentThreshold:
    """When to say "not in this gallery", from a labelled evaluation with cosine distances.

    A query's nearest mismatch is what a search would find if the person were not in the gallery; the
    threshold is the lowest at which at most ``target_fpir`` of these reach it. It holds for galleries of this
    size.

    Args:
        report: Of ``evaluate_embeddings`` with metric="cosine" on this gallery.
        target_fpir: Wanted share of absent people for whom somebody is named, between 0 and 1.
        confidence: Of the interval.
        resamples: Draws of identities.
        seed: Equal seeds give equal intervals.

    Raises:
        InputError: The report is not of cosine distances, no query has a mismatch, or the target is no rate.
    """
    if report.metric != "cosine":
        raise InputError(f"The report is of {report.metric!r} distances; evaluate with metric='cosine'.")
    if not 0.0 < target_fpir < 1.0:
        raise InputError(f"target_fpir is {target_fpir!r}, expected between 0 and 1, such as 0.05.")
    table = report.per_query
    absent = table.best_false_index != NONE
    if not absent.any():
        raise InputError("No query has a mismatch, so nobody knows what a search for an absent person finds.")
    best_false = 1.0 - table.best_false_distance[absent]
    pids = table.pid[absent]
    ones = np.ones(len(best_false))
    threshold, fpir = _lowest_within(best_false, ones, target_fpir)
    identities, code = np.unique(pids, return_inverse=True)
    rng = rng_for(seed, "bootstrap of the absent threshold")
    draws = []
    for _ in range(resamples):
        times = rng.multinomial(len(identities), np.full(len(identities), 1 / len(identities)))
        draws.append(_lowest_within(best_false, times[code.reshape(-1)].astype(np.float64), target_fpir)[0])
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    matched = table.is_matched
    found = (table.first_match_rank[matched] == 1) & (1.0 - table.best_match_distance[matched] >= threshold)
    doubts = list(_thin_identities(len(identities)))
    if len(best_false) * target_fpir < _RULE_OF_30:
        doubts.append(
            f"A rate of {target_fpir:g} in {len(best_false)} searches means less than {_RULE_OF_30} errors."
        )
    return AbsentThreshold(
        similarity=threshold,
        low=float(low),
        high=float(high),
        target_fpir=target_fpir,
        fpir=fpir,
        fnir=float(1.0 - found.mean()) if matched.any() else float("nan"),
        num_absent=len(best_false),
        num_gallery=report.num_gallery,
        doubts=tuple(doubts),
    )


class _ErrorCurve:
    """Both error rates at every distinct similarity, for any weights of the pairs."""

    def __init__(self, pairs: LabelledPairs) -> None:
        self._order = np.argsort(-pairs.similarity, kind="stable")
        ordered = pairs.similarity[self._order]
        self._last_of_ties = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
        self._similarity = ordered[self._last_of_ties]
        self._is_same = pairs.is_same[self._order]

    def at_fmr(self, weight: FloatArray, target: float) -> tuple[float, float, float]:
        """(threshold, FMR, FNMR) of the lowest threshold with FMR at most ``target``; inf if there is
        none."""
        fmr, fnmr = self._rates(weight)
        last = int(np.searchsorted(fmr, target * (1 + 1e-12), side="right")) - 1
        if last < 0:
            return float("inf"), 0.0, 1.0
        return float(self._similarity[last]), float(fmr[last]), float(fnmr[last])

    def at_equal_error(self, weight: FloatArray) -> tuple[float, float, float]:
        """(threshold, FMR, FNMR) where the two differ least."""
        fmr, fnmr = self._rates(weight)
        nearest = int(np.argmin(np.abs(fmr - fnmr)))
        return float(self._similarity[nearest]), float(fmr[nearest]), float(fnmr[nearest])

    def _rates(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        ordered = weight[self._order]
        accepted_same = np.cumsum(np.where(self._is_same, ordered, 0.0))
        accepted_different = np.cumsum(np.where(self._is_same, 0.0, ordered))
        fmr = accepted_different[self._last_of_ties] / accepted_different[-1]
        fnmr = 1.0 - accepted_same[self._last_of_ties] / accepted_same[-1]
        return fmr, fnmr


def _resampled_weights(pairs: LabelledPairs, resamples: int, seed: int) -> Iterator[FloatArray]:
    identities = np.union1d(pairs.first_pid, pairs.second_pid)
    first = np.searchsorted(identities, pairs.first_pid)
    second = np.searchsorted(identities, pairs.second_pid)
    rng = rng_for(seed, "two-way bootstrap over identities")
    for _ in range(resamples):
        times = rng.multinomial(len(identities), np.full(len(identities), 1 / len(identities)))
        drawn = pairs.weight * np.where(pairs.is_same, times[first], times[first] * times[second])
        if drawn[pairs.is_same].any() and drawn[~pairs.is_same].any():
            yield drawn


def _lowest_within(values: FloatArray, weight: FloatArray, target: float) -> tuple[float, float]:
    """The lowest threshold that at most ``target`` of ``values`` reach, and the share that does.

    That is just above the largest value that must stay out.
    """
    order = np.argsort(-values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    out = int(np.searchsorted(share, target * (1 + 1e-12), side="right"))
    border = values[order[min(out, len(values) - 1)]]
    threshold = float(np.nextafter(border, np.inf))
    return threshold, float(weight[values >= threshold].sum() / weight.sum())


def _sample_different(
    query_pid: NDArray[np.int64], gallery_pid: NDArray[np.int64], limit: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Query and gallery positions of different people, and how many such pairs there are."""
    queries, images = np.flatnonzero(query_pid > DISTRACTOR_PID), np.flatnonzero(gallery_pid > DISTRACTOR_PID)
    known, counts = np.unique(gallery_pid[images], return_counts=True)
    at = np.minimum(np.searchsorted(known, query_pid[queries]), max(len(known) - 1, 0))
    num_same = int(counts[at][known[at] == query_pid[queries]].sum()) if len(known) else 0
    total = len(queries) * len(images) - num_same
    if total == 0:
        raise InputError(
            f"All identified images (pid above {DISTRACTOR_PID}) show one person; give images of others too."
        )
    if len(queries) * len(images) <= limit:
        first, second = (grid.reshape(-1) for grid in np.meshgrid(queries, images, indexing="ij"))
        different = query_pid[first] != gallery_pid[second]
        return first[different], second[different], total
    rng = rng_for(seed, "different pairs")
    chosen: list[NDArray[Any]] = []
    while sum(len(part) for part in chosen) < limit:
        drawn = np.stack([rng.choice(queries, limit), rng.choice(images, limit)], axis=1)
        chosen.append(drawn[query_pid[drawn[:, 0]] != gallery_pid[drawn[:, 1]]])
    sample = np.concatenate(chosen)[:limit]
    return sample[:, 0], sample[:, 1], total


def _slices(number: int) -> Iterator[slice]:
    for start in range(0, number, _PAIR_CHUNK):
        yield slice(start, start + _PAIR_CHUNK)


def _doubts(pairs: LabelledPairs, target: float | None) -> tuple[str, ...]:
    doubts = list(_thin_identities(pairs.num_identities))
    num_same = int(pairs.is_same.sum())
    num_different = len(pairs.is_same) - num_same
    if num_same < _RULE_OF_30:
        doubts.append(f"Only {num_same} same pairs are known.")
    if target is not None and num_different * target < _RULE_OF_30:
        doubts.append(
            f"A rate of {target:g} in {num_different} different pairs rests on less than {_RULE_OF_30} "
            "errors (Doddington's rule of 30)."
        )
    return tuple(doubts)


def _thin_identities(number: int) -> Iterator[str]:
    if number < THIN_IDENTITIES:
        yield (f"Only {number} identities are known; below {THIN_IDENTITIES}, intervals are too narrow.")


def _percentiles(draws: Sequence[float], confidence: float) -> tuple[float | None, float | None]:
    if not draws:
        return None, None
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(draws, tails, method="inverted_cdf")  # no interpolation: a draw may be infinite
    return _finite(float(low)), _finite(float(high))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
