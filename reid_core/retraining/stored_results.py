"""A kept comparison read back, and decided again under other thresholds without scoring anything anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reid_core.errors import DatasetError
from reid_core.retraining.camera_pairs import CameraPairDelta
from reid_core.retraining.comparison import PoolComparison, QueryDelta, ScoreDelta
from reid_core.retraining.gate import (
    LOCKED,
    Condition,
    GateResult,
    GateThresholds,
    Violations,
    conditions_of,
)


def result_from_dict(values: Mapping[str, Any]) -> GateResult:
    """What ``GateResult.to_dict`` wrote.

    Raises:
        DatasetError: It is no such text, or of another version.
    """
    try:
        violations = values["violations"]
        return GateResult(
            is_promotable=bool(values["is_promotable"]),
            before=values["before"],
            after=values["after"],
            conditions=tuple(Condition(**item) for item in values["conditions"]),
            pools=tuple(_pool(item) for item in values["pools"]),
            violations=None if violations is None else Violations(**violations),
            thresholds=GateThresholds(**values["thresholds"]),
            notes=tuple(values["notes"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"The kept comparison cannot be read ({error!r}). Compare the candidate again."
        ) from error


def decide_again(result: GateResult, thresholds: GateThresholds) -> GateResult:
    """The same scores under other thresholds; how the intervals were drawn stays as it was.

    Raises:
        DatasetError: The result has no locked test.
    """
    locked = result.pool(LOCKED)
    if locked is None:
        raise DatasetError("The kept comparison has no locked test. Compare the candidate again.")
    drawn = result.thresholds
    limits = replace(
        thresholds,
        camera_pair_confidence=drawn.camera_pair_confidence,
        confidence=drawn.confidence,
        resamples=drawn.resamples,
        seed=drawn.seed,
    )
    conditions = conditions_of(locked, result.violations, limits)
    is_promotable = all(condition.holds for condition in conditions)
    return replace(result, conditions=conditions, thresholds=limits, is_promotable=is_promotable)


def _pool(values: Mapping[str, Any]) -> PoolComparison:
    return PoolComparison(
        pool=values["pool"],
        num_queries=values["num_queries"],
        num_gallery=values["num_gallery"],
        num_identities=values["num_identities"],
        scores=tuple(ScoreDelta(**_numbers(item)) for item in values["scores"]),
        queries=tuple(QueryDelta(**item) for item in values["queries"]),
        camera_pairs=tuple(CameraPairDelta(**_numbers(item)) for item in values["camera_pairs"]),
        corruptions=tuple(ScoreDelta(**_numbers(item)) for item in values["corruptions"]),
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: it was written as null."""
    return {name: math.nan if value is None else value for name, value in values.items()}
