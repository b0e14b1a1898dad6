"""How far an annotator and a collection are: counts, rate, quality, what undo would take back."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from reid_core.annotation import Answer, Decision, Event, Rate, accuracy_on_gold
from reid_core.annotation.decisions import answer_of
from reid_core.services.review.planner import Planner
from reid_core.services.review.records import RateView, ReviewState

_RECENT = 30
_MIN_FOR_RATE = 5
_LONGEST_S = 120.0
"""Longer than this, somebody was away from the screen."""
_KEPT_UNDO = 100
_BREAK_AFTER = 60
_SLOWER = 1.5


def describe_state(
    annotator: str,
    log: tuple[Event, ...],
    planner: Planner | None,
    gold: Mapping[tuple[str, str], Answer],
    *,
    agreement: tuple[float | None, int],
    num_conflicts: int,
    num_to_adjudicate: int,
    num_missing: int,
) -> ReviewState:
    """The header's numbers for one annotator; see ``ReviewState``."""
    own: dict[str, Decision] = {}
    for event in log:
        if isinstance(event, Decision) and event.annotator == annotator:
            own.setdefault(answer_of(event.decision_id), event)
    today = datetime.now(timezone.utc).date().isoformat()
    seconds = _seconds_of(own.values())
    median = median_seconds(own.values())
    undo, redo = undo_stacks(log, annotator)
    alpha, num_double = agreement
    pairs = {frozenset(pair): answer for pair, answer in gold.items()}
    accuracy = accuracy_on_gold(own.values(), pairs).get(annotator) if pairs else None
    sentence, is_done = ("", False) if planner is None else planner.stopping
    return ReviewState(
        annotator=annotator,
        num_today=sum(d.decided_at[:10] == today for d in own.values()),
        num_all=len(own),
        per_hour=None if not median else 3600.0 / median,
        median_s=median,
        needs_break=_needs_break(seconds),
        yields={} if planner is None else planner.yields,
        stopping=sentence,
        is_done=is_done,
        error_rate=None if planner is None else rate_view(planner.error_rate),
        own_accuracy=rate_view(accuracy),
        agreement=alpha,
        num_doubly_judged=num_double,
        num_conflicts=num_conflicts,
        num_to_adjudicate=num_to_adjudicate,
        num_missing=num_missing,
        position=len(log),
        undo=undo[-_KEPT_UNDO:],
        redo=redo[-_KEPT_UNDO:],
        annotators=tuple(sorted({event.annotator for event in log})),
        is_preparing=planner is None,
    )


def undo_stacks(log: tuple[Event, ...], annotator: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The annotator's answers that undo and redo would act on, the next one last.

    A new answer empties redo, as in any editor. What anybody took back elsewhere is no longer undone here.
    """
    undo: dict[str, None] = {}
    redo: dict[str, None] = {}
    targets: dict[str, str] = {}
    for event in log:
        if isinstance(event, Decision):
            answer = answer_of(event.decision_id)
            if event.annotator == annotator and answer not in undo:
                undo[answer] = None
                redo.clear()
            continue
        root = targets.get(event.target_id)
        is_redo = root is not None
        answer = root if root is not None else answer_of(event.target_id)
        targets[event.retraction_id] = answer
        source, sink = (redo, undo) if is_redo else (undo, redo)
        if answer in source:
            del source[answer]
            sink[answer] = None
    return tuple(undo), tuple(redo)


def median_seconds(answers: Iterable[Decision]) -> float | None:
    """The median time of the last answers, those apart where somebody was away; None of too few."""
    seconds = _seconds_of(answers)
    return statistics.median(seconds[-_RECENT:]) if len(seconds) >= _MIN_FOR_RATE else None


def _seconds_of(answers: Iterable[Decision]) -> list[float]:
    seconds = (d.ms_taken / 1000 for d in answers if d.ms_taken is not None)
    return [s for s in seconds if s <= _LONGEST_S]


def _needs_break(seconds: list[float]) -> bool:
    """Whether the last answers were clearly slower than those of an earlier stretch of the same length."""
    if len(seconds) < _BREAK_AFTER:
        return False
    recent, before = seconds[-_BREAK_AFTER // 3 :], seconds[-_BREAK_AFTER : -_BREAK_AFTER // 3]
    return statistics.median(recent) > _SLOWER * statistics.median(before)


def rate_view(rate: Rate | None) -> RateView | None:
    """A rate as pages show it."""
    return None if rate is None else RateView(rate.rate, rate.low, rate.high, rate.num_judged)
