"""Does a retrained model replace the one that serves? Only where stated thresholds hold; the rest is said.

Before and after are compared query by query on the same queries, galleries and rules. The locked test
decides; the feedback pool, on which people corrected and of which parts train, is shown beside it. Intervals
draw identities, the same for both models (``evaluation.intervals``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.retraining.comparison import PoolComparison, ScoredPool, compare_pool

LOCKED, FEEDBACK, FEEDBACK_UNSEEN = "locked", "feedback", "feedback_unseen"
"""Names of pools: the locked test, all of the feedback pool, and its identities that do not train."""
MIN_REASONABLE_DECISIONS = 50
"""Fewer label-changing judgements than this are not worth a training run (annotation guide)."""


@dataclass(frozen=True, slots=True)
class GateThresholds:
    """When a candidate is promoted. Differences are fractions: 0.003 is 0.3 points.

    Attributes:
        min_map_delta: Least change of mAP on the locked test.
        min_map_low: Least lower border of its paired interval.
        min_violations_fixed: Least share of the snapshot's wrong orders that the candidate puts right.
        max_camera_pair_drop: No camera pair of the locked test loses more mAP than this.
        every_camera_pair: Every drop beyond it counts, however few queries it rests on. Otherwise one counts
            where the paired interval of the pair lies below zero: with a handful of queries per pair some
            pair always drops by chance.
        camera_pair_confidence: Of those intervals together, shared out over all pairs (Bonferroni).
        max_broken_per_fixed: Newly broken Rank-1 queries of the locked test may be at most this many times
            the newly fixed ones. With none newly fixed none may be broken, whatever this is.
        confidence, resamples, seed: Of the paired intervals.
    """

    min_map_delta: float = -0.003
    min_map_low: float = -0.010
    min_violations_fixed: float = 0.5
    max_camera_pair_drop: float = 0.02
    every_camera_pair: bool = False
    camera_pair_confidence: float = 0.95
    max_broken_per_fixed: float = 1.0
    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_violations_fixed <= 1.0:
            raise InputError(f"min_violations_fixed is {self.min_violations_fixed}, expected 0 to 1.")
        if not 0.0 < self.camera_pair_confidence < 1.0:
            raise InputError(
                f"camera_pair_confidence is {self.camera_pair_confidence}, expected above 0 and below 1."
            )
        for name in ("max_camera_pair_drop", "max_broken_per_fixed"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} is {value}, expected a number of at least 0.")
        if not all(math.isfinite(v) for v in (self.min_map_delta, self.min_map_low)):
            raise InputError("min_map_delta and min_map_low have to be numbers.")


@dataclass(frozen=True, slots=True)
class Violations:
    """Of the snapshot's triplets: how many were in the wrong order, how many of those are right now, and how
    many that were right are wrong now. ``num_unmeasured`` had a crop without an embedding."""

    num_before: int
    num_fixed: int
    num_new: int
    num_unmeasured: int = 0

    @property
    def share_fixed(self) -> float:
        """In [0, 1]; NaN where there was none."""
        return self.num_fixed / self.num_before if self.num_before else math.nan

    @staticmethod
    def count(before: NDArray[np.float64], after: NDArray[np.float64]) -> Violations:
        """From the violations (T,) of the same triplets under both models; NaN is unmeasured.

        Raises:
            InputError: The lengths differ.
        """
        if before.shape != after.shape or before.ndim != 1:
            raise InputError(
                f"Violations have shapes {before.shape} and {after.shape}; give both models "
                "the same triplets."
            )
        known = np.isfinite(before) & np.isfinite(after)
        was, now = before[known] > 0, after[known] > 0
        return Violations(
            int(was.sum()), int((was & ~now).sum()), int((~was & now).sum()), int((~known).sum())
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """One threshold. ``value`` is None where it was not measured; then it does not hold."""

    name: Literal["map", "map_low", "violations", "camera_pairs", "rank1_balance"]
    value: float | None
    threshold: float
    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """The decision with everything it rests on."""

    is_promotable: bool
    before: str
    after: str
    conditions: tuple[Condition, ...]
    pools: tuple[PoolComparison, ...]
    violations: Violations | None
    thresholds: GateThresholds
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One sentence."""
        failed = [condition for condition in self.conditions if not condition.holds]
        if not failed:
            return f"All {len(self.conditions)} conditions hold: the candidate may be promoted."
        return (
            f"{len(failed)} of {len(self.conditions)} conditions {'does' if len(failed) == 1 else 'do'} not "
            "hold, so the candidate is kept and "
            f"the present model serves on: {' '.join(condition.sentence for condition in failed)}"
        )

    def pool(self, name: str) -> PoolComparison | None:
        """The comparison on one pool, None if it was not compared."""
        return next((pool for pool in self.pools if pool.pool == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the verdict; NaN becomes None."""
        values: dict[str, Any] = _finite({**asdict(self), "verdict": self.verdict})
        for pool, own in zip(values["pools"], self.pools, strict=True):
            pool["fixed"] = [query.query_id for query in own.fixed]
            pool["broken"] = [query.query_id for query in own.broken]
        return values


def decide(
    before: Mapping[str, ScoredPool],
    after: Mapping[str, ScoredPool],
    *,
    violations: Violations | None,
    thresholds: GateThresholds | None = None,
) -> GateResult:
    """Compare two models and decide.

    Args:
        before: Pools as the present model scores them, by name; ``LOCKED`` is needed.
        after: The same pools under the candidate.
        violations: Of the snapshot that the candidate was trained on; None: not measured, so no pass.
        thresholds: By default the published ones.

    Raises:
        InputError: The locked test is missing, or the two sides are not of the same pools, queries,
            galleries, cameras, protocol and metric.
    """
    limits = thresholds or GateThresholds()
    if before.keys() != after.keys() or LOCKED not in before:
        raise InputError(
            f"The present model was scored on {sorted(before)}, the candidate on {sorted(after)}; score "
            f"both on the same pools, {LOCKED!r} among them."
        )
    for side in (before, after):
        if len({pool.fingerprint for pool in side.values()}) > 1:
            raise InputError("The pools of one side were scored with different models; score them again.")
    pools = tuple(
        compare_pool(
            name,
            before[name],
            after[name],
            confidence=limits.confidence,
            camera_pair_confidence=limits.camera_pair_confidence,
            resamples=limits.resamples,
            seed=limits.seed,
        )
        for name in before
    )
    locked = next(pool for pool in pools if pool.pool == LOCKED)
    conditions = conditions_of(locked, violations, limits)
    return GateResult(
        is_promotable=all(condition.holds for condition in conditions),
        before=before[LOCKED].fingerprint,
        after=after[LOCKED].fingerprint,
        conditions=conditions,
        pools=pools,
        violations=violations,
        thresholds=limits,
        notes=tuple(_notes(locked, before[LOCKED], after[LOCKED])),
    )


def conditions_of(
    locked: PoolComparison, violations: Violations | None, limits: GateThresholds
) -> tuple[Condition, ...]:
    """Every condition on the locked test and the rank violations, in the order they are read."""
    return (
        _map_condition(locked, limits),
        _map_low_condition(locked, limits),
        _violation_condition(violations, limits),
        _camera_condition(locked, limits),
        _rank1_condition(locked, limits),
    )


def _map_condition(locked: PoolComparison, limits: GateThresholds) -> Condition:
    score = locked.score("mean_ap")
    return Condition(
        "map",
        score.delta,
        limits.min_map_delta,
        score.delta >= limits.min_map_delta,
        f"Locked-test mAP goes from {_percent(score.before)} to {_percent(score.after)} "
        f"({_points(score.delta)}; at least {_points(limits.min_map_delta)} is needed).",
    )


def _map_low_condition(locked: PoolComparison, limits: GateThresholds) -> Condition:
    score = locked.score("mean_ap")
    if math.isnan(score.low):
        sentence = "The locked test has fewer than two identities, so the change has no interval."
        return Condition("map_low", None, limits.min_map_low, False, sentence)
    return Condition(
        "map_low",
        score.low,
        limits.min_map_low,
        score.low > limits.min_map_low,
        f"The {limits.confidence:.0%} interval of that change over {score.num_identities} identities is "
        f"{_points(score.low)} to {_points(score.high)} (its lower border has to be above "
        f"{_points(limits.min_map_low)}).",
    )


def _violation_condition(violations: Violations | None, limits: GateThresholds) -> Condition:
    need = limits.min_violations_fixed
    if violations is None and need == 0:
        sentence = "No share of fixed rank violations is asked for."
        return Condition("violations", None, need, True, sentence)
    if violations is None:
        sentence = "Rank violations were not measured, because no training set was given."
        return Condition("violations", None, need, False, sentence)
    if violations.num_before == 0:
        is_vacuous = violations.num_unmeasured == 0
        sentence = "The judgements name no order that the present model breaks, so there was nothing to fix."
        if not is_vacuous:
            sentence = f"None of {violations.num_unmeasured} triplets could be measured."
        return Condition("violations", None, need, is_vacuous, sentence)
    return Condition(
        "violations",
        violations.share_fixed,
        need,
        violations.share_fixed >= need,
        f"{violations.num_fixed:,} of {violations.num_before:,} rank violations are fixed "
        f"({violations.share_fixed:.0%}; at least {need:.0%} is needed), {violations.num_new:,} are new.",
    )


def _camera_condition(locked: PoolComparison, limits: GateThresholds) -> Condition:
    limit = limits.max_camera_pair_drop
    if not locked.camera_pairs:
        sentence = "The locked test names no cameras, so no camera pair can drop."
        return Condition("camera_pairs", None, -limit, True, sentence)
    dropped = [pair for pair in locked.camera_pairs if pair.delta < -limit]
    counted = [pair for pair in dropped if pair.is_clear or limits.every_camera_pair]
    worst = min(locked.camera_pairs, key=lambda pair: pair.delta)
    name = f"camera {worst.query_camera} to {worst.gallery_camera}"
    clearly = "" if limits.every_camera_pair else "clearly "
    if counted:
        first = min(counted, key=lambda pair: pair.delta)
        sentence = (
            f"{len(counted)} of {len(locked.camera_pairs)} camera pairs {clearly}lose more than "
            f"{limit * 100:.1f} points; the worst is camera {first.query_camera} to "
            f"{first.gallery_camera} with {_points(first.delta)} "
            f"over {first.num_queries} queries."
        )
        return Condition("camera_pairs", first.delta, -limit, False, sentence)
    chance = ", which may be chance" if worst.delta < -limit else ""
    sentence = (
        f"No camera pair {clearly}loses more than {limit * 100:.1f} points; the lowest of "
        f"{len(locked.camera_pairs)} is {name} with {_points(worst.delta)} over "
        f"{worst.num_queries} queries{chance}."
    )
    return Condition("camera_pairs", worst.delta, -limit, True, sentence)


def _rank1_condition(locked: PoolComparison, limits: GateThresholds) -> Condition:
    fixed, broken = len(locked.fixed), len(locked.broken)
    allowed = limits.max_broken_per_fixed * fixed  # with none newly right, none may be newly wrong
    return Condition(
        "rank1_balance",
        float(broken),
        float(allowed),
        broken <= allowed,
        f"At rank 1 of the locked test {fixed} queries are newly right and {broken} newly wrong "
        f"(at most {allowed:g} may be).",
    )


def _notes(locked: PoolComparison, before: ScoredPool, after: ScoredPool) -> list[str]:
    notes = []
    if before.fingerprint == after.fingerprint:
        notes.append("Both sides are the same model.")
    if locked.num_identities < 30:
        notes.append(
            f"The locked test has {locked.num_identities} identities; with fewer than 30, intervals are too "
            "narrow."
        )
    return notes


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _points(share: float) -> str:
    return f"{share * 100:+.1f} points"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value
