"""Numbers of a whole log: who answered how much and how well, what each reason for asking brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timezone

from reid_core.annotation import Answer, Decision, IdentityGraph, accuracy_on_gold
from reid_core.annotation.decisions import answer_of
from reid_core.services.review.agreement import Standing
from reid_core.services.review.faces import Faces
from reid_core.services.review.identities import contested_ids
from reid_core.services.review.progress import median_seconds, rate_view
from reid_core.services.review.records import (
    AnnotatorStatistics,
    RateView,
    ReviewStatistics,
    SinceYouLeft,
    StreamStatistics,
)

_MAX_CHANGES = 20


def describe_log(
    graph: IdentityGraph,
    standing: Standing,
    gold: Mapping[tuple[str, str], Answer],
    yields: Mapping[str, float],
) -> ReviewStatistics:
    """See ``ReviewService.statistics``. Answers count, not their single decisions."""
    by_annotator: defaultdict[str, dict[str, Decision]] = defaultdict(dict)
    by_stream: defaultdict[str, dict[str, Decision]] = defaultdict(dict)
    by_pair: defaultdict[frozenset[str], dict[str, Answer]] = defaultdict(dict)
    for event in graph.log:
        if isinstance(event, Decision):
            by_annotator[event.annotator].setdefault(answer_of(event.decision_id), event)
            by_stream[event.stream].setdefault(answer_of(event.decision_id), event)
            by_pair[event.pair].setdefault(event.annotator, event.answer)
    alpha, num_double = standing.agreement()
    pairs = {frozenset(pair): answer for pair, answer in gold.items()}
    decisions = [d for own in by_annotator.values() for d in own.values()]
    accuracy = accuracy_on_gold(decisions, pairs) if pairs else {}
    return ReviewStatistics(
        num_answers=len(decisions),
        num_events=len(graph),
        annotators=tuple(
            _annotator(graph, name, list(own.values()), by_pair, rate_view(accuracy.get(name)))
            for name, own in sorted(by_annotator.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
        streams=tuple(
            _stream(name, list(own.values()), yields.get(name))
            for name, own in sorted(by_stream.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
        alpha=alpha,
        num_doubly_judged=num_double,
        num_conflicts=len(graph.conflicts()),
        num_to_adjudicate=standing.num_to_adjudicate,
    )


def since_you_left(faces: Faces, annotator: str) -> SinceYouLeft:
    """See ``ReviewService.since_you_left``."""
    graph = faces.graph
    log = graph.log
    last = max((place for place, event in enumerate(log) if event.annotator == annotator), default=-1)
    if last < 0:
        return SinceYouLeft("", (), 0)
    touched = {
        graph.component(node)
        for event in log
        if isinstance(event, Decision) and event.annotator == annotator
        for node in event.pair
    }
    changed = []
    for event in log[last + 1 :]:
        root = event
        while not isinstance(root, Decision):
            target = graph.event(root.target_id)
            assert target is not None  # the log refers backwards only
            root = target
        if any(graph.component(node) in touched for node in root.pair):
            changed.append(event)
    contested = contested_ids(graph)
    newest = tuple(faces.change(event, contested) for event in changed[::-1][:_MAX_CHANGES])
    return SinceYouLeft(log[last].decided_at, newest, len(changed))


def _annotator(
    graph: IdentityGraph,
    name: str,
    own: list[Decision],
    by_pair: Mapping[frozenset[str], Mapping[str, Answer]],
    gold: RateView | None,
) -> AnnotatorStatistics:
    today = datetime.now(timezone.utc).date().isoformat()
    median = median_seconds(own)
    others = [
        (given[name], answer)
        for given in by_pair.values()
        if name in given
        for other, answer in given.items()
        if other != name
    ]
    return AnnotatorStatistics(
        annotator=name,
        num_answers=len(own),
        num_today=sum(d.decided_at[:10] == today for d in own),
        per_hour=None if not median else 3600.0 / median,
        median_s=median,
        num_unsure=sum(not d.is_sure for d in own),
        num_cannot_tell=sum(d.answer is Answer.CANNOT_TELL for d in own),
        num_taken_back=sum(not graph.is_in_force(d.decision_id) for d in own),
        agreement=sum(a is b for a, b in others) / len(others) if others else None,
        num_doubly_judged=len(others),
        gold=gold,
    )


def _stream(name: str, own: list[Decision], per_minute: float | None) -> StreamStatistics:
    return StreamStatistics(
        stream=name,
        num_answers=len(own),
        num_same=sum(d.answer is Answer.SAME for d in own),
        num_different=sum(d.answer is Answer.DIFFERENT for d in own),
        num_cannot_tell=sum(d.answer is Answer.CANNOT_TELL for d in own),
        median_s=median_seconds(own),
        yield_per_minute=per_minute,
    )
