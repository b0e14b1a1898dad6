"""The gate in words and tables: before and after, every condition, and the queries that changed sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reid_core.errors import ReidError
from reid_core.retraining.comparison import PoolComparison, QueryDelta, ScoreDelta
from reid_core.retraining.gate import LOCKED, Condition, GateResult, GateThresholds
from reid_core.services.retraining import Retraining
from webapp.views.evaluate import format_when
from webapp.views.formats import format_count
from webapp.views.retrain_parts import CropPicture, crop_picture
from webapp.views.run_scores import percent

CONDITIONS = {
    "map": "Change of mAP",
    "map_low": "Lower border of its interval",
    "violations": "Rank violations fixed",
    "camera_pairs": "Worst camera pair",
    "rank1_balance": "Newly wrong at rank 1",
}
_POOLS = {
    "locked": "Locked test (decides)",
    "feedback": "Feedback pool (part of it trained)",
    "feedback_unseen": "Feedback pool, people who did not train",
}
_SCORES = {"mean_ap": "mAP", "rank1": "Rank-1", "mean_inp": "mINP"}
_MAX_QUERIES = 12

THRESHOLDS = (
    ("min_map_delta", "mAP on the locked test changes by at least", "points", 100.0),
    ("min_map_low", "The lower border of its interval is above", "points", 100.0),
    ("min_violations_fixed", "Of the rank violations are fixed at least", "%", 100.0),
    ("max_camera_pair_drop", "No camera pair loses more than", "points", 100.0),
    ("max_broken_per_fixed", "Newly wrong queries per newly right one, at most", "", 1.0),
)
"""Field, words, unit, and what a field is multiplied with to be shown."""
CAMERA_RULES = {
    False: "Only clear drops count: the pair's 95% interval, shared out over all pairs, lies below zero.",
    True: "Every drop counts, however few queries the pair has.",
}
"""What ``every_camera_pair`` means, in the order of the choice."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One score of one pool, before and after. ``tone`` is good, bad or "" where the interval holds zero."""

    pool: str
    score: str
    before: str
    after: str
    delta: str
    interval: str
    tone: str


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """One condition with value, threshold and outcome in a word."""

    title: str
    value: str
    threshold: str
    holds: bool
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class QueryRow:
    """A query that changed sides: itself, and the first crop of either ranking."""

    id: str
    title: str
    ranks: str
    query: CropPicture
    before: CropPicture | None
    before_verdict: str
    after: CropPicture | None
    after_verdict: str


@dataclass(frozen=True, slots=True)
class CameraCell:
    """One camera pair. ``tone`` is good, bad or "" where the change may be chance; ``is_beyond``: it drops
    by more than the threshold."""

    query: int
    gallery: int
    delta: str
    tone: str
    is_beyond: bool
    words: str


@dataclass(frozen=True, slots=True)
class ThresholdField:
    """One threshold as a person edits it; ``factor`` times the field is shown."""

    name: str
    title: str
    unit: str
    value: str
    default: str
    factor: float


@dataclass(frozen=True, slots=True)
class GatePanel:
    """The comparison of a candidate. ``message`` says why there is none."""

    model: str = ""
    message: str = ""
    verdict: str = ""
    is_promotable: bool = False
    state: str = ""
    title: str = ""
    when: str = ""
    scores: tuple[ScoreRow, ...] = ()
    conditions: tuple[ConditionRow, ...] = ()
    violations: str = ""
    cameras: tuple[CameraCell, ...] = ()
    camera_rule: str = ""
    every_camera_pair: bool = False
    camera_rules: tuple[str, ...] = tuple(CAMERA_RULES.values())
    corruptions: tuple[ScoreRow, ...] = ()
    fixed: tuple[QueryRow, ...] = ()
    broken: tuple[QueryRow, ...] = ()
    num_fixed: int = 0
    num_broken: int = 0
    notes: tuple[str, ...] = ()
    thresholds: tuple[ThresholdField, ...] = ()
    thresholds_changed: bool = False


def show_gate(retraining: Retraining, params: Mapping[str, object]) -> GatePanel:
    """The gate for ``model``: its newest comparison, decided by the thresholds of now."""
    model = str(params.get("model") or "")
    settings = retraining.gate_settings
    fields: dict[str, Any] = {
        "model": model,
        "thresholds": threshold_fields(settings.current, settings.default),
        "thresholds_changed": bool(settings.changed),
        "every_camera_pair": settings.current.every_camera_pair,
        "camera_rule": CAMERA_RULES[settings.current.every_camera_pair],
    }
    try:
        candidate = next(
            (view for view in retraining.promoting.candidates() if view.model.name == model), None
        )
        if candidate is None or not candidate.model.comparison:
            verdict = "" if candidate is None else candidate.verdict
            return GatePanel(message=verdict or "No candidate was compared yet.", **fields)
        kept = retraining.promoting.comparison(candidate.model.comparison)
        result = retraining.promoting.decided(candidate.model.comparison)
    except ReidError as error:
        return GatePanel(message=str(error), **fields)
    gallery, locked = candidate.model.gallery, result.pool(LOCKED)
    assert locked is not None  # a comparison without one cannot be decided
    return GatePanel(
        verdict=candidate.verdict if candidate.state in ("outdated", "serving", "served") else result.verdict,
        is_promotable=candidate.state == "promotable",
        state=candidate.state,
        title=f"{kept['before_model']} → {kept['after_model']}",
        when=format_when(float(kept["created_s"])),
        scores=tuple(row for pool in result.pools for row in _score_rows(pool)),
        conditions=tuple(_condition_row(condition, result.thresholds) for condition in result.conditions),
        violations=_violations(result),
        cameras=tuple(_camera_cells(locked, settings.current.max_camera_pair_drop)),
        corruptions=tuple(
            _score_row("Locked test", delta, delta.score)
            for pool in result.pools
            for delta in pool.corruptions
        ),
        fixed=tuple(_query_row(gallery, query) for query in locked.fixed[:_MAX_QUERIES]),
        broken=tuple(_query_row(gallery, query) for query in locked.broken[:_MAX_QUERIES]),
        num_fixed=len(locked.fixed),
        num_broken=len(locked.broken),
        notes=result.notes,
        **fields,
    )


def threshold_fields(current: GateThresholds, default: GateThresholds) -> tuple[ThresholdField, ...]:
    """The thresholds as a form shows them."""
    now, usual = asdict(current), asdict(default)
    return tuple(
        ThresholdField(name, title, unit, _short(now[name] * factor), _short(usual[name] * factor), factor)
        for name, title, unit, factor in THRESHOLDS
    )


def _score_rows(pool: PoolComparison) -> list[ScoreRow]:
    title = _POOLS.get(pool.pool, pool.pool)
    words = f"{title}: {format_count(pool.num_queries, 'query', 'queries')}"
    return [_score_row(words, delta, _SCORES[delta.score]) for delta in pool.scores]


def _score_row(pool: str, delta: ScoreDelta, title: str) -> ScoreRow:
    has_interval = not (math.isnan(delta.low) or math.isnan(delta.high))
    tone = "good" if has_interval and delta.low > 0 else "bad" if has_interval and delta.high < 0 else ""
    interval = f"{points(delta.low)} to {points(delta.high)}" if has_interval else ""
    return ScoreRow(
        pool, title, percent(delta.before), percent(delta.after), points(delta.delta), interval, tone
    )


def _condition_row(condition: Condition, limits: GateThresholds) -> ConditionRow:
    rule = f" {CAMERA_RULES[limits.every_camera_pair]}" if condition.name == "camera_pairs" else ""
    return ConditionRow(
        title=CONDITIONS[condition.name],
        value="not measured" if condition.value is None else _value(condition.name, condition.value),
        threshold=_limit(condition.name, condition.threshold),
        holds=condition.holds,
        word="Holds" if condition.holds else "Fails",
        sentence=condition.sentence + rule,
    )


def _value(name: str, value: float) -> str:
    if name == "violations":
        return f"{value:.0%}"
    return f"{value:g}" if name == "rank1_balance" else points(value)


def _limit(name: str, value: float) -> str:
    words = {"map_low": "above", "rank1_balance": "at most"}.get(name, "at least")
    return f"{words} {_value(name, value)}"


def _violations(result: GateResult) -> str:
    found = result.violations
    if found is None:
        return "Rank violations were not measured."
    rest = f" {found.num_unmeasured:,} could not be measured." if found.num_unmeasured else ""
    return (
        f"{found.num_fixed:,} of {found.num_before:,} rank violations are fixed, "
        f"{found.num_new:,} are new.{rest}"
    )


def _camera_cells(locked: PoolComparison, limit: float) -> list[CameraCell]:
    cells = []
    for pair in locked.camera_pairs:
        low, high = points(pair.low), points(pair.high)
        interval = "" if math.isnan(pair.low) else f", interval over all pairs {low} to {high}"
        tone = ("good" if pair.delta > 0 else "bad") if pair.is_clear else ""
        words = (
            f"camera {pair.query_camera} to {pair.gallery_camera}: mAP {percent(pair.before)} to "
            f"{percent(pair.after)}, {points(pair.delta)} points over "
            f"{format_count(pair.num_queries, 'query', 'queries')}{interval}"
        )
        is_beyond = pair.delta < -limit
        cells.append(
            CameraCell(pair.query_camera, pair.gallery_camera, points(pair.delta), tone, is_beyond, words)
        )
    return cells


def _query_row(gallery: str, query: QueryDelta) -> QueryRow:
    def first(rank: int, match: str | None, false: str | None) -> tuple[CropPicture | None, str]:
        crop, verdict = (match, "true") if rank == 1 else (false, "false")
        return (crop_picture(gallery, crop) if crop else None), verdict

    before, before_verdict = first(query.rank_before, query.match_id_before, query.false_id_before)
    after, after_verdict = first(query.rank_after, query.match_id_after, query.false_id_after)
    return QueryRow(
        id=query.query_id,
        title=f"person {query.pid}",
        ranks=f"first true match: rank {query.rank_before} → {query.rank_after}; "
        f"AP {percent(query.ap_before)} → {percent(query.ap_after)}",
        query=crop_picture(gallery, query.query_id),
        before=before,
        before_verdict=before_verdict,
        after=after,
        after_verdict=after_verdict,
    )


def points(share: float) -> str:
    """A difference of fractions in points of percent."""
    return f"{round(share * 100, 1) + 0.0:+.1f}"  # no minus before a zero


def _short(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
