"""Two models camera pair by camera pair, with intervals that know how few queries a pair has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError
from reid_core.evaluation import EvalReport
from reid_core.seeds import rng_for

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CameraPairDelta:
    """mAP of the queries of one camera for their matches in another, before and after; fractions.

    ``low`` and ``high`` are the paired interval over identities, shared out over all pairs; NaN where fewer
    than two identities have a match here, or no interval was asked for.
    """

    query_camera: int
    gallery_camera: int
    num_queries: int
    num_identities: int
    before: float
    after: float
    delta: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def compare_camera_pairs(
    before: EvalReport,
    after: EvalReport,
    gallery_camids: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[CameraPairDelta, ...]:
    """A row per pair of query camera and match camera, by camera numbers.

    Per query only the matches of the pair count and all mismatches stay, as ``slice_by_camera_pair`` scores.

    Args:
        before, after: Reports on the same queries and gallery, with their matches.
        gallery_camids: (G,) cameras of the gallery.
        confidence: Of all intervals together (Bonferroni); 0 gives none.
        resamples, seed: Of the bootstrap over identities.

    Raises:
        InputError: A report holds no matches, or the cameras do not fit.
    """
    cameras = np.asarray(gallery_camids)
    if cameras.shape != (before.num_gallery,):
        raise InputError(f"gallery_camids has shape {cameras.shape}, expected ({before.num_gallery},).")
    old, new = _precision_by_pair(before, cameras), _precision_by_pair(after, cameras)
    if old.keys() != new.keys():
        raise InputError("The reports have different matches; score both models on the same labels.")
    pairs = sorted({(query_camera, gallery_camera) for query_camera, gallery_camera, _ in old})
    pids, code = np.unique(before.per_query.pid, return_inverse=True)
    sums, sizes = np.zeros((len(pids), len(pairs))), np.zeros((len(pids), len(pairs)))
    totals = np.zeros((2, len(pairs)))
    column = {pair: number for number, pair in enumerate(pairs)}
    for key, value in old.items():
        place = column[key[0], key[1]]
        totals[:, place] += value, new[key]
        sums[code[key[2]], place] += new[key] - value
        sizes[code[key[2]], place] += 1
    lows, highs = _intervals(sums, sizes, confidence, resamples, seed)
    rows = []
    for place, (query_camera, gallery_camera) in enumerate(pairs):
        number = int(sizes[:, place].sum())
        first, second = totals[:, place] / number
        rows.append(
            CameraPairDelta(
                query_camera=query_camera,
                gallery_camera=gallery_camera,
                num_queries=number,
                num_identities=int((sizes[:, place] > 0).sum()),
                before=float(first),
                after=float(second),
                delta=float(second - first),
                low=float(lows[place]),
                high=float(highs[place]),
            )
        )
    return tuple(rows)


def _precision_by_pair(report: EvalReport, cameras: NDArray[np.generic]) -> dict[tuple[int, int, int], float]:
    """AP of each (query camera, match camera, query) from the matches of that camera alone."""
    matches = report.matches
    if matches is None:
        raise InputError("The report holds no single matches; evaluate with keep_matches=True.")
    found: dict[tuple[int, int, int], list[float]] = {}
    query_cameras = report.per_query.camid
    for query, gallery, false_ahead in zip(
        matches.query_index.tolist(),
        matches.gallery_index.tolist(),
        matches.false_ahead.tolist(),
        strict=True,
    ):
        key = (int(query_cameras[query]), int(cameras[gallery]), query)
        hits = found.setdefault(key, [])
        hit = len(hits) + 1
        rank = hit + false_ahead
        precision = hit / rank
        if report.protocol.ap == "trapezoid":
            precision = ((hit - 1) / (rank - 1) + precision) / 2 if rank > 1 else (1.0 + precision) / 2
        hits.append(precision)
    return {key: math.fsum(hits) / len(hits) for key, hits in found.items()}


def _intervals(
    sums: FloatArray, sizes: FloatArray, confidence: float, resamples: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Percentile borders per pair; NaN where fewer than two identities count."""
    num_pids, num_pairs = sums.shape
    nothing = np.full(num_pairs, np.nan)
    if confidence == 0 or not num_pairs:
        return nothing, nothing.copy()
    rng = rng_for(seed, "camera pairs")
    times = rng.multinomial(num_pids, np.full(num_pids, 1 / num_pids), size=resamples)
    weight = times @ sizes
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(weight > 0, (times @ sums) / weight, np.nan)
    tail = (1 - confidence) / (2 * num_pairs)
    low, high = nothing.copy(), nothing.copy()
    for pair in np.flatnonzero((sizes > 0).sum(axis=0) > 1):
        drawn = means[np.isfinite(means[:, pair]), pair]
        low[pair], high[pair] = np.quantile(drawn, [tail, 1 - tail])
    return low, high
