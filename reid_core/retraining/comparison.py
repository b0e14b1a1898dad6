"""Two models on one pool, query by query: scores with paired intervals, and who is found now and was not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation import EvalReport, paired_bootstrap
from reid_core.retraining.camera_pairs import CameraPairDelta, compare_camera_pairs

SCORES = ("mean_ap", "rank1", "mean_inp")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPool:
    """What one model scored on one pool.

    Attributes:
        report: Made with ``keep_matches=True``.
        query_ids, gallery_ids: In the report's order: what makes two reports comparable.
        gallery_camids: (G,) cameras, None where they are not known.
        fingerprint: Of the model.
        corrupted_map: mAP under the corrupted benchmark, by setting; empty where it was not measured.
    """

    report: EvalReport
    query_ids: tuple[str, ...]
    gallery_ids: tuple[str, ...]
    gallery_camids: NDArray[np.int64] | None
    fingerprint: str
    corrupted_map: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.query_ids) != self.report.num_queries or len(self.gallery_ids) != self.report.num_gallery:
            raise InputError(
                f"{len(self.query_ids)} query and {len(self.gallery_ids)} gallery ids for a report on "
                f"{self.report.num_queries} and {self.report.num_gallery}; give the ids that were scored."
            )


@dataclass(frozen=True, slots=True)
class ScoreDelta:
    """A score before and after with the paired interval of the difference; fractions.

    ``low`` and ``high`` are NaN where fewer than two identities count.
    """

    score: str
    before: float
    after: float
    delta: float
    low: float
    high: float
    num_identities: int


@dataclass(frozen=True, slots=True)
class QueryDelta:
    """One query before and after. Ranks count from 1; ``false_id`` is the nearest crop of somebody else,
    ``match_id`` the nearest true match; None if there is none."""

    query_id: str
    pid: int
    ap_before: float
    ap_after: float
    rank_before: int
    rank_after: int
    false_id_before: str | None
    false_id_after: str | None
    match_id_before: str | None
    match_id_after: str | None

    @property
    def is_fixed(self) -> bool:
        """Found at rank 1 now and not before."""
        return self.rank_after == 1 and self.rank_before != 1

    @property
    def is_broken(self) -> bool:
        """Found at rank 1 before and not now."""
        return self.rank_before == 1 and self.rank_after != 1


@dataclass(frozen=True, slots=True)
class PoolComparison:
    """Before and after on one pool. ``queries`` are those with a true match, in query order."""

    pool: str
    num_queries: int
    num_gallery: int
    num_identities: int
    scores: tuple[ScoreDelta, ...]
    queries: tuple[QueryDelta, ...]
    camera_pairs: tuple[CameraPairDelta, ...]
    corruptions: tuple[ScoreDelta, ...]

    @property
    def fixed(self) -> tuple[QueryDelta, ...]:
        """Newly right at rank 1, largest gain first."""
        return tuple(sorted((q for q in self.queries if q.is_fixed), key=lambda q: q.ap_before - q.ap_after))

    @property
    def broken(self) -> tuple[QueryDelta, ...]:
        """Newly wrong at rank 1, largest loss first."""
        return tuple(sorted((q for q in self.queries if q.is_broken), key=lambda q: q.ap_after - q.ap_before))

    def score(self, name: str) -> ScoreDelta:
        """One of ``SCORES``."""
        return next(score for score in self.scores if score.score == name)


def compare_pool(
    name: str,
    before: ScoredPool,
    after: ScoredPool,
    *,
    confidence: float = 0.95,
    camera_pair_confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> PoolComparison:
    """Both models on one pool.

    Args:
        name: Of the pool, for messages.
        before, after: What each model scored.
        confidence: Of the paired intervals.
        camera_pair_confidence: As in ``compare_camera_pairs``.
        resamples, seed: Of the bootstrap over identities.

    Raises:
        InputError: The reports do not compare; the message says what differs.
    """
    _check_comparable(name, before, after)
    first, second = before.report, after.report
    counted = first.per_query.is_matched
    pids = np.unique(first.per_query.pid[counted])
    intervals = (
        paired_bootstrap(
            first,
            second,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
            ranks=(1,),
        )
        if len(pids) > 1
        else {}
    )
    scores = []
    for score in SCORES:
        old, new = float(getattr(first, score)), float(getattr(second, score))
        low, high = math.nan, math.nan
        if score in intervals:
            low, high = intervals[score].interval.low, intervals[score].interval.high
        scores.append(ScoreDelta(score, old, new, new - old, low, high, len(pids)))
    return PoolComparison(
        pool=name,
        num_queries=first.num_queries,
        num_gallery=first.num_gallery,
        num_identities=len(pids),
        scores=tuple(scores),
        queries=tuple(_query_delta(row, before, after) for row in np.flatnonzero(counted).tolist()),
        camera_pairs=(
            ()
            if before.gallery_camids is None
            else compare_camera_pairs(
                first,
                second,
                before.gallery_camids,
                confidence=camera_pair_confidence,
                resamples=resamples,
                seed=seed,
            )
        ),
        corruptions=tuple(
            ScoreDelta(
                setting,
                value,
                after.corrupted_map[setting],
                after.corrupted_map[setting] - value,
                math.nan,
                math.nan,
                len(pids),
            )
            for setting, value in before.corrupted_map.items()
            if setting in after.corrupted_map
        ),
    )


def _check_comparable(name: str, before: ScoredPool, after: ScoredPool) -> None:
    differences = {
        "protocols": before.report.protocol != after.report.protocol,
        "metrics": before.report.metric != after.report.metric,
        "queries": before.query_ids != after.query_ids
        or not np.array_equal(before.report.per_query.pid, after.report.per_query.pid)
        or not np.array_equal(before.report.per_query.camid, after.report.per_query.camid),
        "galleries": before.gallery_ids != after.gallery_ids
        or not np.array_equal(before.report.per_query.num_kept, after.report.per_query.num_kept)
        or not np.array_equal(before.report.per_query.num_matches, after.report.per_query.num_matches),
        "cameras": not _same_cameras(before.gallery_camids, after.gallery_camids),
        "numbers of ranks": before.report.max_rank != after.report.max_rank,
    }
    found = [what for what, differs in differences.items() if differs]
    if found:
        raise InputError(
            f"On the pool {name!r} the two models were scored with different {', '.join(found)}, so their "
            "numbers do not compare. Score both on the same crops and labels, under one protocol."
        )


def _same_cameras(before: NDArray[np.int64] | None, after: NDArray[np.int64] | None) -> bool:
    if before is None or after is None:
        return before is None and after is None
    return bool(np.array_equal(before, after))


def _query_delta(row: int, before: ScoredPool, after: ScoredPool) -> QueryDelta:
    old, new = before.report.per_query, after.report.per_query

    def name(index: int) -> str | None:
        return before.gallery_ids[index] if index >= 0 else None

    return QueryDelta(
        query_id=before.query_ids[row],
        pid=int(old.pid[row]),
        ap_before=float(old.ap[row]),
        ap_after=float(new.ap[row]),
        rank_before=int(old.first_match_rank[row]),
        rank_after=int(new.first_match_rank[row]),
        false_id_before=name(int(old.best_false_index[row])),
        false_id_after=name(int(new.best_false_index[row])),
        match_id_before=name(int(old.best_match_index[row])),
        match_id_after=name(int(new.best_match_index[row])),
    )
