"""Confidence intervals of scores by bootstrap over identities.

Queries of one person resemble each other, so resampling queries would make intervals too narrow. Whole
identities are drawn with replacement instead (cluster bootstrap, percentile intervals: Efron and Tibshirani,
1993), and each drawn identity brings all its queries. The gallery stays as it is: the interval answers "what
if other people had been searched", not "what if the gallery had been another".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation.report import EvalReport
from reid_core.seeds import rng_for

FloatArray = NDArray[np.float64]

_CELLS_PER_DRAW = 2**24
THIN_IDENTITIES = 30
"""With fewer identities than this, percentile intervals are known to be too narrow."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its percentile interval; ``num_identities`` were resampled."""

    estimate: float
    low: float
    high: float
    confidence: float
    num_identities: int

    @property
    def is_thin(self) -> bool:
        """Too few identities for the interval to be trusted."""
        return self.num_identities < THIN_IDENTITIES


@dataclass(frozen=True, slots=True)
class Difference:
    """Second report minus first, with its interval.

    ``share_not_above`` is the share of resamples in which the second report was not better: a small value
    speaks for an improvement, one near 1 for a loss.
    """

    interval: Interval
    share_not_above: float

    @property
    def is_clear(self) -> bool:
        """Does the interval exclude zero?"""
        return self.interval.low > 0 or self.interval.high < 0


def bootstrap_intervals(
    report: EvalReport,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    ranks: Sequence[int] = (1, 5, 10, 20),
) -> dict[str, Interval]:
    """Intervals of "mean_ap", "mean_inp" and "rank<k>" for each k in ``ranks`` that the report has.

    Args:
        report: Any report.
        confidence: Between 0 and 1.
        resamples: Draws of identities; 2000 settle a 95% border to about a tenth of the interval's width.
        seed: Equal seeds give equal intervals.
        ranks: CMC ranks.

    Raises:
        InputError: A parameter is out of range, or fewer than two identities have a query that counts.
    """
    _check_parameters(confidence, resamples)
    names, scores, counted = _score_columns(report, ranks)
    sums, sizes = _sums_by_identity(report.per_query.pid, scores, counted)
    draws = _draw_means(sums, sizes, resamples, seed)
    estimates = sums.sum(axis=0) / sizes.sum()
    return dict(zip(names, _intervals(estimates, draws, confidence, len(sizes)), strict=True))


def paired_bootstrap(
    first: EvalReport,
    second: EvalReport,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    ranks: Sequence[int] = (1, 5, 10, 20),
) -> dict[str, Difference]:
    """How much better ``second`` is, by drawing the same identities for both.

    Far sharper than comparing two separate intervals, because hard identities are hard for both.

    Args:
        first: The report to compare with.
        second: Another report on the same queries in the same order, under the same protocol.
        confidence: Between 0 and 1.
        resamples: Draws of identities.
        seed: Equal seeds give equal results.
        ranks: CMC ranks.

    Raises:
        InputError: The reports are not of the same queries and protocol, or as in ``bootstrap_intervals``.
    """
    _check_parameters(confidence, resamples)
    if first.protocol != second.protocol:
        raise InputError(
            f"The reports follow different protocols, {first.protocol.name!r} and {second.protocol.name!r}; "
            "evaluate both under one."
        )
    if not np.array_equal(first.per_query.pid, second.per_query.pid) or not np.array_equal(
        first.per_query.is_matched, second.per_query.is_matched
    ):
        raise InputError(
            f"The reports are not of the same queries ({first.num_queries} and {second.num_queries}, or "
            "other pids, order or matches); a paired comparison needs the same query list and gallery."
        )
    names, scores, counted = _score_columns(first, ranks)
    other_names, other_scores, _ = _score_columns(second, ranks)
    if names != other_names:
        raise InputError(f"The reports have different CMC ranks: {names} and {other_names}.")
    sums, sizes = _sums_by_identity(first.per_query.pid, other_scores - scores, counted)
    draws = _draw_means(sums, sizes, resamples, seed)
    intervals = _intervals(sums.sum(axis=0) / sizes.sum(), draws, confidence, len(sizes))
    not_above = (draws <= 0).mean(axis=0)
    return {
        name: Difference(interval, float(share))
        for name, interval, share in zip(names, intervals, not_above, strict=True)
    }


def _score_columns(
    report: EvalReport, ranks: Sequence[int]
) -> tuple[list[str], FloatArray, NDArray[np.bool_]]:
    """Names, (Q, columns) scores, and which queries count."""
    table = report.per_query
    usable = [k for k in ranks if 1 <= k <= report.max_rank]
    columns = [table.ap, table.inp, *(table.hits_at(k) for k in usable)]
    counted = table.is_matched | (report.protocol.unmatched == "zero")
    return ["mean_ap", "mean_inp", *(f"rank{k}" for k in usable)], np.stack(columns, axis=1), counted


def _sums_by_identity(
    pids: NDArray[np.int64], scores: FloatArray, counted: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    identities, code = np.unique(pids[counted], return_inverse=True)
    if len(identities) < 2:
        raise InputError(
            f"Queries of {len(identities)} identity count; a bootstrap over identities needs at least 2."
        )
    sums = np.zeros((len(identities), scores.shape[1]))
    np.add.at(sums, code.reshape(-1), scores[counted])
    return sums, np.bincount(code.reshape(-1)).astype(np.float64)


def _draw_means(sums: FloatArray, sizes: FloatArray, resamples: int, seed: int) -> FloatArray:
    """(resamples, columns) means over identities drawn with replacement."""
    rng = rng_for(seed, "bootstrap over identities")
    number = len(sizes)
    rows = max(1, _CELLS_PER_DRAW // number)
    parts = []
    for start in range(0, resamples, rows):
        times = rng.multinomial(number, np.full(number, 1 / number), size=min(rows, resamples - start))
        parts.append((times @ sums) / (times @ sizes)[:, None])
    return np.concatenate(parts)


def _intervals(
    estimates: FloatArray, draws: FloatArray, confidence: float, num_identities: int
) -> list[Interval]:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return [
        Interval(float(estimate), float(lower), float(upper), confidence, num_identities)
        for estimate, lower, upper in zip(estimates, low, high, strict=True)
    ]


def _check_parameters(confidence: float, resamples: int) -> None:
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence is {confidence!r}, expected between 0 and 1, such as 0.95.")
    if resamples < 100:
        raise InputError(f"resamples is {resamples}, expected at least 100; 2000 is usual.")
